"""What a page is to this workflow: its headings, links, prose and code, each with the line it stands on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

Json = dict[str, Any]
Format = Literal["markdown", "html", "rst", "text"]


class Context(Protocol):
    """The part of a step's context that these agents use."""

    @property
    def thread_id(self) -> str:
        """The thread that the step belongs to."""
        ...

    def progress(self, fraction: float, message: str = "") -> None:
        """Tell how far the step is, from 0.0 to 1.0."""
        ...

    def chunk(self, text: str) -> None:
        """Send a piece of text to those who watch."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """`level` is 1 to 6; `anchor` is the fragment that links to it."""

    level: int
    text: str
    line: int
    anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link, or with `image` an embedded picture whose alternative text is `text`."""

    target: str
    text: str
    line: int
    image: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A run of prose. `text` is as a reader sees it, `prose` leaves out inline code that is no word."""

    text: str
    prose: str
    line: int
    kind: Literal["paragraph", "item", "cell"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A block of code of so many `lines`; `language` is "" when the page does not say it."""

    language: str
    lines: int
    line: int


@dataclass(slots=True, kw_only=True)
class Parts:
    """What a parser gathers, in document order."""

    title: str = ""
    headings: list[Heading] = field(default_factory=list[Heading])
    links: list[Link] = field(default_factory=list[Link])
    blocks: list[Block] = field(default_factory=list[Block])
    code: list[Code] = field(default_factory=list[Code])
    anchors: set[str] = field(default_factory=set[str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One document. `path` is relative to the root of the collection, with forward slashes."""

    path: str
    file: Path
    format: Format
    lines: tuple[str, ...]
    parts: Parts

    @property
    def title(self) -> str:
        """The page's own title, else its file name."""
        headings = self.parts.headings
        return self.parts.title or (headings[0].text if headings else self.file.stem)

    @property
    def words(self) -> int:
        """Words of prose; code does not count."""
        return sum(len(block.text.split()) for block in self.parts.blocks)


def optional(facts: Json, name: str) -> Json:
    """The output of a step that may have been skipped; {} when it was."""
    value: Json | None = facts.get(name)
    return value or {}


def shorten(text: str, limit: int = 160) -> str:
    """`text` on one line and at most `limit` characters long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"
