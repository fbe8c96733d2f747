"""Reads on the tables in memory; what they give out are copies."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING

from app.domain import events as names
from app.domain import formats
from app.domain.items import ItemPage
from app.domain.ports import ExecutionFilter, FeedItem, FeedPosition, Reads, StoreHealth
from app.domain.records import NO_USAGE, PartMarks
from app.domain.status import StepStatus
from app.domain.usage import UsageSum

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.domain.events import Event
    from app.domain.integrity import Quarantined
    from app.domain.items import ItemFilter
    from app.domain.records import (
        CheckpointRecord,
        ExecutionRecord,
        IdempotencyRecord,
        ItemRecord,
        NoteRecord,
        StepRecord,
        ThreadRecord,
        Usage,
    )
    from app.domain.usage import UsageFilter
    from app.store.memory_tables import MemoryTables


class MemoryReads(Reads):
    """See domain.ports.Reads."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def thread(self, thread_id: str) -> ThreadRecord | None:
        """The thread's row."""
        thread = self._tables.threads.get(thread_id)
        return None if thread is None else replace(thread)

    async def threads(self, thread_ids: Sequence[str]) -> list[ThreadRecord]:
        """The rows of these threads, as far as they exist."""
        return [replace(self._tables.threads[each]) for each in thread_ids if each in self._tables.threads]

    async def children(self, thread_id: str) -> list[ThreadRecord]:
        """The threads whose parent this is, by id."""
        found = [each for each in self._tables.threads.values() if each.parent_thread_id == thread_id]
        return [replace(each) for each in sorted(found, key=lambda each: each.thread_id)]

    async def execution(self, execution_id: str) -> ExecutionRecord | None:
        """One execution with its input and output."""
        execution = self._tables.executions.get(execution_id)
        return None if execution is None else replace(execution)

    async def executions(self, where: ExecutionFilter) -> list[ExecutionRecord]:
        """Newest first by (created_at, id), since <= created_at < until; without input, output and context."""
        found = [each for each in self._tables.executions.values() if _matches(each, where)]
        if where.before is not None:
            found = [each for each in found if (each.created_at, each.id) < where.before]
        found.sort(key=lambda each: (each.created_at, each.id), reverse=not where.oldest)
        return [
            replace(each, input=None, input_sha256=None, output=None, context=None) for each in found[: where.limit]
        ]

    async def count_executions(self, where: ExecutionFilter, at_most: int) -> int:
        """How many there are in all, whatever the cursor; counting stops at `at_most`."""
        return min(at_most, sum(_matches(each, where) for each in self._tables.executions.values()))

    async def checkpoints(
        self, thread_id: str, *, first: int = 1, last: int | None = None, limit: int | None = None
    ) -> list[CheckpointRecord]:
        """Versions first..last of the thread, oldest first."""
        known = self._tables.checkpoints.get(thread_id, [])
        found = [each for each in known if each.version >= first and (last is None or each.version <= last)]
        return [formats.read(replace(each)) for each in found[:limit]]

    async def steps(
        self, thread_id: str, *, execution_id: str | None = None, ids: Sequence[str] | None = None, values: bool = True
    ) -> list[StepRecord]:
        """Step runs by (step_index, id), of an execution or with the given ids; without `values` no input or output."""
        wanted = None if ids is None else set(ids)
        found = [
            run
            for run in self._tables.runs.get(thread_id, {}).values()
            if (execution_id is None or run.execution_id == execution_id) and (wanted is None or run.id in wanted)
        ]
        found.sort(key=lambda run: (run.step_index, run.id))
        return [replace(run) if values else replace(run, input=None, output=None) for run in found]

    async def items(
        self, thread_id: str, key: tuple[str, str], *, first: int = 0, limit: int | None = None
    ) -> list[ItemRecord]:
        """The items of a step from `first` on, by their places."""
        known = self._tables.items.get(thread_id, {})
        found = sorted(place for place in known if place[:2] == key and place[2] >= first)[:limit]
        return [replace(known[place]) for place in found]

    async def part_marks(self, thread_id: str, key: tuple[str, str]) -> PartMarks:
        """Which parts of a step have ended, and those that have begun and not, by their places."""
        marks = PartMarks()
        for record in await self.items(thread_id, key):
            if record.status is StepStatus.COMPLETED:
                marks.completed.append(record.item)
            elif record.status is StepStatus.FAILED:
                marks.failed.append(record.item)
            else:
                marks.open.append(record)
        return marks

    async def item_page(self, thread_id: str, run_id: str, key: tuple[str, str], where: ItemFilter) -> ItemPage:
        """The items of a step run as people see them, by their places, long outputs shortened."""
        known, run = await self.items(thread_id, key), self._tables.runs.get(thread_id, {}).get(run_id)
        found = [one for one in known if one.item >= where.first and where.status in (None, one.status)][: where.limit]
        for one in found:
            if one.output is not None and where.longest is not None and len(one.output.encode()) > where.longest:
                one.output = names.preview(one.output)
        counts = Counter(one.status for one in known)
        return ItemPage(items=found, counts=counts, given=run.input if run is not None else None)

    async def notes(self, thread_id: str, key: tuple[str, str], item: int) -> list[NoteRecord]:
        """What attempts of a step have remembered, in that order."""
        known = self._tables.notes.get(thread_id, {})
        return [replace(known[place]) for place in sorted(known) if place[:3] == (*key, item)]

    async def spent(self, thread_id: str) -> Usage:
        """What all step runs of a thread have cost."""
        runs = self._tables.runs.get(thread_id, {}).values()
        return sum((run.usage for run in runs if run.usage is not None), start=NO_USAGE)

    async def usage(self, where: UsageFilter) -> list[UsageSum]:
        """What step runs have cost, by day, workflow and agent as far as it is summed by them."""
        sums: dict[tuple[str, str, str], UsageSum] = {}
        for run in (run for runs in self._tables.runs.values() for run in runs.values()):
            at = run.completed_at
            if run.usage is None or at is None or not _within(at, where.since, where.until):
                continue
            execution = self._tables.executions.get(run.execution_id)
            day, name = at.astimezone(UTC).date().isoformat(), execution.workflow_name if execution is not None else ""
            place = UsageSum(
                day=day if "day" in where.by else "",
                workflow=name if "workflow" in where.by else "",
                agent=(run.agent or "") if "agent" in where.by else "",
            )
            known = sums.get(place.key, place)
            sums[place.key] = replace(known, step_runs=known.step_runs + 1, usage=known.usage + run.usage)
        return [sums[key] for key in sorted(sums) if where.after is None or key > where.after][: where.limit]

    async def quarantined(self, thread_id: str) -> list[Quarantined]:
        """What was found damaged of a thread and put aside, in the order of its finding."""
        return list(self._tables.quarantine.get(thread_id, {}).values())

    async def events(self, thread_id: str, *, after: int, limit: int = 1000) -> list[Event]:
        """Events with seq > after, oldest first, results filled in."""
        found = [event for event in self._tables.events.get(thread_id, []) if event.seq > after]
        return [self._filled(event) for event in found[:limit]]

    async def feed(self, after: FeedPosition, limit: int = 1000, *, results: bool = True) -> list[FeedItem]:
        """Events of all threads after a position."""
        first = max(0, after.xact - 1)
        items: list[FeedItem] = []
        for xact, events in enumerate(self._tables.feed[first:], start=first + 1):
            if len(items) >= limit:
                break
            for event in events:
                position = FeedPosition(xact, event.thread_id, event.seq)
                if position > after:
                    item = self.feed_item(position, event)
                    items.append(item if results else replace(item, event=replace(event, result=None, _frame=None)))
        return items[:limit]

    async def feed_end(self) -> FeedPosition:
        """The present end of the feed."""
        return FeedPosition(len(self._tables.feed) + 1, "", 0)

    async def idempotency(self, tenant: str, key: str) -> IdempotencyRecord | None:
        """The start that a key belongs to."""
        found = self._tables.keys.get((tenant, key))
        return None if found is None else replace(found)

    async def health(self) -> StoreHealth:
        """Always reachable, never durable; its size is not known."""
        return StoreHealth(
            kind="memory", durable=False, reachable=True, latency_ms=0.0, error_rate=0.0, size_bytes=None
        )

    def feed_item(self, position: FeedPosition, event: Event) -> FeedItem:
        """An event as the feed tells it."""
        thread = self._tables.threads[event.thread_id]
        workflow = self._tables.workflows.get(thread.definition_id)
        name = "" if workflow is None else workflow.name
        return FeedItem(position=position, event=self._filled(event), workflow=name, status=thread.status)

    def _filled(self, event: Event) -> Event:
        result: str | None = None
        if event.name in {names.STEP_COMPLETE, names.STEP_SKIPPED}:
            run = self._tables.runs.get(event.thread_id, {}).get(event.run_id or "")
            result = None if run is None else run.output
        elif event.name == names.WORKFLOW_COMPLETE:
            execution = self._tables.executions.get(event.execution_id)
            result = None if execution is None else execution.output
        return replace(event, result=result, _frame=None)


def _matches(execution: ExecutionRecord, where: ExecutionFilter) -> bool:
    exact = (
        (where.status, execution.status),
        (where.workflow, execution.workflow_name),
        (where.thread_id, execution.thread_id),
        (where.triggered_by, execution.triggered_by),
    )
    if any(wanted is not None and wanted != actual for wanted, actual in exact):
        return False
    return _within(execution.created_at, where.since, where.until)


def _within(at: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or at >= since) and (until is None or at < until)
