"""What the service answers to the client about schedules, written
by scripts/client_types.py from the OpenAPI document (`make client-types`): do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from app.client.types import Links, Status


class BackfillAnswer(TypedDict):
    """What is made up for, or would be, and what was made already."""

    dry_run: bool
    firings: list[ScheduleFiringAnswer]
    there: list[ScheduleFiringAnswer]


class DeletedScheduleAnswer(TypedDict):
    """The schedule that was deleted."""

    name: str
    deleted: Literal[True]


class FireTime(TypedDict):
    """A time, and what the clock of the zone says then."""

    fire_time: str
    local: str


class ScheduleAnswer(TypedDict):
    """A schedule. `ended`: no time of it lies ahead. `fired` counts the threads that its times have started."""

    name: str
    id: str
    state: Literal["active", "paused", "ended"]
    revision: int
    cron: str | None
    every_ms: int | None
    timezone: str
    workflow: str
    input: Any
    context: dict[str, Any]
    queue: str | None
    priority: int | None
    overlap: Literal["skip", "buffer_one", "buffer_all", "allow", "cancel_other"]
    catchup_window_ms: int
    start_at: str | None
    end_at: str | None
    jitter_ms: int
    max_firings: int | None
    description: str | None
    paused: bool
    pause_reason: str | None
    next_fire_at: str | None
    next_due_at: str | None
    last_fire_at: str | None
    fired: int
    last_firing: ScheduleFiringAnswer | None
    created_at: str
    updated_at: str


class ScheduleFiringAnswer(TypedDict):
    """What became of one time of a schedule. `starting`: its thread is being started, again after a failure. `missed`
    times in all were missed, from `fire_time` to `until`.
    """

    fire_time: str
    kind: Literal["schedule", "manual", "backfill"]
    outcome: Literal["starting", "started", "buffered", "skipped", "missed", "failed"]
    reason: str | None
    error: ScheduleFiringError | None
    thread_id: str | None
    thread_status: Status | None
    due_at: str
    decided_at: str
    started_at: str | None
    late_ms: int | None
    attempts: int
    missed: int | None
    until: str | None
    links: Links | None


class ScheduleFiringError(TypedDict):
    """Why a thread was not started."""

    code: str
    message: str


class SchedulePreviewAnswer(TypedDict):
    """The next times; fewer when there are no more."""

    timezone: str
    times: list[FireTime]
