"""What a client may say of waits and signals."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.api.parsing import Query
from app.api.requests import Page, ShortText


class SignalQuery(Query):
    """Who sends a signal."""

    by: Annotated[ShortText | None, Field(description="Kept with it.")] = None


class SignalsQuery(Page):
    """Which signals of a thread."""

    name: ShortText | None = None
    pending: Annotated[bool | None, Field(description="true: those that no step has taken; false: the others.")] = None


class WaitsQuery(Page):
    """Which waits."""

    thread_id: ShortText | None = None
    step_id: ShortText | None = None
    topic: Annotated[ShortText | None, Field(description="For exactly this topic, or pattern.")] = None
    signal: ShortText | None = None
    open: Annotated[bool | None, Field(description="true: those that still wait; false: the others.")] = None
