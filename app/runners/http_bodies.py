"""Bodies of answers: unpacked by hand, so that nothing grows beyond its limit, and read as the JSON, text or bytes they are."""

from __future__ import annotations

import asyncio
import base64
import codecs
import zlib
from typing import TYPE_CHECKING, Any, Final

import httpx

from app.domain import jsontext
from app.domain.errors import JsonError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Iterator

ACCEPTED_ENCODINGS: Final = "gzip, deflate"
_TEXT_CODECS: Final = frozenset(
    {
        "utf-8",
        "utf-8-sig",
        "ascii",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "koi8-r",
        "koi8-u",
        "gbk",
        "gb2312",
        "gb18030",
        "big5",
    }
    | {"euc_jp", "shift_jis", "iso2022_jp", "cp932", "euc_kr", "cp949"}
)
_PIECE: Final = 65_536
_HEADER: Final = 2
"""Bytes that tell a zlib header, or none, from a gzip one."""
_ANY_HEADER: Final = zlib.MAX_WBITS | 32
"""A window size that makes zlib take gzip and zlib headers both."""


class TooLong(Exception):
    """The body is longer than it may be, as it came or unpacked."""


class UnknownEncoding(Exception):
    """The body is packed in a way that nobody asked for."""


class Damaged(httpx.DecodingError):
    """The packed body is damaged, or ends before its end."""


def pieces(response: httpx.Response, limit: int) -> AsyncGenerator[bytes]:
    """The body, unpacked, as `unpacked` gives it.  Raises what that raises, httpx.HTTPError for one that breaks off."""
    return unpacked(response.aiter_raw(), response.headers.get("content-encoding", ""), limit)


async def unpacked(raw_pieces: AsyncIterable[bytes], encoding: str, limit: int) -> AsyncGenerator[bytes]:
    """A body, unpacked, piece by piece, at most `limit` bytes of it and no more on the way.

    `encoding` is its Content-Encoding.  Raises TooLong, UnknownEncoding, Damaged, and what `raw_pieces` raises.
    """
    unpack = _unpacker(encoding)
    came = size = 0
    async for raw in raw_pieces:
        came += len(raw)
        for number, piece in enumerate(unpack.feed(raw)):
            if number:
                await asyncio.sleep(0)  # a little may unpack to much: others have their turn
            size += len(piece)
            if size > limit:
                raise TooLong(limit)
            yield piece
        if came > limit:
            raise TooLong(limit)
    if came and not unpack.whole:
        raise Damaged("the packed body ends before its end")


class _Plain:
    """A body that is not packed."""

    whole = True

    def feed(self, raw: bytes) -> Iterator[bytes]:
        yield raw


class _Unpacker:
    """gzip and deflate (RFC 9110, section 8.4.1), in pieces of a bounded size."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(_ANY_HEADER)
        self._head = b""
        self._begun = False
        self.whole = False

    def feed(self, raw: bytes) -> Iterator[bytes]:
        if self.whole:
            return  # padding after the end
        if not self._begun:
            raw = self._head = self._head + raw
            if len(raw) < _HEADER:
                return
        try:
            yield from self._unpacked(raw)
        except zlib.error as error:
            raise Damaged(f"the packed body is damaged: {error}") from None

    def _unpacked(self, raw: bytes) -> Iterator[bytes]:
        piece = self._first(raw) if not self._begun else self._inner.decompress(raw, _PIECE)
        self._begun = True
        while True:
            if piece:
                yield piece
            rest = self._inner.unconsumed_tail
            if self._inner.eof or not (rest or len(piece) == _PIECE):
                break
            piece = self._inner.decompress(rest, _PIECE)
        self.whole = self._inner.eof

    def _first(self, raw: bytes) -> bytes:
        try:
            return self._inner.decompress(raw, _PIECE)
        except zlib.error:  # some send deflate without the header that it should have
            self._inner = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._inner.decompress(raw, _PIECE)


def _unpacker(encoding: str) -> _Plain | _Unpacker:
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return _Plain()
    if name in {"gzip", "x-gzip", "deflate"}:
        return _Unpacker()
    raise UnknownEncoding(f"the answer is packed with {name[:40]!r}, which was not asked for")


def media_type(response: httpx.Response) -> str:
    """`application/json` and the like, in lower case."""
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()


def text_codec(charset: str | None) -> str:
    """The codec for a charset that an answer names: one of text that is read in one go, else UTF-8.

    Python knows many more, some of which take a time that grows with the square of the text (punycode), or give no text.
    """
    try:
        name = codecs.lookup(charset or "utf-8").name
    except LookupError:
        return "utf-8"
    return name if name in _TEXT_CODECS or name.startswith(("iso8859-", "cp125")) else "utf-8"


def parsed(response: httpx.Response, body: bytes) -> dict[str, Any]:
    """`{"body": ...}`: a JSON body as its value, any other as text; what is no text as Base64 with `"encoding": "base64"`."""
    kind = media_type(response)
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return {"body": jsontext.loads(body)}
        except JsonError:
            pass
    try:
        return {"body": body.decode(text_codec(response.charset_encoding))}
    except UnicodeError:
        return {"body": base64.b64encode(body).decode(), "encoding": "base64"}
