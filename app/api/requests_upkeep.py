"""The bodies of the routes that move threads to another version, and that upgrade stored formats."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from app.api.parsing import Body
from app.api.requests import ShortText, ThreadId, VersionNumber

MOST: Final = 1000
Limit = Annotated[int, Field(ge=1, le=MOST)]
Cursor = Annotated[str | None, Field(max_length=1000, description="`next_cursor` of the answer before.")]


class MigrateRequest(Body):
    """Move threads of a workflow to another version of it."""

    from_version: Annotated[VersionNumber | None, Field(description="Only those of this version.")] = None
    to_version: Annotated[VersionNumber | None, Field(description="The newest without it.")] = None
    thread_ids: Annotated[list[ThreadId] | None, Field(max_length=MOST, description="These, and no others.")] = None
    statuses: Annotated[
        list[str] | None,
        Field(
            min_length=1,
            max_length=10,
            description="All but completed and cancelled ones without it; never a completed one.",
        ),
    ] = None
    resume: Annotated[bool, Field(description="Those that are paused or have ended go on.")] = False
    dry_run: Annotated[bool, Field(description="Change nothing: tell which could be moved.")] = False
    limit: Annotated[Limit, Field(description="How many threads are looked at in one request.")] = 50
    cursor: Cursor = None
    triggered_by: ShortText | None = None


class UpgradeRequest(Body):
    """Write versions of old formats in the newest one."""

    dry_run: Annotated[bool, Field(description="Change nothing: count.")] = False
    limit: Annotated[Limit, Field(description="How many versions are looked at in one request.")] = 500
    cursor: Cursor = None
