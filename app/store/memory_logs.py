"""Log entries in memory: the newest ones, for the memory journal and for tests."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING, Final

from app.domain.logs import LogBook, LogEntry, LogPage
from app.domain.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime, timedelta

    from app.domain.logs import LogFilter

_KEPT: Final = 10_000


class MemoryLogs(LogBook):
    """See domain.logs.LogBook; at most `kept` entries."""

    def __init__(self, clock: Callable[[], datetime] = utc_now, kept: int = _KEPT) -> None:
        self._clock = clock
        self._kept = kept
        self._entries: list[LogEntry] = []
        """Oldest first by (at, id)."""

    async def add(self, entries: Sequence[LogEntry]) -> None:
        """See LogBook."""
        known = {entry.id for entry in self._entries}
        for entry in entries:
            if entry.id not in known:
                insort(self._entries, entry, key=_place)
        del self._entries[: max(0, len(self._entries) - self._kept)]

    async def listed(self, where: LogFilter) -> LogPage:
        """See LogBook."""
        found: list[LogEntry] = []
        looked, last = 0, None
        for entry in reversed(self._entries):
            if not _is_placed(entry, where):
                continue
            if looked == where.look:
                return LogPage(entries=found, next=last)
            last, looked = _place(entry), looked + 1
            if _matches(entry, where):
                if len(found) == where.limit:
                    return LogPage(entries=found, next=_place(found[-1]))
                found.append(entry)
        return LogPage(entries=found)

    def forget(self, threads: Collection[str]) -> int:
        """Delete the entries of threads; how many."""
        known = len(self._entries)
        self._entries = [one for one in self._entries if one.place is None or one.place.thread_id not in threads]
        return known - len(self._entries)

    async def prune(self, age: timedelta, most_bytes: int, limit: int) -> int:
        """See LogBook."""
        oldest, size, dropped = self._clock() - age, 0, 0
        for place in range(len(self._entries) - 1, -1, -1):
            entry = self._entries[place]
            size += len(entry.message.encode()) + len((entry.context or "").encode()) + 300
            if size > most_bytes or entry.at < oldest:
                dropped = min(place + 1, limit)
                break
        del self._entries[:dropped]
        return dropped


def _place(entry: LogEntry) -> tuple[datetime, str]:
    return entry.at, entry.id


def _is_placed(entry: LogEntry, where: LogFilter) -> bool:
    place = entry.place
    return (
        (where.since is None or entry.at >= where.since)
        and (where.until is None or entry.at < where.until)
        and (where.before is None or _place(entry) < where.before)
        and where.thread_id in (None, place and place.thread_id)
        and where.agent in (None, place and place.agent)
    )


def _matches(entry: LogEntry, where: LogFilter) -> bool:
    return (
        entry.level >= where.level
        and where.step_id in (None, entry.place and entry.place.step_id)
        and (where.logger is None or f"{entry.logger}.".startswith(f"{where.logger}."))
        and (where.text is None or where.text.lower() in entry.message.lower())
    )
