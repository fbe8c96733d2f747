"""The request models of the lists to look back with: events, timelines, log entries."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from app.api.requests import Page, ShortText, ThreadId, Time
from app.domain.status import Status

EventNames = Annotated[str, Field(max_length=1_000, pattern=r"^[a-z_]+(,[a-z_]+)*$")]
EventClass = Literal["progress", "message", "status", "error", "complete"]
Level = Literal["debug", "info", "warning", "error", "critical"]


class EventsQuery(Page):
    """Which events of all threads."""

    model_config = ConfigDict(use_enum_values=False)

    thread_id: ThreadId | None = None
    workflow: Annotated[ShortText | None, Field(description="Of the workflow of that name.")] = None
    event: Annotated[EventNames | None, Field(description="Names, by comma.")] = None
    type: Annotated[EventClass | None, Field(description="The coarse class.")] = None
    step_id: ShortText | None = None
    agent: Annotated[ShortText | None, Field(description="Of step runs that this agent did.")] = None
    status: Annotated[Status | None, Field(description="Of threads that are now in that status.")] = None
    since: Time | None = None
    until: Time | None = None
    order: Annotated[Literal["asc", "desc"], Field(description="asc: oldest first.")] = "asc"


class TimelineQuery(Page):
    """Which step runs of a thread, and how many parts of each."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 200
    execution_id: ShortText | None = None
    items: Annotated[int, Field(ge=0, le=100, description="The first so many items of a step with `for_each`.")] = 0


class LogsQuery(Page):
    """Which log entries."""

    level: Annotated[Level | None, Field(description="Of that level or above.")] = None
    thread_id: ThreadId | None = None
    step_id: ShortText | None = None
    agent: ShortText | None = None
    logger: Annotated[ShortText | None, Field(description="Of that logger, or of one below it.")] = None
    text: Annotated[ShortText | None, Field(min_length=1, description="A part of the message, in whatever case.")] = (
        None
    )
    since: Time | None = None
    until: Time | None = None
