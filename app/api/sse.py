"""Server-Sent Events: what the streams of a thread and the feed have in common."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Hashable

    from starlette.types import Receive, Scope, Send

    from app.engine.bus import Subscription

_SILENCE: Final = 2.0
"""Seconds without a word from the bus after which the table is asked: another process may have written."""
_SEND_TIMEOUT: Final = 60.0
_PIECE: Final = 32 * 1024
"""Bytes from which on frames are sent without waiting for more of them."""
RETRY: Final = b"retry: 1000\n"
HEARTBEAT: Final = b": heartbeat\n\n"
OUTAGE_PAUSE: Final = 1.0
WAITING: Final = b": the store is away\n\n"
GONE: Final = b": the thread is gone\n\n"
GOODBYE: Final = b": the service is shutting down; connect again\n\n"
HEADERS: Final = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}


_Answer = TypeVar("_Answer")


class Piece:
    """Frames that are sent to one reader together.

    Frames are shared by all readers, a piece is its reader's own: however far that lags behind, there is one at a time.
    """

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._size = 0

    def add(self, frame: bytes) -> bool:
        """Whether it is to be sent now."""
        self._frames.append(frame)
        self._size += len(frame)
        return self._size >= _PIECE

    def take(self) -> bytes:
        """What has been added since the last time."""
        taken = b"".join(self._frames)
        self._frames.clear()
        self._size = 0
        return taken


class _AskerGone(Exception):
    """Whoever asked for all did not get an answer."""


class Streams:
    """The open streams of this process, so that a shutdown can end them before the server waits for them, and so that those
    which ask the table for the same at one moment ask once.
    """

    def __init__(self) -> None:
        self._open: set[Subscription] = set()
        self._asked: dict[Hashable, asyncio.Future[Any]] = {}
        self.closing = False

    async def once(self, what: Hashable, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """The answer to `ask`, which another stream may be waiting for already under the same `what`."""
        while (asked := self._asked.get(what)) is not None:
            with suppress(_AskerGone):
                return await asyncio.shield(asked)
        asked = self._asked[what] = asyncio.get_running_loop().create_future()
        try:
            answer = await ask()
        except BaseException:
            asked.set_exception(_AskerGone)
            asked.exception()  # perhaps nobody else waits for it
            raise
        else:
            asked.set_result(answer)
            return answer
        finally:
            del self._asked[what]

    def close(self) -> None:
        """Wake every stream; each says goodbye and ends."""
        self.closing = True
        for subscription in self._open:
            subscription.push([GOODBYE])

    @property
    def readers(self) -> int:
        """How many streams of threads are open."""
        return len(self._open)

    def add(self, subscription: Subscription) -> None:
        """A stream has begun to wait here."""
        self._open.add(subscription)

    def discard(self, subscription: Subscription) -> None:
        """It waits no more."""
        self._open.discard(subscription)


class EventStream(EventSourceResponse):
    """A response of ready-made frames, unbuffered by proxies; a reader that takes nothing for a minute is cut off."""

    def __init__(self, frames: AsyncIterator[bytes]) -> None:
        # No pings of its own: the frames bring their heartbeats, which spares a task for each reader.
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - one of its parameters is a bare dict
            frames, headers=HEADERS, ping=0, send_timeout=_SEND_TIMEOUT
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the frames end or the reader goes."""
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            return  # the server closes the connection, since the response is not complete


class Heart:
    """When the next heartbeat is due; beats are never waited for longer than `_SILENCE`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = time.monotonic() + seconds

    def beat(self) -> bytes:
        """A comment when one is due, else nothing."""
        now = time.monotonic()
        if now < self._next:
            return b""
        self._next = now + self._seconds
        return HEARTBEAT

    @property
    def patience(self) -> float:
        """How long to wait for news."""
        return min(_SILENCE, max(0.0, self._next - time.monotonic()))
