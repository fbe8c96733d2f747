"""Takes plain text and reStructuredText apart: paragraphs, and for the latter underlined titles, links and pictures."""

# ruff: noqa: PLC0415 - libraries load with the step that needs them, not with the service

from __future__ import annotations

import re

from app.examples.content_strategy.model import Block, Code, Heading, Link, Parts

MAX_LINE = 5_000  # no person writes longer ones, and regular expressions are slow on them
_UNDERLINE = re.compile(r"([=\-`:'\"~^_*+#<>])\1{2,}\s*$")
_RST_LINK = re.compile(r"`([^`<]*?)\s*<([^`<>]+)>`__?")
_RST_IMAGE = re.compile(r"\s*\.\. (?:image|figure)::\s*(\S+)")
_RST_CODE = re.compile(r"\s*\.\. (?:code-block|code|sourcecode)::\s*(\S*)")
_RST_OTHER = re.compile(r"\s*(?:\.\.(?:\s|$)|:[\w-]+:)")


def parse_text(text: str) -> Parts:
    """The paragraphs of a plain text; it has no structure that could be known for sure."""
    parts = Parts()
    for line, paragraph in _paragraphs(text.splitlines()):
        flat = " ".join(" ".join(paragraph).split())
        parts.blocks.append(Block(text=flat, prose=flat, line=line, kind="paragraph"))
    return parts


def parse_rst(text: str) -> Parts:
    """The parts of reStructuredText that need no Sphinx: titles, inline links, images, code blocks and paragraphs."""
    from mdit_py_plugins.anchors.index import slugify, unique_slug

    parts = Parts()
    lines = text.splitlines()
    levels: list[str] = []
    prose = list(lines)
    for number, (title, under) in enumerate(zip(lines, [*lines[1:], ""], strict=True), start=1):
        mark = _UNDERLINE.match(under)
        if not mark or not title.strip() or _UNDERLINE.match(title) or len(under.rstrip()) < len(title.rstrip()):
            continue
        if mark[1] not in levels:
            levels.append(mark[1])
        name = title.strip()
        anchor = unique_slug(slugify(name), parts.anchors)
        level = min(levels.index(mark[1]) + 1, 6)
        parts.headings.append(Heading(level=level, text=name, line=number, anchor=anchor))
        prose[number - 1] = prose[number] = ""
    _rst_inline(lines, parts)
    for line, paragraph in _paragraphs(prose):
        if not _RST_OTHER.match(paragraph[0]) and not paragraph[0].startswith("   "):
            flat = " ".join(_RST_LINK.sub(r"\1", " ".join(paragraph)).replace("``", "").split())
            parts.blocks.append(Block(text=flat, prose=flat, line=line, kind="paragraph"))
    return parts


def _rst_inline(lines: list[str], parts: Parts) -> None:
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_LINE:
            continue
        for text, target in _RST_LINK.findall(line):
            parts.links.append(Link(target=target, text=text, line=number))
        if image := _RST_IMAGE.match(line):
            options = " ".join(lines[number : number + 6])
            alt = re.search(r":alt:\s*(\S[^:]*)", options)
            parts.links.append(Link(target=image[1], text=alt[1] if alt else "", line=number, image=True))
        if code := _RST_CODE.match(line):
            parts.code.append(Code(language=code[1], lines=_indented(lines[number:]), line=number))


def _indented(lines: list[str]) -> int:
    count = 0
    for line in lines:
        if line.strip() and not line.startswith((" ", "\t")):
            break
        count += bool(line.strip())
    return count


def _paragraphs(lines: list[str]) -> list[tuple[int, list[str]]]:
    found: list[tuple[int, list[str]]] = []
    fresh = True
    for number, line in enumerate(lines, start=1):
        if not line.strip() or _UNDERLINE.match(line):
            fresh = True
        elif fresh:
            found.append((number, [line]))
            fresh = False
        else:
            found[-1][1].append(line)
    return found
