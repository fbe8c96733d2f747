"""Step `keyphrases`: what the pages are about, by YAKE (Campos et al. 2020), page by page with progress; then which
of these phrases run through many pages, and which of them no heading ever takes up."""

# ruff: noqa: PLC0415 - libraries load with the step that needs them, not with the service

from __future__ import annotations

import re
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from app.examples.content_strategy.model import Context, Json, Page
from app.examples.content_strategy.reading import pages_of
from app.runners.registration import agent

if TYPE_CHECKING:
    from yake_rust import Yake

PHRASES_A_PAGE = 10
MAX_TERMS = 60
MIN_WORDS = 30
MIN_LETTERS = 4
MAX_WORD = 40
MAX_SENTENCE = 120
MAX_LETTERS = 500_000
MAX_PACE_S = 30.0
DEFAULT_PACE_MS = 300
_CLEAN = re.compile(r"[a-z][a-z-]*(?: [a-z][a-z-]*)*")


@agent("keyphrases", run_in="thread")
def keyphrases(input: Json, ctx: Context) -> Json:  # noqa: A002
    """The key phrases of each page of `input.collection` and those that the collection shares.

    `input.pace_ms` is a demo aid: so long the step rests after each page, so that a person can watch it, pull the
    plug in the middle or roll it back; never more than MAX_PACE_S seconds in all. 0 takes the rest away.
    """
    from yake_rust import Yake

    extractor = Yake(language=str(input.get("language") or "en"), ngrams=3)
    pages = pages_of(input["collection"])
    pace_ms = input.get("pace_ms")
    pace = min((DEFAULT_PACE_MS if pace_ms is None else float(pace_ms)) / 1000, MAX_PACE_S / max(1, len(pages)))
    per_page: list[Json] = []
    for number, page in enumerate(pages, start=1):
        phrases = _phrases(_ranked(extractor, text := _text(page)), text.lower()) if page.words >= MIN_WORDS else []
        per_page.append({"path": page.path, "phrases": phrases})
        ctx.progress(number / len(pages), f"{page.path}: {', '.join(phrases[:3]) or 'too short'}")
        time.sleep(pace)
    return {"pages": per_page, "terms": _shared(pages, per_page)}


def _text(page: Page) -> str:
    """The page's words for YAKE. A full stop ends each block, so that no phrase is built across two of them.

    YAKE's tokenizer gives up on very long words and sentences: the former are left out, the latter cut.
    """
    blocks = [heading.text for heading in page.parts.headings] + [block.prose for block in page.parts.blocks]
    lines: list[str] = []
    for block in blocks:
        words = [word for word in block.split() if len(word) <= MAX_WORD]
        for start in range(0, len(words), MAX_SENTENCE):
            line = " ".join(words[start : start + MAX_SENTENCE])
            lines.append(line if line.endswith((".", "!", "?")) else f"{line}.")
    return "\n".join(lines)[:MAX_LETTERS]


def _ranked(extractor: Yake, text: str) -> list[tuple[str, float]]:
    try:
        return extractor.get_n_best(text, n=30)
    except BaseException as error:
        # A panic of the Rust library is no Exception, and its class cannot be imported; one page's phrases are lost.
        if type(error).__name__ != "PanicException":
            raise
        return []


def _phrases(ranked: list[tuple[str, float]], text: str) -> list[str]:
    """The best phrases, in lower case and singular, without those that are part of a better or longer one."""
    kept: list[str] = []
    for phrase, _ in ranked:
        plain = phrase.lower()
        # The singular only where the page itself has it: a rule of thumb alone makes "Node.js" a "nodej".
        if re.search(rf"\b{re.escape(singular(plain))}\b", text):
            plain = singular(plain)
        words = plain.split()
        if not _CLEAN.fullmatch(plain) or len(plain) < MIN_LETTERS or len(set(words)) < len(words):
            continue
        if not any(set(words) <= set(other.split()) or set(other.split()) <= set(words) for other in kept):
            kept.append(plain)
    return kept[:PHRASES_A_PAGE]


def singular(phrase: str) -> str:
    """`phrase` with its last word in the singular, as far as a rule of thumb goes."""
    if phrase.endswith("ies") and len(phrase) > MIN_LETTERS + 1:
        return phrase[:-3] + "y"
    if phrase.endswith("s") and not phrase.endswith(("ss", "us", "is", "as")) and len(phrase) > MIN_LETTERS:
        return phrase[:-1]
    return phrase


def _shared(pages: list[Page], per_page: list[Json]) -> list[Json]:
    """For each phrase: where it stands, how often, and in which headings. Those on most pages come first."""
    sources: dict[str, int] = defaultdict(int)
    for entry in per_page:
        for phrase in entry["phrases"]:
            sources[str(phrase)] += 1
    likely = sorted(sources.items(), key=lambda item: (-item[1], item[0]))[: 3 * MAX_TERMS]
    lowered = [(page, "\n".join(page.lines).lower()) for page in pages]
    terms = [
        _term(phrase, key_on, [page for page, text in lowered if phrase.split()[0] in text])
        for phrase, key_on in likely
    ]
    terms.sort(key=lambda term: (-int(term["key_on"]), -int(term["pages"]), -int(term["mentions"]), term["phrase"]))
    return terms[:MAX_TERMS]


def _term(phrase: str, key_on: int, pages: list[Page]) -> Json:
    pattern = re.compile(rf"\b{re.escape(phrase)}(?:s|es)?\b", re.IGNORECASE)
    mentions: list[Json] = []
    headings: list[Json] = []
    total = 0
    defined = False
    definition = re.compile(
        rf"(?:an? |the )?{re.escape(phrase)}(?:s|es)?(?:$|\s*[:\u2013\u2014]| (?:is|are|means) )", re.IGNORECASE
    )
    for page in pages:
        defined = defined or any(definition.match(block.text) for block in page.parts.blocks)
        lines = [(block.line, len(pattern.findall(block.text))) for block in page.parts.blocks]
        hits = [(line, count) for line, count in lines if count]
        total += sum(count for _, count in hits)
        if hits:
            mentions.append({"page": page.path, "line": hits[0][0], "count": sum(count for _, count in hits)})
        headings += [
            {"page": page.path, "line": heading.line} for heading in page.parts.headings if pattern.search(heading.text)
        ]
        if not page.parts.headings and pattern.search(page.title):
            headings.append({"page": page.path, "line": 1})
    mentions.sort(key=lambda mention: -int(mention["count"]))
    return {
        "phrase": phrase,
        "key_on": key_on,
        "pages": len(mentions),
        "mentions": total,
        "most": mentions[:4],
        "headings": headings[:4],
        "heading_count": len(headings),
        "defined": defined,
    }
