"""Two executions side by side: what each did, how long it took, what it cost, and where their states differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.runner import NO_USAGE
from app.domain.status import StepStatus
from app.domain.times import duration_ms
from app.domain.views.common import Document, raw, when
from app.domain.views.history import timeline
from app.domain.views.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from app.domain.parameters import Origin
    from app.domain.records import ExecutionRecord, StepRecord
    from app.domain.runner import Usage
    from app.domain.state import State

PAIR_LIMIT: Final = 256 * 1024
"""Characters of JSON that two values may have together to be shown and told apart in detail."""
TOTAL_LIMIT: Final = 2 * 1024 * 1024
"""The same for all pairs of a comparison."""
TOO_LARGE: Final = "too_large"
DAMAGED: Final = "damaged"
NOT_WRITTEN: Final = "not_written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One execution.

    `version` is the last that it has come to, None when it wrote none; `steps` are those of its workflow, in order; `runs`
    its step runs and those that it kept from before, without values; `state` is that of `version`, or None, and then
    `without` says why.
    """

    execution: ExecutionRecord
    version: int | None
    origin: Origin | None
    steps: Sequence[str]
    runs: Sequence[StepRecord]
    state: State | None
    without: str | None = None

    def by_step(self) -> dict[str, StepRecord]:
        """The run that tells of each step: its own before one that was kept."""
        own = self.execution.id
        return {run.step_id: run for run in sorted(self.runs, key=lambda run: (run.execution_id == own, run.id))}


def compare(a: Side, b: Side, ancestor: tuple[str, int] | None) -> Document:
    """The comparison; `ancestor` is the newest version (of a thread) that both came from.

    Large values take their time: call it in a thread for those.
    """
    pairs = _Pairs(a.without or b.without)
    runs = a.by_step(), b.by_step()
    names = [*a.steps, *(name for name in b.steps if name not in set(a.steps))]
    totals = [_totals(side, found) for side, found in zip((a, b), runs, strict=True)]
    return {
        "a": _side(a, totals[0]),
        "b": _side(b, totals[1]),
        "ancestor": None if ancestor is None else {"thread_id": ancestor[0], "version": ancestor[1]},
        "difference": _difference(totals[0], totals[1]),
        "steps": [_step(name, a, b, runs, pairs) for name in names],
        "input": pairs.of_states(a, b, lambda state: state.scope["input"]),
        "context": pairs.of_states(a, b, lambda state: state.context),
        "output": pairs.of_texts(a.execution.output, b.execution.output),
    }


def junction(parents: Mapping[int, int | None], one: int, other: int) -> int | None:
    """The newest version that two versions of a thread came from; one of them, if the other came from it."""
    return max(timeline(parents, one) & timeline(parents, other), default=None)


class _Pairs:
    """Tells values apart, as far as the limits allow; `without`: there are no values, and why."""

    def __init__(self, without: str | None) -> None:
        self._without = without
        self._left = TOTAL_LIMIT
        self._patches = Patches()

    def of_states(self, a: Side, b: Side, part: Callable[[State], Any]) -> Document:
        """The same part of two states."""
        if a.state is None or b.state is None:
            return told(equal=None, omitted=self._without)
        return self.of_values(part(a.state), part(b.state))

    def of_texts(self, a: str | None, b: str | None) -> Document:
        """Two JSON texts; None is null."""
        if a == b:
            return told(equal=True)
        if len(a or "") + len(b or "") > min(PAIR_LIMIT, self._left):
            return told(equal=False, omitted=TOO_LARGE)
        return self.of_values(jsontext.loads(a or "null"), jsontext.loads(b or "null"))

    def of_values(self, a: Any, b: Any) -> Document:
        """Two JSON values."""
        texts = jsontext.dumps(a), jsontext.dumps(b)
        if texts[0] == texts[1]:
            return told(equal=True)
        size = len(texts[0]) + len(texts[1])
        if size > min(PAIR_LIMIT, self._left):
            return told(equal=False, omitted=TOO_LARGE)
        patch = self._patches.between(a, b)
        if patch is None:
            return told(equal=False, omitted=TOO_LARGE)
        self._left -= size
        return told(equal=False, a=a, b=b, patch=patch) if patch else told(equal=True)

    def of_outputs(self, a: Side, b: Side, runs: tuple[StepRecord | None, StepRecord | None]) -> Document:
        """The outputs of a step: by their digests, and where these differ by their values."""
        digests = [run.output_sha256 if run is not None else None for run in runs]
        if digests[0] == digests[1]:
            return told(equal=True)
        if a.state is None or b.state is None:
            return told(equal=False, omitted=self._without)
        return self.of_values(_output(a.state, runs[0]), _output(b.state, runs[1]))


def _output(state: State, run: StepRecord | None) -> Any:
    if run is None or run.output_sha256 is None or run.step_id not in state.refs.steps:
        return None
    return state.scope[run.step_id]["output"]


def told(
    *, equal: bool | None, a: Any = None, b: Any = None, patch: Any = None, omitted: str | None = None
) -> Document:
    """What is told of two values."""
    return {"equal": equal, "a": a, "b": b, "patch": [] if equal else patch, "omitted": omitted}


def values_of_texts(a: str | None, b: str | None) -> Document:
    """Two JSON texts, as the comparison tells of values."""
    return _Pairs(None).of_texts(a, b)


def _side(side: Side, totals: Document) -> Document:
    execution = side.execution
    return {
        "execution_id": execution.id,
        "thread_id": execution.thread_id,
        "workflow": execution.workflow_name,
        "workflow_version": execution.workflow_version,
        "kind": execution.kind,
        "status": execution.status.value,
        "version": side.version,
        "forked_from": side.origin.value() if side.origin is not None else None,
        "started_at": when(execution.started_at),
        "completed_at": when(execution.completed_at),
        "error": raw(execution.error),
        **totals,
    }


def _totals(side: Side, runs: Mapping[str, StepRecord]) -> Document:
    """What it took: of its own step runs only, for what was kept from before was paid for before."""
    execution = side.execution
    own = [run for run in side.runs if run.execution_id == execution.id]
    took = None
    if execution.started_at is not None and execution.completed_at is not None:
        took = duration_ms(execution.started_at, execution.completed_at)
    shown = [run.status for run in runs.values()]
    usage = _sum(run.usage for run in own)
    return {
        "duration_ms": took,
        "steps_ms": sum(run.duration_ms or 0 for run in own),
        "attempts": sum(run.attempt for run in own),
        "usage": usage.value() if usage is not None else None,
        "steps": {
            "total": len(side.steps),
            "completed": shown.count(StepStatus.COMPLETED),
            "failed": shown.count(StepStatus.FAILED),
            "skipped": shown.count(StepStatus.SKIPPED),
            "reused": sum(run.execution_id != execution.id for run in runs.values()),
        },
    }


def _sum(spent: Iterable[Usage | None]) -> Usage | None:
    known = [usage for usage in spent if usage is not None]
    return sum(known, NO_USAGE) if known else None


def _difference(a: Document, b: Document) -> Document:
    """What `b` took more than `a`, below 0 for less; null where either is not known."""
    numbers: list[Document] = [{**totals, **(totals["usage"] or {})} for totals in (a, b)]
    names = ("duration_ms", "steps_ms", "attempts", "input_tokens", "output_tokens", "cost_usd")
    return {name: _less(numbers[1].get(name), numbers[0].get(name)) for name in names}


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else round(one - other, 9)


def _step(
    name: str, a: Side, b: Side, runs: tuple[Mapping[str, StepRecord], Mapping[str, StepRecord]], pairs: _Pairs
) -> Document:
    found = runs[0].get(name), runs[1].get(name)
    return {
        "id": name,
        "a": _run(name, a, found[0]),
        "b": _run(name, b, found[1]),
        "output": pairs.of_outputs(a, b, found),
    }


def _run(name: str, side: Side, run: StepRecord | None) -> Document | None:
    if run is None:
        return _NOT_RUN if name in side.steps else None
    return {
        "status": run.status.value,
        "agent": run.agent,
        "agent_version": run.agent_version,
        "variant": run.variant,
        "attempt": run.attempt,
        "retry_count": run.retry_count,
        "duration_ms": run.duration_ms,
        "usage": run.usage.value() if run.usage is not None else None,
        "reused": run.execution_id != side.execution.id,
        "error": raw(run.error),
    }


_NOT_RUN: Final[Document] = {
    "status": StepStatus.PENDING.value,
    "agent": None,
    "agent_version": None,
    "variant": None,
    "attempt": 0,
    "retry_count": 0,
    "duration_ms": None,
    "usage": None,
    "reused": False,
    "error": None,
}
