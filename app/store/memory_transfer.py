"""Threads out of memory and into it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from app.domain.errors import Conflict, NotFound
from app.domain.events import Event
from app.domain.gates import GateKey, GateRecord
from app.domain.ids import uuid7
from app.domain.integrity import Finding, Quarantined
from app.domain.records import (
    CheckpointRecord,
    ExecutionRecord,
    ItemRecord,
    NoteRecord,
    StepRecord,
    ThreadRecord,
    Usage,
    WorkflowRecord,
)
from app.domain.transfer import ROWS, Archive, KnownDefinition, Snapshot
from app.store.memory_transfer_waits import KEY, WAIT, put_waits, signal_row

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence

    from app.domain.transfer import Batch, Row
    from app.store.memory_langgraph import MemoryGraphCheckpoints
    from app.store.memory_tables import MemoryTables

_PAGE = 500
_USAGE = ("input_tokens", "output_tokens", "cost_usd")
_GATE = {"show": "show_json", "form": "form_json", "answer": "answer_json"}


class MemoryArchive(Archive):
    """See domain.transfer.Archive; the inner checkpoints of graphs are in a store of their own."""

    def __init__(self, tables: MemoryTables, graphs: MemoryGraphCheckpoints) -> None:
        self._tables = tables
        self._graphs = graphs

    @asynccontextmanager
    async def snapshot(self, thread_id: str) -> AsyncGenerator[Snapshot]:
        """See Archive."""
        thread = self._tables.threads.get(thread_id)
        if thread is None:
            raise NotFound(f"there is no thread {thread_id}", code="thread_not_found")
        rows = {what: [_row(what, one) for one in found] for what, found in self._records(thread).items()}
        children = sum(one.parent_thread_id == thread_id for one in self._tables.threads.values())
        yield _Snapshot({**rows, **self._graphs.dump(thread_id)}, children)

    async def taken(self, execution_ids: Collection[str]) -> bool:
        """See Archive."""
        return any(one in self._tables.executions for one in execution_ids)

    async def restore(
        self,
        thread_id: str,
        definitions: Sequence[Row],
        rows: Callable[[Mapping[str, KnownDefinition]], AsyncIterator[Batch]],
    ) -> None:
        """See Archive: nothing is written before all has been read."""
        known = {one["id"]: self._known(one) for one in definitions}
        told = {name: KnownDefinition(id=record.id, version=record.version) for name, record in known.items()}
        found: dict[str, list[Row]] = {}
        async for what, page in rows(told):
            found.setdefault(what, []).extend(page)
        taken = any(row["id"] in self._tables.executions for row in found.get("execution", []))
        if thread_id in self._tables.threads or taken:
            raise Conflict(f"thread {thread_id} exists: give the imported one another id", code="thread_exists")
        self._tables.workflows.update({record.id: record for record in known.values()})
        self._put(thread_id, found)
        self._graphs.load(thread_id, found)

    def _records(self, thread: ThreadRecord) -> dict[str, list[Any]]:
        tables, name = self._tables, thread.thread_id
        executions = [one for one in tables.executions.values() if one.thread_id == name]
        wanted = {thread.definition_id, *(one.workflow_id for one in executions)}
        items, notes, quarantine = (
            tables.items.get(name, {}),
            tables.notes.get(name, {}),
            tables.quarantine.get(name, {}),
        )
        gates = [gate for key, gate in sorted(tables.gates.items()) if key.thread_id == name]
        return {
            "definition": [one for one in tables.workflows.values() if one.id in wanted],
            "thread": [thread],
            "execution": sorted(executions, key=lambda one: (one.created_at, one.id)),
            "step": [run for _, run in sorted(tables.runs.get(name, {}).items())],
            "item": [items[key] for key in sorted(items)],
            "note": [notes[key] for key in sorted(notes)],
            "checkpoint": list(tables.checkpoints.get(name, [])),
            "event": list(tables.events.get(name, [])),
            "gate": gates,
            "wait": [wait for key, wait in sorted(tables.waits.items()) if key.thread_id == name],
            "signal": list(tables.signals.get(name, ())),
            "quarantine": list(quarantine.values()),
        }

    def _known(self, row: Row) -> WorkflowRecord:
        """The definition of that content, a new one without a version if there is none."""
        found = next((one for one in self._tables.workflows.values() if one.hash == row["hash"]), None)
        values = {name: row[name] for name in ("name", "hash", "document")}
        return found or WorkflowRecord(id=uuid7(), version=None, created_at=self._tables.clock(), **values)

    def _put(self, thread_id: str, found: Mapping[str, list[Row]]) -> None:
        tables = self._tables
        [thread] = found["thread"]
        tables.threads[thread_id] = ThreadRecord(incarnation_id=None, signal=None, **thread)
        for row in found["execution"]:
            tables.executions[row["id"]] = ExecutionRecord(thread_id=thread_id, **row)
        tables.runs[thread_id] = {row["id"]: _step(thread_id, row) for row in found.get("step", [])}
        items = [ItemRecord(**row) for row in found.get("item", [])]
        tables.put_items(thread_id, items)
        tables.put_notes(thread_id, [NoteRecord(**row) for row in found.get("note", [])])
        checkpoints = [CheckpointRecord(thread_id=thread_id, **row) for row in found.get("checkpoint", [])]
        tables.checkpoints[thread_id] = checkpoints
        tables.append_events([Event(thread_id=thread_id, **row) for row in found.get("event", [])])
        for row in found.get("gate", []):
            gate = _gate(thread_id, row)
            tables.gates[gate.key] = gate
        put_waits(tables, thread_id, found)
        tables.quarantine[thread_id] = {row["id"]: _quarantined(row) for row in found.get("quarantine", [])}


class _Snapshot(Snapshot):
    def __init__(self, rows: Mapping[str, list[Row]], children: int) -> None:
        self._rows = rows
        self.children = children

    @property
    def counts(self) -> Mapping[str, int]:
        """See Snapshot."""
        return {what: len(rows) for what, rows in self._rows.items()}

    async def batches(self) -> AsyncIterator[Batch]:
        """See Snapshot."""
        for what, rows in self._rows.items():
            for at in range(0, len(rows), _PAGE):
                yield what, rows[at : at + _PAGE]


def _row(what: str, record: Any) -> Row:
    names = ROWS[what]
    if what == "gate":
        return _of_key(record, names, _GATE) | {"assignees": list(record.assignees)}
    if what == "wait":
        return _of_key(record, names, WAIT)
    if what == "signal":
        return signal_row(record, names)
    if what == "quarantine":
        own = {"id": record.id, "found_at": record.found_at}
        return {name: own[name] if name in own else getattr(record.finding, name) for name in names}
    if what == "step":
        usage = {name: getattr(record.usage, name, None) for name in _USAGE}
        return {name: usage[name] if name in usage else getattr(record, name) for name in names}
    return {name: getattr(record, name) for name in names}


def _of_key(record: Any, names: Iterable[str], called: Mapping[str, str]) -> Row:
    told = {name: getattr(record.key, name) for name in KEY}
    return told | {name: getattr(record, called.get(name, name)) for name in names if name not in KEY}


def _step(thread_id: str, row: Row) -> StepRecord:
    spent = {name: row[name] for name in _USAGE}
    usage = None
    if spent["input_tokens"] is not None:
        usage = Usage(**{name: amount or 0 for name, amount in spent.items()})
    known: Row = {name: value for name, value in row.items() if name not in _USAGE}
    return StepRecord(thread_id=thread_id, usage=usage, **known)


def _gate(thread_id: str, row: Row) -> GateRecord:
    values: Row = {_GATE.get(name, name): value for name, value in row.items() if name not in KEY}
    values["assignees"] = tuple(row["assignees"])
    return GateRecord(key=GateKey(thread_id=thread_id, **{name: row[name] for name in KEY}), **values)


def _quarantined(row: Row) -> Quarantined:
    said = {name: value for name, value in row.items() if name not in ("id", "found_at")}
    return Quarantined(id=row["id"], found_at=row["found_at"], finding=Finding(**said))
