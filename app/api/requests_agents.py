"""The request models of the agents."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from app.api.parsing import Body, Query
from app.api.requests import Duration, Page, ShortText

_LONGEST_WINDOW: Final = 86_400.0
_WINDOW: Final = 900.0


class DisableAgentRequest(Body):
    """Why."""

    reason: ShortText | None = None


class EnableAgentRequest(Body):
    """Nothing to say so far."""


class AgentsQuery(Page):
    """Which agents."""

    kind: ShortText | None = None
    tag: ShortText | None = None
    enabled: bool | None = None


class AgentHealthQuery(Query):
    """Over which time, up to now."""

    window: Annotated[Duration, Field(ge=1, le=_LONGEST_WINDOW)] = _WINDOW
