"""One firing of a schedule: its thread is started once, whoever does it and however often, and what came of that is told."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from app.domain.commands import StartCommand
from app.domain.errors import BackstitchError, Conflict, InvalidWorkflow, NotFound, Unavailable
from app.domain.known_secrets import KNOWN
from app.domain.schedule_document import given
from app.domain.schedule_plan import effective
from app.domain.schedules import Outcome, Overlap

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.domain.schedules import Firing, Schedule
    from app.engine.control import Control

PATIENCE: Final = 20.0
"""Seconds that a start may take, with the cancelling of others; then it is tried again, under the same id."""
_UNKNOWN: Final = timedelta(seconds=60)
"""How long a workflow that is not there, or cannot run here, is waited for."""
_LONGEST: Final = 30.0
_MESSAGE: Final = 2_000
_log: Final = logging.getLogger(__name__)


def cause(schedule: Schedule) -> str:
    """What is told of a thread's origin."""
    return f"schedule:{schedule.name}"


def backoff(attempts: int) -> float:
    """Seconds until a start is tried again that could not be made now."""
    return min(_LONGEST, 0.25 * 2 ** min(attempts, 10))


class Starter:
    """Starts the threads of firings."""

    def __init__(self, control: Control) -> None:
        self._control = control

    async def start(self, schedule: Schedule, firing: Firing, others: Sequence[str], now: datetime) -> Firing:
        """Try it: `started`, `failed` for good, or still `starting`.  `others` are the schedule's threads that run; `now` is by
        the store's clock.  Raises nothing.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                if effective(schedule, firing) is Overlap.CANCEL_OTHER:
                    await self._cancel(schedule, [one for one in others if one != firing.thread_id])
                await self._control.start_once(_command(schedule, firing))
        except (Unavailable, TimeoutError) as error:
            return self._again(schedule, firing, now, error, timedelta(seconds=schedule.plan.catchup_window))
        except (NotFound, InvalidWorkflow) as error:
            window = min(_UNKNOWN, timedelta(seconds=schedule.plan.catchup_window))
            return self._again(schedule, firing, now, error, window)
        except BackstitchError as error:
            return _failed(firing, error)
        except Exception as error:  # noqa: BLE001 - a fault here must not keep the schedule from going on
            _log.exception("schedule %s: the firing of %s could not be made", schedule.name, firing.fire_time)
            return self._again(schedule, firing, now, error, _UNKNOWN)
        return replace(firing, outcome=Outcome.STARTED, error=None)

    async def _cancel(self, schedule: Schedule, others: Sequence[str]) -> None:
        for thread_id in others:
            with suppress(Conflict, NotFound):  # it has ended, or is gone
                await self._control.cancel(thread_id, f"schedule {schedule.name} fires again")

    @staticmethod
    def _again(schedule: Schedule, firing: Firing, now: datetime, error: Exception, window: timedelta) -> Firing:
        """To be tried again, unless it was tried for so long."""
        if now - firing.decided_at > window:
            _log.warning("schedule %s: the firing of %s is given up: %s", schedule.name, firing.fire_time, error)
            return _failed(firing, error)
        _log.debug("schedule %s: the firing of %s is tried again: %s", schedule.name, firing.fire_time, error)
        return replace(firing, attempts=firing.attempts + 1, error=_told(error))


def _command(schedule: Schedule, firing: Firing) -> StartCommand:
    plan, values = schedule.plan, given(schedule, firing)
    return StartCommand(
        workflow=plan.workflow,
        input=values.input,
        has_input=plan.has_input,
        omits_input=not plan.has_input,
        context=values.context,
        thread_id=firing.thread_id,
        triggered_by=cause(schedule),
        queue=plan.queue,
        priority=plan.priority,
    )


def _failed(firing: Firing, error: Exception) -> Firing:
    return replace(firing, outcome=Outcome.FAILED, error=_told(error), watched=False)


def _told(error: Exception) -> dict[str, Any]:
    if isinstance(error, BackstitchError):
        return {"code": error.code, "message": KNOWN.excerpt(error.message[:_MESSAGE])}
    if isinstance(error, TimeoutError):
        return {"code": "timeout", "message": f"not started within {PATIENCE:g} s"}
    return {"code": "internal_error", "message": f"{type(error).__name__}; the log tells more"}
