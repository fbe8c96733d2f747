"""The state of a thread as its steps end: each ending goes into it, into the course, and into a version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.domain.checkpoints import Frequency
from app.domain.status import StepStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.checkpoints import CheckpointPolicy
    from app.domain.records import ErrorInfo
    from app.domain.spec import StepSpec
    from app.engine.course import Course
    from app.engine.draft import Draft
    from app.engine.load import Loaded
    from app.engine.outcome import Result


class Ledger:
    """Of one thread; `usual` gives the policy for its versions where its workflow says none."""

    def __init__(self, loaded: Loaded, course: Course, usual: Callable[[], CheckpointPolicy]) -> None:
        self.writer = loaded.writer
        self._state = loaded.state
        self._course = course
        self._told = (-1, 0, 0.0)
        self._quiet = loaded.parameters.quiet
        self._ended = len(loaded.state.refs.steps)
        self._own, self._usual = loaded.spec.checkpoint, usual
        self._born_at, self._last_at = loaded.thread.created_at, loaded.head_at

    @property
    def progress(self) -> float:
        """Steps ended by steps; it is asked for several times in a transition."""
        ended, total = self._ended, self._course.total(self._ended)
        if self._told[0] != ended or self._told[1] != total:
            self._told = (ended, total, round(ended / max(1, total), 4))
        return self._told[2]

    def completed(self, spec: StepSpec, run_id: str, result: Result, draft: Draft) -> None:
        """A step has come to its end."""
        self._done(spec, run_id, StepStatus.COMPLETED, result.value, len(result.text))
        self._assign(spec, run_id, result.value)
        self._version(spec, draft)

    def skipped(self, spec: StepSpec, run_id: str, output: Any, text: str | None, draft: Draft) -> None:
        """A step was passed over; the output that stands for its own, if one was given, is `text` in JSON."""
        self._done(spec, run_id, StepStatus.SKIPPED, output, len(text or ""))
        if text is not None:
            self._assign(spec, run_id, output)
        self._version(spec, draft)

    def failed(self, spec: StepSpec, run_id: str, error: ErrorInfo, draft: Draft) -> None:
        """The failure of a step does not fail the thread: it counts as done, without an output."""
        self._done(spec, run_id, StepStatus.FAILED, None, 0, error.value())
        self._version(spec, draft)

    def _done(self, spec: StepSpec, run_id: str, status: StepStatus, output: Any, size: int, error: Any = None) -> None:
        self._state.end_step(spec.id, run_id, status, output, error)
        self._state.size_bytes += size
        self.writer.step(spec.id)
        self._ended += 1
        self._course.end(spec.id)

    def _assign(self, spec: StepSpec, run_id: str, value: Any) -> None:
        if spec.assign and spec.id not in self._quiet:
            self._state.assign(spec.assign, run_id, value)
            self.writer.context(spec.assign)

    def _version(self, spec: StepSpec, draft: Draft) -> None:
        record = draft.checkpoint(self._state, self.writer, spec.id, trigger="step", progress=self.progress)
        policy = self._own or self._usual()
        shown = policy.shows(spec.kind, self._ended, self._born_at, self._last_at, draft.at)
        record.hidden = not (shown or spec.checkpoint)
        self._last_at = draft.at

    def asks(self, spec: StepSpec, draft: Draft) -> None:
        """A step is about to begin: on_gates also shows the version at which a gate asks, to return to the question."""
        if spec.kind == "gate" and (self._own or self._usual()).frequency is Frequency.ON_GATES:
            for record in draft.transition.checkpoints[-1:]:
                record.hidden = False
