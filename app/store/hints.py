"""Hints over LISTEN and NOTIFY, on a connection that this process shares with nobody.

Its heartbeats go over that line too, so that no rush of requests can keep them waiting.  NOTIFY takes a lock that commits
wait for, and may fail when nobody reads: so it is never part of a commit, what has been committed is told together a
moment later, and nothing is told while no other process is there to hear it.
"""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from app.domain.hints import Hint, Hints, parse
from app.domain.ids import uuid7
from app.domain.queues import DEFAULT
from app.domain.transition import Start
from app.store import db

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from app.domain.transition import Transition

_PAUSE: Final = 1.0
_TIMEOUT: Final = 5.0
_CHECK: Final = 10.0
_PACE: Final = 0.02
"""Seconds between two tellings."""
_EVERYTHING: Final = Hint(sender="", threads=None, due=True, breakers=True, agents=True)
_log = logging.getLogger(__name__)


class PostgresHints(Hints):
    """The line of one process; `run` keeps it up and tells what was noted."""

    def __init__(self, connect: Callable[[], Awaitable[db.Connection]], schema: str | None) -> None:
        self.wanted = False
        self.sender = uuid7()
        self.channel = f"backstitch_{schema or 'public'}"[:63]
        self.up = asyncio.Event()
        """Set while this process hears the others."""
        self.down_since: float | None = monotonic()
        """By the monotonic clock; None while it hears them."""
        self._connect = connect
        self._line: db.Connection | None = None
        self._listeners: list[Callable[[Hint], None]] = []
        self._busy = asyncio.Lock()
        self._threads: dict[str, None] = {}
        self._steered: dict[str, None] = {}
        self._due = False
        self._news = asyncio.Event()

    def listen(self, heard: Callable[[Hint], None]) -> None:
        """See domain.hints.Hints."""
        self._listeners.append(heard)

    async def tell(self, hint: Hint) -> None:
        """See domain.hints.Hints."""
        if not self.wanted:
            return
        try:
            for text in hint.texts():
                await self.fetch("SELECT pg_notify($1, $2)", self.channel, text)
        except Exception as error:  # noqa: BLE001 - a hint may be lost
            _log.debug("a hint was lost: %s", db.describe(error))

    def note(self, batch: Sequence[Start | Transition]) -> None:
        """These are committed: tell of them soon."""
        if self.wanted:
            for item in batch:
                self._threads[item.thread.thread_id if isinstance(item, Start) else item.thread_id] = None
            self._due = self._due or any(map(_due, batch))
            self._news.set()

    def note_steered(self, thread_id: str, *, due: bool = False) -> None:
        """A thread was taken from its driver, or somebody wishes something of it, or it is due: tell of that soon."""
        if self.wanted:
            self._steered[thread_id] = None
            self._due = self._due or due
            self._news.set()

    def note_messages(self) -> None:
        """Messages were published: tell of that soon, by an id that no thread has, since only who follows needs to look."""
        if self.wanted:
            self._threads[""] = None
            self._news.set()

    async def fetch(self, query: str, *arguments: object) -> list[Any]:
        """Run a short statement on the line.  Raises what is in db.LOST, also when the line is down or does not answer."""
        line = self._line
        if line is None or line.is_closed():
            raise ConnectionError("the line to the database is down")
        try:
            async with asyncio.timeout(_TIMEOUT), self._busy:
                return await line.fetch(query, *arguments)
        except TimeoutError:
            line.terminate()
            raise

    async def run(self) -> None:
        """Keep the line up and tell what is noted, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tell_on())
            while True:
                try:
                    await self._hold()
                except Exception as error:  # noqa: BLE001 - whatever it is, it may be over in a moment
                    _log.debug("the line to the database is down: %s", db.describe(error))
                finally:
                    self.up.clear()
                    self._line = None
                    self.down_since = self.down_since or monotonic()
                await asyncio.sleep(_PAUSE)

    async def _tell_on(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            threads, steered, due = tuple(self._threads), tuple(self._steered), self._due
            self._threads, self._steered, self._due = {}, {}, False
            await self.tell(Hint(sender=self.sender, threads=threads, steered=steered, due=due))
            await asyncio.sleep(_PACE)

    async def _hold(self) -> None:
        line = await self._connect()
        try:
            await self._listen_on(line)
        finally:
            line.terminate()

    async def _listen_on(self, line: db.Connection) -> None:
        lost = asyncio.Event()
        line.add_termination_listener(lambda _: lost.set())  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        await line.execute("SET synchronous_commit = off")  # neither a heartbeat nor a hint has to outlive the server
        await line.add_listener(self.channel, self._heard)
        self._line = line  # from now on it is for heartbeats too, one at a time
        self.up.set()
        self.down_since = None
        self._tell_all(_EVERYTHING)  # whatever was missed meanwhile
        while not lost.is_set():
            try:
                async with asyncio.timeout(_CHECK):
                    await lost.wait()
            except TimeoutError:
                await self.fetch("SELECT 1")

    def _heard(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        hint = parse(str(payload))
        if hint is not None and hint.sender != self.sender:
            self.wanted = True
            self._tell_all(hint)

    def _tell_all(self, hint: Hint) -> None:
        for heard in self._listeners:
            heard(hint)


def _due(item: Start | Transition) -> bool:
    """Whether it lets another process take something up: the thread itself, its parent, the next of its queue."""
    if isinstance(item, Start):
        return item.thread.incarnation_id is None
    left = item.incarnation_id is None
    due = item.wake_at is not None and item.wake_at <= item.at
    return due or item.wake_thread_id is not None or (left and item.queue != DEFAULT)
