"""Our records as LangGraph's documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.gates import NO_ITEM
from app.domain.ids import derived_id
from app.domain.retry import TIMEOUT
from app.domain.sdk_threads import SdkStatus
from app.domain.status import Status, StepStatus
from app.domain.views.common import when

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.api.langgraph.lookup import Assistant
    from app.domain.gates import GateKey, GateRecord
    from app.domain.records import CheckpointRecord, ExecutionRecord, ThreadRecord, WorkflowRecord
    from app.domain.sdk_threads import SdkRun
    from app.domain.spec import WorkflowSpec
    from app.domain.state import State

Document = dict[str, Any]

TRIGGERED_BY: Final = "langgraph-sdk"
MOVED_BY: Final = f"{TRIGGERED_BY}:state"
"""Of executions that only write or copy a state, or move the head; one that is run afterwards has been started."""
_RUN_STATUS: Final = {
    Status.PENDING: "pending",
    Status.RUNNING: "running",
    Status.WAITING: "running",
    Status.PAUSED: "interrupted",
    Status.COMPLETED: "success",
    Status.FAILED: "error",
    Status.CANCELLED: "interrupted",
    Status.INTERRUPTED: "error",
}
SYSTEM: Final = {"created_by": "system"}
"""The metadata of assistants."""
_SOURCES: Final = {"start": "input", "fork": "fork", "edit": "update"}


def assistant_document(of: Assistant) -> Document:
    """An assistant, as the newest version of its workflow has it."""
    return {**_version(of.assistant_id, of.record), "created_at": when(of.first.created_at)} | {
        "updated_at": when(of.record.created_at)
    }


def assistant_version(of: Assistant, record: WorkflowRecord) -> Document:
    """One of its versions."""
    return {**_version(of.assistant_id, record), "created_at": when(record.created_at)}


def _version(assistant_id: str, record: WorkflowRecord) -> Document:
    document: Document = jsontext.loads(record.document)
    return {
        "assistant_id": assistant_id,
        "graph_id": record.name,
        "name": record.name,
        "description": document.get("description"),
        "version": record.version or 1,
        "metadata": dict(SYSTEM),
        "config": {},
        "context": {},
    }


def graph_document(spec: WorkflowSpec) -> Document:
    """The steps and what each waits for, between a start and an end."""
    names = ["__start__", *(step.id for step in spec.steps), "__end__"]
    edges: list[Document] = []
    for step in spec.steps:
        conditional = {"conditional": True} if step.when is not None else {}
        sources = spec.plan.needs[step.id] or ("__start__",)
        edges += [{"source": source, "target": step.id, **conditional} for source in sources]
    edges += [{"source": leaf, "target": "__end__"} for leaf in spec.plan.leaves or ("__start__",)]
    nodes: list[Document] = []
    for name in names:
        step = spec.by_id.get(name)
        data = {"name": name} if step is None else {"name": name, "kind": step.kind, "agent": step.agent}
        nodes.append({"id": name, "type": "runnable", "data": data})
    return {"nodes": nodes, "edges": edges}


def schemas_document(spec: WorkflowSpec) -> Document:
    """What is known of the shapes of a workflow's values."""
    names = [*(step.assign for step in spec.steps if step.assign), *(step.id for step in spec.steps)]
    taken = spec.input_schema or {}
    state = {"title": spec.name, "type": "object", "properties": {"input": taken, **{name: {} for name in names}}}
    return {
        "graph_id": spec.name,
        "input_schema": spec.input_schema,
        "output_schema": None,
        "state_schema": state,
        "config_schema": None,
        "context_schema": None,
    }


def run_status(execution: ExecutionRecord, thread: ThreadRecord | None, status: SdkStatus | None) -> str:
    """Of a run, where its thread stands as told."""
    if thread is not None and thread.execution_id == execution.id and status is SdkStatus.INTERRUPTED:
        return "interrupted"
    if execution.status is Status.FAILED and error_of(execution)["error"] == TIMEOUT:
        return "timeout"
    return _RUN_STATUS[execution.status]


def was_begun(execution: ExecutionRecord) -> bool:
    """Whether a client has made this run: an edited state is none, unless it has gone on from there."""
    started = execution.started_at is not None and execution.started_at != execution.completed_at
    return started or execution.triggered_by != MOVED_BY or execution.status is Status.PENDING


def run_document(execution: ExecutionRecord, note: SdkRun | None, assistant: tuple[str, str], status: str) -> Document:
    """A run; `assistant` are its id and the graph's."""
    assistant_id, graph_id = assistant
    own = dict(note.metadata) if note is not None else {}
    newest = execution.completed_at or execution.started_at or execution.created_at
    return {
        "run_id": execution.id,
        "thread_id": execution.thread_id,
        "assistant_id": assistant_id,
        "created_at": when(execution.created_at),
        "updated_at": when(newest),
        "status": status,
        "metadata": {**own, "graph_id": graph_id, "assistant_id": assistant_id},
        "kwargs": {},
        "multitask_strategy": (note.strategy if note is not None else None) or "reject",
    }


def error_of(execution: ExecutionRecord) -> dict[str, str]:
    """Why a run did not succeed, as the SDK raises it."""
    error: Mapping[str, Any] = jsontext.loads(execution.error) if execution.error else {}
    return {
        "error": error.get("kind") or execution.status.value,
        "message": error.get("message") or "it did not succeed",
    }


def values_of(state: State, output: str | None = None) -> Document:
    """The state as LangGraph's channels: each step's output under its id, each variable under its name, `input`, `output`."""
    found: Document = {}
    for step_id, (_, status) in state.refs.steps.items():
        value = state.scope.get(step_id, {}).get("output")
        if status is StepStatus.COMPLETED or value is not None:
            found[step_id] = value
    found |= state.context
    found["input"] = state.scope["input"]
    if output is not None:
        found["output"] = jsontext.loads(output)
    return found


def checkpoint_of(thread_id: str, version: int | None) -> Document | None:
    """Where a version is, as clients pass it back."""
    if version is None:
        return None
    return {
        "thread_id": thread_id,
        "checkpoint_ns": "",
        "checkpoint_id": str(version),
        "checkpoint_map": None,
    }


def state_metadata(checkpoint: CheckpointRecord, assistant: tuple[str, str]) -> Document:
    """What a checkpoint says of itself."""
    assistant_id, graph_id = assistant
    return {
        "source": _SOURCES.get(checkpoint.trigger, "loop"),
        "step": checkpoint.version - 2,
        "parents": {},
        "thread_id": checkpoint.thread_id,
        "run_id": checkpoint.execution_id,
        "graph_id": graph_id,
        "assistant_id": assistant_id,
        "version": checkpoint.version,
        "written_by": checkpoint.step_id,
        "trigger": checkpoint.trigger,
    }


def interrupt_id(key: GateKey) -> str:
    """By what a question is answered."""
    return derived_id("interrupt", key.thread_id, key.key_execution_id, key.step_id, key.item, key.round)


def interrupt_document(gate: GateRecord) -> Document:
    """A question: what there is to look at, and the schema of the answer."""
    value = gate.title if gate.show_json is None else jsontext.loads(gate.show_json)
    found: Document = {"id": interrupt_id(gate.key), "value": value}
    if gate.form_json is not None:
        found["response_schema"] = jsontext.loads(gate.form_json)
    if gate.title is not None:
        found["title"] = gate.title
    if gate.key.item != NO_ITEM:
        found["item"] = gate.key.item
    return found
