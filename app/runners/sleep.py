"""The kind `sleep`: waits for a duration, short ones in memory, long ones as a row."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from app.domain.records import ErrorInfo
from app.domain.retry import VALIDATION
from app.domain.runner import Asleep, Completed, Failed
from app.domain.times import seconds

if TYPE_CHECKING:
    from app.domain.runner import Attempt, Outcome
    from app.domain.spec import StepSpec

SHORT: Final = 1.0
"""Seconds that are waited for in memory."""


class SleepRunner:
    """Its output is null; a crash does not make it sleep anew, since its start is in the journal."""

    async def perform(self, attempt: Attempt) -> Outcome:
        """Wait for what is left of the duration."""
        try:
            left = seconds(attempt.target) - attempt.waited
        except (ValueError, TypeError) as error:
            return Failed(error=ErrorInfo(kind=VALIDATION, message=str(error)))
        if left > SHORT:
            return attempt.overdue or Asleep(seconds=left)
        await asyncio.sleep(max(0.0, left))
        return Completed(output=None)

    def check(self, step: StepSpec) -> list[str]:  # noqa: ARG002 - the port's name
        """The document's parser has checked the duration."""
        return []
