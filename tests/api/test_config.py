"""The settings over HTTP: shown without secrets, changed all or none, taken back, and told of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from app.bootstrap import open_services
from app.settings import load_settings
from tests.api.shared import app_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.api.service import Service


GIVEN: dict[str, Any] = {
    "checkpointer": "memory",
    "database_password": "hunter2",
    "otel_exporter_otlp_endpoint": "https://me:hunter2@collector",
    "otel_exporter_otlp_traces_endpoint": "https://me:hunter2@collector/v1/traces",
    "otel_traces_exporter": "none",
}


@pytest.fixture
async def engine() -> AsyncGenerator[Any]:
    async with open_services(load_settings(**GIVEN)) as services:
        yield services


@pytest.fixture
async def http(engine: Any) -> AsyncGenerator[httpx.AsyncClient]:
    app = app_of(engine)
    async with app.router.lifespan_context(app) as state:

        async def call(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": dict(state or {})}, receive, send)

        transport = httpx.ASGITransport(call)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            yield client


async def settings(http: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    found = (await http.get("/api/config")).json()["settings"]
    return {one["name"]: one for one in found}


async def test_all_settings_are_shown_and_no_secret_is(http: httpx.AsyncClient) -> None:
    found = await settings(http)
    assert found["database_password"] == {
        "name": "database_password",
        "value": "***",
        "source": "command_line",
        "reloadable": False,
    }
    assert found["log_level"] == {"name": "log_level", "value": "info", "source": "default", "reloadable": True}
    assert "hunter2" not in (await http.get("/api/config")).text


async def test_what_is_set_takes_effect_at_once_and_is_told_of(
    http: httpx.AsyncClient, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels: list[str] = []
    monkeypatch.setattr("app.bootstrap.policies.logs.set_level", levels.append)
    wanted = {
        "log_level": "ERROR",
        "queue_limit": 2,
        "queue_max_depth": 3,
        "max_concurrent_threads": 4,
        "breaker_failures": 5,
        "checkpoint_frequency": "manual",
        "retention_status_days": {"failed": 9},
    }
    changed = (await http.put("/api/config", json=wanted, params={"by": "me"})).json()["changes"]
    assert levels == ["error"]
    assert {one["name"] for one in changed} == wanted.keys()
    assert engine.queues.limit == 2
    assert (engine.queues.max_depth, engine.queues.slots, engine.worker.slots) == (3, 4, 4)
    assert engine.worker._deps.checkpoints().frequency == "manual"
    assert engine.breakers.policy.failures == 5
    assert (await http.get("/api/retention")).json()["policy"]["status_days"] == {"failed": 9}
    told = (await http.get("/api/config/changes", params={"limit": 3})).json()
    assert len(told["changes"]) == 3
    assert told["next_cursor"]
    assert {one["by"] for one in told["changes"]} == {"me"}
    assert (await settings(http))["queue_limit"]["source"] == "api"


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"queue_limit": 9, "log_level": "loud"}, "/log_level"),
        ({"queue_limit": 9, "port": 1}, "/port"),
        ({"queue_limit": 9, "nonsense": 1}, "/nonsense"),
        ({"queue_limit": None}, "/queue_limit"),
        ({"retention_days": True}, "/retention_days"),
        ({"retention_status_days": {"failed": True}}, "/retention_status_days"),
        ({"queue_limit": 9, "queueLimit": 8}, "twice"),
        ({"queue/limit": 9}, "/queue~1limit"),
        ({"queue_limit": 10**12}, "/queue_limit"),
        ({"breaker_open_seconds": "inf"}, "/breaker_open_seconds"),
        ({"checkpoint_frequency": "every_n_steps", "checkpoint_interval": 1.5}, "CHECKPOINT_INTERVAL"),
        ({}, ""),
        ([], ""),
    ],
)
async def test_what_does_not_hold_is_refused_as_a_whole(http: httpx.AsyncClient, wanted: Any, pointer: str) -> None:
    before = await settings(http)
    refused = await http.put("/api/config", json=wanted)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert pointer in refused.json()["detail"]
    assert await settings(http) == before


async def test_what_was_set_is_taken_back(http: httpx.AsyncClient, engine: Any) -> None:
    await http.put("/api/config", json={"QUEUE_LIMIT": 2, "retentionDays": 3})
    taken = await http.delete("/api/config/queue_limit")
    assert [(one["old"], one["new"]) for one in taken.json()["changes"]] == [(2, 5)]
    assert engine.queues.limit == 5
    assert (await http.delete("/api/config/queue_limit")).json()["code"] == "setting_not_found"
    assert (await settings(http))["retention_days"]["value"] == 3


async def test_nothing_takes_the_place_of_a_number_that_there_was(service: Service) -> None:
    await service.config.change({"retention_days": 3}, None)
    await service.config.change({"retention_days": None}, None)
    assert service.config.now.retention_days is None


async def test_without_checkpoints_nothing_is_durable_and_the_service_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CHECKPOINT_ENABLED", "false")
    with caplog.at_level("WARNING"):
        async with open_services(load_settings()) as services:
            health = await services.health()
            assert not services.durable
    assert health["journal"]["durable"] is False
    assert health["database"]["kind"] == "memory"
    assert "nothing outlives this process" in caplog.text
