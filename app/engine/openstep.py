"""A step run that has begun and not ended, as its driver holds it; and the items or iterations that one is done in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from app.domain.fresh import blank, empty
from app.domain.notes import Notes
from app.domain.records import NO_USAGE, Usage
from app.domain.status import StepStatus

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping
    from datetime import datetime

    from app.domain.runner import Asleep
    from app.domain.spec import StepSpec
    from app.domain.waiting import WaitRecord
    from app.engine.context import Context
    from app.engine.parts import Parts


@dataclass(slots=True, kw_only=True, eq=False)
class OpenStep:
    """`due`: when it goes on, if it waits.  `task` is its attempt while one runs; `launched_at` and `heard_at` are when that
    began and last reported, in the loop's time; `stopping`: it was told to stop; `streamed`: it has shown text.
    `asked` are the gates and waits that its attempt looked at, `at_gate`: it waits for one of them, `look_again`: there may
    be something since the attempt began.

    A step that is done in parts has them in `parts`; a part (`item`: its place) has its step in `parent`, and in `extra` the
    variables that it sees beside the thread's state.  `notes` None: what was remembered has not been read.  `usage` is that
    of all attempts, kept at the step and not at its parts; `call` is where and as what a workflow in Python called it, which
    list its items are of, or from which iteration on it counts; `error` is why the last attempt failed (JSON text).
    """

    spec: StepSpec
    run_id: str
    key_execution_id: str
    input: Any
    started_at: datetime
    agent_override: str | None = None
    variant: str | None = None
    call: str | None = None
    status: StepStatus = StepStatus.RUNNING
    attempt: int = 1
    retry_count: int = 0
    due: datetime | None = None
    waits_for: str | None = None
    parts: Parts | None = None
    parent: OpenStep | None = None
    item: int | None = None
    extra: Mapping[str, Any] = field(default_factory=blank)
    notes: Notes | None = None
    usage: Usage = NO_USAGE
    agent_version: int | None = None
    session_id: str | None = None
    error: str | None = None
    streamed: bool = False
    context: Context | None = None
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    launched_at: float = 0.0
    heard_at: float = 0.0
    stopping: bool = False
    asked: list[WaitRecord] = field(default_factory=empty)
    at_gate: bool = False
    look_again: bool = False

    @property
    def key(self) -> str:
        """What tells it from all others that are open in its thread."""
        return self.spec.id if self.item is None else f"{self.spec.id}:{self.item}"

    @property
    def agent(self) -> str | None:
        """The name of the agent or function that does it, if its kind has one."""
        return self.agent_override or self.spec.agent

    @property
    def owner(self) -> OpenStep:
        """The step whose row tells of it: itself, or the one that it is a part of."""
        return self.parent or self

    @property
    def working(self) -> bool:
        """Whether an attempt runs, or is about to."""
        return self.status is StepStatus.RUNNING and (self.parts is None or self.parts.gathering)

    def scope(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """What its templates see."""
        return {**state, **self.extra} if self.extra else state

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

    def sleep(self, asleep: Asleep, at: datetime) -> None:
        """It has nothing to do until a time, another thread's end or an answer, which may have come meanwhile."""
        self.status = StepStatus.RUNNING if self.at_gate and self.look_again else StepStatus.WAITING
        self.due = None if asleep.seconds is None else at + timedelta(seconds=asleep.seconds)
        self.waits_for = asleep.thread_id
        self.session_id = asleep.thread_id or self.session_id  # so that the thread of a sub-workflow can be found

    def go_on(self) -> None:
        """Its time has come: it may be tried (again)."""
        self.status, self.due, self.waits_for = StepStatus.RUNNING, None, None

    def stop(self) -> None:
        """Cancel what runs or waits in memory."""
        if self.task is not None:
            self.stopping = True
            self.task.cancel()
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
