"""The request models: what a client may send, field by field."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, cast

from pydantic import AfterValidator, AliasChoices, BeforeValidator, ConfigDict, Field, Strict, WithJsonSchema

from app.api.parsing import Body, Query
from app.api.requests_hook import StartWebhook
from app.domain.document_schema import NAME
from app.domain.gates import TIMED_OUT
from app.domain.ids import THREAD_ID
from app.domain.queues import MAX_PRIORITY
from app.domain.status import Status, StepStatus
from app.domain.times import seconds
from app.domain.usage import GROUPS

_MAX_INT: Final = 2**31 - 1
MAX_SEQ: Final = 2**63 - 1
LONGEST_WAIT: Final = 600.0
MAX_VARIANTS: Final = 20
_DURATION: Final = r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)?$"
_NUMBER: Final = re.compile(r"\s*[-+]?[\d_.]+(e[-+]?\d+)?\s*", re.IGNORECASE)


def _workflow(value: Any) -> Any:
    if isinstance(value, dict) or (isinstance(value, str) and value and "\x00" not in value):
        return cast("str | dict[str, Any]", value)
    raise ValueError("should be a registered name, name@version, or a whole workflow document")


def _thread_id(value: str) -> str:
    if THREAD_ID.match(value) is None:
        raise ValueError("should be 1 to 128 characters of A-Z a-z 0-9 . _ : -")
    return value


def _way(value: str) -> str:
    if value == TIMED_OUT:
        raise ValueError("is what a gate says that nobody has answered")
    return value


def _duration(value: Any) -> float:
    known = re.match(_DURATION, value) if isinstance(value, str) else None
    if isinstance(value, bool) or not (isinstance(value, int | float) or known):
        raise ValueError('should be seconds, or "500ms", "30s", "5m", "24h"')
    if known:
        value = known[0] if known[2] else float(known[0])
    try:
        return seconds(value)
    except OverflowError as error:
        raise ValueError("is longer than ten years") from error


def _utc(value: datetime) -> datetime:
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range") from error


def _plus(value: Any) -> Any:
    """A `+` that nobody escaped arrives as a space: 2026-11-21T09:30:00 02:00.  A bare number is no time."""
    if not isinstance(value, str | datetime) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise ValueError("should be a time such as 2026-11-21T09:30:00Z")
    if isinstance(value, str) and "T" in value and value[-6:-5] == " ":
        return f"{value[:-6]}+{value[-5:]}"
    return value


def _groups(value: str) -> str:
    if value and not set(value.split(",")) <= set(GROUPS):
        raise ValueError("should be any of agent, workflow, day, with commas between")
    return value


_DURATION_SCHEMA: Final = {
    "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": _DURATION}],
    "description": 'Seconds, or "500ms", "30s", "5m", "24h".',
}

ShortText = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]
"""Text for a column of the database, which cannot hold NUL."""
ThreadId = Annotated[str, AfterValidator(_thread_id), Field(json_schema_extra={"pattern": "^[A-Za-z0-9._:-]{1,128}$"})]
Priority = Annotated[int, Field(ge=-MAX_PRIORITY, le=MAX_PRIORITY)]
QueueName = Annotated[str, Field(pattern=NAME)]
VariantName = Annotated[str, Field(pattern=NAME)]
Way = Annotated[str, AfterValidator(_way), Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
Place = Annotated[int | None, Field(ge=0, le=_MAX_INT, description="Which item of a `for_each` asks.")]
Round = Annotated[int | None, Field(ge=0, le=_MAX_INT, description="Which question of a step that asks several.")]
VersionNumber = Annotated[int, Field(ge=1, le=_MAX_INT)]
Duration = Annotated[float, BeforeValidator(_duration), WithJsonSchema(_DURATION_SCHEMA)]
Time = Annotated[datetime, Strict(strict=False), BeforeValidator(_plus), AfterValidator(_utc)]
"""RFC 3339; one without an offset is in UTC, a day alone is its beginning.  Text in a body too."""
By = Annotated[str, AfterValidator(_groups)]
Values = dict[str, Any]
_WORKFLOW_SCHEMA: Final = {
    "anyOf": [{"type": "string", "minLength": 1}, {"type": "object"}],
    "description": "A registered name, name@version, or a whole inline document.",
}
EXTERNAL: Final = AliasChoices("external_run_id", "externalRunId", "github_run_id", "githubRunId")


class StartRequest(Body):
    """Start a workflow. `github_run_id` is another name of `external_run_id`."""

    workflow: Annotated[Any, AfterValidator(_workflow), WithJsonSchema(_WORKFLOW_SCHEMA)]
    input: Annotated[Any, Field(description="The workflow's input, any JSON value.")] = None
    thread_id: ThreadId | None = None
    triggered_by: ShortText | None = None
    external_run_id: Annotated[ShortText | None, Field(validation_alias=EXTERNAL)] = None
    context: Values | None = None
    priority: Annotated[Priority | None, Field(description="The higher is taken up first; 0 without it.")] = None
    queue: Annotated[QueueName | None, Field(description="Made when it is new; `default` without it.")] = None
    delay: Annotated[Duration | None, Field(description="How long it waits before it is due.")] = None
    webhook: StartWebhook = None


class OverrideRequest(Body):
    """For one execution: another agent for a step, values merged over its input."""

    agent: ShortText | None = None
    input: Values | None = None


class VariantRequest(Body):
    """One of the threads that a fork makes."""

    name: Annotated[VariantName | None, Field(description="a, b, c ... without it.")] = None
    overrides: dict[str, OverrideRequest] | None = None
    context: Values | None = None
    thread_id: ThreadId | None = None


class ForkRequest(Body):
    """New threads with the state of a version."""

    version: Annotated[VersionNumber | None, Field(description="The head without it.")] = None
    variants: Annotated[list[VariantRequest] | None, Field(min_length=1, max_length=MAX_VARIANTS)] = None
    resume: Annotated[bool, Field(description="Run on at once; false: stay paused.")] = True
    reason: str | None = None
    triggered_by: ShortText | None = None


class GateRequest(Body):
    """The answer to a gate; `by` is who gives it."""

    answer: Annotated[Any, Field(description="Any JSON value that fits the gate's form.")]
    by: ShortText | None = None
    via: Annotated[Way, Field(description="By which way it comes.")] = "api"
    item: Place = None
    round: Round = None


class OpenBreakerRequest(Body):
    """Open an agent's breaker by hand; `for` how long, without it until it is closed by hand."""

    reason: ShortText | None = None
    duration: Annotated[Duration | None, Field(validation_alias="for")] = None


class CloseBreakerRequest(Body):
    """Nothing to say so far."""


class RateRequest(Body):
    """How many threads may be taken up, in a burst and then over that time."""

    count: Annotated[int, Field(ge=1, le=_MAX_INT)]
    per: Annotated[Duration, Field(ge=0.001)]


class QueueRequest(Body):
    """What a queue is to be; null or missing: the usual. A limit of 0 holds all of it back."""

    limit: Annotated[
        int | None, Field(ge=0, le=_MAX_INT, description="Threads driven at once, over all processes.")
    ] = None
    max_depth: Annotated[int | None, Field(ge=0, le=_MAX_INT, description="Due threads that may wait.")] = None
    rate_limit: RateRequest | None = None


class WaitQuery(Query):
    """How long `POST /api/invoke` waits for the end."""

    timeout: Annotated[Duration, Field(le=LONGEST_WAIT)] = 30.0


class StreamQuery(Query):
    """Where a stream begins."""

    after: Annotated[int, Field(ge=0, le=MAX_SEQ, description="Only events with a greater `seq`.")] = 0
    token: Annotated[
        str | None, Field(max_length=1_000, description="Lets in whoever has it; one that is wrong: 401.")
    ] = None


class FeedQuery(Query):
    """Which events of all threads."""

    model_config = ConfigDict(use_enum_values=False)

    workflow: Annotated[str | None, Field(description="Of the workflow of that name.")] = None
    status: Annotated[Status | None, Field(description="Of threads that are now in that status.")] = None
    after: Annotated[str | None, Field(description="The `id` of an event of this feed.")] = None
    compact: Annotated[bool, Field(description="Without results, and without the long values of `data`.")] = False


class Page(Query):
    """A page of a list."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    cursor: Annotated[str | None, Field(max_length=1000, description="`next_cursor` of the page before.")] = None


class StepRunQuery(Query):
    """Which run of a step."""

    execution_id: Annotated[
        str | None, Field(max_length=128, description="As this execution of the thread did or kept it.")
    ] = None
    run_id: Annotated[str | None, Field(max_length=128, description="This very run.")] = None
    values: Annotated[bool, Field(description="With false input and output are told by their sizes only.")] = True


class GateQuery(Query):
    """Which question of a step that asks several."""

    item: Place = None
    round: Round = None


class GatesQuery(Page):
    """Which open gates."""

    assignee: ShortText | None = None


class HistoryQuery(Page):
    """Which versions of a thread."""

    from_version: VersionNumber | None = None
    to_version: VersionNumber | None = None
    since: Time | None = None
    until: Time | None = None
    all: Annotated[bool, Field(description="Those too that the checkpoint policy hides.")] = False
    step: Annotated[ShortText | None, Field(description="Written by this step, START or END.")] = None
    trigger: Annotated[ShortText | None, Field(description="Such as start, step, end, fork.")] = None
    execution_id: Annotated[ShortText | None, Field(description="Written by this execution.")] = None
    on_timeline: Annotated[bool | None, Field(description="Whether the head came from it.")] = None

    @property
    def is_sparse(self) -> bool:
        """Whether few of the versions may be meant."""
        return any(one is not None for one in (self.step, self.trigger, self.execution_id, self.on_timeline))


class ExecutionsQuery(Page):
    """Which executions."""

    status: Status | None = None
    workflow: ShortText | None = None
    since: Time | None = None
    until: Time | None = None
    thread_id: ShortText | None = None
    triggered_by: ShortText | None = None


class CompareQuery(Query):
    """Which two executions; of a thread it is the present one."""

    a: Annotated[ShortText, Field(description="The id of an execution or of a thread.")]
    b: Annotated[ShortText, Field(description="Another.")]


class ItemsQuery(Page):
    """Which items of a step."""

    status: StepStatus | None = None


class UsageQuery(Page):
    """Which step runs, and by what their costs are summed."""

    by: Annotated[By, Field(description="agent, workflow, day: any of them, with commas between.")] = ""
    since: Time | None = None
    until: Time | None = None
