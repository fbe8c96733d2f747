"""The answers about metrics, as OpenAPI documents them."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from app.domain.metrics import Kind, Resolution


class MetricTimes(BaseModel):
    """Milliseconds; percentiles at most 10 % off, from histograms that were added up. null: nothing was timed."""

    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class MetricSums(BaseModel):
    """What an agent's attempts, or a workflow's executions, come to."""

    name: str
    count: int
    errors: int
    error_rate: float | None
    retries: int
    duration_ms: MetricTimes
    cost_usd: float
    input_tokens: int
    output_tokens: int


class AgentMetricsAnswer(BaseModel):
    """The agents that were tried, by name."""

    since: datetime
    until: datetime
    resolution: Resolution
    agents: list[MetricSums]
    next_cursor: str | None


class WorkflowMetricsAnswer(BaseModel):
    """The workflows of which an execution ended or an attempt cost something, by name."""

    since: datetime
    until: datetime
    resolution: Resolution
    workflows: list[MetricSums]
    next_cursor: str | None


class MetricPoint(BaseModel):
    """The value from `at` on, for as long as the resolution says."""

    at: datetime
    value: float | None


class TimeseriesAnswer(BaseModel):
    """One metric over time, without gaps."""

    kind: Kind
    name: str | None
    metric: str
    since: datetime
    until: datetime
    resolution: Resolution
    points: list[MetricPoint]
