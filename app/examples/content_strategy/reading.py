"""Finds the documents below the given paths, reads them and hands each to the parser of its format."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import InvalidRequest
from app.examples.content_strategy.html import parse_html
from app.examples.content_strategy.markdown import parse_markdown
from app.examples.content_strategy.model import Format, Json, Page, Parts
from app.examples.content_strategy.plain import parse_rst, parse_text

FORMATS: dict[str, Format] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".rst": "rst",
    ".txt": "text",
}
_PARSERS: dict[Format, Callable[[str], Parts]] = {
    "markdown": parse_markdown,
    "html": parse_html,
    "rst": parse_rst,
    "text": parse_text,
}
SKIPPED_FOLDERS = {"node_modules", "__pycache__", "site-packages", "build", "dist"}
MAX_PAGES = 400
MAX_BYTES = 2_000_000


class UnreadableError(Exception):
    """A file that is listed in the report instead of being analysed; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file's text and the SHA-256 of its bytes."""

    text: str
    sha256: str
    size: int


def own_docs() -> list[str]:
    """The project's own README.md and docs folder.

    Raises InvalidRequest where the project is installed without them.
    """
    project = Path(__file__).resolve().parents[3]
    found = [str(path) for path in (project / "README.md", project / "docs") if path.exists()]
    if not found:
        raise InvalidRequest("this installation has no docs of its own to look at: give `paths`, files or folders")
    return found


def discover(paths: list[str]) -> tuple[Path, list[Path]]:
    """The root that the pages' names are relative to, and the files in a stable order.

    Raises InvalidRequest for a path that does not exist and when no supported file is found.
    """
    files: set[Path] = set()
    roots: list[str] = []
    for given in paths:
        path = Path(given).expanduser().resolve()
        if not path.exists():
            raise InvalidRequest(f"no such file or folder: {given}")
        files.update([path] if path.is_file() else _below(path))
        roots.append(str(path.parent if path.is_file() else path))
    if not files:
        raise InvalidRequest(f"no {', '.join(sorted(FORMATS))} file in: {', '.join(paths)}")
    return Path(os.path.commonpath(roots)), sorted(files)


def _below(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in SKIPPED_FOLDERS]
        for name in names:
            if Path(name).suffix.lower() in FORMATS and not name.startswith("."):
                yield Path(here, name)


def read(file: Path) -> Source:
    """A file's text. Raises UnreadableError when it is empty, binary, not UTF-8, too large or cannot be opened."""
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise UnreadableError(f"larger than {MAX_BYTES:,} bytes")
        raw = file.read_bytes()
    except OSError as error:
        raise UnreadableError(error.strerror or "cannot be read") from error
    if b"\x00" in raw:
        raise UnreadableError("binary")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"not UTF-8 at byte {error.start}") from error
    if not text.strip():
        raise UnreadableError("empty")
    return Source(text=text, sha256=hashlib.sha256(raw).hexdigest(), size=size)


def parse(file: Path, root: Path, source: Source) -> Page:
    """The page that `file` holds; a file of an unknown kind counts as plain text."""
    format_ = FORMATS.get(file.suffix.lower(), "text")
    return Page(
        path=name_of(file, root),
        file=file,
        format=format_,
        lines=tuple(source.text.splitlines()),
        parts=_PARSERS[format_](source.text),
    )


def name_of(file: Path, root: Path) -> str:
    """The path of `file` from `root`, with forward slashes."""
    return Path(os.path.relpath(file, root)).as_posix()


def pages_of(collection: Json) -> list[Page]:
    """Reads the collected pages again: steps hand on names, not megabytes. What has vanished since is left out."""
    root = Path(str(collection["root"]))
    pages: list[Page] = []
    for record in collection["pages"]:
        file = root / str(record["path"])
        try:
            pages.append(parse(file, root, read(file)))
        except UnreadableError:
            continue
    return pages
