"""The bounded pool of connections, which measures how long whoever wants one waits for it.

Nothing ends a wait but whoever waits: exhausting the pool slows, it does not fail.  A statement's own time begins when it has
its connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain.histogram import Distribution
from app.store.queries import load

if TYPE_CHECKING:
    from types import TracebackType

    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Inner = asyncpg.Pool[asyncpg.Record]
    Connection = asyncpg.Connection[asyncpg.Record]

BOUNDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
"""Upper bounds of the buckets of waiting times, in seconds."""
_RECENT: Final = 60.0
_LATELY: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats:
    """How a pool is: `size` connections are open of at most `max_size`, `in_use` of them are lent, `waiting` callers want one.

    Since it was opened it was asked for one `acquired` times; `waits` are the seconds that each took, `longest_wait` at most
    (`longest_recently`: in the last minute or two).
    """

    size: int
    max_size: int
    in_use: int
    waiting: int
    acquired: int
    longest_wait: float
    longest_recently: float
    waits: Distribution


class Pool:
    """asyncpg's pool, as far as the store uses it."""

    def __init__(self, inner: Inner) -> None:
        self._inner = inner
        self._waiting = self._acquired = 0
        self._longest = 0.0
        self._waits = Distribution(BOUNDS)
        self._minute, self._recent = monotonic(), (0.0, 0.0)
        self._answered_at = monotonic()

    def acquire(self) -> Lent:
        """A connection for the length of an `async with`; waits until there is one."""
        return Lent(self)

    async def fetch(self, query: str, *args: object) -> list[Any]:
        """All rows of a query."""
        async with self.acquire() as connection:
            return await connection.fetch(query, *args)

    async def fetchrow(self, query: str, *args: object) -> Any:
        """The first row of a query, None if there is none."""
        async with self.acquire() as connection:
            return await connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: object) -> Any:
        """The first column of the first row of a query."""
        async with self.acquire() as connection:
            return await connection.fetchval(query, *args)

    async def execute(self, query: str, *args: object) -> str:
        """The tag of a command."""
        async with self.acquire() as connection:
            return await connection.execute(query, *args)

    async def ping(self) -> None:
        """Ask the server for the least that it can answer."""
        await self.fetch(load("reads")["ping"])

    async def expire_connections(self) -> None:
        """Have every connection replaced when it is wanted next."""
        await self._inner.expire_connections()

    def terminate(self) -> None:
        """Close all connections at once."""
        self._inner.terminate()

    @property
    def busy(self) -> bool:
        """Whether every connection is lent while the database answers: one was given back in good order lately."""
        return self._in_use() >= self._inner.get_max_size() and monotonic() - self._answered_at < _LATELY

    def stats(self) -> PoolStats:
        """How it is now."""
        self._turn(monotonic())
        return PoolStats(
            size=self._inner.get_size(),
            max_size=self._inner.get_max_size(),
            in_use=self._in_use(),
            waiting=self._waiting,
            acquired=self._acquired,
            longest_wait=self._longest,
            longest_recently=max(self._recent),
            waits=self._waits,
        )

    async def take(self) -> Connection:
        """A connection, which must be given back.  Raises what connecting raises."""
        began = monotonic()
        self._waiting += 1
        try:
            connection = await self._inner.acquire()
        finally:
            self._waiting -= 1
        now = monotonic()
        self._note(now - began, now)
        return cast("Connection", connection)

    async def give_back(self, connection: Connection, *, sound: bool) -> None:
        """The connection is wanted no more; `sound`: what was asked over it was answered."""
        if sound:
            self._answered_at = monotonic()
        await self._inner.release(cast("PoolConnectionProxy[asyncpg.Record]", connection))

    def _in_use(self) -> int:
        """Also those that are wanted no more and still have something to end, a cancelled statement say."""
        return self._inner.get_size() - self._inner.get_idle_size()

    def _note(self, seconds: float, now: float) -> None:
        self._acquired += 1
        self._waits.note(seconds)
        self._longest = max(self._longest, seconds)
        self._turn(now)
        before, current = self._recent
        if seconds > current:
            self._recent = (before, seconds)

    def _turn(self, now: float) -> None:
        """Begin the next minute when this one is over."""
        if now - self._minute >= _RECENT:
            self._recent = (self._recent[1] if now - self._minute < 2 * _RECENT else 0.0, 0.0)
            self._minute = now


class Lent:
    """A connection that a pool lends for the length of an `async with`."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connection: Connection | None = None

    async def __aenter__(self) -> Connection:
        self._connection = await self._pool.take()
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        assert connection is not None
        await self._pool.give_back(connection, sound=error is None)
