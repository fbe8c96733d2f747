"""Takes Markdown apart with markdown-it-py, keeping the line of every heading, link and paragraph."""

# ruff: noqa: PLC0415 - libraries load with the step that needs them, not with the service

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from app.examples.content_strategy.model import Block, Code, Heading, Link, Parts

if TYPE_CHECKING:
    from markdown_it.token import Token

_WORD = re.compile(r"[A-Za-z][\w-]*")
_FRONT_TITLE = re.compile(r"^title:\s*['\"]?(.+?)['\"]?\s*$", re.MULTILINE)


def parse_markdown(text: str) -> Parts:
    """The parts of a CommonMark page with GitHub's tables, an optional front matter and inline HTML."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.front_matter import front_matter_plugin

    parser = MarkdownIt("commonmark").enable("table").use(front_matter_plugin)
    reader = _Reader()
    for token in parser.parse(text):
        reader.take(token)
    return reader.parts


class _Reader:
    """Walks the flat list of tokens once; `_open` is the stack of blocks around the present one."""

    def __init__(self) -> None:
        self.parts = Parts()
        self._open: list[Token] = []
        self._line = 1

    def take(self, token: Token) -> None:
        if token.map is not None:
            self._line = token.map[0] + 1
        if token.nesting == 1:
            self._open.append(token)
        elif token.nesting == -1:
            self._open.pop()
        elif token.type == "inline":
            self._inline(token)
        else:
            self._leaf(token)

    def _leaf(self, token: Token) -> None:
        if token.type == "front_matter":
            found = _FRONT_TITLE.search(token.content)
            self.parts.title = found[1] if found else ""
        elif token.type in {"fence", "code_block"}:
            language = token.info.split()[0] if token.info.strip() else ""
            indented = token.type == "code_block"
            code = Code(
                language=language or ("indented" if indented else ""),
                lines=token.content.count("\n"),
                line=self._line,
            )
            self.parts.code.append(code)
        elif token.type == "html_block":
            self._html(token.content, self._line)

    def _inline(self, token: Token) -> None:
        text, prose = self._spans(token.children or [], self._line)
        around = self._open[-1] if self._open else None
        if around is not None and around.type == "heading_open":
            self._heading(int(around.tag[1]), text)
            return
        if not text.strip():
            return
        kind = "paragraph"
        if around is not None and around.type in {"td_open", "th_open"}:
            kind = "cell"
        elif any(block.type == "list_item_open" for block in self._open):
            kind = "item"
        self.parts.blocks.append(Block(text=text.strip(), prose=prose.strip(), line=self._line, kind=kind))

    def _heading(self, level: int, text: str) -> None:
        from mdit_py_plugins.anchors.index import slugify, unique_slug

        anchor = unique_slug(slugify(text.strip()), self.parts.anchors)
        self.parts.headings.append(Heading(level=level, text=text.strip(), line=self._line, anchor=anchor))

    def _spans(self, spans: list[Token], line: int) -> tuple[str, str]:
        text: list[str] = []
        prose: list[str] = []
        links: list[tuple[str, int, int]] = []
        for span in spans:
            if span.type in {"softbreak", "hardbreak"}:
                line += 1
                text.append(" ")
                prose.append(" ")
            elif span.type == "link_open":
                links.append((str(span.attrGet("href") or ""), line, len(text)))
            elif span.type == "link_close":
                target, at, start = links.pop()
                self.parts.links.append(Link(target=target, text="".join(text[start:]), line=at))
            elif span.type == "image":
                self.parts.links.append(
                    Link(target=str(span.attrGet("src") or ""), text=span.content, line=line, image=True)
                )
            elif span.type == "html_inline":
                self._html(span.content, line)
            else:
                text.append(span.content)
                plain = span.type != "code_inline" or _WORD.fullmatch(span.content)
                prose.append(span.content if plain else "")
        return "".join(text), "".join(prose)

    def _html(self, markup: str, line: int) -> None:
        from app.examples.content_strategy.html import parse_html

        inner = parse_html(markup)
        self.parts.anchors |= inner.anchors
        for link in inner.links:
            self.parts.links.append(
                Link(target=link.target, text=link.text, line=line + link.line - 1, image=link.image)
            )
        if not self.parts.title and not self.parts.headings and inner.headings:
            self.parts.title = inner.headings[0].text
        for heading in inner.headings:
            self.parts.headings.append(
                Heading(level=heading.level, text=heading.text, line=line + heading.line - 1, anchor=heading.anchor)
            )
