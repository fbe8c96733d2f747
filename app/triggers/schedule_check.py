"""Whether a schedule can fire: its workflow is there, and takes what the schedule gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.domain.commands import StartCommand
from app.domain.errors import InvalidInput, InvalidSchedule, Problem
from app.domain.expression import ExpressionError
from app.domain.schedule_document import given
from app.domain.schedules import Firing, Outcome
from app.engine.asked import fitting

if TYPE_CHECKING:
    from app.domain.records import WorkflowRecord
    from app.domain.registry import Registry
    from app.domain.schedules import Schedule
    from app.engine.control import Control

_LONGEST: Final = 9
"""Digits of a version."""


async def check_fit(schedule: Schedule, registry: Registry, control: Control) -> None:
    """Try the next firing without making it.  Raises InvalidSchedule, Unavailable."""
    record = await _workflow(schedule.plan.workflow, registry)
    if record is None:
        raise InvalidSchedule([Problem("/workflow", f"there is no workflow {schedule.plan.workflow}")])
    spec = await control.spec(record.id)
    at = schedule.next_fire_at or schedule.since
    firing = Firing(schedule_id=schedule.id, fire_time=at, due_at=at, decided_at=at, outcome=Outcome.STARTING)
    try:
        values = given(schedule, firing)
        omits = not schedule.plan.has_input
        await fitting(spec, StartCommand(workflow=record.name, input=values.input, omits_input=omits))
    except ExpressionError as error:
        raise InvalidSchedule([Problem("/input", str(error))]) from None
    except InvalidInput as error:
        found = [Problem(f"/input{one.pointer}", one.message) for one in error.problems]
        raise InvalidSchedule(found) from None


async def _workflow(reference: str, registry: Registry) -> WorkflowRecord | None:
    name, at, version = reference.partition("@")
    if not at:
        return await registry.workflow(name)
    known = version.isdecimal() and version.isascii() and len(version) <= _LONGEST
    return await registry.workflow(name, int(version)) if known else None
