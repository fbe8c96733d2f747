"""What the collection does not say: terms that it leans on without explaining them, kinds of page that it lacks, and
how well it covers a topic that somebody asks about. Proposals, not measurements; each names what it rests on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.examples.content_strategy.model import Json, Page

MAX_TERMS = 8
MIN_PAGES = 3
# A phrase says little when it is key to fewer pages than this; a small collection has fewer to offer.
MIN_KEY_ON = 3
SMALL = 10
_NO_NOUN = re.compile(r".*(?:ed|ing|ly|able|ful|ous)")
# Words that are key to many a page without being anything to explain.
COMMON = frozenset(
    """
    add adding api base browser case change client code command data database default docs documentation entry
    error example external false file function hour html http https individual internal issue json kind line
    list make message minute name need none note number option page part point problem project python reason
    removal remove request response result run script second section server set software start table text thing
    time tool true type url use user value way work yaml
    """.split()  # noqa: SIM905 - a list of seventy quoted words reads worse
)
_WANTED_KINDS = {
    "tutorial": "A first path from nothing to a result for somebody who knows none of the words yet",
    "how-to": "Recipes for the jobs that come back: one page, one aim, numbered steps",
    "reference": "The complete list to look things up in: options, routes, fields, with type and default",
    "explanation": "Why things are as they are: the model behind it and what was decided against",
}


def write_next(facts: Json, structure: Json, pages: list[Page]) -> list[Json]:
    """Pages or sections that are worth writing next, the most needed first: `{title, why, kind, evidence}`."""
    proposals = [*_topic_gap(str(facts.get("topic") or ""), pages)]
    proposals += _kind_gaps(structure)
    proposals += _term_gaps(facts["keyphrases"]["terms"], MIN_KEY_ON - (len(pages) <= SMALL))
    return proposals


def _term_gaps(terms: list[Json], key_on: int) -> Iterator[Json]:
    count = 0
    for term in terms:
        phrase = str(term["phrase"])
        shared = term["pages"] >= MIN_PAGES and (term["key_on"] >= key_on or " " in phrase)
        if term["heading_count"] or term["defined"] or not shared or phrase in COMMON or _NO_NOUN.fullmatch(phrase):
            continue
        count += 1
        if count > MAX_TERMS:
            return
        where = term["most"][0]["page"]
        yield {
            "title": f"Explain “{phrase}” once",
            "kind": "section",
            "why": f"{term['mentions']} mentions on {term['pages']} pages, a key phrase of {term['key_on']}, "
            f"yet no heading takes it up and no sentence or table defines it. {where} uses it most: the likely home.",
            "evidence": [{"page": hit["page"], "line": hit["line"]} for hit in term["most"]],
        }


def _kind_gaps(structure: Json) -> Iterator[Json]:
    if len(structure["pages"]) < MIN_PAGES:
        return
    kinds = {str(page["kind"]) for page in structure["pages"]}
    for kind, what in _WANTED_KINDS.items():
        if kind not in kinds:
            yield {
                "title": f"There is no {kind}",
                "kind": kind,
                "why": f"{what}. None of the {len(structure['pages'])} pages looks like one, by name, title or form.",
                "evidence": [],
            }


def _topic_gap(topic: str, pages: list[Page]) -> Iterator[Json]:
    if not topic:
        return
    cover = coverage(topic, pages)
    if not cover["pages"]:
        yield {
            "title": f"Write about “{topic}”",
            "kind": "topic",
            "why": f"No page mentions {' or '.join(cover['words'])}.",
            "evidence": [],
        }
    elif not cover["headings"]:
        best = cover["pages"][0]
        yield {
            "title": f"Give “{topic}” a page or section of its own",
            "kind": "topic",
            "why": f"It is touched on {len(cover['pages'])} pages, most on {best['page']} "
            f"({best['mentions']} mentions), but no heading names it.",
            "evidence": [{"page": best["page"], "line": best["line"]}],
        }


def coverage(topic: str, pages: list[Page]) -> Json:
    """Where the words of `topic` stand: pages by number of mentions, and headings that name it."""
    words: list[str] = re.findall(r"\w{3,}", topic.lower()) or [topic.lower()]
    pattern = re.compile(r"\b(?:" + "|".join(re.escape(word) for word in words) + r")", re.IGNORECASE)
    hits: list[Json] = []
    headings: list[Json] = []
    for page in pages:
        lines = [(block.line, len(pattern.findall(block.text))) for block in page.parts.blocks]
        mentions = sum(count for _, count in lines)
        if mentions:
            first = next(line for line, count in lines if count)
            hits.append({"page": page.path, "line": first, "mentions": mentions})
        headings += [
            {"page": page.path, "line": heading.line, "text": heading.text}
            for heading in page.parts.headings
            if len({found.lower() for found in pattern.findall(heading.text)}) == len(set(words))
        ]
    hits.sort(key=lambda hit: -int(hit["mentions"]))
    return {"words": words, "pages": hits[:20], "headings": headings[:20]}
