"""The waits and signals of a thread out of memory, as the rows of its file, and into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain.waiting import WaitKey
from app.domain.waits import MessageWait, SignalRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from app.domain.transfer import Row
    from app.store.memory_tables import MemoryTables

KEY: Final = ("key_execution_id", "step_id", "item", "round")
WAIT: Final = {"given": "given_json", "answer": "answer_json", "error": "error_json", "begin_seq": "begin"}
"""What fields of a row are called in a record."""
_SIGNAL: Final = {"value": "value_json"}


def signal_row(record: SignalRecord, names: Iterable[str]) -> Row:
    """A signal as a row."""
    taken = {name: None if record.taken_by is None else getattr(record.taken_by, name) for name in KEY}
    return {name: taken[name] if name in KEY else getattr(record, _SIGNAL.get(name, name)) for name in names}


def put_waits(tables: MemoryTables, thread_id: str, found: Mapping[str, list[Row]]) -> None:
    """Write those of a thread; messages count for them from when it was imported."""
    for row in found.get("wait", []):
        told: Row = {WAIT.get(name, name): value for name, value in row.items() if name not in KEY}
        wait = MessageWait(key=_key(thread_id, row), since=began(tables, thread_id, row["begin_seq"]), **told)
        tables.waits[wait.key] = wait
        if wait.message_sha256 is not None:
            tables.messages_taken.setdefault(thread_id, {})[wait.message_sha256] = wait.key
    for row in found.get("signal", []):
        given: dict[str, Any] = {_SIGNAL.get(name, name): value for name, value in row.items() if name not in KEY}
        taken_by = None if row["taken_at"] is None else _key(thread_id, row)
        tables.signals.setdefault(thread_id, []).append(SignalRecord(thread_id=thread_id, taken_by=taken_by, **given))


def _key(thread_id: str, row: Row) -> WaitKey:
    return WaitKey(thread_id=thread_id, **{name: row[name] for name in KEY})


def began(tables: MemoryTables, thread_id: str, begin: int) -> int:
    """The transaction of the event with which a thread began."""
    for number, written in enumerate(tables.feed, start=1):
        if any(event.thread_id == thread_id and event.seq == begin for event in written):
            return number
    return 0
