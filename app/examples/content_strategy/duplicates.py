"""Step `duplicates`: passages that are told twice in nearly the same words, compared pair by pair with RapidFuzz.

The step runs in a process of its own: the number of pairs grows with the square of the passages."""

# ruff: noqa: PLC0415 - libraries load with the step that needs them, not with the service

from __future__ import annotations

import re
from dataclasses import dataclass

from app.examples.content_strategy.model import Json, shorten
from app.examples.content_strategy.reading import pages_of
from app.runners.registration import agent

MIN_WORDS = 15
MIN_SIMILARITY = 82.0
MAX_PASSAGES = 2_000
MAX_LETTERS = 1_000
MAX_GROUPS = 60
MAX_PLACES = 5
_NOT_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Passage:
    page: str
    line: int
    text: str
    plain: str


@agent("duplicate-finder", run_in="process")
def find_duplicates(input: Json) -> Json:  # noqa: A002
    """Groups of passages of `input.collection` with at least MIN_WORDS words, MIN_SIMILARITY percent alike.

    At most MAX_PASSAGES passages are compared, the longest ones, by
    their first MAX_LETTERS letters; `not_compared` says how many were left out.
    """
    passages = [
        _Passage(
            page=page.path, line=block.line, text=block.text, plain=_NOT_WORD.sub(" ", block.text[:MAX_LETTERS].lower())
        )
        for page in pages_of(input["collection"])
        for block in page.parts.blocks
        if len(block.text.split()) >= MIN_WORDS
    ]
    passages.sort(key=lambda passage: (-len(passage.plain), passage.page, passage.line))
    compared = passages[:MAX_PASSAGES]
    groups = _groups(compared)
    groups.sort(key=lambda group: (-int(group["copies"]) * int(group["words"]), str(group["quote"])))
    return {
        "passages": len(compared),
        "not_compared": len(passages) - len(compared),
        "groups": groups[:MAX_GROUPS],
        "group_count": len(groups),
    }


def _groups(passages: list[_Passage]) -> list[Json]:
    """Each passage joins the first longer one that it is like, so that n copies make one group and not n² pairs."""
    from rapidfuzz import fuzz

    found: list[Json] = []
    taken: set[int] = set()
    # A shorter passage cannot reach the similarity: 2 * short / (short + long) bounds the ratio from above.
    reach = MIN_SIMILARITY / (200 - MIN_SIMILARITY)
    for number, one in enumerate(passages):
        if number in taken:
            continue
        copies: list[tuple[_Passage, float]] = []
        for at in range(number + 1, len(passages)):
            other = passages[at]
            if len(other.plain) < len(one.plain) * reach:
                break
            similarity = 0.0 if at in taken else fuzz.ratio(one.plain, other.plain, score_cutoff=MIN_SIMILARITY)
            if similarity:
                taken.add(at)
                copies.append((other, similarity))
        if copies:
            found.append(_group(one, copies))
    return found


def _group(one: _Passage, copies: list[tuple[_Passage, float]]) -> Json:
    members = sorted([one, *(copy for copy, _ in copies)], key=lambda passage: (passage.page, passage.line))
    return {
        "similarity": round(min(similarity for _, similarity in copies), 1),
        "words": len(one.text.split()),
        "copies": len(members),
        "places": [{"page": member.page, "line": member.line} for member in members[:MAX_PLACES]],
        "quote": shorten(members[0].text),
    }
