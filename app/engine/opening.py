"""How a step begins, or goes on under a new driver: its key, its agent, its input, and what it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.domain.ids import uuid7
from app.domain.notes import Notes
from app.domain.records import NO_USAGE
from app.domain.status import StepStatus
from app.domain.times import utc_now
from app.engine.doers import doer_of, input_of
from app.engine.openstep import OpenStep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.parameters import Parameters
    from app.domain.records import StepRecord
    from app.domain.spec import StepSpec
    from app.domain.state import State
    from app.engine.doers import Doer
    from app.engine.draft import Draft


class Opening:
    """Of the steps of one thread; `asked` is what its execution was asked for."""

    def __init__(self, thread_id: str, state: State, asked: Parameters) -> None:
        self._thread_id = thread_id
        self._state = state
        self._asked = asked

    def begun(self, spec: StepSpec, draft: Draft) -> OpenStep:
        """A new step run, without its input; one that an earlier execution did not finish keeps its key."""
        key, doer = self._asked.keys.get(spec.id), self._doer(spec)
        return OpenStep(
            spec=spec,
            run_id=uuid7(),
            key_execution_id=key or draft.transition.execution_id,
            input=None,
            started_at=draft.at,
            agent_override=doer.agent,
            variant=doer.variant.name if doer.variant is not None else None,
            extra=self._sees(spec),
            call=spec.call,
            notes=None if key else Notes(),
            session_id=self._asked.sessions.get(spec.id),
        )

    def again(self, spec: StepSpec, row: StepRecord) -> OpenStep:
        """A step run that had begun and not ended, without its input."""
        doer = self._doer(spec)
        return OpenStep(
            spec=spec,
            run_id=row.id,
            key_execution_id=row.key_execution_id,
            input=None,
            started_at=row.started_at or utc_now(),
            agent_override=doer.agent,
            variant=doer.variant.name if doer.variant is not None else None,
            status=StepStatus.RUNNING if row.status is StepStatus.WAITING else row.status,
            attempt=row.attempt,
            retry_count=row.retry_count,
            due=row.next_attempt_at,
            call=row.call,
            extra=self._sees(spec),
            usage=row.usage or NO_USAGE,
            session_id=row.session_id,
            error=row.error,
        )

    def input_of(self, spec: StepSpec, scope: Mapping[str, Any]) -> Any:
        """The input of a step, or of one of its parts, over what it sees.  Raises ExpressionError."""
        return input_of(spec, self._doer(spec), self._asked.overrides.get(spec.id), scope)

    def failed_before(self, spec: StepSpec) -> list[str]:
        """The steps whose failure a rescuer is to make good."""
        entries = self._state.refs.steps
        return [each for each in spec.rescues if each in entries and entries[each][1] is StepStatus.FAILED]

    def _doer(self, spec: StepSpec) -> Doer:
        return doer_of(spec, self._thread_id, self._asked.overrides.get(spec.id))

    def _sees(self, spec: StepSpec) -> dict[str, Any]:
        failed = self.failed_before(spec) if spec.rescues else []
        return {"error": self._state.scope[failed[0]]["error"]} if failed else {}
