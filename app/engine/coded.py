"""The course of a workflow in Python: its function asks, the journal or a step answers (see engine.flow)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.domain import jsontext
from app.domain.flow import StepFailed
from app.domain.known_secrets import KNOWN
from app.domain.records import ErrorInfo
from app.domain.retry import CODE_CHANGED, CONFIGURATION, EXCEPTION
from app.domain.status import STEP_OPEN, StepStatus
from app.engine.course import Course, Planned
from app.engine.draft import error_from
from app.engine.flow import CodeChanged, Flow
from app.engine.recorded import Recorded

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.records import StepRecord
    from app.domain.spec import StepSpec
    from app.engine.deps import Spawn
    from app.engine.flow import Call, Function
    from app.engine.load import Loaded


class Coded:
    """The course that a Python function takes."""

    def __init__(self, flow: Flow, loaded: Loaded) -> None:
        self._flow = flow
        self._state = loaded.state
        self._rows = {row.step_id: row for row in [*loaded.open_steps, *loaded.failed_steps]}
        self._journal = Recorded(loaded.calls, loaded.parameters.reset)
        self._calls: dict[str, Call] = {}
        self._undone: set[str] = set()
        self._asked: dict[str, Call] = {}
        self._failures: list[tuple[StepSpec, str, ErrorInfo]] = []
        self._changed: CodeChanged | None = None
        flow.on_call = self._on_call

    def start(self, spawn: Spawn, nudge: Callable[[], None]) -> None:
        """Run the function from its beginning."""
        self._flow.start(spawn, nudge)

    def stop(self) -> None:
        """See Course."""
        self._flow.stop()

    @property
    def busy(self) -> bool:
        """Whether the function is at work."""
        return not self._flow.blocked

    @property
    def failure(self) -> ErrorInfo | None:
        """How the function ended, if that was not well."""
        match self._changed or self._flow.error:
            case None:
                lost = self._journal.unvisited() if self._flow.over else None
                if lost is None:
                    return None
                return _changed(f"the journal holds step {lost!r}, for which this code does not ask any more")
            case CodeChanged() as error:
                return _changed(str(error))
            case StepFailed() as error:
                return ErrorInfo(kind=error.kind, message=KNOWN.text(error.message), step_id=error.step_id or None)
            case error:
                return ErrorInfo(kind=EXCEPTION, message=KNOWN.text(f"{type(error).__name__}: {error}")[:4_000])

    def ready(self) -> list[StepSpec]:
        """Those that were asked for, in that order; none while the function has more to say."""
        return [] if self.busy else [call.spec for call in self._asked.values()]

    def take(self, spec: StepSpec) -> StepRecord | None:
        """See Course."""
        del self._asked[spec.id]
        return self._rows.pop(spec.id, None)

    def left(self) -> list[StepRecord]:
        """See Course."""
        return [row for row in self._rows.values() if row.status in STEP_OPEN]

    def end(self, step_id: str) -> None:
        """The function goes on with the output; one that was told of a failure has gone on long since."""
        self._undone.discard(step_id)
        self._calls[step_id].answer(self._state.scope[step_id]["output"])

    def fail(self, spec: StepSpec, run_id: str, error: ErrorInfo) -> bool:
        """The function is told, and may catch it."""
        self._failures.append((spec, run_id, error))
        self._undone.discard(spec.id)
        self._calls[spec.id].fail(error.value())
        return True

    def passed(self) -> list[tuple[StepSpec, str, ErrorInfo]]:
        """Those that have reached the function, which did not end with them."""
        if self.busy:
            return []
        gone = [failure for failure in self._failures if self._is_past(failure[0].id)]
        self._failures = [failure for failure in self._failures if failure not in gone]
        return gone

    def _is_past(self, step_id: str) -> bool:
        """Whether the function has had the failure and goes on, or has ended well without ever asking for it."""
        if self._flow.over:
            error = self._flow.error
            return error is None or (self._calls[step_id].raised and getattr(error, "step_id", None) != step_id)
        return self._calls[step_id].raised

    @property
    def finished(self) -> bool:
        """Whether the function has returned, and all that it asked for has been done."""
        return self._flow.over and not self._undone

    def total(self, ended: int) -> int:
        """As many as it has asked for, and one more while it goes on."""
        return max(ended, len(self._calls)) + (not self._flow.over)

    def output(self) -> Any:
        """What the function returned."""
        return self._flow.result

    def asked_for(self, step_id: str) -> StepSpec | None:
        """The step as the function has asked for it, if it has."""
        call = self._calls.get(step_id)
        return None if call is None else call.spec

    def _on_call(self, call: Call) -> None:
        step_id = call.spec.id
        try:
            self._journal.check(call)
        except CodeChanged as changed:  # the function may swallow it
            self._changed = self._changed or changed
            raise
        self._calls[step_id] = call
        entry, row = self._state.refs.steps.get(step_id), self._rows.get(step_id)
        if entry is not None:
            known = self._state.scope[step_id]
            call.fail(known["error"]) if entry[1] is StepStatus.FAILED else call.answer(known["output"])
        elif row is not None and row.status is StepStatus.FAILED:
            self.fail(call.spec, row.id, error_from(row.error, step_id))
        else:
            self._undone.add(step_id)
            self._asked[step_id] = call


def _changed(message: str) -> ErrorInfo:
    return ErrorInfo(kind=CODE_CHANGED, message=f"{message}: the code has changed since the thread began")


def course_of(flows: Callable[[str], Function | None], loaded: Loaded) -> Course:
    """The course of a thread."""
    name = loaded.spec.code
    if name is None:
        return Planned(loaded.spec, loaded.state)
    given = jsontext.loads(jsontext.dumps(loaded.state.scope["input"]))
    return Coded(Flow(flows(name) or _missing(name), given, loaded.thread.thread_id), loaded)


def _missing(name: str) -> Function:
    async def fail(ctx: Any, given: Any) -> Any:  # noqa: ARG001 - as all of them
        raise StepFailed(CONFIGURATION, f"no workflow in Python is registered as {name!r} (see MODULES)", "")

    return fail
