"""Step `analyst`: how each page is built. Headings that jump, sections without text, walls of text, pictures
without words, code without a language; and what kind of page it is, judged by its own words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from app.examples.content_strategy.model import Context, Heading, Json, Page, shorten
from app.examples.content_strategy.reading import pages_of
from app.runners.registration import agent

LONG_SECTION = 600
OUTLINE_DEPTH = 2
MAX_ISSUES = 300
_STALE = re.compile(r"\b(TODO|FIXME|TBD|XXX|coming soon|lorem ipsum)\b")
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("changelog", re.compile(r"change ?log|release notes|what's new|history of releases", re.IGNORECASE)),
    ("decision", re.compile(r"\bADR\b|\bdecisions?\b|\d{4}-[a-z]", re.IGNORECASE)),
    ("tutorial", re.compile(r"tutorial|quick ?start|getting started|first steps|walkthrough", re.IGNORECASE)),
    (
        "how-to",
        re.compile(r"how to|how-to|guide|install|contributing|troubleshoot|recipes?|set ?up|upgrad", re.IGNORECASE),
    ),
    (
        "reference",
        re.compile(r"reference|\bAPI\b|\bCLI\b|config|settings|events|schema|contract|spec|glossary", re.IGNORECASE),
    ),
    (
        "explanation",
        re.compile(r"concept|architecture|design|overview|why|background|internals|guarantee", re.IGNORECASE),
    ),
)
_ENTRY = re.compile(r"(^|/)(readme|index)\.\w+$", re.IGNORECASE)


@agent("analyst", run_in="thread")
def analyse(input: Json, ctx: Context) -> Json:  # noqa: A002
    """The outline, kind and structural faults of each page of `input.collection`; at most MAX_ISSUES faults."""
    pages = pages_of(input["collection"])
    described: list[Json] = []
    issues: list[Json] = []
    for number, page in enumerate(pages, start=1):
        found = list(_issues(page))
        issues += found
        described.append(_describe(page, len(found)))
        ctx.progress(number / len(pages), page.path)
    return {
        "pages": described,
        "issues": issues[:MAX_ISSUES],
        "counts": dict(Counter(str(issue["rule"]) for issue in issues)),
    }


def _describe(page: Page, issues: int) -> Json:
    parts = page.parts
    kind, why = kind_of(page)
    code_lines = sum(code.lines for code in parts.code)
    return {
        "path": page.path,
        "kind": kind,
        "kind_why": why,
        "words": page.words,
        "headings": len(parts.headings),
        "depth": max((heading.level for heading in parts.headings), default=0),
        "images": sum(link.image for link in parts.links),
        "code_share": round(code_lines / max(1, len(page.lines)), 2),
        "outline": [shorten(heading.text, 60) for heading in parts.headings if heading.level <= OUTLINE_DEPTH][:12],
        "issues": issues,
    }


def kind_of(page: Page) -> tuple[str, str]:
    """The kind of a page after Diataxis (https://diataxis.fr), with the words that decided: path and title first."""
    if _ENTRY.search(page.path):
        return "entry", "its file name"
    for place, text in (("its file name", page.path), ("its title", page.title)):
        for kind, pattern in _KINDS:
            if found := pattern.search(text):
                return kind, f"“{found[0]}” in {place}"
    parts = page.parts
    if sum(code.lines for code in parts.code) > len(page.lines) * 0.3:
        return "how-to", "the share of code"
    if sum(block.kind == "cell" for block in parts.blocks) > len(parts.blocks) * 0.5:
        return "reference", "the share of tables"
    return "explanation", "mostly prose"


def _issue(rule: str, page: Page, line: int, detail: str) -> Json:
    quote = page.lines[line - 1] if 0 < line <= len(page.lines) else ""
    return {"rule": rule, "page": page.path, "line": line, "detail": detail, "quote": shorten(quote)}


def _issues(page: Page) -> Iterator[Json]:
    if page.format != "text":
        yield from _heading_issues(page)
        yield from _section_issues(page)
    for link in page.parts.links:
        if link.image and not link.text.strip():
            yield _issue("missing_alt", page, link.line, f"the picture {shorten(link.target, 80)} has no text")
    for code in page.parts.code:
        if not code.language and code.lines > 1:
            yield _issue("code_language", page, code.line, f"{code.lines} lines of code that name no language")
    for block in page.parts.blocks:
        if found := _STALE.search(block.prose):
            yield _issue("unfinished", page, block.line, f"“{found[0]}” in the text")


def _heading_issues(page: Page) -> Iterator[Json]:
    headings = page.parts.headings
    tops = [heading for heading in headings if heading.level == 1]
    if not tops and not page.parts.title:
        yield _issue("no_title", page, 1, "no heading of the first level")
    for extra in tops[1:]:
        yield _issue("several_titles", page, extra.line, f"“{shorten(extra.text, 60)}” is one more title")
    for before, after in pairwise(headings):
        if after.level > before.level + 1:
            detail = f"from level {before.level} to {after.level}: “{shorten(after.text, 60)}”"
            yield _issue("heading_jump", page, after.line, detail)


def _section_issues(page: Page) -> Iterator[Json]:
    parts = page.parts
    filled = sorted(
        [block.line for block in parts.blocks]
        + [code.line for code in parts.code]
        + [link.line for link in parts.links]
    )
    for heading, start, end in _sections(page):
        nested = end <= len(page.lines) and any(h.line == end and h.level > heading.level for h in parts.headings)
        if not nested and not any(start < line < end for line in filled):
            yield _issue("empty_section", page, start, f"nothing below “{shorten(heading.text, 60)}”")
        words = sum(len(block.text.split()) for block in parts.blocks if start < block.line < end)
        if words > LONG_SECTION:
            detail = f"{words} words below “{shorten(heading.text, 60)}” without a heading between"
            yield _issue("long_section", page, start, detail)


def _sections(page: Page) -> Iterator[tuple[Heading, int, int]]:
    headings = page.parts.headings
    for number, heading in enumerate(headings):
        end = headings[number + 1].line if number + 1 < len(headings) else len(page.lines) + 1
        yield heading, heading.line, end
