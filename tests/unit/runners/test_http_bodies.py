"""Bodies that are packed: unpacked in bounded pieces, refused when they grow too long, are damaged or are packed otherwise."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import TYPE_CHECKING

import httpx
import pytest

from app.runners.http_bodies import Damaged, TooLong, UnknownEncoding, pieces

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TEXT = b"a line of text\n" * 20_000
DEFLATE = zlib.compressobj(wbits=-15)
BARE = DEFLATE.compress(TEXT) + DEFLATE.flush()


class Raw(httpx.AsyncByteStream):
    """A body in pieces of a size."""

    def __init__(self, body: bytes, size: int) -> None:
        self._body, self._size = body, size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._body), self._size):
            yield self._body[at : at + self._size]


def response(body: bytes, encoding: str, size: int = 65_536) -> httpx.Response:
    request = httpx.Request("GET", "http://a.example/")
    return httpx.Response(200, headers={"content-encoding": encoding}, stream=Raw(body, size), request=request)


async def read(answer: httpx.Response, limit: int = 1_000_000) -> list[bytes]:
    return [piece async for piece in pieces(answer, limit)]


@pytest.mark.parametrize("size", [1, 7, 65_536])
@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(TEXT, mtime=0)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", BARE),
        ("", TEXT),
        ("GZIP", gzip.compress(b"", mtime=0)),
    ],
    ids=["gzip", "zlib", "bare", "plain", "empty"],
)
async def test_a_packed_body_is_unpacked(encoding: str, packed: bytes, size: int) -> None:
    expected = b"" if encoding == "GZIP" else TEXT
    assert b"".join(await read(response(packed, encoding, size))) == expected


async def test_no_piece_is_larger_than_it_has_to_be() -> None:
    bomb = gzip.compress(b"\0" * 30_000_000)
    assert len(bomb) < 65_536
    assert max(len(piece) for piece in await read(response(bomb, "gzip"), 40_000_000)) <= 65_536


async def test_a_body_stops_at_its_limit() -> None:
    got = 0
    with pytest.raises(TooLong):  # noqa: PT012 - what came before the error counts
        async for piece in pieces(response(gzip.compress(b"\0" * 30_000_000), "gzip"), 100_000):
            got += len(piece)
    assert got <= 100_000


async def test_what_unpacks_to_nothing_has_a_limit_too() -> None:
    with pytest.raises(TooLong):
        await read(response(b"\x1f\x8b\x08\x10\0\0\0\0\0\xff" + b"name" * 50_000, "gzip", 1_000), 100_000)


async def test_a_little_that_unpacks_to_much_lets_others_have_their_turn() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    got = await read(response(gzip.compress(b"\0" * 6_553_600), "gzip"), 10_000_000)
    task.cancel()
    assert turns >= len(got) - 1 >= 99


async def test_a_packed_body_that_breaks_off_or_is_damaged_is_an_error() -> None:
    packed = gzip.compress(TEXT, mtime=0)
    with pytest.raises(Damaged):
        await read(response(packed[:-20], "gzip"))
    with pytest.raises(Damaged):
        await read(response(b"\x1f\x8b" + b"x" * 50, "gzip"))


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x"])
async def test_another_packing_is_refused_unread(encoding: str) -> None:
    with pytest.raises(UnknownEncoding):
        await read(response(TEXT, encoding))
