"""GET /api/events, /api/logs and the timeline: filters, cursors, and what is refused."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from app.api import cursors
from app.domain.ids import uuid7
from app.domain.known_secrets import KNOWN
from app.domain.tools import ServerReport, Tool
from tests.api.real import open_real

if TYPE_CHECKING:
    import httpx

    from tests.api.service import Service


async def get(client: httpx.AsyncClient, path: str, **params: Any) -> dict[str, Any]:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def told(answer: dict[str, Any]) -> list[tuple[str, int]]:
    return [(one["thread_id"], one["seq"]) for one in answer["events"]]


async def two_threads(service: Service) -> None:
    for name in ("one", "two"):
        driver = await service.drive(thread_id=name)
        await service.move(driver, driver.end_step("analyst", {"a": 1}))
        await service.move(driver, driver.complete({"done": name}))


async def test_events_come_in_pages_and_are_followed_from_their_end(
    client: httpx.AsyncClient, service: Service
) -> None:
    await two_threads(service)
    first = await get(client, "/api/events", limit=4)
    rest = await get(client, "/api/events", limit=4, cursor=first["next_cursor"])
    assert told(first) + told(rest) == [(name, seq) for name in ("one", "two") for seq in (1, 2, 3)]
    assert (rest["next_cursor"], rest["events"][-1]["workflow"]) == (None, "sewing")
    assert rest["events"][-1]["data"]["result"] == {"done": "two"}
    driver = await service.drive(thread_id="three")
    assert told(await get(client, "/api/events", cursor=rest["cursor"])) == [("three", 1)]
    assert driver.thread.last_seq == 1


async def test_events_are_filtered(client: httpx.AsyncClient, service: Service) -> None:
    await two_threads(service)
    ends = [("one", 3), ("two", 3)]
    assert told(await get(client, "/api/events", event="workflow_complete,workflow_failed")) == ends
    assert told(await get(client, "/api/events", type="complete")) == ends
    assert told(await get(client, "/api/events", type="complete", event="step_complete")) == []
    assert len(told(await get(client, "/api/events", type="status"))) == 4
    assert told(await get(client, "/api/events", stepId="analyst", order="desc")) == [("two", 2), ("one", 2)]
    assert told(await get(client, "/api/events", thread_id="two", order="desc", limit=1)) == [("two", 3)]
    assert len(told(await get(client, "/api/events", status="completed", workflow="sewing"))) == 6
    assert told(await get(client, "/api/events", since="2100-01-01T00:00:00Z")) == []


async def test_a_cursor_of_one_list_is_none_of_another(client: httpx.AsyncClient, service: Service) -> None:
    await two_threads(service)
    of_all = (await get(client, "/api/events", limit=1))["next_cursor"]
    of_one = (await get(client, "/api/events", thread_id="one", limit=1))["next_cursor"]
    assert told(await get(client, "/api/events", thread_id="one", cursor=of_one)) == [("one", 2), ("one", 3)]
    for params in ({"cursor": of_one}, {"thread_id": "one", "cursor": of_all}, {"thread_id": "two", "cursor": of_one}):
        answer = await client.get("/api/events", params=params)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    "query",
    [
        "order=up",
        "limit=0",
        "limit=1001",
        "event=A",
        "event=",
        "type=odd",
        "cursor=x",
        "surprise=1",
        "since=5",
        "status=x",
    ],
)
async def test_what_does_not_hold_is_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/api/events?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("query", ["level=loud", "cursor=x", "text=", "surprise=1", "thread_id=a/b"])
async def test_what_does_not_hold_of_logs_is_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/api/logs?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-22T09:30:00"])
async def test_a_cursor_beyond_all_time_is_refused(client: httpx.AsyncClient, at: str) -> None:
    answer = await client.get("/api/logs", params={"cursor": cursors.encode(at, uuid7())})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("query", ["items=101", "cursor=x", "cursor=WyJhIl0", "surprise=1"])
async def test_what_does_not_hold_of_a_timeline_is_refused(
    client: httpx.AsyncClient, service: Service, query: str
) -> None:
    await two_threads(service)
    assert (await client.get(f"/api/invoke/timeline/one?{query}")).status_code == 422
    assert (await client.get("/api/invoke/timeline/nobody")).json()["code"] == "thread_not_found"


async def test_a_timeline_is_answered_in_pages_with_and_without_the_prefix(
    client: httpx.AsyncClient, service: Service
) -> None:
    driver = await service.drive(thread_id="one")
    for name in ("analyst", "marketer"):
        await service.move(driver, driver.end_step(name, 1))
    first = await get(client, "/api/invoke/timeline/one", limit=1)
    rest = await get(client, "/invoke/timeline/one", limit=1, cursor=first["next_cursor"])
    assert [one["step_id"] for one in first["steps"] + rest["steps"]] == ["analyst", "marketer"]
    assert rest["next_cursor"] is None
    assert rest["steps"][0]["spans"] == [
        {**rest["steps"][0]["spans"][0], "state": "running", "attempt": 1, "outcome": "completed"}
    ]


async def test_logs_of_a_step_are_found_by_its_thread_at_once() -> None:
    async with open_real() as real:
        thread_id = (await real.run({"name": "talk", "steps": [{"id": "a", "agent": "talker", "input": "hello"}]}))[
            "thread_id"
        ]
        [entry] = (await real.get("/api/logs", thread_id=thread_id, logger="agents.talker"))["logs"]
        assert (entry["message"], entry["level"], entry["step_id"], entry["agent"]) == (
            "said hello",
            "info",
            "a",
            "talker",
        )
        assert (entry["workflow"], entry["attempt"], entry["context"]) == ("talk", 1, {"words": 1})
        page = await real.get("/api/logs", limit=1)
        assert page["next_cursor"] is not None
        assert (await real.get("/api/logs", limit=1, cursor=page["next_cursor"]))["logs"] != page["logs"]
        assert (await real.get("/api/logs", level="error"))["logs"] == []
    assert logging.getLogger().handlers == [
        one for one in logging.getLogger().handlers if "telemetry" not in type(one).__module__
    ]


async def test_a_problem_never_tells_a_secret(client: httpx.AsyncClient) -> None:
    KNOWN.learn("sk-canary-0123456789")
    answer = await client.get("/api/invoke/status/sk-canary-0123456789")
    assert answer.status_code == 404
    assert "canary" not in answer.json()["detail"] + answer.json()["instance"]


async def test_what_tools_say_of_themselves_tells_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "sk-canary-0123456789"
    KNOWN.learn(secret)
    tool = Tool(name="t", description=f"calls with {secret}", input_schema={"type": "object", "title": secret})
    report = ServerReport(name="s", kind="stdio", status="connected", error=None, tools=[tool])
    async with open_real() as real:
        monkeypatch.setattr(type(real.services.mcp), "reports", lambda _: [report])
        [server] = (await real.get("/api/mcp/servers"))["servers"]
    [told] = server["tools"]
    assert (told["description"], told["input_schema"]) == ("calls with ***", {"type": "object", "title": "***"})
