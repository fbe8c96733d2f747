"""What a client may ask of the events of one thread, beside its stream."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from app.api.parsing import Body, Query
from app.api.requests import MAX_SEQ, Duration, ShortText

LONGEST_WAIT: Final = 30.0
LONGEST_TOKEN: Final = 86_400.0


class PollQuery(Query):
    """Which events of a thread, and how long to wait for one."""

    after: Annotated[int, Field(ge=0, le=MAX_SEQ, description="Only events with a greater `seq`.")] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    max_bytes: Annotated[int, Field(ge=1024, le=16_000_000, description="Of all but the first together.")] = 1_000_000
    wait: Annotated[Duration, Field(le=LONGEST_WAIT, description="How long, while there is none.")] = 0.0


class TokenRequest(Body):
    """How long the token is to hold."""

    ttl: Annotated[Duration | None, Field(ge=1, le=LONGEST_TOKEN, description="15 minutes without it.")] = None


class MonitorQuery(Query):
    """Which threads that have not ended."""

    workflow: Annotated[ShortText | None, Field(description="Of the workflow of that name.")] = None
    stuck_after: Annotated[Duration, Field(description="How long without progress counts as stuck.")] = 60.0
    limit: Annotated[int, Field(ge=1, le=200)] = 50
