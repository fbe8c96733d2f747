"""Upkeep on the tables in memory, which hold nothing that another release has written unless a test puts it there."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from app.domain import formats
from app.domain.state import FORMAT
from app.domain.upkeep import Upgraded, Upkeep

if TYPE_CHECKING:
    from app.domain.moving import ThreadsOf
    from app.domain.records import ThreadRecord
    from app.store.memory_tables import MemoryTables


class MemoryUpkeep(Upkeep):
    """See domain.upkeep.Upkeep."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def formats(self) -> dict[int, int]:
        """How many versions are stored in each format."""
        return dict(Counter(one.format for each in self._tables.checkpoints.values() for one in each))

    async def upgrade(self, after: tuple[str, int], limit: int, *, dry_run: bool) -> Upgraded:
        """Write the next versions of old formats in the newest one."""
        known = [one for each in self._tables.checkpoints.values() for one in each if one.format < FORMAT]
        old = sorted((one for one in known if (one.thread_id, one.version) > after), key=lambda one: one.version)
        found = sorted(old, key=lambda one: one.thread_id)[:limit]
        new = formats.upgraded_all(found)
        for one in () if dry_run else new:
            kept = self._tables.checkpoints[one.thread_id]
            kept[next(place for place, each in enumerate(kept) if each.version == one.version)] = one
        last = (found[-1].thread_id, found[-1].version) if len(found) == limit else None
        return Upgraded(seen=len(found), upgraded=len(new), damaged=len(found) - len(new), after=last)

    async def threads_of(self, where: ThreadsOf) -> list[ThreadRecord]:
        """The threads of a registered workflow, by id."""
        wanted = {
            one.id
            for one in self._tables.workflows.values()
            if (one.tenant, one.name) == (where.tenant, where.workflow)
            and one.version is not None
            and where.version in (None, one.version)
            and one.id != where.beside
        }
        known = sorted(self._tables.threads.values(), key=lambda each: each.thread_id)
        found = [each for each in known if each.definition_id in wanted and each.status in where.statuses]
        return [replace(each) for each in found if each.thread_id > where.after][: where.limit]

    async def missing_events(self, thread_id: str, last: int) -> list[tuple[int, int]]:
        """Which of a thread's events 1..last are not there."""
        there = sorted(event.seq for event in self._tables.events.get(thread_id, []) if event.seq <= last)
        edges = [0, *there, last + 1]
        return [(before + 1, seq - 1) for before, seq in pairwise(edges) if seq > before + 1]
