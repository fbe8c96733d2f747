"""Which steps a thread is to do: those of a plan, or those that a workflow's Python function asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from app.domain.plan import Frontier
from app.domain.records import ErrorInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.records import StepRecord
    from app.domain.spec import StepSpec, WorkflowSpec
    from app.domain.state import State
    from app.engine.deps import Spawn


class Course(Protocol):
    """What a drive asks."""

    @property
    def busy(self) -> bool:
        """Whether it is about to say more, without anything having to happen before."""
        ...

    @property
    def failure(self) -> ErrorInfo | None:
        """Why the thread cannot go on, though no step has failed it."""
        ...

    def start(self, spawn: Spawn, nudge: Callable[[], None]) -> None:
        """The thread is driven; `nudge` is called when there is more to do."""
        ...

    def stop(self) -> None:
        """It is not driven any more."""
        ...

    def ready(self) -> list[StepSpec]:
        """The steps that may start and have not been taken."""
        ...

    def take(self, spec: StepSpec) -> StepRecord | None:
        """The step starts, or goes on with the step run that it returns."""
        ...

    def left(self) -> list[StepRecord]:
        """Step runs that had begun and that it has not come to."""
        ...

    def end(self, step_id: str) -> None:
        """The step is done: the state holds its output."""
        ...

    def fail(self, spec: StepSpec, run_id: str, error: ErrorInfo) -> bool:
        """Whether the failure of a step is its own affair."""
        ...

    def passed(self) -> list[tuple[StepSpec, str, ErrorInfo]]:
        """The failures that it has gone on after since it was last asked."""
        ...

    @property
    def finished(self) -> bool:
        """Whether all is done."""
        ...

    def total(self, ended: int) -> int:
        """How many steps there are, as far as is known, of which so many have ended."""
        ...

    def output(self) -> Any:
        """The output of the finished workflow.  Raises ExpressionError."""
        ...


class Planned:
    """The course of a workflow document, which is known from the beginning; only steps fail."""

    def __init__(self, spec: WorkflowSpec, state: State) -> None:
        self.busy = False
        self.failure: ErrorInfo | None = None
        self._spec = spec
        self._state = state
        self._frontier = Frontier(spec.plan, state.refs.ended())

    def start(self, spawn: Spawn, nudge: Callable[[], None]) -> None:
        """Nothing runs but steps."""

    def stop(self) -> None:
        """Nothing runs but steps."""

    def ready(self) -> list[StepSpec]:
        """Those that wait for nothing, in document order."""
        ready = self._frontier.ready()
        return [self._spec.by_id[step_id] for step_id in ready] if ready else []

    def take(self, spec: StepSpec) -> StepRecord | None:
        """It begins."""
        self._frontier.take(spec.id)
        return None

    def left(self) -> list[StepRecord]:
        """None."""
        return []

    def end(self, step_id: str) -> None:
        """See Course."""
        self._frontier.end(step_id)

    def fail(self, spec: StepSpec, run_id: str, error: ErrorInfo) -> bool:  # noqa: ARG002 - as for the other course
        """It fails the thread."""
        return False

    def passed(self) -> list[tuple[StepSpec, str, ErrorInfo]]:
        """None."""
        return []

    @property
    def finished(self) -> bool:
        """Whether all steps are done."""
        return self._frontier.finished

    def total(self, ended: int) -> int:  # noqa: ARG002 - as for the other course
        """As many as the document has."""
        return len(self._spec.steps)

    def output(self) -> Any:
        """The document's `output`, or the outputs of the last steps."""
        if self._spec.output is not None:
            return self._spec.output.render(self._state.scope)
        return {step_id: self._state.scope[step_id]["output"] for step_id in self._spec.plan.leaves}
