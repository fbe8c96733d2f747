"""Moving threads to another version of their workflow: whether what a thread has done is the same in both.

Steps are compared by the parts of the document that decide their results, as canonical JSON.  What only says when, how often
or how patiently a step is tried (`needs`, `timeout`, `retry`, `max_silence`, `concurrency`, a `delay`) may differ, and so may
what undoes it, unless that is owed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.document import canonical
from app.domain.spec import KINDS
from app.domain.status import ACTIVE, Status, StepStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from app.domain.parameters import Parameters
    from app.domain.records import WorkflowRecord
    from app.domain.spec import WorkflowSpec
    from app.domain.state import Refs

DECIDING: Final = (*KINDS, "input", "when", "for_each", "on_item_error", "repeat", "assign", "variants")
"""The keys of a step that decide its result."""
_DELAY: Final = "delay"
MOVABLE: Final = frozenset(status for status in Status if status is not Status.COMPLETED)
"""A completed thread has nothing left to do in any version."""
USUAL: Final = frozenset({*ACTIVE, Status.PAUSED, Status.FAILED, Status.INTERRUPTED})
"""Those that are moved where nobody says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a thread cannot be moved: `code` is stable, `step_id` the step that stands in the way, if one does."""

    code: str
    message: str
    step_id: str | None = None

    def value(self) -> dict[str, Any]:
        """As answers tell of it."""
        return {"code": self.code, "step_id": self.step_id, "message": self.message}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What a transition that moves a thread changes beside all else: its definition, and the step runs that go on in the new
    execution, by id with their new places in the document.
    """

    definition_id: str
    runs: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadsOf:
    """The threads of a registered workflow, by id above `after`: of one of its `version`s, in one of these statuses, none
    that is at the definition `beside` already.
    """

    workflow: str
    version: int | None = None
    statuses: Collection[Status] = USUAL
    beside: str
    after: str = ""
    limit: int = 50
    tenant: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveCommand:
    """Move threads of `workflow` from a version (None: any) to another (None: the newest).

    With `thread_ids` those and no others.  `resume`: those that have failed or are paused go on.
    """

    workflow: str
    from_version: int | None = None
    to_version: int | None = None
    thread_ids: Sequence[str] | None = None
    statuses: Collection[Status] = USUAL
    resume: bool = False
    dry_run: bool = False
    after: str = ""
    limit: int = 50
    triggered_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became, or would become, of one thread: no `reasons`, it can be moved; an `execution_id`, it has been."""

    thread_id: str
    status: Status | None = None
    from_version: int | None = None
    reasons: Sequence[Reason] = ()
    execution_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """A page of outcomes; `more`: there are threads above the last."""

    to: WorkflowRecord
    outcomes: Sequence[Outcome]
    more: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """A workflow as a thread has it, and the version (by its number) that it shall have."""

    old: WorkflowSpec
    new: WorkflowSpec
    version: int | None

    def differing(self, step_id: str, *, caught: bool = False) -> list[str] | None:
        """The parts of a step that differ, also `on_error` if its failure was `caught`; None where either has no such step."""
        old, new = _document(self.old, step_id), _document(self.new, step_id)
        if old is None or new is None:
            return None
        keys = (*DECIDING, "on_error") if caught else DECIDING
        found = [key for key in keys if _part(old, key) != _part(new, key)]
        rescues = {frozenset(spec.by_id[step_id].rescues) for spec in (self.old, self.new)}
        return found if len(rescues) == 1 else [*found, "whose failure it makes good"]

    def changed(self) -> set[str]:
        """The steps of the new version that are not as in the old one."""
        return {step.id for step in self.new.steps if self.differing(step.id) != []}


def misfits(pair: Pair, refs: Refs) -> list[Reason]:
    """Why a state of the old version is none of the new one; none when it is."""
    found: list[Reason] = []
    for step_id, (_, status) in refs.steps.items():
        caught = status is StepStatus.FAILED
        done = "has failed, which was caught" if caught else f"has {_PAST.get(status, 'ended')}"
        found += _compared(pair, step_id, "step", done, caught=caught)
    return found


def obstacles(pair: Pair, runs: Mapping[str, StepStatus], asked: Parameters, refs: Refs) -> list[Reason]:
    """Why an execution that was `asked` for something cannot go on in the new version: `runs` are its open and failed steps."""
    found: list[Reason] = []
    for step_id, status in runs.items():
        if status is StepStatus.FAILED:
            message = f"step {step_id} has failed, and the thread ends with it once the others have ended: move it then"
            found.append(Reason(code="step_failing", step_id=step_id, message=message))
        else:
            found += _compared(pair, step_id, "open_step", f"is {status}")
    for step_id in sorted({*asked.overrides, *asked.skip} - refs.steps.keys()):
        found += _compared(pair, step_id, "asked_step", "was given an override or an output for when it comes")
    for step_id in sorted({step for step, _ in asked.undo}):
        old, new = (_document(spec, step_id) or {} for spec in (pair.old, pair.new))
        if _part(old, "compensate") != _part(new, "compensate"):
            message = f"what undoes step {step_id} is not the same in {_named(pair)}, and it is still to be done"
            found.append(Reason(code="compensation_differs", step_id=step_id, message=message))
    return found


_PAST: Final = {StepStatus.COMPLETED: "completed", StepStatus.SKIPPED: "been skipped"}


def _compared(pair: Pair, step_id: str, what: str, done: str, *, caught: bool = False) -> list[Reason]:
    parts = pair.differing(step_id, caught=caught)
    if parts is None:
        message = f"step {step_id} {done}, and {_named(pair)} has no such step"
        return [Reason(code=f"{what}_gone", step_id=step_id, message=message)]
    if parts:
        message = f"step {step_id} {done}, and in {_named(pair)} it differs in {', '.join(parts)}"
        return [Reason(code=f"{what}_differs", step_id=step_id, message=message)]
    return []


def _named(pair: Pair) -> str:
    return f"version {pair.version}" if pair.version is not None else "the other definition"


def _document(spec: WorkflowSpec, step_id: str) -> Mapping[str, Any] | None:
    step = spec.by_id.get(step_id)
    return None if step is None else spec.document["steps"][step.index]


def _part(step: Mapping[str, Any], key: str) -> str | None:
    """A part of a step as canonical text, without what decides nothing."""
    if key not in step:
        return None
    value = step[key]
    if key == "repeat":
        value = {name: one for name, one in value.items() if name != _DELAY}
    return jsontext.dumps(canonical(value))
