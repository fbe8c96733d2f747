"""One run of retention: pages of what has ended, newest first, and what is to go of them deleted in small batches.

After each statement it rests in proportion to the time that it took, so that whoever runs steps hardly notices.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final

from app.domain.retention import Place, Sieve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from app.domain.retention import EndedThread, Reason, RetentionPolicy, RetentionRun, RetentionStore

    Going = list[tuple[EndedThread, Reason]]

PAGE: Final = 500
_REST: Final = 4.0
"""Rests so many times as long as it has worked."""
_LEAST_REST: Final = 0.002
_ROWS: Final = 4_000
"""Rows that a batch is to have, by what the one before it had: some 20 ms of the database."""
_SLOW: Final = 1.0
"""Seconds from which on a batch was too large, whatever it had: values of many megabytes are no rows of their own."""
_LEAST, _FIRST, _MOST = 1, 10, 100
"""Threads in a batch."""
_LAST_ID: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"


class Sweep:
    """`hold` is awaited before each page and batch and raises when the work is not ours any more, `told` with what is gone."""

    def __init__(
        self,
        store: RetentionStore,
        policy: RetentionPolicy,
        run: RetentionRun,
        *,
        hold: Callable[[], Awaitable[None]],
        told: Callable[[Sequence[str]], Awaitable[None]],
    ) -> None:
        self._store = store
        self._policy = policy
        self._run = run
        self._hold, self._told = hold, told

    async def look(self) -> None:
        """Count what would be deleted."""
        async for going in self._scan(rest=1.0):
            for thread, reason in going:
                self._run.note(thread, reason)
                self._run.threads += thread.members

    async def delete(self) -> None:
        """Delete what is to go; after each page the run is written."""
        size = _FIRST
        async for going in self._scan(rest=_REST):
            await self._hold()  # many pages may go by without anything to delete
            place = 0
            while place < len(going):
                batch = going[place : place + size]
                place += len(batch)
                size = await self._delete(batch, size)
            if going:
                await self._store.note(self._run)

    async def tidy(self, agent_days: float) -> None:
        """Delete the events of agents that are too old, and documents that nobody uses any more."""
        more = True
        while more:
            await self._hold()
            began = monotonic()
            events, definitions = await self._store.tidy(agent_days, PAGE)
            self._run.agent_events += events
            self._run.definitions += definitions
            more = PAGE in (events, definitions)
            await _rest(began, _REST)

    async def _scan(self, rest: float) -> AsyncIterator[Going]:
        """Pages, each with what is to go and why."""
        policy, sieve, place = self._policy, Sieve(self._policy, self._run.started_at), None
        if not policy.counts:
            if policy.least_days is None:
                return
            # What was begun later cannot have ended so long ago.
            place = Place(self._run.started_at - timedelta(days=policy.least_days), _LAST_ID)
        while True:
            began = monotonic()
            page = await self._store.scan(place, PAGE)
            self._run.scanned += page.looked_at
            await _rest(began, rest)
            yield [(one, reason) for one in page.ended if (reason := sieve.sift(one)) is not None]
            place = page.last
            if place is None:
                return

    async def _delete(self, batch: Going, size: int) -> int:
        """Delete a batch; how large the next one is to be."""
        await self._hold()
        began = monotonic()
        deleted = await self._store.delete([thread for thread, _ in batch])
        took = monotonic() - began
        gone = set(deleted.roots)
        for thread, reason in batch:
            if thread.thread_id in gone:
                self._run.note(thread, reason)
        self._run.threads += len(deleted.threads)
        self._run.rows += deleted.rows
        if deleted.threads:
            await self._told(deleted.threads)
        await _rest(began, _REST)
        if took > _SLOW:
            return max(_LEAST, size // 2)
        fitting = len(batch) * _ROWS // deleted.rows if deleted.rows else size
        return max(_LEAST, min(_MOST, fitting))


async def _rest(began: float, times: float) -> None:
    await asyncio.sleep(max(_LEAST_REST, (monotonic() - began) * times))
