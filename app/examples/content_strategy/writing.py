"""Puts the reviewed strategy into words: one Markdown text, findings by effect, a per-page appendix."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.examples.content_strategy.model import Json, shorten
from app.examples.content_strategy.rules import RULES

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")
_SHOWN = 8
_FEW = 4
_MANY_HOURS = 10


def markdown_report(collection: Json, review: Json, shape: Json) -> str:
    """The whole report. `shape` holds the medians that the summary names: `lix`, `flesch`, `duplicate_passages`."""
    parts = [
        *_summary(collection, review, shape),
        *_quick_wins(review),
        *_write_next(review),
        *_topic(review),
        *_findings(review),
        *_readers(review),
        *_method(review, collection),
        *_appendix(review, collection),
    ]
    return "\n".join(parts).rstrip() + "\n"


def headline(collection: Json, review: Json) -> str:
    """The result in one or two sentences of plain text."""
    findings = review["findings"]
    pages = f"{len(collection['pages'])} pages, {collection['words']:,} words"
    if not findings:
        return f"{pages}: no fault found by {len(RULES)} rules."
    worst = findings[0]
    places = sum(int(finding["places"]) for finding in findings)
    return (
        f"{pages}: {places} places to mend, of {len(findings)} kinds. "
        f"First: {worst['title'][0].lower()}{worst['title'][1:]} ({worst['places']})."
    )


def plain(text: object) -> str:
    """`text` so that Markdown shows it as it is."""
    return _SPECIAL.sub(r"\\\1", str(text))


def quoted(text: str) -> str:
    """`text` as inline code, whatever backticks it holds; it may stand in a table."""
    flat = shorten(text, 120).replace("|", "\u2502")
    fence = "`" * (max((len(run) for run in re.findall(r"`+", flat)), default=0) + 1)
    pad = " " if "`" in flat else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def _summary(collection: Json, review: Json, shape: Json) -> Iterator[str]:
    yield "# Content strategy"
    yield ""
    yield f"**{plain(headline(collection, review))}**"
    yield ""
    hours = sum(int(finding["minutes"]) for finding in review["findings"]) / 60
    for finding in review["findings"][:3]:
        reach = f"{_count(finding['places'], 'place')}, {_count(finding['pages'], 'page')}"
        yield f"- **{finding['title']}** ({reach}). {finding['why']}"
    yield ""
    told = [f"All of it together is about {_hours(hours)} of work."] if review["findings"] else []
    if shape["lix"] is not None:
        flesch = f", Flesch reading ease {shape['flesch']}" if shape["flesch"] is not None else ""
        told.append(f"The middle page has LIX {shape['lix']} ({_lix_word(float(shape['lix']))}){flesch}.")
    if review["write_next"]:
        told.append(
            f"{_count(len(review['write_next']), 'gap')} to fill; the first: {plain(review['write_next'][0]['title'])}."
        )
    yield " ".join(told)
    yield ""
    rows = [
        [area["area"], f"{area['good']} of {area['total']}", f"{100 * area['good'] // area['total']} %", _bar(area)]
        for area in review["areas"]
    ]
    yield from _table(["What is in order", "", "", ""], rows)


def _quick_wins(review: Json) -> Iterator[str]:
    findings = {finding["id"]: finding for finding in review["findings"]}
    wins = [findings[rule] for rule in review["quick_wins"]]
    if not wins:
        return
    yield "## Start here: the most effect for half an hour"
    yield ""
    for number, win in enumerate(wins, start=1):
        place = win["evidence"][0]
        yield f"{number}. **{win['title']}**: about {win['minutes']} minutes. {win['action']} First: {_where(place)}."
    yield ""


def _write_next(review: Json) -> Iterator[str]:
    if not review["write_next"]:
        return
    yield "## What to write next"
    yield ""
    for number, item in enumerate(review["write_next"], start=1):
        seen = ", ".join(f"`{hit['page']}:{hit['line']}`" for hit in item["evidence"])
        yield f"{number}. **{plain(item['title'])}.** {plain(item['why'])}" + (f" Seen: {seen}." if seen else "")
    yield ""


def _topic(review: Json) -> Iterator[str]:
    topic = review["topic"]
    if not topic:
        return
    yield f"## How well is “{plain(topic['name'])}” covered?"
    yield ""
    if not topic["pages"]:
        yield "No page mentions it."
    else:
        named = ", ".join(f"{plain(hit['text'])} (`{hit['page']}:{hit['line']}`)" for hit in topic["headings"][:6])
        yield f"Headings that name it: {named or 'none'}."
        yield ""
        rows = [[f"`{hit['page']}:{hit['line']}`", str(hit["mentions"])] for hit in topic["pages"][:8]]
        yield from _table(["Page, first place", f"Mentions of {plain(', '.join(topic['words']))}"], rows)
    yield ""


def _findings(review: Json) -> Iterator[str]:
    if not review["findings"]:
        return
    yield "## Findings, ranked by effect"
    yield ""
    yield "Effect: the weight of the fault (1 cosmetic to 5 the reader is stopped) times the square root of its places."
    yield ""
    rows = [
        [str(number), plain(item["title"]), str(item["weight"]), str(item["places"]), str(item["pages"]),
         f"{item['effect']:.1f}", _hours(item["minutes"] / 60)]
        for number, item in enumerate(review["findings"], start=1)
    ]  # fmt: skip
    yield from _table(["#", "Finding", "Weight", "Places", "Pages", "Effect", "Work"], rows)
    for number, item in enumerate(review["findings"], start=1):
        yield f"### {number}. {plain(item['title'])}"
        yield ""
        yield f"{item['why']} **{item['action']}**"
        yield ""
        for place in item["evidence"][:_SHOWN]:
            quote = f": {quoted(place['quote'])}" if place["quote"] else ""
            detail = f" ({plain(place['detail'])})" if place["detail"] else ""
            yield f"- {_where(place)}{quote}{detail}"
        more = int(item["places"]) - min(_SHOWN, len(item["evidence"]))
        if more > 0:
            yield f"- and {more} more"
        yield ""


def _readers(review: Json) -> Iterator[str]:
    yield "## Who each page is for"
    yield ""
    kinds: dict[str, list[Json]] = {}
    for page in review["pages"]:
        kinds.setdefault(str(page["kind"]), []).append(page)
    rows = [
        [kind, pages[0]["reader"], str(len(pages)), f"{sum(int(page['words']) for page in pages):,}", _some(pages)]
        for kind, pages in sorted(kinds.items(), key=lambda item: -len(item[1]))
    ]
    yield from _table(["Kind", "Reader", "Pages", "Words", "Which"], rows)


def _method(review: Json, collection: Json) -> Iterator[str]:
    yield "## How far to trust this"
    yield ""
    yield f"- {_count(review['confirmed'], 'cited place')} looked up again in the files before this was written" + (
        f"; dropped: {sum(int(item['places']) for item in review['dropped'])}."
        if review["dropped"]
        else "; none dropped."
    )
    for caveat in review["caveats"]:
        yield f"- {plain(caveat)}"
    for item in collection["unreadable"][:_SHOWN]:
        yield f"- Not read: {quoted(item['path'])} ({plain(item['reason'])})."
    yield ""


def _appendix(review: Json, collection: Json) -> Iterator[str]:
    titles = {page["path"]: page["title"] for page in collection["pages"]}
    yield "## Appendix: page by page"
    yield ""
    rows = [
        [f"`{page['path']}`", page["kind"], f"{page['words']:,}", _or_dash(page["lix"]), _or_dash(page["flesch"]),
         f"{100 * page['code_share']:.0f} %", f"{page['inbound']} / {page['outbound']}",
         str(sum(fault["count"] for fault in page["faults"]))]
        for page in review["pages"]
    ]  # fmt: skip
    yield from _table(["Page", "Kind", "Words", "LIX", "Flesch", "Code", "Links in / out", "Places"], rows)
    for page in review["pages"]:
        yield f"### {plain(page['path'])}"
        yield ""
        minutes = f", {page['minutes']} minutes" if page["minutes"] else ""
        kind = f"{page['kind']} (by {plain(page['kind_why'])})"
        yield f"“{plain(titles.get(page['path'], ''))}”: {kind}, for {page['reader']}{minutes}."
        if page["phrases"]:
            yield f"About: {plain(', '.join(page['phrases']))}."
        yield ""
        for fault in page["faults"]:
            yield f"- {RULES[fault['id']].title}: {_lines(fault)}"
        yield ""


def _where(place: Json) -> str:
    line = f":{place['line']}" if place["line"] else ""
    return quoted(f"{place['page']}{line}")


def _lines(fault: Json) -> str:
    lines = [line for line in fault["lines"] if line > 1]
    if not lines:
        return "the whole page"
    more = int(fault["count"]) - len(fault["lines"])
    return (
        ("line " if len(lines) == 1 else "lines ")
        + ", ".join(map(str, lines))
        + (f" and {more} more" if more > 0 else "")
    )


def _some(pages: list[Json]) -> str:
    names = ", ".join(f"`{page['path']}`" for page in pages[:_FEW])
    return names + (f" and {len(pages) - _FEW} more" if len(pages) > _FEW else "")


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def _hours(hours: float) -> str:
    return (
        f"{hours:.0f} h"
        if hours >= _MANY_HOURS
        else f"{hours:.1f} h"
        if hours >= 1
        else f"{max(1, round(hours * 60))} min"
    )


def _lix_word(lix: float) -> str:
    steps = ((30, "very easy"), (40, "easy"), (50, "of middle difficulty"), (60, "hard"))
    return next((word for limit, word in steps if lix <= limit), "very hard")


def _bar(area: Json) -> str:
    filled = int(10 * area["good"] / area["total"])
    return "█" * filled + "░" * (10 - filled)


def _or_dash(value: object) -> str:
    return "\u2013" if value is None else str(value)
