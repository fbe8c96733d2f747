"""A file that is only there while it is needed: what is too large for memory waits in it, on its way out or in."""

from __future__ import annotations

import asyncio
import tempfile
import zlib
from typing import IO, TYPE_CHECKING, Final

from app.domain.errors import InvalidRequest, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_PIECE: Final = 256 * 1024
_SLICE: Final = 16 * 1024
"""Bytes that are unpacked at a time: they may be a thousand times as many then."""
_GZIP: Final = 31
"""zlib's `wbits` for a gzip file."""
_MAGIC: Final = b"\x1f\x8b"


class Spool:
    """Written to its end, and then read; in the folder for temporary files (TMPDIR)."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed by whoever made it
        self.size = 0

    async def write(self, data: bytes) -> None:
        """Add something."""
        self.size += len(data)
        try:
            await asyncio.to_thread(self._file.write, data)
        except OSError as error:
            raise Unavailable(f"no room for a temporary file: {error.strerror}", retry_after=60) from error

    async def rewind(self) -> None:
        """Read from the beginning."""
        await asyncio.to_thread(self._file.seek, 0)

    async def pieces(self) -> AsyncIterator[bytes]:
        """All of it; the file is gone afterwards, also when nobody wants the rest."""
        try:
            await self.rewind()
            while piece := await asyncio.to_thread(self._file.read, _PIECE):
                yield piece
        finally:
            self.close()

    def lines(self, most: int, longest: int) -> list[bytes]:
        """The next lines, about `most` bytes of them, none at the end; blocks.  Raises InvalidRequest for a longer line."""
        found: list[bytes] = []
        size = 0
        while size < most and (line := self._file.readline(longest + 1)):
            if len(line) > longest:
                raise InvalidRequest(f"a line has more than {longest:,} bytes", code="invalid_export")
            found.append(line)
            size += len(line)
        return found

    def close(self) -> None:
        """It is gone."""
        self._file.close()


class Packer:
    """Text into gzip, piece by piece; into itself unless `packed`."""

    def __init__(self, *, packed: bool) -> None:
        self._deflate = zlib.compressobj(wbits=_GZIP) if packed else None

    def pack(self, data: bytes) -> bytes:
        """What can be told of it so far."""
        return data if self._deflate is None else self._deflate.compress(data)

    def end(self) -> bytes:
        """The rest."""
        return b"" if self._deflate is None else self._deflate.flush()


class Unpacker:
    """Gzip, or what is none, into text, piece by piece, at most `limit` bytes in all."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._limit = limit
        self._inflate = zlib.decompressobj(wbits=_GZIP)
        self._packed: bool | None = None
        self._head = b""

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """The text of one more piece, in pieces.  Raises InvalidRequest (import_too_large, invalid_export)."""
        for at in range(0, len(data), _SLICE):
            yield self._unpack(data[at : at + _SLICE])

    def _unpack(self, data: bytes) -> bytes:
        if self._packed is None:
            data = self._head + data
            if len(data) < len(_MAGIC):
                self._head = data
                return b""
            self._packed = data.startswith(_MAGIC)
        if not self._packed:
            return self._counted(data)
        try:
            text = self._inflate.decompress(data, self._left + 1)
        except zlib.error as error:
            raise InvalidRequest(f"the file is no gzip that holds: {error}", code="invalid_export") from None
        if self._inflate.unused_data:
            raise InvalidRequest("there is something after the end of the gzip", code="invalid_export")
        return self._counted(text)

    def end(self) -> bytes:
        """What is left.  Raises InvalidRequest where it is cut off."""
        if self._packed is None:
            return self._counted(self._head)
        if self._packed and not self._inflate.eof:
            raise InvalidRequest("the file is cut off", code="invalid_export")
        return b""

    def _counted(self, text: bytes) -> bytes:
        self._left -= len(text)
        if self._left < 0:
            told = f"the file holds more than {self._limit:,} bytes (IMPORT_MAX_BYTES)"
            raise InvalidRequest(told, code="import_too_large")
        return text
