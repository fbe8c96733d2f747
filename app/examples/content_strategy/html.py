"""Takes HTML apart with Beautiful Soup, which keeps the source line of every element."""

# ruff: noqa: PLC0415 - libraries load with the step that needs them, not with the service

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from app.examples.content_strategy.model import Block, Code, Heading, Link, Parts

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_PROLOG = re.compile(r"\A\s*<\?xml[^>]*\?>")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_PROSE = ("p", "li", "td", "th", "dd", "dt", "blockquote", "figcaption")


def parse_html(text: str) -> Parts:
    """The parts of an HTML page or fragment; scripts and styles do not count as prose."""
    from bs4 import BeautifulSoup

    # An XML prolog would make Beautiful Soup warn of the wrong parser, and only XHTML pages carry one here.
    soup = BeautifulSoup(_PROLOG.sub("", text, count=1), "html.parser")
    for silent in soup(["script", "style", "template"]):
        silent.decompose()
    parts = Parts(title=soup.title.get_text(" ", strip=True) if soup.title else "")
    _headings_and_anchors(soup, parts)
    _links(soup, parts)
    _prose_and_code(soup, parts)
    return parts


def _headings_and_anchors(soup: BeautifulSoup, parts: Parts) -> None:
    for tag in soup.find_all(id=True):
        parts.anchors.add(_attribute(tag, "id"))
    for tag in soup.find_all("a", attrs={"name": True}):
        parts.anchors.add(_attribute(tag, "name"))
    for tag in soup.find_all(_HEADINGS):
        parts.headings.append(
            Heading(
                level=int(tag.name[1]),
                text=tag.get_text(" ", strip=True),
                line=tag.sourceline or 1,
                anchor=_attribute(tag, "id"),
            )
        )


def _links(soup: BeautifulSoup, parts: Parts) -> None:
    for tag in soup.find_all("a", href=True):
        parts.links.append(
            Link(target=_attribute(tag, "href"), text=tag.get_text(" ", strip=True), line=tag.sourceline or 1)
        )
    for tag in soup.find_all("img"):
        # alt="" is HTML's way to say that a picture is decoration; only a missing attribute is a fault.
        alt = _attribute(tag, "alt") or ("(decoration)" if tag.has_attr("alt") else "")
        parts.links.append(Link(target=_attribute(tag, "src"), text=alt, line=tag.sourceline or 1, image=True))


def _prose_and_code(soup: BeautifulSoup, parts: Parts) -> None:
    for tag in soup.find_all("pre"):
        content = tag.get_text()
        language = next((name[9:] for name in _classes(tag) if name.startswith("language-")), "")
        parts.code.append(Code(language=language, lines=content.count("\n") + 1, line=tag.sourceline or 1))
        tag.decompose()
    for tag in soup.find_all(_PROSE):
        if tag.find(_PROSE) is not None:
            continue
        text = tag.get_text(" ", strip=True)
        if text:
            kind = "item" if tag.name == "li" else "cell" if tag.name in {"td", "th"} else "paragraph"
            parts.blocks.append(Block(text=text, prose=text, line=tag.sourceline or 1, kind=kind))


def _classes(tag: Tag) -> list[str]:
    names: list[str] = []
    for holder in (tag, tag.find("code")):
        if holder is not None:
            names += _attribute(holder, "class").split()
    return names


def _attribute(tag: Tag, name: str) -> str:
    value = tag.get(name)
    return " ".join(value) if isinstance(value, list) else str(value or "")
