"""Events: one fact about a thread each, with the thread's gap-free `seq`, and the wire form that SSE readers get."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping

WORKFLOW_START: Final = "workflow_start"
WORKFLOW_RESUMED: Final = "workflow_resumed"
WORKFLOW_ROLLED_BACK: Final = "workflow_rolled_back"
WORKFLOW_PAUSED: Final = "workflow_paused"
WORKFLOW_COMPLETE: Final = "workflow_complete"
WORKFLOW_FAILED: Final = "workflow_failed"
WORKFLOW_CANCELLED: Final = "workflow_cancelled"
WORKFLOW_INTERRUPTED: Final = "workflow_interrupted"
WORKFLOW_MIGRATED: Final = "workflow_migrated"
STATE_QUARANTINED: Final = "state_quarantined"
STEP_START: Final = "step_start"
STEP_PROGRESS: Final = "step_progress"
STEP_RETRY: Final = "step_retry"
STEP_COMPLETE: Final = "step_complete"
STEP_FAILED: Final = "step_failed"
STEP_SKIPPED: Final = "step_skipped"
ITEM_FAILED: Final = "item_failed"
ATTEMPT_DISCARDED: Final = "attempt_discarded"
GATE_WAITING: Final = "gate_waiting"
GATE_ANSWERED: Final = "gate_answered"
MESSAGE_WAITING: Final = "message_waiting"
MESSAGE_RECEIVED: Final = "message_received"
STEP_CHUNK: Final = "step_chunk"
GAP: Final = "gap"

KEPT: Final = frozenset(
    value for name, value in tuple(globals().items()) if name.isupper() and isinstance(value, str)
) - {STEP_CHUNK, GAP}
"""The names of the events that are kept: of all but what streams alone tell."""
TERMINAL: Final = frozenset({WORKFLOW_COMPLETE, WORKFLOW_FAILED, WORKFLOW_CANCELLED, WORKFLOW_INTERRUPTED})

CLASS: Final[Mapping[str, str]] = {
    STEP_PROGRESS: "progress",
    STEP_CHUNK: "message",
    STEP_FAILED: "error",
    ITEM_FAILED: "error",
    ATTEMPT_DISCARDED: "message",
    WORKFLOW_FAILED: "error",
    WORKFLOW_INTERRUPTED: "error",
    WORKFLOW_COMPLETE: "complete",
}
"""The coarse class of an event, `type` on the wire; "status" for all others."""

RESULT_LIMIT: Final = 64 * 1024
"""Bytes of a result that an event carries; a longer one is told by its size and a preview."""
PREVIEW: Final = 1024
"""Characters of a long value that stand for it."""


@dataclass(slots=True, kw_only=True)
class Event:
    """One durable event.

    `data` is the JSON text as stored.  A step's result or a workflow's output is not in it (every value is stored once):
    `result` carries its JSON text, from memory when live and from its own row when read back.
    """

    thread_id: str
    seq: int
    execution_id: str
    name: str
    at: datetime
    step_id: str | None = None
    run_id: str | None = None
    attempt: int | None = None
    version: int
    data: str = "{}"
    result: str | None = None
    _frame: bytes | None = field(default=None, repr=False, compare=False)

    def json(self) -> str:
        """The event as the contract writes it, one line."""
        data = self.data
        if self.result is not None:
            data = f'{data[:-1]}{"," if len(data) > 2 else ""}"result":{shorten(self.result)}}}'  # noqa: PLR2004
        step = f'"{self.step_id}"' if self.step_id is not None else "null"
        attempt = self.attempt if self.attempt is not None else "null"
        return (
            f'{{"seq":{self.seq},"thread_id":"{self.thread_id}","execution_id":"{self.execution_id}",'
            f'"type":"{CLASS.get(self.name, "status")}","event":"{self.name}","step_id":{step},"attempt":{attempt},'
            f'"version":{self.version},"at":"{rfc3339(self.at)}","data":{data}}}'
        )

    def frame(self) -> bytes:
        """The SSE frame of this event, encoded once for all its readers."""
        if self._frame is None:
            self._frame = f"id: {self.seq}\nevent: {self.name}\ndata: {self.json()}\n\n".encode()
        return self._frame


def shorten(result: str) -> str:
    """`result` itself, or what stands for it in an event when it is longer than RESULT_LIMIT."""
    return result if len(result) <= RESULT_LIMIT else preview(result)


def preview(text: str) -> str:
    """What stands for the JSON text of a long value."""
    return jsontext.dumps({"truncated": True, "size_bytes": len(text.encode()), "preview": text[:PREVIEW]})


def gap_frame(*, thread_id: str, first: int, last: int) -> bytes:
    """The frame that stands for the events `first` to `last`, which are not kept any more: no id, never stored."""
    return f"event: {GAP}\ndata: {gap_json(thread_id=thread_id, first=first, last=last)}\n\n".encode()


def gap_json(*, thread_id: str, first: int, last: int) -> str:
    """What stands for those events, as JSON."""
    body: dict[str, Any] = {
        "seq": None,
        "thread_id": thread_id,
        "execution_id": None,
        "type": "status",
        "event": GAP,
        "step_id": None,
        "attempt": None,
        "version": None,
        "data": {"from_seq": first, "to_seq": last},
    }
    return jsontext.dumps(body)


def chunk_frame(  # noqa: PLR0913
    *, thread_id: str, execution_id: str, step_id: str, index: int | None, attempt: int, version: int, text: str
) -> bytes:
    """The frame of a piece of streamed text, of one item of the step if `index` is given: no id, never stored."""
    body: dict[str, Any] = {
        "seq": None,
        "thread_id": thread_id,
        "execution_id": execution_id,
        "type": "message",
        "event": STEP_CHUNK,
        "step_id": step_id,
        "attempt": attempt,
        "version": version,
        "data": {"text": text} if index is None else {"text": text, "index": index},
    }
    return f"event: {STEP_CHUNK}\ndata: {jsontext.dumps(body)}\n\n".encode()
