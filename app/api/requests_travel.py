"""What a client may send to the routes of time travel."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from app.api.parsing import Body, Query
from app.api.requests import ShortText, ThreadId, Values, VersionNumber


class DiffQuery(Query):
    """Which two versions."""

    model_config = ConfigDict(populate_by_name=True)

    from_version: Annotated[VersionNumber, Field(validation_alias="from")]
    to_version: Annotated[VersionNumber, Field(validation_alias="to")]


class TreeQuery(Query):
    """Pages of the four lists of a tree; each has a cursor of its own."""

    limit: Annotated[int, Field(ge=1, le=1000, description="Of each list.")] = 50
    cursor: Annotated[str | None, Field(max_length=1000, description="Of the branches.")] = None
    forks_cursor: Annotated[str | None, Field(max_length=1000)] = None
    replays_cursor: Annotated[str | None, Field(max_length=1000)] = None
    children_cursor: Annotated[str | None, Field(max_length=1000)] = None


class ReplayRequest(Body):
    """Do a recorded step again in a thread of its own."""

    execution_id: Annotated[ShortText | None, Field(description="As this execution did it.")] = None
    run_id: Annotated[ShortText | None, Field(description="This very step run.")] = None
    item: Annotated[
        int | None, Field(ge=0, le=2**31 - 1, description="Which item of a `for_each`, which iteration of a `repeat`.")
    ] = None
    agent: Annotated[ShortText | None, Field(description="Who does it instead.")] = None
    input: Annotated[Values | None, Field(description="Values merged over the recorded input.")] = None
    allow_effects: Annotated[bool, Field(description="Also where it may change something outside.")] = False
    new_thread_id: Annotated[ThreadId | None, Field(description="The id of the scratch thread.")] = None
    triggered_by: ShortText | None = None


class ExportQuery(Query):
    """How the file comes."""

    gzip: Annotated[bool, Field(description="Packed with gzip.")] = False


class ImportQuery(Query):
    """Under which id a thread comes in."""

    thread_id: Annotated[ThreadId | None, Field(description="The one in the file without it.")] = None
    on_conflict: Annotated[
        Literal["refuse", "rename"],
        Field(description="When there is a thread of the file's id: refuse, or give the imported one a new id."),
    ] = "refuse"
