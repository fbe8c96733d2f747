"""The list of events, and timelines, on the tables in memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from app.domain import events as names
from app.domain.event_log import LONGEST, EventFilter, EventLog, EventPage
from app.domain.ports import FeedPosition
from app.domain.timeline import EXECUTIONS, ExecutionTimes, TimelinePage, Timelines
from app.store.memory_reads import MemoryReads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.domain.events import Event
    from app.domain.ports import FeedItem
    from app.domain.records import ItemRecord
    from app.domain.timeline import TimelineFilter
    from app.store.memory_tables import MemoryTables

_LAST = 2**63 - 1
_UNTOLD = frozenset({names.STEP_PROGRESS, names.ITEM_FAILED, names.ATTEMPT_DISCARDED, names.STATE_QUARANTINED})


class MemoryEvents(EventLog):
    """See domain.event_log.EventLog."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables
        self._reads = MemoryReads(tables)

    async def page(self, where: EventFilter) -> EventPage:
        """See EventLog."""
        present = self._end_of(where.thread_id)
        found: list[FeedItem] = []
        last: FeedPosition | None = None
        for looked, item in enumerate(self._items(where, present)):
            if looked == where.bound and last is not None:
                return EventPage(items=found, next=last, place=present if where.newest_first else last)
            if len(found) == where.limit and self._matches(item, where):
                more = found[-1].position
                return EventPage(items=found, next=more, place=present if where.newest_first else more)
            last = item.position
            if self._matches(item, where):
                found.append(item)
        return EventPage(items=found, place=present)

    async def mark(self) -> None:
        """See EventLog."""

    def _end_of(self, thread_id: str | None) -> FeedPosition:
        if thread_id is None:
            return FeedPosition(len(self._tables.feed) + 1, "", 0)
        return FeedPosition(0, thread_id, len(self._tables.events.get(thread_id, ())))

    def _items(self, where: EventFilter, present: FeedPosition) -> Iterator[FeedItem]:
        """Those of the list, from the place on."""
        found = list(self._of_thread(where.thread_id) if where.thread_id is not None else self._of_all())
        if where.newest_first:
            before = _order(where.after or FeedPosition(_LAST, "", _LAST), where)
            chosen = [one for one in reversed(found) if _order(one[0], where) < before]
        else:
            after = min(_order(where.after or FeedPosition(0, "", 0), where), _order(present, where))
            chosen = [one for one in found if _order(one[0], where) > after]
        for place, event in chosen:
            item = self._reads.feed_item(place, event)
            if item.event.result is not None and len(item.event.result.encode()) > LONGEST:
                item.event.result = names.preview(item.event.result)
            yield item

    def _of_thread(self, thread_id: str) -> Iterator[tuple[FeedPosition, Event]]:
        for event in self._tables.events.get(thread_id, ()):
            yield FeedPosition(0, thread_id, event.seq), event

    def _of_all(self) -> Iterator[tuple[FeedPosition, Event]]:
        for xact, written in enumerate(self._tables.feed, start=1):
            for event in sorted(written, key=lambda event: (event.thread_id, event.seq)):
                if event.thread_id in self._tables.threads:
                    yield FeedPosition(xact, event.thread_id, event.seq), event

    def _matches(self, item: FeedItem, where: EventFilter) -> bool:
        event = item.event
        agent = None
        if where.agent is not None:
            run = self._tables.runs.get(event.thread_id, {}).get(event.run_id or "")
            agent = run and run.agent
        return (
            (where.names is None or event.name in where.names)
            and event.name not in where.other_than
            and where.step_id in (None, event.step_id)
            and where.agent in (None, agent)
            and where.status in (None, item.status)
            and where.workflow in (None, item.workflow)
            and (where.since is None or event.at >= where.since)
            and (where.until is None or event.at < where.until)
        )


def _order(place: FeedPosition, where: EventFilter) -> tuple[int, str, int]:
    return (0, "", place.seq) if where.thread_id is not None else (place.xact, place.thread_id, place.seq)


class MemoryTimelines(Timelines):
    """See domain.timeline.Timelines."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def page(self, where: TimelineFilter) -> TimelinePage:
        """See Timelines."""
        tables, thread_id, execution_id = self._tables, where.thread_id, where.execution_id
        executions = [
            ExecutionTimes(
                id=each.id,
                kind=each.kind,
                status=each.status.value,
                created_at=each.created_at,
                started_at=each.started_at,
                completed_at=each.completed_at,
            )
            for each in tables.executions.values()
            if each.thread_id == thread_id and execution_id in (None, each.id)
        ]
        found = [
            replace(run, input=None, output=None)
            for run in sorted(tables.runs.get(thread_id, {}).values(), key=lambda run: run.id)
            if execution_id in (None, run.execution_id) and run.id > (where.after or "")
        ]
        runs = found[: where.limit]
        ids = {None, *(run.id for run in runs)}
        keys = {(run.key_execution_id, run.step_id) for run in runs}
        parts = tables.items.get(thread_id, {})
        items = [replace(parts[place], output=None) for place in sorted(parts) if place[:2] in keys]
        return TimelinePage(
            executions=sorted(executions, key=lambda each: (each.created_at, each.id), reverse=True)[:EXECUTIONS],
            runs=runs,
            events=[
                each for each in tables.events.get(thread_id, ()) if each.run_id in ids and each.name not in _UNTOLD
            ],
            items=_first_of_each(items, where.items),
            more=len(found) > where.limit,
        )


def _first_of_each(items: list[ItemRecord], number: int) -> list[ItemRecord]:
    """At most so many of each step."""
    counts: Counter[tuple[str, str]] = Counter()
    kept: list[ItemRecord] = []
    for item in items:
        key = (item.key_execution_id, item.step_id)
        counts[key] += 1
        if counts[key] <= number:
            kept.append(item)
    return kept
