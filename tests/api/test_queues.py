"""The routes of the queues, and a start that a full one turns away."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.errors import QueueFull
from app.domain.times import utc_now

if TYPE_CHECKING:
    import httpx

    from tests.api.service import Service

USUAL = {"limit": 5, "limit_scope": "all", "max_depth": 100_000, "rate_limit": None}
NOBODY = {"running": 0, "depth": 0, "delayed": 0, "oldest_wait_ms": None}


async def test_the_default_queue_is_always_there_with_the_slots_of_a_process(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/queue")
    default = {**USUAL, **NOBODY, "name": "default", "limit": 1000, "limit_scope": "process"}
    assert answer.json() == {**NOBODY, "queues": [default]}
    assert (await client.get("/api/queue/default")).json() == default


async def test_the_queues_tell_who_waits_and_who_runs(client: httpx.AsyncClient, service: Service) -> None:
    now = utc_now()
    await service.drive(queue="mail", incarnation_id="somebody")
    await service.drive(queue="mail", wake_at=now - timedelta(seconds=60))
    await service.drive(queue="mail", wake_at=now + timedelta(seconds=60))
    await service.drive(wake_at=now - timedelta(seconds=90))
    found = (await client.get("/api/queue")).json()
    assert (found["depth"], found["delayed"], found["running"]) == (2, 1, 1)
    assert found["oldest_wait_ms"] >= 90_000
    mail = found["queues"][1]
    assert (mail["name"], mail["depth"], mail["delayed"], mail["running"]) == ("mail", 1, 1, 1)
    assert 60_000 <= mail["oldest_wait_ms"] < 90_000


async def test_what_a_queue_is_told_is_kept_and_taken_back(client: httpx.AsyncClient, service: Service) -> None:
    body = {"limit": 3, "maxDepth": 100, "rate_limit": {"count": 10, "per": "1m"}}
    answer = await client.put("/api/queue/mail", json=body)
    told = {"limit": 3, "max_depth": 100, "rate_limit": {"count": 10, "per_ms": 60_000}}
    assert (answer.status_code, answer.json()) == (200, {"name": "mail", "limit_scope": "all", **NOBODY, **told})
    assert service.hints == 1
    assert (await client.get("/api/queue/mail")).json() == answer.json()
    usual = await client.put("/api/queue/mail", json={"limit": None})
    assert usual.json() == {"name": "mail", **USUAL, **NOBODY}


async def test_a_limit_on_the_default_queue_holds_over_all_processes(client: httpx.AsyncClient) -> None:
    found = (await client.put("/api/queue/default", json={"limit": 0})).json()
    assert (found["limit"], found["limit_scope"]) == (0, "all")


@pytest.mark.parametrize("name", ["nobody", "a b", "%00", "-x"])
async def test_a_queue_that_nobody_made_is_not_found(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/api/queue/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "queue_not_found")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"limit": -1}, "/limit"),
        ({"limit": 1.5}, "/limit"),
        ({"max_depth": 2**31}, "/max_depth"),
        ({"rate_limit": {"count": 0, "per": 1}}, "/rate_limit/count"),
        ({"rate_limit": {"count": 1, "per": 0}}, "/rate_limit/per"),
        ({"rate_limit": {"count": 1}}, "/rate_limit/per"),
        ({"name": "other"}, "/name"),
    ],
)
async def test_odd_settings_are_refused(client: httpx.AsyncClient, body: dict[str, Any], pointer: str) -> None:
    answer = await client.put("/api/queue/mail", json=body)
    assert (answer.status_code, answer.json()["problems"][0]["pointer"]) == (422, pointer)


async def test_a_queue_cannot_have_an_odd_name(client: httpx.AsyncClient) -> None:
    answer = await client.put("/api/queue/a%20b", json={})
    assert (answer.status_code, answer.json()["problems"][0]["pointer"]) == (422, "/path/name")


async def test_a_start_in_a_full_queue_is_429_and_tells_when_to_ask_again(
    client: httpx.AsyncClient, service: Service
) -> None:
    service.control.failure = QueueFull("the queue mail is full: 3 may wait", retry_after=1.5)
    answer = await client.post(
        "/api/invoke/async", json={"workflow": "sewing", "queue": "mail", "priority": 3, "delay": "5m"}
    )
    assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (429, "queue_full", "2")
    [command] = service.control.asked
    assert (command.queue, command.priority, command.delay) == ("mail", 3, 300.0)
