"""The bodies and queries of the routes of schedules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from app.api.parsing import Body
from app.api.requests import Duration, Page, Priority, QueueName, ShortText, Time, Values
from app.domain.document_schema import NAME

_MAX_INT: Final = 2**31 - 1
_LONGEST: Final = 100


def _instant(value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) and "T" in value else None
        if found is not None:
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("should be a time such as 2026-11-21T09:30:00Z")


def _no_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


_TIME_SCHEMA: Final = {"type": "string", "format": "date-time", "description": "Without an offset it is in UTC."}
Instant = Annotated[datetime, BeforeValidator(_instant), WithJsonSchema(_TIME_SCHEMA)]
Reference = Annotated[str, Field(pattern=NAME[:-1] + r"(@[1-9][0-9]{0,8})?$")]
OverlapName = Literal["skip", "buffer_one", "buffer_all", "allow", "cancel_other"]
OutcomeName = Literal["starting", "started", "buffered", "skipped", "missed", "failed"]
KindName = Literal["schedule", "manual", "backfill"]


class _Times(Body):
    cron: Annotated[
        ShortText | None,
        Field(
            description="minute hour day month weekday, with seconds first if there are six; or @daily and the like."
        ),
    ] = None
    every: Annotated[Duration | None, Field(description="A fixed interval instead, from 1 s.")] = None
    timezone: Annotated[
        str | None, Field(max_length=_LONGEST, description="Of `cron`: one of IANA's; UTC without it.")
    ] = None
    start_at: Annotated[Instant | None, Field(description="No firing before it; `every` counts from it.")] = None
    end_at: Annotated[Instant | None, Field(description="No firing after it.")] = None


class _Fields(_Times):
    input: Annotated[Any, Field(description="The workflow's input, with templates over `schedule`.")] = None
    context: Annotated[Values | None, Field(description="Variables, with templates over `schedule`.")] = None
    queue: QueueName | None = None
    priority: Priority | None = None
    overlap: Annotated[
        OverlapName | None, Field(description="What a firing does while one before has not ended; `skip` without it.")
    ] = None
    catchup_window: Annotated[
        Duration | None, Field(ge=1, description="How late a firing is still made; 1 h without it.")
    ] = None
    jitter: Annotated[Duration | None, Field(description="Each firing is due up to so much later.")] = None
    max_firings: Annotated[int | None, Field(ge=1, le=_MAX_INT, description="How many threads its times start.")] = None
    description: Annotated[str | None, Field(max_length=2000, pattern=r"^[^\x00]*$")] = None

    def told(self) -> dict[str, Any]:
        """What was given, as domain.schedule_document has it; None where null was."""
        own = type(self).model_fields.keys() - _Fields.model_fields.keys()
        given = {name: getattr(self, name) for name in self.model_fields_set - (own - {"workflow"})}
        return {name: one.isoformat() if isinstance(one, datetime) else one for name, one in given.items()}


class ScheduleRequest(_Fields):
    """A schedule: one of `cron` and `every`, and what it starts."""

    name: QueueName
    workflow: Annotated[Reference, Field(description="A registered name, or name@version.")]
    paused: bool = False


class ScheduleChangeRequest(_Fields):
    """What to change of a schedule; null: as usual. `cron` and `every` take each other's place."""

    workflow: Annotated[
        Reference, Field(description="A registered name, or name@version.", json_schema_extra=_no_default)
    ] = ""
    expected_revision: Annotated[
        int | None, Field(ge=1, le=_MAX_INT, description="Only while this is its revision.")
    ] = None


class PauseScheduleRequest(Body):
    """Why."""

    reason: ShortText | None = None


class ResumeScheduleRequest(Body):
    """Nothing to say so far."""


class RunScheduleRequest(Body):
    """Nothing to say so far."""


class BackfillRequest(Body):
    """Which times to make up for, both included."""

    first: Annotated[Instant, Field(validation_alias="from")]
    last: Annotated[Instant, Field(validation_alias="to")]
    overlap: Annotated[Literal["buffer_all", "allow"], Field(description="One after the other, or all at once.")] = (
        "buffer_all"
    )
    dry_run: Annotated[bool, Field(description="Only tell what would be made.")] = False


class PreviewRequest(_Times):
    """Times to look at: the next `count` after `after`, or after now."""

    count: Annotated[int, Field(ge=1, le=_LONGEST)] = 10
    after: Instant | None = None


class SchedulesQuery(Page):
    """Which schedules."""

    workflow: ShortText | None = None
    paused: bool | None = None


class FiringsQuery(Page):
    """Which firings."""

    outcome: OutcomeName | None = None
    kind: KindName | None = None
    since: Annotated[Time | None, Field(description="Of times from this on.")] = None
    until: Annotated[Time | None, Field(description="Of times before this.")] = None
