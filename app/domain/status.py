"""The statuses of threads, executions and step runs, and the moves between them that are allowed."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """Of a thread and of an execution."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class StepStatus(StrEnum):
    """Of a step run."""

    PENDING = "pending"
    RUNNING = "running"
    RETRYING = "retrying"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


ENDED: Final = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.INTERRUPTED})
"""An execution that has ended never changes (G9)."""
ACTIVE: Final = frozenset({Status.PENDING, Status.RUNNING, Status.WAITING})
RESUMABLE: Final = frozenset({Status.FAILED, Status.INTERRUPTED, Status.CANCELLED, Status.PAUSED})

STEP_ENDED: Final = frozenset({StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.CANCELLED})
STEP_DONE: Final = frozenset({StepStatus.COMPLETED, StepStatus.SKIPPED})
STEP_OPEN: Final = frozenset({StepStatus.RUNNING, StepStatus.RETRYING, StepStatus.WAITING})
