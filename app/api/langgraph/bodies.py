"""The bodies that the SDK sends, field by field; what is not listed here is refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from app.api.parsing import Body
from app.api.requests import ThreadId, Values
from app.api.requests_hook import StartWebhook
from app.api.requests_schedules import Instant

Text = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
Names = list[str]
Limit = Annotated[int, Field(ge=1, le=1000)]
Offset = Annotated[int, Field(ge=0, le=1_000_000)]
Order = Literal["asc", "desc"]
CronOrder = Literal["cron_id", "assistant_id", "thread_id", "created_at", "updated_at", "next_run_date", "end_time"]
Status = Literal["idle", "busy", "interrupted", "error"]


class _Asked(Body):
    """Made ready when it is first needed: whoever does not use the SDK does not wait for it at each start."""

    model_config = ConfigDict(defer_build=True)


class ThreadCreate(_Asked):
    """POST /threads."""

    thread_id: ThreadId | None = None
    metadata: Values | None = None
    if_exists: Literal["raise", "do_nothing"] = "raise"
    supersteps: Any = None
    ttl: Any = None


class ThreadPatch(_Asked):
    """PATCH /threads/{thread_id}."""

    metadata: Values
    ttl: Any = None


class ThreadCount(_Asked):
    """POST /threads/count."""

    metadata: Values | None = None
    values: Any = None
    status: Status | None = None


class ThreadSearch(ThreadCount):
    """POST /threads/search."""

    ids: Annotated[list[ThreadId], Field(max_length=1000)] | None = None
    limit: Limit = 10
    offset: Offset = 0
    sort_by: Literal["thread_id", "status", "created_at", "updated_at", "state_updated_at"] = "created_at"
    sort_order: Order = "desc"
    select: Names | None = None
    extract: Any = None


class Prune(_Asked):
    """POST /threads/prune."""

    thread_ids: Annotated[list[ThreadId], Field(max_length=1000)]
    strategy: Literal["delete", "keep_latest"] = "delete"


class AssistantCount(_Asked):
    """POST /assistants/count."""

    metadata: Values | None = None
    graph_id: str | None = None
    name: str | None = None


class AssistantSearch(AssistantCount):
    """POST /assistants/search."""

    limit: Limit = 10
    offset: Offset = 0
    sort_by: Literal["assistant_id", "graph_id", "name", "created_at", "updated_at"] = "name"
    sort_order: Order = "asc"
    select: Names | None = None


class AssistantVersions(_Asked):
    """POST /assistants/{assistant_id}/versions."""

    metadata: Values | None = None
    limit: Limit = 10
    offset: Offset = 0


class StateAt(_Asked):
    """POST /threads/{thread_id}/state/checkpoint."""

    checkpoint: Values
    subgraphs: bool = False
    select: Names | None = None


class StateUpdate(_Asked):
    """POST /threads/{thread_id}/state."""

    values: Any = None
    as_node: Text | None = None
    checkpoint: Values | None = None
    checkpoint_id: str | None = None


class HistoryAsked(_Asked):
    """POST /threads/{thread_id}/history."""

    limit: Limit = 10
    before: str | Values | None = None
    metadata: Values | None = None
    checkpoint: Values | None = None
    select: Names | None = None


class CommandAsked(_Asked):
    """The `command` of a run: a resume may be null, which says something else than none."""

    resume: Any = None
    update: Any = None
    goto: Any = None


class Configured(_Asked):
    """What a run gets beside its input."""

    config: Values | None = None
    context: Values | None = None
    interrupt_before: Literal["*"] | Names | None = None
    interrupt_after: Literal["*"] | Names | None = None
    # What follows has no effect, and is documented so; `stream_mode` is that of a reader.
    stream_mode: str | Names | None = None
    stream_subgraphs: bool = False
    stream_resumable: bool = False
    checkpoint_during: bool | None = None
    durability: Literal["sync", "async", "exit"] | None = None


class CronFields(Configured):
    """What may be said of a cron when it is made and afterwards."""

    timezone: Text | None = None
    end_time: Instant | None = None
    input: Any = None
    enabled: bool | None = None
    metadata: Values | None = None
    webhook: Any = None
    on_run_completed: Literal["delete", "keep"] | None = None


class CronPatch(CronFields):
    """PATCH /runs/crons/{cron_id}."""

    schedule: Text | None = None


class CronCreate(CronFields):
    """POST /runs/crons; runs of different threads are never in each other's way."""

    assistant_id: Text
    schedule: Text
    multitask_strategy: Literal["reject", "interrupt", "rollback", "enqueue"] | None = None


class CronCount(_Asked):
    """POST /runs/crons/count."""

    assistant_id: Text | None = None
    thread_id: str | None = None
    metadata: Values | None = None


class CronSearch(CronCount):
    """POST /runs/crons/search."""

    enabled: bool | None = None
    limit: Limit = 10
    offset: Offset = 0
    sort_by: CronOrder = "created_at"
    sort_order: Order = "desc"
    select: Names | None = None


class RunAsked(Configured):
    """POST to /runs and /threads/{thread_id}/runs, with or without /stream and /wait."""

    assistant_id: Text
    thread_id: ThreadId | None = None
    input: Any = None
    command: CommandAsked | None = None
    metadata: Values | None = None
    checkpoint: Values | None = None
    checkpoint_id: str | None = None
    multitask_strategy: Literal["reject", "interrupt", "rollback", "enqueue"] | None = None
    if_not_exists: Literal["create", "reject"] = "reject"
    on_disconnect: Literal["cancel", "continue"] = "continue"
    on_completion: Literal["delete", "keep"] | None = None
    after_seconds: Annotated[float, Field(ge=0, le=10 * 365 * 86_400)] | None = None
    webhook: StartWebhook = None
    # What follows has no effect either.
    strict_resume: bool | None = None
    feedback_keys: Names | None = None
    langsmith_tracer: Any = None


class CancelMany(_Asked):
    """POST /runs/cancel."""

    thread_id: ThreadId | None = None
    run_ids: Annotated[Names, Field(max_length=1000)] | None = None
    status: Literal["pending", "running", "all"] | None = None
