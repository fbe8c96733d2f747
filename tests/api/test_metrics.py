"""Metrics over HTTP: the page for Prometheus, and the time series of agents and workflows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as families

from app.domain.errors import Unavailable
from app.domain.metrics import Kind, Resolution, SeriesKey, Tally
from app.domain.times import rfc3339, utc_now
from app.mcp_server.counting import Calls
from tests.api.real import Real, open_real

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    import httpx

    from tests.api.service import Service

DEPLOY = Path(__file__).parents[2] / "deploy"
SECRET = "sk-canary-4711"
POST: dict[str, Any] = {
    "name": "post",
    "steps": [{"id": "count", "agent": "spender", "input": 7}, {"id": "draft", "agent": "writer"}],
}


@pytest.fixture
async def real() -> AsyncGenerator[Real]:
    async with open_real() as real:
        yield real


async def page(http: httpx.AsyncClient) -> dict[str, list[Any]]:
    """The samples of a scrape by name."""
    answer = await http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found: dict[str, list[Any]] = {}
    for family in families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def value(found: dict[str, list[Any]], name: str, **labels: str) -> float:
    return sum(each.value for each in found[f"backstitch_{name}"] if labels.items() <= each.labels.items())


# ---- for Prometheus


async def test_a_scrape_counts_what_a_run_did(real: Real) -> None:
    await real.run(POST)
    await real.run({"name": "sad", "steps": [{"id": "a", "agent": "failing"}]})
    found = await page(real.http)
    assert value(found, "executions_ended_total", workflow="post", status="completed") == 1
    assert value(found, "executions_ended_total", workflow="sad", status="failed") == 1
    assert value(found, "step_attempts_total", workflow="post", kind="agent", agent="spender", outcome="completed") == 1
    assert value(found, "step_duration_seconds_count", workflow="post") == 2
    assert value(found, "step_duration_seconds_bucket", workflow="post", agent="writer", le="+Inf") == 1
    assert value(found, "cost_usd_total", agent="spender") == 1
    assert value(found, "tokens_total", direction="input") == 100
    assert value(found, "threads", status="completed") == 1
    assert value(found, "threads", status="failed") == 1
    assert value(found, "queue_depth", queue="default") == 0
    assert value(found, "worker_free_slots") == 1000
    assert found["process_resident_memory_bytes"][0].value > 1e6


async def test_a_scrape_may_be_in_open_metrics_too(real: Real) -> None:
    await real.run(POST)
    answer = await real.http.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert "backstitch_executions_ended" in {family.name for family in open_metrics(answer.text)}


async def test_no_id_and_no_value_of_a_thread_is_a_label(real: Real) -> None:
    started = await real.run({**POST, "input": {}}, {"key": SECRET})
    failed = await real.run({"name": "sad", "steps": [{"id": "a", "agent": "spender", "input": SECRET}]}, SECRET)
    text = (await real.http.get("/metrics")).text
    for told in (SECRET, *(run[part] for run in (started, failed) for part in ("thread_id", "execution_id"))):
        assert told not in text
    assert re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", text) is None


async def test_only_one_page_is_there_and_no_route_of_the_document(client: httpx.AsyncClient) -> None:
    document = (await client.get("/api/openapi.json")).json()
    assert [path for path in document["paths"] if "metrics" in path] == [
        "/api/metrics/agents",
        "/api/metrics/workflows",
        "/api/metrics/timeseries",
    ]
    assert (await client.get("/api/metrics")).status_code == 404
    assert (await client.post("/metrics")).status_code == 405


def metrics_in(text: str) -> set[str]:
    return set(re.findall(r"\b(?:backstitch|process)_[a-z_]+\b", text))


def expressions() -> Iterable[str]:
    """What the dashboard and the alerts ask Prometheus."""
    board = json.loads((DEPLOY / "grafana/backstitch.json").read_text(encoding="utf-8"))
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (one["definition"] for one in board["templating"]["list"] if "definition" in one)
    rules = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text(encoding="utf-8"))
    yield from (rule["expr"] for group in rules["groups"] for rule in group["rules"])


async def everything(real: Real) -> dict[str, list[Any]]:
    """A scrape of a service of which each part has something to tell."""
    await real.run(POST)
    await real.post("/api/breakers/writer/open", {}, expect=200)
    return await page(real.http)


async def test_all_that_the_dashboard_and_the_alerts_ask_for_is_there(real: Real) -> None:
    found = await everything(real)
    asked = set[str]().union(*map(metrics_in, expressions()))
    assert len(asked) > 20
    # What has never happened has no sample yet: these are named in the page's text all the same.
    named = metrics_in((await real.http.get("/metrics")).text)
    assert asked - found.keys() - named == set()


async def test_the_labels_that_the_dashboard_and_the_alerts_ask_for_are_there(real: Real) -> None:
    found = await everything(real)
    labels = {name: set(samples[0].labels) | {"job", "instance"} for name, samples in found.items()}
    for expression in expressions():
        for name, selector in re.findall(r"\b(backstitch_[a-z_]+)\{([^}]*)\}", expression):
            if name in labels:
                assert set(re.findall(r"(\w+)[=!]~?\"", selector)) <= labels[name], expression


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
def test_the_alerts_on_processes_that_start_again_hold() -> None:
    subprocess.run(["promtool", "test", "rules", "alerts_test.yaml"], cwd=DEPLOY / "prometheus", check=True)


async def test_the_page_on_metrics_names_all_of_them_and_no_other(real: Real) -> None:
    told = (DEPLOY.parent / "docs/metrics.md").read_text(encoding="utf-8")
    text = (await real.http.get("/metrics")).text
    named = set(re.findall(r"^# TYPE (backstitch_\w+) ", text, re.MULTILINE))
    named |= {figure.name for figure in Calls().figures()}  # of /mcp, which is not mounted here
    assert named == set(re.findall(r"^\| `(backstitch_\w+)`", told, re.MULTILINE))
    rules = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text(encoding="utf-8"))
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        assert f"### {rule['alert']}\n" in told
        assert rule["annotations"]["runbook"] == f"docs/metrics.md#{rule['alert'].lower()}"


# ---- time series


def tally(count: int, *, errors: int = 0, seconds: float = 0.1) -> Tally:
    found = Tally(count=count, errors=errors, cost_usd=0.5)
    for _ in range(count):
        found.time(seconds)
    return found


async def write(service: Service, kind: Kind, name: str, ago: int, told: Tally) -> None:
    minute = Resolution.MINUTE.floor(utc_now()) - timedelta(minutes=ago)
    await service.series.store.write("01993c5e-7c1f-7d3a-9a55-0d5c00000001", {SeriesKey(kind, name, minute): told})


async def test_a_run_is_in_the_sums_at_once(real: Real) -> None:
    await real.run(POST)
    agents = (await real.get("/api/metrics/agents"))["agents"]
    assert {one["name"]: (one["count"], one["cost_usd"]) for one in agents} == {"spender": (1, 1.0), "writer": (1, 0.0)}
    for window in ("5m", "24h", "40d", "400d"):
        [one] = (await real.get("/api/metrics/workflows", window=window))["workflows"]
        assert (one["name"], one["count"], one["errors"], one["input_tokens"]) == ("post", 1, 0, 100)
        assert one["duration_ms"]["p50"] is not None


async def test_sums_tell_rates_and_percentiles_page_by_page(client: httpx.AsyncClient, service: Service) -> None:
    for name, errors in (("b", 1), ("a", 4), ("c", 0)):
        await write(service, Kind.WORKFLOW, name, 5, tally(4, errors=errors, seconds=2.0))
    first = (await client.get("/api/metrics/workflows", params={"limit": 2})).json()
    rest = (await client.get("/api/metrics/workflows", params={"cursor": first["next_cursor"]})).json()
    assert [one["name"] for one in first["workflows"] + rest["workflows"]] == ["a", "b", "c"]
    assert [one["error_rate"] for one in first["workflows"]] == [1.0, 0.25]
    assert rest["next_cursor"] is None
    times = rest["workflows"][0]["duration_ms"]
    assert times["mean"] == 2000
    assert times["p50"] == times["p99"] == pytest.approx(2000, rel=0.1)


async def test_a_series_has_no_gaps(client: httpx.AsyncClient, service: Service) -> None:
    for ago in (1, 3):
        await write(service, Kind.AGENT, "analyst", ago, tally(2, errors=1))
    since = rfc3339(Resolution.MINUTE.floor(utc_now()) - timedelta(minutes=4))
    where = {"kind": "agent", "name": "analyst", "since": since}
    for metric, nothing, something in (
        ("count", 0, 2),
        ("errors", 0, 1),
        ("error_rate", None, 0.5),
        ("mean_ms", None, 100),
    ):
        found = (await client.get("/api/metrics/timeseries", params={**where, "metric": metric})).json()
        values = [point["value"] for point in found["points"]]
        assert values[:4] == [nothing, something, nothing, something]
        assert (found["resolution"], found["points"][0]["at"]) == ("minute", since)


@pytest.mark.parametrize(
    ("hours", "resolution"), [(1, "minute"), (8, "minute"), (9, "hour"), (480, "hour"), (600, "day"), (9000, "day")]
)
async def test_a_resolution_is_chosen_by_the_time(client: httpx.AsyncClient, hours: int, resolution: str) -> None:
    since = rfc3339(utc_now() - timedelta(hours=hours) + timedelta(seconds=5))
    found = (await client.get("/api/metrics/timeseries", params={"kind": "workflow", "since": since})).json()
    assert found["resolution"] == resolution
    assert 0 < len(found["points"]) <= 501


async def test_what_is_not_kept_so_finely_any_more_is_left_out(client: httpx.AsyncClient) -> None:
    now = utc_now()
    since, until = rfc3339(now - timedelta(days=80)), rfc3339(now - timedelta(days=59))
    where = {"kind": "workflow", "resolution": "hour", "since": since, "until": until}
    found = (await client.get("/api/metrics/timeseries", params=where)).json()
    assert [len(found["points"]), found["since"] > since] == [24, True]
    gone = {**where, "until": rfc3339(now - timedelta(days=70, minutes=1))}
    assert (await client.get("/api/metrics/timeseries", params=gone)).json()["points"] == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("timeseries?kind=thread", "invalid_request"),
        ("timeseries?kind=agent&metric=p98_ms", "invalid_request"),
        ("timeseries?kind=agent&colour=red", "invalid_request"),
        ("timeseries?kind=agent&name=%00", "invalid_request"),
        ("timeseries?kind=agent&resolution=minute&since=2026-01-01T00:00:00Z", "too_many_points"),
        ("timeseries?kind=agent&resolution=day&since=0001-01-01T00:00:00Z", "too_many_points"),
        ("timeseries?kind=agent&until=0001-01-01T00:00:00Z", "invalid_request"),
        ("timeseries?kind=agent&since=2030-01-02T00:00:00Z&until=2030-01-01T00:00:00Z", "invalid_request"),
        ("agents?window=1h&since=2026-01-01T00:00:00Z", "invalid_request"),
        ("agents?cursor=nonsense", "invalid_request"),
        ("workflows?window=0", "invalid_request"),
    ],
)
async def test_what_does_not_hold_is_refused(client: httpx.AsyncClient, path: str, code: str) -> None:
    answer = await client.get(f"/api/metrics/{path}")
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_the_edges_of_time_break_nothing(client: httpx.AsyncClient) -> None:
    for path in ("agents?window=10d&until=0001-01-01T00:00:01Z", "agents?since=0001-01-01T00:00:00Z"):
        assert (await client.get(f"/api/metrics/{path}")).status_code == 200
    where = {"kind": "agent", "since": "9999-12-30T00:00:00Z", "until": "9999-12-31T23:59:59Z"}
    assert (await client.get("/api/metrics/timeseries", params=where)).status_code == 200


async def test_without_the_store_it_is_said(
    client: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("away", retry_after=2)

    monkeypatch.setattr(service.series.store, "sums", away)
    answer = await client.get("/api/metrics/agents")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
