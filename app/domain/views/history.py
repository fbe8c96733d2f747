"""The history of a thread: what its state was at each version, worked out in one pass over the manifests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.domain.integrity import add_if_sound, salvage
from app.domain.state import Refs
from app.domain.views.common import Document, when

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from app.domain.records import CheckpointRecord
    from app.domain.state import State


def states(
    known: Sequence[CheckpointRecord], page: Iterable[CheckpointRecord]
) -> Iterator[tuple[CheckpointRecord, Refs]]:
    """Each checkpoint of `page` (oldest first) with its state, which holds only until the next one is asked for.

    `known` has every checkpoint from the lowest base of the page on.  A version that follows its parent costs its own
    manifest alone; one after a rollback is resolved anew.  Damaged manifests are left out: the list must still be shown.
    """
    refs, at = Refs(), 0
    for checkpoint in page:
        if at and checkpoint.parent_version == at:
            add_if_sound(refs, checkpoint)
        else:
            refs = salvage(known, checkpoint.version)
        at = checkpoint.version
        yield checkpoint, refs


def timeline(parents: Mapping[int, int | None], head: int) -> set[int]:
    """The versions that the head came from, itself included, as far down as `parents` knows."""
    found: set[int] = set()
    at: int | None = head
    while at is not None and at not in found and at in parents:
        found.add(at)
        at = parents[at]
    return found


def history_entry(checkpoint: CheckpointRecord, refs: Refs, *, on_timeline: bool) -> Document:
    """One version, without its values."""
    return {
        "version": checkpoint.version,
        "parent_version": checkpoint.parent_version,
        "created_at": when(checkpoint.created_at),
        "current_step": checkpoint.step_id,
        "completed_steps": refs.done(),
        "state_summary": {"num_agent_results": len(refs.completed()), "context_keys": list(refs.context)},
        "execution_id": checkpoint.execution_id,
        "trigger": checkpoint.trigger,
        "progress": checkpoint.progress,
        "size_bytes": checkpoint.size_bytes,
        "on_timeline": on_timeline,
        **({"hidden": True} if checkpoint.hidden else {}),
    }


def state_document(checkpoint: CheckpointRecord, state: State, *, on_timeline: bool) -> Document:
    """One version with the whole state: input, context, every step's output, and what it says of itself."""
    steps: dict[str, Any] = {each: told(state.scope[each]) for each in state.refs.steps if each in state.scope}
    entry = history_entry(checkpoint, state.refs, on_timeline=on_timeline)
    metadata = {name: entry[name] for name in ("current_step", "completed_steps", "progress", "trigger")}
    document = {"input": state.scope["input"], "context": state.context, "steps": steps, "metadata": metadata}
    return {"thread_id": checkpoint.thread_id, **entry, "state": document}


def told(step: dict[str, Any]) -> dict[str, Any]:
    """A step of the state; its error only if it failed."""
    return {name: value for name, value in step.items() if name != "error" or value is not None}
