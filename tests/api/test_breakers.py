"""The routes of the circuit breakers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.breakers import BreakerPolicy, trip
from app.domain.errors import Unavailable

if TYPE_CHECKING:
    import httpx

    from tests.api.service import Service

CLOSED = {"state": "closed", "forced": False, "reason": None, "opened_at": None, "probe_at": None, "trips": 0}


async def test_every_agent_is_listed_with_its_breaker(client: httpx.AsyncClient, service: Service) -> None:
    await service.breakers._store.change("marketer", trip(BreakerPolicy(), "5 failures in a row"))
    await service.breakers._store.change("elsewhere", trip(BreakerPolicy(), "5 failures in a row"))
    found = (await client.get("/api/breakers")).json()
    assert found["next_cursor"] is None
    assert [(one["agent"], one["state"], one["trips"]) for one in found["breakers"]] == [
        ("analyst", "closed", 0),
        ("elsewhere", "open", 1),
        ("marketer", "open", 1),
        ("publish", "closed", 0),
    ]


async def test_the_list_of_breakers_has_pages(client: httpx.AsyncClient) -> None:
    first = (await client.get("/api/breakers?limit=2")).json()
    second = (await client.get(f"/api/breakers?limit=2&cursor={first['next_cursor']}")).json()
    names = [[one["agent"] for one in page["breakers"]] for page in (first, second)]
    assert names == [["analyst", "marketer"], ["publish"]]
    assert second["next_cursor"] is None


async def test_a_breaker_that_never_opened_is_closed(client: httpx.AsyncClient) -> None:
    found = await client.get("/api/breakers/analyst")
    assert (found.status_code, found.json()) == (200, {"agent": "analyst", "changed_at": None, **CLOSED})


async def test_a_breaker_is_opened_by_hand_until_it_is_closed_by_hand(client: httpx.AsyncClient) -> None:
    opened = await client.post("/api/breakers/analyst/open", json={"reason": "maintenance"})
    assert opened.status_code == 200
    found = opened.json()
    assert (found["state"], found["forced"], found["reason"], found["probe_at"]) == ("open", True, "maintenance", None)
    assert (await client.get("/api/breakers/analyst")).json() == found
    closed = (await client.post("/api/breakers/analyst/close")).json()
    assert {name: closed[name] for name in CLOSED} == CLOSED


async def test_a_breaker_is_opened_by_hand_for_a_while(client: httpx.AsyncClient) -> None:
    found = (await client.post("/api/breakers/analyst/open", json={"for": "10m"})).json()
    times = [datetime.fromisoformat(found[name]) for name in ("opened_at", "probe_at")]
    assert (times[1] - times[0]).total_seconds() == 600


async def test_opening_and_closing_need_no_body(client: httpx.AsyncClient) -> None:
    for action, state in (("open", "open"), ("close", "closed"), ("close", "closed")):
        answer = await client.post(f"/api/breakers/analyst/{action}")
        assert (answer.status_code, answer.json()["state"]) == (200, state)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"for": "long"}, "/for"), ({"reason": "\x00"}, "/reason"), ({"forced": True}, "/forced"), ({"for": -1}, "/for")],
)
async def test_a_body_that_does_not_hold_changes_nothing(
    client: httpx.AsyncClient, service: Service, body: dict[str, Any], pointer: str
) -> None:
    answer = await client.post("/api/breakers/analyst/open", json=body)
    assert (answer.status_code, answer.json()["problems"][0]["pointer"]) == (422, pointer)
    assert service.breakers.listed() == []


@pytest.mark.parametrize("agent", ["analist", "a%00b", "%F0%9F%92%A3"])
async def test_an_unknown_agent_has_no_breaker(client: httpx.AsyncClient, agent: str) -> None:
    for answer in (
        await client.get(f"/api/breakers/{agent}"),
        await client.post(f"/api/breakers/{agent}/open"),
        await client.post(f"/api/breakers/{agent}/close"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "agent_not_found")


async def test_without_the_store_breakers_are_told_and_not_changed(client: httpx.AsyncClient, service: Service) -> None:
    await client.post("/api/breakers/analyst/open")

    async def away(*_: Any) -> Any:
        raise Unavailable("the database cannot be reached")

    store = service.breakers._store.unhurried
    store.change = store.load = away  # type: ignore[method-assign]
    refused = await client.post("/api/breakers/analyst/close")
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert (await client.get("/api/breakers/analyst")).json()["state"] == "open"
