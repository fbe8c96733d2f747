"""A step run that has begun and not ended, as its driver holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.domain.status import StepStatus

if TYPE_CHECKING:
    import asyncio
    from datetime import datetime

    from app.domain.gates import GateRecord
    from app.domain.spec import StepSpec


@dataclass(slots=True, kw_only=True)
class OpenStep:
    """`due`: when it goes on, if it waits.  `task` is its attempt while one runs; `launched_at` and `heard_at` are when that
    began and last reported, in the loop's time; `stopping`: it was told to stop.  `asked` are the gates that its attempt
    looked at, `at_gate`: it waits for an answer, `look_again`: there may be one since the attempt began.
    """

    spec: StepSpec
    run_id: str
    key_execution_id: str
    input: Any
    started_at: datetime
    agent_override: str | None = None
    status: StepStatus = StepStatus.RUNNING
    attempt: int = 1
    retry_count: int = 0
    due: datetime | None = None
    waits_for: str | None = None
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    launched_at: float = 0.0
    heard_at: float = 0.0
    stopping: bool = False
    asked: list[GateRecord] = field(default_factory=list["GateRecord"])
    at_gate: bool = False
    look_again: bool = False

    @property
    def working(self) -> bool:
        """Whether an attempt runs, or is about to."""
        return self.status is StepStatus.RUNNING

    @property
    def last_moment(self) -> float | None:
        """When the running attempt must have stopped, in the loop's time; None for never."""
        limits = [self.launched_at + self.spec.timeout] if self.spec.timeout is not None else []
        if self.spec.max_silence is not None:
            limits.append(self.heard_at + self.spec.max_silence)
        return min(limits, default=None)

    @property
    def exceeded(self) -> str:
        """Which of its limits `last_moment` is, in words."""
        timeout, silence = self.spec.timeout, self.spec.max_silence
        if timeout is not None and self.last_moment == self.launched_at + timeout:
            return f"not done within {timeout:g} s"
        return f"neither ended nor reported for {silence:g} s"

    def stop(self) -> None:
        """Cancel what runs or waits in memory."""
        if self.task is not None:
            self.stopping = True
            self.task.cancel()
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
