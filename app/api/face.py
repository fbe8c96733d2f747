"""The page in the browser: its files, and the one document that stands at every address of a page.

The files stand under an address with a digest of them all, so that a browser may keep them for good; each is packed once.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import TYPE_CHECKING, Final

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.requests import Request

FOLDER: Final = Path(__file__).resolve().parents[1] / "ui"
PAGES: Final = {
    "threads": "thread",
    "workflows": "workflow",
    "agents": "agent",
    "operations": "operations",
    "events": "events",
    "compare": "compare",
    "start": "start",
}
"""The first parts of the addresses of pages, which are the names of their files in js/pages; and the file for what is below."""
_INDEX: Final = "index.html"
_MAIN: Final = "js/main.js"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_IMPORT: Final = re.compile(
    r"""(?:^|[;}])(?:import|export)\b[^"';(]*?(?:from\s*)?["'](\.{1,2}/[^"']+)["']""", re.MULTILINE
)
_FOR_EVER: Final = "max-age=31536000, immutable"
_ASK: Final = "no-cache"
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Only files of the service run, nothing inline, no text becomes markup, and no page may frame this one."""
_OF_FILES: Final = {"X-Content-Type-Options": "nosniff"}
_OF_DOCUMENT: Final = {
    **_OF_FILES,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    text: bytes
    packed: bytes
    media_type: str


class Face:
    """The files of the page in memory, read again when one of them has changed on the disk."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._lock = Lock()
        self._seen: tuple[tuple[str, int, int], ...] = ()
        self._files: Mapping[str, _File] = {}
        self._documents: dict[str, _File] = {}
        self._version = ""

    def routes(self) -> list[Route]:
        """Where it answers: `/`, the addresses of the pages, and the files."""
        paths = ["/", *(path for page in PAGES for path in (f"/{page}", f"/{page}/{{rest:path}}"))]
        return [*(Route(path, self._document) for path in paths), Route("/ui/{version}/{path:path}", self._file)]

    async def _document(self, request: Request) -> Response:
        first, _, rest = request.scope["path"][1:].partition("/")
        found = await to_thread.run_sync(self._page, PAGES[first] if rest else first or "threads")
        return _packed(request, found, {**_OF_DOCUMENT, "Cache-Control": _ASK})

    async def _file(self, request: Request) -> Response:
        if not self._files:
            await to_thread.run_sync(self._refresh)
        found = self._files.get(request.path_params["path"])
        if found is None or request.path_params["path"] == _INDEX:
            raise HTTPException(404)
        # Another release's page may ask this one, where several stand behind one address.
        kept = _FOR_EVER if request.path_params["version"] == self._version else _ASK
        return _packed(request, found, {**_OF_FILES, "Cache-Control": kept})

    def _page(self, page: str) -> _File:
        """The document of a page; a thread's work, done once for each state of the files."""
        self._refresh()
        with self._lock:
            if page not in self._documents:
                text = self._files[_INDEX].text.decode()
                found = _indented(text, {"base": f"/ui/{self._version}", "preload": self._preloads(page)})
                self._documents[page] = _made(_INDEX, found.encode())
            return self._documents[page]

    def _preloads(self, page: str) -> str:
        """What the document names beforehand: all modules that the first view needs, instead of one after the other."""
        wanted = dict.fromkeys([*self._needed(_MAIN), *self._needed(f"js/pages/{page}.js")])
        links = [f'<link rel="modulepreload" href="/ui/{self._version}/{name}">' for name in wanted]
        if f"css/{page}.css" in self._files:
            links.append(f'<link rel="preload" as="style" href="/ui/{self._version}/css/{page}.css">')
        return "\n".join(links)

    def _needed(self, name: str) -> Iterator[str]:
        """A module and all that it imports, each once."""
        seen, left = {name}, [name]
        while left:
            current = left.pop()
            if current not in self._files:
                continue
            yield current
            for place in _IMPORT.findall(self._files[current].text.decode()):
                other = _joined(current, place)
                if other not in seen:
                    seen.add(other)
                    left.append(other)

    def _refresh(self) -> None:
        """Read the files if any has changed since; a thread's work."""
        with self._lock:
            paths = sorted(path for path in self._folder.rglob("*") if path.suffix in _TYPES)
            stats = [(path.relative_to(self._folder).as_posix(), path.stat()) for path in paths]
            seen = tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)
            if seen == self._seen:
                return
            texts = {name: (self._folder / name).read_bytes() for name, _ in stats}
            digest = hashlib.sha256()
            for name, text in texts.items():
                digest.update(f"{name}\0{len(text)}\0".encode() + text)
            self._documents = {}
            self._files = {name: _made(name, text) for name, text in texts.items()}
            self._version, self._seen = digest.hexdigest()[:16], seen


def _made(name: str, text: bytes) -> _File:
    return _File(text=text, packed=gzip.compress(text, mtime=0), media_type=_TYPES[PurePosixPath(name).suffix])


def _joined(module: str, place: str) -> str:
    parts: list[str] = []
    for part in (*PurePosixPath(module).parent.parts, *place.split("/")):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _indented(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"<!--{name}-->", value).replace(f"{{{name}}}", value)
    return text


def _packed(request: Request, file: _File, headers: dict[str, str]) -> Response:
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(file.text, media_type=file.media_type, headers={**headers, "Vary": "Accept-Encoding"})
    told = {**headers, "Vary": "Accept-Encoding", "Content-Encoding": "gzip"}
    return Response(file.packed, media_type=file.media_type, headers=told)
