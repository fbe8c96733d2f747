"""One step run whole: what the status document tells of it, its values, what it waits for, and the step's other runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.domain.views.common import Document, raw, when
from app.domain.views.gates import gate_document
from app.domain.views.status import run_entry, step_entry
from app.domain.views.waits import wait_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.domain.gates import GateRecord
    from app.domain.records import StepRecord
    from app.domain.spec import StepSpec
    from app.domain.travel import RunValues
    from app.domain.waits import MessageWait


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRun:
    """A run of a step in a thread, or None where it has not begun; `step` is None where the workflow's document has none of it.

    `coded`: a workflow in Python called it.  `current`: it is what the thread's present execution did, does or goes by.
    `others` are the step's other runs, newest first, `execution_id` is the execution that it is told for.
    """

    step: StepSpec | None
    run: StepRecord | None
    execution_id: str
    current: bool
    coded: bool = False
    compensates: str | None = None
    values: RunValues | None = None
    gate: GateRecord | None = None
    wait: MessageWait | None = None
    others: Sequence[StepRecord] = ()
    more: bool = False


def step_run_document(thread_id: str, of: StepRun, *, values: bool) -> Document:
    """The document; without `values` it tells how long input and output are, and not what they are."""
    run, step, known = of.run, of.step, of.values
    document: Document = {
        "thread_id": thread_id,
        **_entry(of),
        "run_id": None if run is None else run.id,
        "execution_id": None if run is None else run.execution_id,
        "current": of.current,
        "kind": None if step is None else step.kind,
        "effect": None if step is None else step.effect,
        "compensates": of.compensates,
        "call": run.call.partition(" ")[0] if of.coded and run is not None and run.call is not None else None,
        "next_attempt_at": None if run is None else when(run.next_attempt_at),
        "gate": None if of.gate is None else gate_document(of.gate),
        "wait": None if of.wait is None else wait_document(of.wait),
        "input_bytes": None if known is None else known.input_bytes,
        "output_bytes": None if known is None else known.output_bytes,
        "runs": [_other(other, of.execution_id) for other in of.others],
        "more_runs": of.more,
    }
    if values:
        document["input"] = None if known is None else raw(known.input)
        document["output"] = None if known is None else raw(known.output)
    return document


def _entry(of: StepRun) -> Document:
    if of.run is not None:
        index = of.step.index if of.step is not None else of.run.step_index
        return run_entry(of.run.step_id, index, of.run, of.execution_id)
    assert of.step is not None
    return step_entry(of.step, None, of.execution_id)


def _other(run: StepRecord, execution_id: str) -> Document:
    return {
        "id": run.id,
        "execution_id": run.execution_id,
        "status": run.status.value,
        "attempt": run.attempt,
        "started_at": when(run.started_at),
        "completed_at": when(run.completed_at),
        "reused": run.execution_id != execution_id,
    }
