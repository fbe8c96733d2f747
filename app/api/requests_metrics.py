"""The query parameters of the metrics."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from app.api.parsing import Query
from app.api.requests import Duration, Page, ShortText, Time
from app.domain.metric_spans import WINDOW
from app.domain.metrics import Kind, Resolution

_LONGEST: Final = 3_660 * 86_400.0
_KINDS: Final = "`agent`: attempts of agents; `workflow`: executions that have ended."
Metric = Literal[
    "count",
    "errors",
    "retries",
    "cost_usd",
    "input_tokens",
    "output_tokens",
    "error_rate",
    "mean_ms",
    "p50_ms",
    "p95_ms",
    "p99_ms",
]


class MetricsQuery(Page):
    """Over which time: the last hour without any of these."""

    window: Annotated[Duration | None, Field(ge=1, le=_LONGEST, description="So long before `until`.")] = None
    since: Time | None = None
    until: Annotated[Time | None, Field(description="Now without it.")] = None

    @model_validator(mode="after")
    def _one_beginning(self) -> Self:
        if self.window is not None and self.since is not None:
            raise ValueError("window and since both say when it begins: leave one of them out")
        return self

    @property
    def length(self) -> timedelta:
        """The window."""
        return WINDOW if self.window is None else timedelta(seconds=self.window)


class TimeseriesQuery(Query):
    """Which series."""

    kind: Annotated[Kind, Field(description=_KINDS)]
    name: Annotated[ShortText | None, Field(description="The agent or workflow; all of them together without it.")] = (
        None
    )
    metric: Metric = "count"
    resolution: Annotated[Resolution | None, Field(description="Chosen by the time without it.")] = None
    since: Time | None = None
    until: Annotated[Time | None, Field(description="Now without it.")] = None
