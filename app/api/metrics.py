"""Metrics: the page for Prometheus, and the time series of agents and workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples_metrics
from app.api.answers import answer
from app.api.openapi import example, problems
from app.api.requests_metrics import MetricsQuery, TimeseriesQuery
from app.api.schemas_metrics import AgentMetricsAnswer, TimeseriesAnswer, WorkflowMetricsAnswer
from app.api.services import services_of, state_of
from app.domain.metric_spans import series, window
from app.domain.metrics import ALL, Kind
from app.domain.times import utc_now
from app.domain.views.metrics import TIMED, points_document, span_document, sums_entry
from app.telemetry.figures import Figure

if TYPE_CHECKING:
    from app.api.services import AppState

router: Final = APIRouter(tags=["metrics"])

_TOO_MANY: Final = "2,880 points: at most 1,000 are told at once; ask for a shorter time or a coarser resolution"


async def scrape(request: Request) -> Response:
    """What Prometheus reads; outside of /api and of the OpenAPI document."""
    state = state_of(request)
    readers = _readers(state)
    body, media_type = await state["services"].metrics.scrape(request.headers.get("accept", ""), [readers])
    return Response(body, headers={"Content-Type": media_type})


def _readers(state: AppState) -> Figure:
    samples = [(("thread",), state["streams"].readers), (("feed",), state["feed"].readers)]
    told = "Open event streams of this process, of threads and of the feed."
    return Figure("backstitch_stream_readers", "gauge", told, samples, ("stream",))


@router.get(
    "/metrics/agents",
    operation_id="agent_metrics",
    response_model=AgentMetricsAnswer,
    responses={**problems(422), 200: example(examples_metrics.AGENTS)},
)
async def agents(request: Request, query: Annotated[MetricsQuery, FromQuery()]) -> Response:
    """What the attempts of each agent came to over a time, in all processes."""
    return await _sums(request, query, Kind.AGENT)


@router.get(
    "/metrics/workflows",
    operation_id="workflow_metrics",
    response_model=WorkflowMetricsAnswer,
    responses={**problems(422), 200: example(examples_metrics.WORKFLOWS)},
)
async def workflows(request: Request, query: Annotated[MetricsQuery, FromQuery()]) -> Response:
    """What the executions of each workflow that ended in a time came to, and what its attempts cost, in all processes."""
    return await _sums(request, query, Kind.WORKFLOW)


@router.get(
    "/metrics/timeseries",
    operation_id="timeseries",
    response_model=TimeseriesAnswer,
    responses={**problems(422, too_many_points=_TOO_MANY), 200: example(examples_metrics.TIMESERIES)},
)
async def timeseries(request: Request, query: Annotated[TimeseriesQuery, FromQuery()]) -> Response:
    """One metric minute by minute, by the hour or by the day; a time without anything is there too, as 0 or null."""
    span = series(query.resolution, query.since, query.until, utc_now())
    store = await services_of(request).metrics.series()
    found = await store.points(query.kind, query.name or ALL, span, timed=query.metric in TIMED)
    told: dict[str, Any] = {"kind": query.kind.value, "name": query.name or None, "metric": query.metric}
    return answer({**told, **span_document(span), "points": points_document(query.metric, span, found)})


async def _sums(request: Request, query: MetricsQuery, kind: Kind) -> Response:
    span = window(query.since, query.until, utc_now(), length=query.length)
    store = await services_of(request).metrics.series()
    found = await store.sums(kind, span, after=cursors.text(query.cursor), limit=query.limit + 1)
    page = found[: query.limit]
    cursor = cursors.encode(page[-1][0]) if len(found) > query.limit else None
    entries = [sums_entry(name, tally) for name, tally in page]
    return answer({**span_document(span), f"{kind.value}s": entries, "next_cursor": cursor})
