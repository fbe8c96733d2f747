"""Queues in memory: their settings, and the claim of due threads within their limits, which happens at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from app.domain import wishes
from app.domain.queues import DEFAULT, MAX_QUEUES, QueueLoad, QueueReport, Queues, QueueSettings, too_many
from app.store.memory_tables import MemoryQueue

if TYPE_CHECKING:
    from collections.abc import Container
    from datetime import datetime

    from app.domain.records import ThreadRecord
    from app.store.memory_tables import MemoryTables

_SECOND = timedelta(seconds=1)
_ROUNDING = 1e-6


class MemoryQueues(Queues):
    """See domain.queues.Queues."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    def assume(self, usual: int) -> None:
        """See Queues."""
        self._tables.queue_limit = usual

    async def ensure(self, name: str) -> QueueSettings:
        """See Queues."""
        self._find_room(name)
        return self._queue(name).settings

    async def prune(self) -> None:
        """See Queues; what is in memory alone is soon gone anyway."""

    async def configure(self, settings: QueueSettings) -> QueueSettings:
        """See Queues; another rate begins with a full bucket."""
        self._find_room(settings.name)
        queue = self._queue(settings.name)
        old, queue.settings = queue.settings, settings
        if (old.rate_count, old.rate_seconds) != (settings.rate_count, settings.rate_seconds):
            queue.tokens, queue.tokens_at = float(settings.rate_count or 0), self._tables.clock()
        return settings

    def _find_room(self, name: str) -> None:
        named = self._tables.queues.keys() - {DEFAULT}
        if name not in {DEFAULT, *named} and len(named) >= MAX_QUEUES:
            raise too_many()

    async def load(self, name: str, at_most: int) -> QueueLoad:
        """See Queues."""
        now = self._tables.clock()
        depth = sum(each.queue == name for each in self._waiting(now))
        return QueueLoad(depth=min(depth, at_most), running=self._running(name))

    async def report(self, name: str | None = None) -> list[QueueReport]:
        """See Queues."""
        now, waiting = self._tables.clock(), self._waiting()
        known = {DEFAULT, *self._tables.queues, *(each.queue for each in waiting)}
        return [self._report(one, waiting, now) for one in sorted(known) if name in (None, one)]

    def claim(self, incarnation_id: str, limit: int, passed_over: Container[str]) -> list[ThreadRecord]:
        """See ports.Journal.claim; nobody looks at the threads to be passed over."""
        rooms: dict[str, float] = {}
        taken: list[ThreadRecord] = []
        for thread in sorted(self._waiting(self._tables.clock()), key=_place):
            if thread.queue not in rooms:
                rooms[thread.queue] = self._room(thread.queue)
            if len(taken) < limit and rooms[thread.queue] >= 1 and thread.thread_id not in passed_over:
                rooms[thread.queue] -= 1
                thread.incarnation_id, thread.wake_at = incarnation_id, None
                thread.epoch += 1
                thread.signal = None if wishes.is_look(thread.signal) else thread.signal
                taken.append(replace(thread))
                self._spend(thread.queue)
        return taken

    def next_due(self) -> float | None:
        """See ports.Journal.next_due."""
        now = self._tables.clock()
        heads: dict[str, datetime] = {}
        for thread in self._waiting():
            if thread.wake_at is not None:
                heads[thread.queue] = min(thread.wake_at, heads.get(thread.queue, thread.wake_at))
        times = [
            max(0.0, (head - now) / _SECOND, self._next_token(name))
            for name, head in heads.items()
            if self._slots(name)
        ]
        return min(times, default=None)

    def _queue(self, name: str) -> MemoryQueue:
        settings = QueueSettings(name=name)
        return self._tables.queues.setdefault(name, MemoryQueue(settings=settings, tokens_at=self._tables.clock()))

    def _waiting(self, until: datetime | None = None) -> list[ThreadRecord]:
        threads = (each for each in self._tables.threads.values() if each.wake_at is not None)
        return [each for each in threads if until is None or (each.wake_at or until) <= until]

    def _running(self, name: str) -> int:
        return sum(each.queue == name for each in self._tables.threads.values() if each.incarnation_id is not None)

    def _slots(self, name: str) -> float:
        most = self._queue(name).settings.max_running
        if most is None and name == DEFAULT:
            return float("inf")
        return max(0, (self._tables.queue_limit if most is None else most) - self._running(name))

    def _room(self, name: str) -> float:
        tokens = self._tokens(self._queue(name))
        return self._slots(name) if tokens is None else min(self._slots(name), tokens + _ROUNDING)

    def _tokens(self, queue: MemoryQueue) -> float | None:
        settings = queue.settings
        if settings.rate_count is None or settings.rate_seconds is None:
            return None
        passed = max(0.0, (self._tables.clock() - queue.tokens_at) / _SECOND)
        return min(settings.rate_count, queue.tokens + passed * settings.rate_count / settings.rate_seconds)

    def _next_token(self, name: str) -> float:
        queue = self._queue(name)
        tokens, settings = self._tokens(queue), queue.settings
        if tokens is None or settings.rate_count is None or settings.rate_seconds is None:
            return 0.0
        return (1 - tokens) * settings.rate_seconds / settings.rate_count

    def _spend(self, name: str) -> None:
        queue = self._queue(name)
        tokens = self._tokens(queue)
        if tokens is not None:
            queue.tokens, queue.tokens_at = tokens - 1, max(queue.tokens_at, self._tables.clock())

    def _report(self, name: str, waiting: list[ThreadRecord], now: datetime) -> QueueReport:
        times = [each.wake_at for each in waiting if each.queue == name and each.wake_at is not None]
        due = [time for time in times if time <= now]
        known = self._tables.queues.get(name)
        return QueueReport(
            settings=known.settings if known else QueueSettings(name=name),
            depth=len(due),
            delayed=len(times) - len(due),
            running=self._running(name),
            oldest_wait=(now - min(due)) / _SECOND if due else None,
        )


def _place(thread: ThreadRecord) -> tuple[int, datetime]:
    assert thread.wake_at is not None
    return -thread.priority, thread.wake_at
