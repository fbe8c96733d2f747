"""Triggers, their firings and the keys that these hold, in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from app.domain.parameters import parse
from app.domain.triggers import MAX_TRIGGERS, Claim, Firing, Outcome, Trigger, TriggerStore, taken, too_many

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from app.store.memory_tables import MemoryTables


class MemoryTriggers(TriggerStore):
    """See domain.triggers.TriggerStore."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables
        self._triggers: dict[str, Trigger] = {}
        self._firings: dict[str, Firing] = {}
        self._try_at: dict[str, datetime] = {}
        """Of those that wait."""
        self._keys: dict[tuple[str, str], tuple[str, datetime]] = {}

    async def create(self, trigger: Trigger) -> Trigger:
        """See TriggerStore."""
        if trigger.name in self._triggers:
            raise taken(trigger.name)
        if len(self._triggers) >= MAX_TRIGGERS:
            raise too_many()
        now = self._tables.clock()
        made = replace(trigger, since=len(self._tables.feed), rev=1, created_at=now, updated_at=now)
        self._triggers[trigger.name] = made
        return made

    async def find(self, name: str) -> Trigger | None:
        """See TriggerStore."""
        return self._triggers.get(name)

    async def listed(self, *, after: str = "", limit: int = 50) -> list[Trigger]:
        """See TriggerStore."""
        return [self._triggers[name] for name in sorted(self._triggers) if name > after][:limit]

    async def change(self, trigger: Trigger) -> Trigger | None:
        """See TriggerStore."""
        before = self._triggers.get(trigger.name)
        if before is None or (before.id, before.rev) != (trigger.id, trigger.rev):
            return None
        again = trigger.enabled and not before.enabled
        since = len(self._tables.feed) if again else before.since
        changed = replace(
            trigger,
            since=since,
            rev=before.rev + 1,
            created_at=before.created_at,
            updated_at=self._tables.clock(),
        )
        self._triggers[trigger.name] = changed
        return changed

    async def delete(self, name: str) -> bool:
        """See TriggerStore."""
        gone = self._triggers.pop(name, None)
        if gone is None:
            return False
        for one in [one for one in self._try_at if self._firings[one].trigger_id == gone.id]:
            del self._firings[one], self._try_at[one]
        return True

    async def load(self, known: Mapping[str, int]) -> tuple[set[str], list[Trigger]]:
        """See TriggerStore."""
        enabled = [one for one in self._triggers.values() if one.enabled]
        return {one.id for one in enabled}, [one for one in enabled if known.get(one.id) != one.rev]

    async def acted(self, firing_ids: Collection[str]) -> set[str]:
        """See TriggerStore."""
        return {one for one in firing_ids if one in self._firings}

    async def record(self, firings: Sequence[Firing]) -> None:
        """See TriggerStore."""
        now = self._tables.clock()
        for one in firings:
            if one.id not in self._firings:
                self._firings[one.id] = replace(one, at=now)
                if one.outcome is Outcome.WAITING:
                    self._try_at[one.id] = now + timedelta(seconds=one.pause)

    async def claim(self, trigger_id: str, key: str, firing_id: str, at: datetime, until: datetime) -> Claim:
        """See TriggerStore."""
        held = self._keys.get((trigger_id, key))
        if held is None or held[1] <= at:
            held = self._keys[trigger_id, key] = (firing_id, until)
        return Claim(mine=held[0] == firing_id, firing_id=held[0], until=held[1])

    async def forgo(self, firing_ids: Collection[str]) -> None:
        """See TriggerStore."""
        for place in [place for place, held in self._keys.items() if held[0] in firing_ids]:
            del self._keys[place]

    async def due(self, limit: int, seconds: float) -> list[tuple[Trigger, Firing]]:
        """See TriggerStore."""
        now, enabled = self._tables.clock(), {one.id: one for one in self._triggers.values() if one.enabled}
        by_trigger: dict[str, int] = {}
        found: list[tuple[int, datetime, str]] = []
        for one, at in sorted(self._try_at.items(), key=lambda item: item[1]):
            trigger_id = self._firings[one].trigger_id
            if at <= now and trigger_id in enabled:
                place = by_trigger[trigger_id] = by_trigger.get(trigger_id, 0) + 1
                found.append((place, at, one))
        chosen = [one for _, _, one in sorted(found)[:limit]]
        for one in chosen:
            self._try_at[one] = now + timedelta(seconds=seconds)
        return [(enabled[self._firings[one].trigger_id], self._firings[one]) for one in chosen]

    async def settle(self, firings: Sequence[Firing]) -> None:
        """See TriggerStore."""
        for one in firings:
            if self._try_at.pop(one.id, None) is None:
                continue
            waits = one.outcome is Outcome.WAITING
            before = self._firings[one.id]
            self._firings[one.id] = replace(one, at=before.at, start=before.start if waits else None)
            if waits:
                self._try_at[one.id] = self._tables.clock() + timedelta(seconds=one.pause)

    async def firings(
        self,
        trigger_id: str,
        *,
        outcome: Outcome | None = None,
        before: tuple[datetime, str] | None = None,
        limit: int = 50,
    ) -> list[Firing]:
        """See TriggerStore."""
        found = [
            (one.at, one.id)
            for one in self._firings.values()
            if one.trigger_id == trigger_id and outcome in (None, one.outcome) and one.at is not None
        ]
        chosen = sorted((place for place in found if before is None or place < before), reverse=True)[:limit]
        return [replace(self._firings[firing], start=None) for _, firing in chosen]

    async def chains(self, thread_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
        """See TriggerStore."""
        own: dict[str, tuple[str, ...]] = {}
        for execution in self._tables.executions.values():
            if execution.kind == "invoke" and execution.parameters is not None:
                chain = parse(execution.parameters).chain
                own[execution.thread_id] = max(own.get(execution.thread_id, ()), chain, key=len)
        found: dict[str, tuple[str, ...]] = {}
        for asked in thread_ids:
            thread = self._tables.threads.get(asked)
            while thread is not None:
                chain = max(found.get(asked, ()), own.get(thread.thread_id, ()), key=len)
                if chain:
                    found[asked] = chain
                thread = self._tables.threads.get(thread.parent_thread_id or "")
        return found

    async def waiting(self) -> int:
        """See TriggerStore."""
        present = {one.id for one in self._triggers.values()}
        return sum(self._firings[one].trigger_id in present for one in self._try_at)

    async def prune(self, days: float, limit: int) -> int:
        """See TriggerStore."""
        before, present = self._tables.clock() - timedelta(days=days), {one.id for one in self._triggers.values()}
        old = [
            key
            for key, one in self._firings.items()
            if one.at is not None and one.at < before and not (key in self._try_at and one.trigger_id in present)
        ]
        free = [place for place, held in self._keys.items() if held[1] < before]
        for key in old[:limit]:
            del self._firings[key]
            self._try_at.pop(key, None)
        for place in free[:limit]:
            del self._keys[place]
        return len(old[:limit]) + len(free[:limit])
