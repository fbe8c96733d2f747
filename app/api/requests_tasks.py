"""What a client may send about single tasks."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from app.api.parsing import Body
from app.api.requests import (
    EXTERNAL,
    LONGEST_WAIT,
    Duration,
    Page,
    Priority,
    QueueName,
    ShortText,
    ThreadId,
    Values,
)
from app.api.requests_hook import StartWebhook
from app.domain.document_schema import NAME
from app.domain.status import Status


class TaskRequest(Body):
    """One agent on one input. `github_run_id` is another name of `external_run_id`."""

    agent: Annotated[str, Field(pattern=NAME)]
    input: Annotated[Any, Field(description="The agent's input, any JSON value.")] = None
    timeout: Annotated[Duration | None, Field(description="Of one attempt.")] = None
    retry: Annotated[Values | None, Field(description="As on a step of a workflow.")] = None
    thread_id: ThreadId | None = None
    queue: Annotated[QueueName | None, Field(description="Made when it is new; `default` without it.")] = None
    priority: Priority | None = None
    delay: Duration | None = None
    triggered_by: ShortText | None = None
    external_run_id: Annotated[ShortText | None, Field(validation_alias=EXTERNAL)] = None
    webhook: StartWebhook = None
    wait: Annotated[
        Duration | None, Field(le=LONGEST_WAIT, description="Answer with the task if it ends in that time.")
    ] = None


class TasksQuery(Page):
    """Which tasks."""

    status: Status | None = None
    triggered_by: ShortText | None = None
