"""The bodies and queries of the routes of retention and of the settings."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from app.api.parsing import Body, Query
from app.api.requests import Page, ShortText
from app.domain.retention import DELETABLE
from app.domain.status import Status

_MAX_INT: Final = 2**31 - 1


def _ended(value: str) -> Status:
    status = next((each for each in DELETABLE if each == value), None)
    if status is None:
        raise ValueError(f"should be one of {', '.join(sorted(DELETABLE))}: others are never deleted")
    return status


Days = Annotated[float, Field(gt=0, le=36_500, allow_inf_nan=False)]
Ended = Annotated[
    str, AfterValidator(_ended), Field(json_schema_extra={"enum": [status.value for status in sorted(DELETABLE)]})
]


class WorkflowRetentionRequest(Body):
    """How long the threads of a workflow are kept; what is null or missing is as for all others."""

    keep: Annotated[bool, Field(description="Nothing of it is ever deleted by itself.")] = False
    days: Annotated[Days | None, Field(description="After their end.")] = None
    status_days: Annotated[dict[Ended, Days] | None, Field(description="Others for a status.")] = None
    max_threads: Annotated[int | None, Field(ge=0, le=_MAX_INT, description="The newest so many.")] = None


class RetentionRunRequest(Body):
    """One run; numbers of its own go before those of the settings and of workflows, but for what is to be kept."""

    dry_run: Annotated[bool, Field(description="Only tell what would be deleted.")] = False
    days: Days | None = None
    max_per_workflow: Annotated[int | None, Field(ge=0, le=_MAX_INT)] = None
    workflow: Annotated[ShortText | None, Field(description="Only of that workflow.")] = None
    status: Annotated[Ended | None, Field(description="Only those that ended so.")] = None
    by: Annotated[ShortText | None, Field(description="Who asks for it.")] = None


class RetentionQuery(Query):
    """What to tell of retention."""

    preview: Annotated[bool, Field(description="Also count what a run would delete now.")] = False


class ByQuery(Query):
    """Who it is."""

    by: Annotated[ShortText | None, Field(description="Who asks for it.")] = None


class ConfigChangesQuery(Page):
    """Which changes of settings."""
