"""What an event of a thread is in LangGraph's stream modes: none, one or several messages, always in the same order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from app.api.langgraph.asking import gate_of
from app.api.langgraph.lookup import assistant_id_of
from app.api.langgraph.state import checkpoint_at, state_document
from app.api.langgraph.views import interrupt_document, values_of
from app.domain import events, jsontext
from app.domain.errors import Corrupt, NotFound
from app.domain.views.common import when

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from app.api.langgraph.texts import Piece, Texts
    from app.api.services import Services
    from app.domain.events import Event
    from app.domain.records import ThreadRecord

Told = tuple[int, str, Any]
"""Its rank among the messages of one event, which is the same whatever modes are asked for; its name; its data."""
TEXT: Final = 40_000
"""The rank from which on messages tell of texts that have ended."""

MODES: Final = ("values", "updates", "messages", "messages-tuple", "custom", "tasks", "checkpoints", "debug")
USUAL: Final = ("values", "updates", "messages-tuple", "custom")
"""The modes of whoever joins without saying which."""
_CHANGES: Final = frozenset(
    {
        events.WORKFLOW_START,
        events.WORKFLOW_RESUMED,
        events.WORKFLOW_ROLLED_BACK,
        events.STEP_COMPLETE,
        events.STEP_SKIPPED,
        events.STEP_FAILED,
        events.GATE_WAITING,
        events.WORKFLOW_COMPLETE,
    }
)
"""After these the state is told."""
_FAILURES: Final = frozenset({events.WORKFLOW_FAILED, events.WORKFLOW_CANCELLED, events.WORKFLOW_INTERRUPTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An event with what its data says."""

    event: Event
    data: dict[str, Any]
    interrupts: list[dict[str, Any]]

    @property
    def step(self) -> str:
        """Of which step it tells."""
        return self.event.step_id or ""

    @property
    def error(self) -> dict[str, Any]:
        """Why something failed."""
        return self.data.get("error") or cast("dict[str, Any]", {})

    @property
    def changes(self) -> bool:
        """Whether it comes with a state that is told."""
        if self.event.name == events.STEP_FAILED:
            return self.data.get("caught") is True
        if self.event.name == events.WORKFLOW_RESUMED:
            return self.data.get("trigger") != "recovery"
        return self.event.name in _CHANGES


class Teller:
    """Of one thread, for one reader."""

    def __init__(self, services: Services, thread: ThreadRecord, modes: Collection[str], texts: Texts) -> None:
        self._services = services
        self._thread = thread
        self._modes = frozenset(modes)
        self._texts = texts
        self._ways: tuple[tuple[set[str], Callable[[Heard], Awaitable[list[Told]]]], ...] = (
            ({"custom"}, self._custom),
            ({"tasks", "debug"}, self._tasks),
            ({"updates"}, self._updates),
            ({"checkpoints", "debug"}, self._checkpoints),
            ({"values"}, self._values),
        )

    async def tell(self, event: Event) -> list[Told]:
        """The messages of an event, by rank.  Raises Unavailable, and then nothing has been heard."""
        interrupts: list[dict[str, Any]] = []
        if event.name == events.GATE_WAITING and (gate := await gate_of(self._services, event)) is not None:
            interrupts = [interrupt_document(gate)]
        heard = Heard(event=event, data=jsontext.loads(event.data), interrupts=interrupts)
        found = [one for wanted, way in self._ways if wanted & self._modes for one in await way(heard)]
        found += self._messages(heard)
        if event.name in _FAILURES:
            kind, message = heard.error.get("kind", event.name), heard.error.get("message", "it did not succeed")
            found.append((80_000, "error", {"error": kind, "message": message}))
        return _numbered(sorted(found, key=lambda one: one[0]))

    async def _custom(self, heard: Heard) -> list[Told]:
        if heard.event.name != events.STEP_PROGRESS:
            return []
        return [(10_000, "custom", {"step": heard.step, **heard.data})]

    async def _tasks(self, heard: Heard) -> list[Told]:
        task = await self._task(heard)
        if task is None:
            return []
        rank, kind = (20_000, "task") if "input" in task else (25_000, "task_result")
        found: list[Told] = [(rank, "tasks", task)] if "tasks" in self._modes else []
        return found + ([(rank + 1, "debug", self._debug(heard, kind, task))] if "debug" in self._modes else [])

    async def _task(self, heard: Heard) -> dict[str, Any] | None:
        event = heard.event
        task: dict[str, Any] = {"id": event.run_id, "name": event.step_id}
        match event.name:
            case events.STEP_START:
                rows = await self._services.reads.steps(event.thread_id, ids=[event.run_id or ""])
                given = rows[0].input if rows else None
                return {**task, "input": None if given is None else jsontext.loads(given), "triggers": []}
            case events.STEP_COMPLETE | events.STEP_SKIPPED:
                return {**task, "error": None, "interrupts": [], "result": {heard.step: _result(event)}}
            case events.STEP_FAILED:
                return {**task, "error": heard.error.get("message"), "interrupts": [], "result": {}}
            case events.GATE_WAITING:
                return {**task, "error": None, "interrupts": heard.interrupts, "result": {}}
            case _:
                return None

    async def _updates(self, heard: Heard) -> list[Told]:
        event = heard.event
        if event.name == events.STEP_COMPLETE or (event.name == events.STEP_SKIPPED and event.result is not None):
            return [(30_000, "updates", {heard.step: _result(event)})]
        return [(30_000, "updates", {"__interrupt__": heard.interrupts})] if heard.interrupts else []

    async def _checkpoints(self, heard: Heard) -> list[Told]:
        if not heard.changes or heard.event.name == events.GATE_WAITING:
            return []
        try:
            checkpoint = await checkpoint_at(self._services, self._thread, heard.event.version)
            assistant = await assistant_id_of(self._services, self._thread.definition_id)
            state = await state_document(self._services, self._thread, checkpoint, assistant, live=False)
        except (NotFound, Corrupt):  # thinned out, damaged: the stream goes on
            return []
        place, parent = state.pop("checkpoint"), state.pop("parent_checkpoint")
        told = {
            **{name: state[name] for name in ("metadata", "values", "next", "tasks")},
            "config": {"configurable": place},
            "parent_config": None if parent is None else {"configurable": parent},
        }
        found: list[Told] = [(50_000, "checkpoints", told)] if "checkpoints" in self._modes else []
        return found + ([(51_000, "debug", self._debug(heard, "checkpoint", told))] if "debug" in self._modes else [])

    async def _values(self, heard: Heard) -> list[Told]:
        if not heard.changes:
            return []
        event = heard.event
        try:
            state = await self._services.control.load_state(event.thread_id, event.version)
        except (NotFound, Corrupt):
            return []
        values = values_of(state, event.result if event.name == events.WORKFLOW_COMPLETE else None)
        if heard.interrupts:
            values["__interrupt__"] = heard.interrupts
        return [(60_000, "values", values)]

    def _messages(self, heard: Heard) -> list[Told]:
        """What is left of the text of a step that has ended."""
        event = heard.event
        if event.name not in (events.STEP_COMPLETE, events.STEP_FAILED, events.ATTEMPT_DISCARDED):
            return []
        final = _text(event) if event.name == events.STEP_COMPLETE else None
        found: list[Told] = []
        for piece in self._texts.end(heard.step, event.attempt, final):
            if piece.text and "messages-tuple" in self._modes:
                found.append((TEXT, "messages", self._pair(piece)))
            if "messages" in self._modes:
                found.append((41_000, "messages/complete", [_message("ai", piece, piece.whole)]))
        return found

    def piece(self, piece: Piece) -> list[Told]:
        """The messages of a piece of text."""
        found: list[Told] = []
        if "messages-tuple" in self._modes:
            found.append((0, "messages", self._pair(piece)))
        if "messages" in self._modes:
            if piece.text == piece.whole:
                found.append((0, "messages/metadata", {piece.message_id: {"metadata": self._about(piece)}}))
            found.append((0, "messages/partial", [_message("ai", piece, piece.whole)]))
        return found

    def _pair(self, piece: Piece) -> list[Any]:
        return [{**_message("AIMessageChunk", piece, piece.text), "tool_call_chunks": []}, self._about(piece)]

    def _about(self, piece: Piece) -> dict[str, Any]:
        return {"langgraph_node": piece.step_id, "thread_id": self._thread.thread_id, "tags": []}

    def _debug(self, heard: Heard, kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        event = heard.event
        return {"step": event.version - 2, "timestamp": when(event.at), "type": kind, "payload": payload}


def _numbered(found: list[Told]) -> list[Told]:
    """No two of one rank."""
    numbered: list[Told] = []
    for rank, name, data in found:
        numbered.append((max(rank, numbered[-1][0] + 1) if numbered else rank, name, data))
    return numbered


def _result(event: Event) -> Any:
    return None if event.result is None else jsontext.loads(event.result)


def _text(event: Event) -> str | None:
    """The text of a step's output, if that is what a model has said: `{"text", "model", ...}`."""
    result = _result(event)
    match result:
        case {"text": str(text), "model": str()}:
            return text
        case _:
            return None


def _message(kind: str, piece: Piece, content: str) -> dict[str, Any]:
    return {
        "content": content,
        "additional_kwargs": {},
        "response_metadata": {},
        "type": kind,
        "name": piece.step_id,
        "id": piece.message_id,
        "example": False,
        "tool_calls": [],
        "invalid_tool_calls": [],
        "usage_metadata": None,
    }
