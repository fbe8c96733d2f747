"""Step `links`: every link of every page. Relative ones and their anchors are looked up on disk; external
ones are only read for their form, for the workflow runs offline. From the same links: who links to whom, and what
nobody finds."""

# ruff: noqa: PLC0415 - libraries load with the step that needs them, not with the service

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from app.examples.content_strategy.model import Context, Json, Link, Page, shorten
from app.examples.content_strategy.reading import FORMATS, UnreadableError, name_of, pages_of, parse, read
from app.runners.registration import agent

MAX_BROKEN = 200
_ENTRY_STEMS = {"readme", "index"}
_FOUND_BY_NAME = _ENTRY_STEMS | {"changelog", "contributing", "license", "security", "code_of_conduct", "notice"}
_HOST = re.compile(r"(?:[\w-]+\.)+[a-z]{2,}|localhost|\d+(?:\.\d+){3}|\[[0-9a-f:.]+\]", re.IGNORECASE)
_LOCAL_HOST = re.compile(r"localhost|127\.|0\.0\.0\.0|10\.|192\.168\.|\[::1\]")
_LINE_ANCHOR = re.compile(r"L\d+(?:-L?\d+)?")


@agent("link-checker", run_in="thread")
def check_links(input: Json, ctx: Context) -> Json:  # noqa: A002
    """The links of `input.collection` that do not resolve (at most MAX_BROKEN), and the graph of the others."""
    pages = pages_of(input["collection"])
    checker = _Checker(root=Path(str(input["collection"]["root"])), pages={page.file.resolve(): page for page in pages})
    for number, page in enumerate(pages, start=1):
        for link in page.parts.links:
            checker.check(page, link)
        ctx.progress(number / len(pages), page.path)
    return checker.result()


@dataclass(slots=True, kw_only=True)
class _Checker:
    root: Path
    pages: dict[Path, Page]
    broken: list[Json] = field(default_factory=list[Json])
    insecure: list[Json] = field(default_factory=list[Json])
    inbound: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    outbound: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    internal: int = 0
    external: int = 0
    _anchors: dict[Path, set[str] | None] = field(default_factory=dict[Path, "set[str] | None"])

    def check(self, page: Page, link: Link) -> None:
        """Sorts one link: fine, broken or not secure."""
        try:
            parts = urlsplit(link.target.strip())
        except ValueError as error:
            self._broken(page, link, "malformed", str(error))
            return
        if not link.target.strip():
            self._broken(page, link, "malformed", "the link has no target")
        elif parts.scheme or parts.netloc:
            self.external += 1
            self._external(page, link, parts.scheme, parts.netloc)
        else:
            self.internal += 1
            self._relative(page, link, unquote(parts.path), unquote(parts.fragment))

    def _external(self, page: Page, link: Link, scheme: str, host: str) -> None:
        host = host.rpartition("@")[2]
        if scheme in {"http", "https", ""}:
            name = host if host.startswith("[") and host.endswith("]") else re.sub(r":\d+$", "", host)
            if not _HOST.fullmatch(name):
                self._broken(page, link, "malformed", f"“{shorten(host, 60)}” is no host name")
            elif scheme == "http" and not _LOCAL_HOST.match(name):
                self.insecure.append(self._entry(page, link, "plain http"))
        elif scheme == "mailto" and "@" not in link.target:
            self._broken(page, link, "malformed", "a mail link without an address")

    def _relative(self, page: Page, link: Link, path: str, fragment: str) -> None:
        if "\x00" in path:
            self._broken(page, link, "malformed", "the path holds a null character")
            return
        base = self.root if path.startswith("/") else page.file.parent
        target = (base / path.lstrip("/")).resolve() if path else page.file.resolve()
        found = next((candidate for candidate in _candidates(target) if _exists(candidate)), None)
        name = name_of(target, self.root)
        if found is None and not target.is_relative_to(self.root):
            self._broken(page, link, "missing_outside", f"there is no {name}")
        elif found is None:
            self._broken(page, link, "missing_file", f"there is no {name}", self._closest(page, target))
        else:
            self._connect(page, found)
            self._fragment(page, link, found, fragment)

    def _fragment(self, page: Page, link: Link, target: Path, fragment: str) -> None:
        anchors = self._anchors_of(target) if fragment else None
        if anchors is None or fragment in anchors or fragment == "top" or _LINE_ANCHOR.fullmatch(fragment):
            return
        hint = _nearest(fragment, sorted(anchors))
        detail = f"{name_of(target, self.root)} has no heading #{shorten(fragment, 80)}"
        self._broken(page, link, "missing_anchor", detail, f"#{hint}" if hint else "")

    def _connect(self, page: Page, target: Path) -> None:
        if target.is_dir():
            inside = [file for file in self.pages if file.parent == target]
            # A folder's own start page is what a reader gets; without one it is the list of its files.
            targets = [file for file in inside if file.stem.lower() in _ENTRY_STEMS] or inside
        else:
            targets = [target]
        for file in targets:
            linked = self.pages.get(file)
            if linked is not None and linked.path != page.path:
                self.inbound[linked.path].add(page.path)
                self.outbound[page.path].add(linked.path)

    def _anchors_of(self, file: Path) -> set[str] | None:
        if file not in self._anchors:
            self._anchors[file] = self._read_anchors(file)
        return self._anchors[file]

    def _read_anchors(self, file: Path) -> set[str] | None:
        page = self.pages.get(file)
        if page is None and file.is_file() and file.suffix.lower() in FORMATS:
            try:
                page = parse(file, self.root, read(file))
            except UnreadableError:
                return None
        return None if page is None or page.format == "text" else page.parts.anchors

    def _closest(self, page: Page, target: Path) -> str:
        names = {name_of(file, page.file.parent): file for file in self.pages if file != page.file.resolve()}
        same = [name for name, file in names.items() if file.name == target.name]
        return same[0] if len(same) == 1 else _nearest(name_of(target, page.file.parent), sorted(names))

    def _broken(self, page: Page, link: Link, problem: str, detail: str, suggestion: str = "") -> None:
        self.broken.append(
            {**self._entry(page, link, detail), "problem": problem, "suggestion": suggestion, "image": link.image}
        )

    def _entry(self, page: Page, link: Link, detail: str) -> Json:
        target = shorten(link.target, 160)
        return {
            "page": page.path,
            "line": link.line,
            "target": target,
            "text": shorten(link.text, 60),
            "detail": detail,
        }

    def result(self) -> Json:
        """The step's output."""
        paths = [page.path for page in self.pages.values()]
        return {
            "internal": self.internal,
            "external": self.external,
            "broken": self.broken[:MAX_BROKEN],
            "broken_count": len(self.broken),
            "problems": dict(Counter(str(item["problem"]) for item in self.broken)),
            "insecure": self.insecure[:50],
            "insecure_count": len(self.insecure),
            "inbound": {path: len(self.inbound[path]) for path in paths},
            "outbound": {path: len(self.outbound[path]) for path in paths},
            "orphans": [path for path in paths if not self.inbound[path] and not _found_by_name(path)],
            "dead_ends": [path for path in paths if not self.outbound[path] and not _found_by_name(path)],
        }


def _candidates(target: Path) -> list[Path]:
    """`target`, and for a name without suffix the files that site generators serve under it."""
    if target.suffix:
        return [target]
    return [target, *(target.with_name(target.name + suffix) for suffix in (".md", ".html", ".rst"))]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name longer than the file system takes
        return False


def _found_by_name(path: str) -> bool:
    return PurePosixPath(path).stem.lower() in _FOUND_BY_NAME


def _nearest(wanted: str, known: list[str]) -> str:
    from rapidfuzz import fuzz, process

    best = process.extractOne(wanted, known, scorer=fuzz.ratio, score_cutoff=70)
    return best[0] if best else ""
