"""A thread as a file: one JSON object a line, a header first, then each row of the thread, then a digest of all of it.

A row's stored JSON goes in as text, so that what comes out is what was written, to the byte; times are RFC 3339, digests
hexadecimal, bytes base64.  Nothing of agents is in it, and so no secret of theirs.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from app.domain import jsontext
from app.domain.errors import InvalidRequest, JsonError, Problem
from app.domain.transfer_fields import FROM_JSON, TO_JSON

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence
    from contextlib import AbstractAsyncContextManager

Row = dict[str, Any]
Batch = tuple[str, list[Row]]
"""What the rows are of, and some of them."""

FORMAT: Final = 2
SINCE: Final = {"wait": 2, "signal": 2}
"""The format from which on there are rows of a kind, if not from the first; files of older ones are read as they are."""
HEADER: Final = "backstitch-thread"
END: Final = "end"
WHAT: Final = "row"
"""The field of a line that says what it is of."""

_ROWS: Final = {
    "definition": "id:uuid name:text version:int? hash:text document:json",
    "thread": (
        "thread_id:thread definition_id:uuid execution_id:uuid status:status epoch:int rev:long head_version:number "
        "last_version:number last_seq:number wake_at:time? queue:queue priority:priority recoveries:int "
        "parent_thread_id:thread? parent_run_id:uuid? created_at:time updated_at:time"
    ),
    "execution": (
        "id:uuid workflow_id:uuid? workflow_name:text workflow_version:int? kind:kind status:status input:json? "
        "input_sha256:digest? parameters:object? triggered_by:text? external_run_id:text? created_at:time started_at:time? "
        "completed_at:time? output:json? output_sha256:digest? context:json? error:object?"
    ),
    "step": (
        "id:uuid execution_id:uuid key_execution_id:uuid step_id:name step_index:int status:step agent:text? "
        "agent_version:int? variant:text? call:text? attempt:int retry_count:int input:json? output:json? "
        "output_sha256:digest? error:object? session_id:text? started_at:time? completed_at:time? duration_ms:long? "
        "next_attempt_at:time? input_tokens:count? output_tokens:count? cost_usd:amount?"
    ),
    "item": (
        "key_execution_id:uuid step_id:name item:int status:step attempt:int retry_count:int agent:text? agent_version:int? "
        "output:json? output_sha256:digest? error:object? session_id:text? started_at:time completed_at:time? "
        "next_attempt_at:time?"
    ),
    "note": "key_execution_id:uuid step_id:name item:int place:int name:text value:json sha256:digest created_at:time",
    "checkpoint": (
        "version:int parent_version:int? base_version:int execution_id:uuid step_id:name trigger:text manifest:json "
        "sha256:digest size_bytes:long progress:amount created_at:time hidden:bool format:int"
    ),
    "event": (
        "seq:long execution_id:uuid name:name step_id:name? run_id:uuid? attempt:int? version:int at:time data:object"
    ),
    "gate": (
        "key_execution_id:uuid step_id:name item:int round:int run_id:uuid title:text? show:json? form:json? "
        "assignees:texts opened_at:time timeout_at:time? answer:json? answer_sha256:digest? answered_by:text? "
        "answered_at:time? via:text?"
    ),
    "wait": (
        "key_execution_id:uuid step_id:name item:int round:int run_id:uuid topic:text? signal:text? match:text? given:json? "
        "begin_seq:long opened_at:time timeout_at:time? answer:json? answer_sha256:digest? answered_by:text? answered_at:time? "
        "via:text? message_sha256:digest? error:object?"
    ),
    "signal": (
        "place:long name:text value:json value_sha256:digest sent_by:text? sent_at:time at_seq:long taken_at:time? "
        "key_execution_id:uuid? step_id:name? item:int? round:int?"
    ),
    "quarantine": (
        "id:uuid kind:text version:int? run_id:uuid? execution_id:uuid? step_id:text? problem:text expected:data? "
        "stored:text? found_at:time"
    ),
    "graph_run": "run_key:text fence:int last_seq:int",
    "graph_checkpoint": (
        "run_key:text ns:text checkpoint_id:text parent_id:text? seq:int run_id:text? kind:text data:data metadata:data "
        "channels:texts versions:texts"
    ),
    "graph_value": "run_key:text ns:text channel:text version:text kind:text data:data",
    "graph_write": (
        "run_key:text ns:text checkpoint_id:text task_id:text idx:int task_path:text channel:text kind:text data:data"
    ),
}
"""What each kind of row holds: `name:type`, with ? where it may be null; in the order of the file."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a row."""

    kind: str
    optional: bool


def _fields(text: str) -> Mapping[str, Field]:
    pairs = [each.split(":") for each in text.split()]
    return MappingProxyType({name: Field(kind.removesuffix("?"), kind.endswith("?")) for name, kind in pairs})


ROWS: Final[Mapping[str, Mapping[str, Field]]] = MappingProxyType({name: _fields(text) for name, text in _ROWS.items()})


class Snapshot(Protocol):
    """A thread as it was at one moment; `children` is how many sub-workflows it has, which are threads of their own."""

    children: int

    @property
    def counts(self) -> Mapping[str, int]:
        """How many rows there are, by kind, in the order of the file."""
        ...

    def batches(self) -> AsyncIterator[Batch]:
        """All rows in the order of the file, a few megabytes at a time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDefinition:
    """A definition as this store has it."""

    id: str
    version: int | None


class Archive(Protocol):
    """Threads out of a store and into it; all raise Unavailable while the store is away."""

    def snapshot(self, thread_id: str) -> AbstractAsyncContextManager[Snapshot]:
        """Look at a thread; it may run on meanwhile.  Raises NotFound."""
        ...

    async def taken(self, execution_ids: Collection[str]) -> bool:
        """Whether there is an execution here with one of these ids."""
        ...

    async def restore(
        self,
        thread_id: str,
        definitions: Sequence[Row],
        rows: Callable[[Mapping[str, KnownDefinition]], AsyncIterator[Batch]],
    ) -> None:
        """Write a thread, all of it or nothing; `rows` is told how its definitions, by their ids in the file, are known here.

        Raises Conflict (thread_exists); InvalidRequest for what the store refuses, and what `rows` raises.
        """
        ...


def line_of(what: str, values: Mapping[str, Any]) -> bytes:
    """One line of the file; a row's values by its fields."""
    fields = ROWS.get(what)
    told = {name: TO_JSON[field.kind](values[name]) for name, field in fields.items()} if fields else dict(values)
    return jsontext.dumps({WHAT: what, **told}).encode() + b"\n"


def row_of(line: bytes, number: int) -> tuple[str, Row]:
    """What a line is of, and its values; of the header and the end as they stand.  Raises InvalidRequest (invalid_export)."""
    try:
        value: Any = jsontext.loads(line)
    except JsonError as error:
        raise bad(number, f"no JSON: {error.message}") from None
    if not isinstance(value, dict):
        raise bad(number, "not an object")
    told = cast("Row", value)
    what: Any = told.pop(WHAT, None)
    if what in (HEADER, END):
        return what, told
    if not isinstance(what, str) or what not in ROWS:
        raise bad(number, f"{str(what)[:40]!r} is no kind of row", WHAT)
    fields = ROWS[what]
    unlike = sorted(told.keys() ^ fields.keys())
    if unlike:
        raise bad(number, "unknown field" if unlike[0] in told else "required", unlike[0])
    return what, {name: _read(told[name], field, number, name) for name, field in fields.items()}


def bad(number: int, message: str, field: str | None = None) -> InvalidRequest:
    """What is wrong with a line."""
    pointer = f"/{number}" + (f"/{field}" if field is not None else "")
    told = f"line {number}{f', {field}' if field is not None else ''}: {message}"
    return InvalidRequest(told, code="invalid_export", problems=[Problem(pointer, message)])


def _read(value: Any, field: Field, number: int, name: str) -> Any:
    if value is None:
        if field.optional:
            return None
        raise bad(number, "may not be null", name)
    try:
        return FROM_JSON[field.kind](value)
    except (ValueError, TypeError, JsonError, binascii.Error) as error:
        raise bad(number, str(error)[:200] or f"no {field.kind}", name) from None
