"""The bodies of the routes that steer a thread."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from app.api.parsing import Body
from app.api.requests import Duration, OverrideRequest, ShortText, Values, VersionNumber

_MAX_TOKENS: Final = 2**63 - 1


class LimitsRequest(Body):
    """What a thread may cost, and how long its execution may go on; what is left out has no limit."""

    max_cost_usd: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None
    max_tokens: Annotated[int | None, Field(ge=0, le=_MAX_TOKENS, description="In and out together.")] = None
    deadline: Annotated[Duration | None, Field(description="From this resume on.")] = None


class ResumeRequest(Body):
    """Go on with what has not completed."""

    from_step: str | None = None
    skip: Values | None = None
    overrides: dict[str, OverrideRequest] | None = None
    limits: Annotated[LimitsRequest | None, Field(description="In the place of the workflow's, from now on.")] = None
    dry_run: Annotated[bool, Field(description="Change nothing: tell what would run.")] = False
    expected_version: VersionNumber | None = None
    triggered_by: ShortText | None = None


class RollbackRequest(Body):
    """Move the head to an earlier (or any other) version."""

    to_version: VersionNumber
    resume: bool = True
    dry_run: Annotated[bool, Field(description="Change nothing: tell what would be undone, and what would run.")] = (
        False
    )
    compensate: Annotated[bool, Field(description="First run the compensations of the steps that are undone.")] = False
    reason: str | None = None
    overrides: dict[str, OverrideRequest] | None = None
    context: Values | None = None
    expected_version: VersionNumber | None = None
    triggered_by: ShortText | None = None


class CancelRequest(Body):
    """Stop a thread for good."""

    reason: str | None = None
    force: Annotated[bool, Field(description="Do not ask the process that drives it first: take it away at once.")] = (
        False
    )


class CheckpointRequest(Body):
    """Nothing to say so far."""


class PauseRequest(Body):
    """Nothing to say so far."""
