"""The routes of schedules: what is asked, what is answered, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.real import open_real

if TYPE_CHECKING:
    import httpx

    from tests.api.service import Service

TICK: dict[str, Any] = {"name": "tick", "every": "1h", "workflow": "sewing"}
SPAN = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T02:00:00Z"}


PAGE = Path(__file__).parents[2] / "docs/schedules.md"
SHOWN = re.compile(r"curl -s (?:-XPOST )?\$U(/api/schedules\S*)(?: -X(PATCH))? -d '([^']+)'")


async def make(client: httpx.AsyncClient, **parts: Any) -> dict[str, Any]:
    answer = await client.post("/api/schedules", json={**TICK, **parts})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_schedule_is_made_found_and_listed(client: httpx.AsyncClient, service: Service) -> None:
    made = await client.post("/api/schedules", json={**TICK, "catchupWindow": "6h", "overlap": "buffer_one"})
    assert (made.status_code, made.headers["location"]) == (201, "/api/schedules/tick")
    told = made.json()
    assert (told["every_ms"], told["catchup_window_ms"], told["overlap"]) == (3_600_000, 21_600_000, "buffer_one")
    assert (told["state"], told["timezone"], told["last_firing"]) == ("active", "UTC", None)
    assert service.hints == 1
    assert (await client.get("/api/schedules/tick")).json() == told
    assert (await client.get("/api/schedules?workflow=sewing&paused=false")).json()["schedules"] == [told]
    assert (await client.get("/api/schedules?paused=true")).json() == {"schedules": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("parts", "pointer"),
    [
        ({"every": None}, "/cron"),
        ({"every": None, "cron": "0 25 * * *"}, "/cron"),
        ({"every": None, "cron": "@daily", "timezone": "Mars/Phobos"}, "/timezone"),
        ({"workflow": "nobody"}, "/workflow"),
        ({"workflow": {"steps": []}}, "/workflow"),
        ({"every": "0.1s"}, "/every"),
        ({"input": "{input.x}"}, "/input"),
        ({"start_at": "tomorrow"}, "/start_at"),
        ({"overlap": "perhaps"}, "/overlap"),
        ({"catchup_window": 0}, "/catchup_window"),
        ({"max_firings": 0}, "/max_firings"),
        ({"priority": True}, "/priority"),
        ({"queue": "a b"}, "/queue"),
        ({"name": "a/b"}, "/name"),
        ({"description": "\0"}, "/description"),
        ({"nothing": 1}, "/nothing"),
    ],
)
async def test_what_does_not_hold_is_told_with_its_place(
    client: httpx.AsyncClient, parts: dict[str, Any], pointer: str
) -> None:
    answer = await client.post("/api/schedules", json={**TICK, **parts})
    assert answer.status_code == 422
    assert pointer in [one["pointer"] for one in answer.json()["problems"]]


async def test_schedules_come_in_pages(client: httpx.AsyncClient) -> None:
    for name in ("c", "a", "b"):
        await make(client, name=name)
    first = (await client.get("/api/schedules?limit=2")).json()
    second = (await client.get(f"/api/schedules?limit=2&cursor={first['next_cursor']}")).json()
    assert [one["name"] for one in (*first["schedules"], *second["schedules"])] == ["a", "b", "c"]
    assert second["next_cursor"] is None


async def test_a_null_goes_back_to_the_usual(client: httpx.AsyncClient) -> None:
    await make(client, overlap="allow", jitter="5s", input=None)
    changed = (await client.patch("/api/schedules/tick", json={"overlap": None, "expectedRevision": 1})).json()
    assert (changed["overlap"], changed["jitter_ms"], changed["revision"]) == ("skip", 5000, 2)
    late = await client.patch("/api/schedules/tick", json={"jitter": None, "expected_revision": 1})
    assert (late.status_code, late.json()["code"]) == (409, "version_conflict")


async def test_a_workflow_cannot_be_taken_away(client: httpx.AsyncClient) -> None:
    await make(client)
    answer = await client.patch("/api/schedules/tick", json={"workflow": None})
    assert (answer.status_code, answer.json()["problems"][0]["pointer"]) == (422, "/workflow")
    assert (await client.patch("/api/schedules/tick", json={})).json()["revision"] == 1


async def test_a_schedule_fires_on_the_real_service(database_url: str) -> None:
    async with open_real(database_url=database_url) as real:
        workflow = {"name": "noted", "steps": [{"id": "a", "agent": "writer", "input": {"at": "{input.at}"}}]}
        await real.post("/api/workflows", workflow, expect=201)
        given = {"workflow": "noted", "input": {"at": "{schedule.fire_time}"}}
        await real.post("/api/schedules", {"name": "tick", "every": "1h", **given}, expect=201)
        asked = await real.post("/api/schedules/tick/backfill", SPAN)
        for one in asked["firings"]:
            while (await real.http.get(f"/api/invoke/status/{one['thread_id']}")).status_code == 404:
                pass
            assert (await real.ended(one["thread_id"]))["status"] == "completed"
        parts = (await real.get("/api/health"))["parts"]["monitor"]
        assert parts["status"] == "ready", parts
        metrics = (await real.http.get("/metrics")).text
    assert 'backstitch_schedule_firings_total{outcome="started"}' in metrics


async def test_run_now_answers_with_the_thread(client: httpx.AsyncClient, service: Service) -> None:
    await make(client, input={"kind": "{schedule.kind}"}, queue="mail")
    answer = await client.post("/api/schedules/tick/run")
    told = answer.json()
    assert (answer.status_code, told["kind"], told["outcome"]) == (202, "manual", "started")
    assert (await client.get(told["links"]["status"])).status_code == 200
    [command] = service.control.asked
    assert (command.thread_id, command.input, command.queue) == (told["thread_id"], {"kind": "manual"}, "mail")
    assert command.triggered_by == "schedule:tick"


async def test_a_backfill_tells_what_is_made_and_what_is_there(client: httpx.AsyncClient) -> None:
    await make(client)
    dry = await client.post("/api/schedules/tick/backfill", json={**SPAN, "dry_run": True})
    assert (dry.status_code, len(dry.json()["firings"])) == (200, 3)
    made = await client.post("/api/schedules/tick/backfill", json=SPAN)
    assert (made.status_code, {one["outcome"] for one in made.json()["firings"]}) == (202, {"buffered"})
    again = (await client.post("/api/schedules/tick/backfill", json=SPAN)).json()
    assert (len(again["firings"]), len(again["there"])) == (0, 3)
    refused = await client.post("/api/schedules/tick/backfill", json={**SPAN, "to": "2025-01-01T00:00:00Z"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_backfill")


async def test_firings_come_in_pages_the_latest_first(client: httpx.AsyncClient) -> None:
    await make(client)
    await client.post("/api/schedules/tick/backfill", json=SPAN)
    first = (await client.get("/api/schedules/tick/firings?limit=2")).json()
    second = (await client.get(f"/api/schedules/tick/firings?cursor={first['next_cursor']}")).json()
    times = [one["fire_time"] for one in (*first["firings"], *second["firings"])]
    assert times == [f"2026-01-01T0{hour}:00:00.000Z" for hour in (2, 1, 0)]
    since = (
        await client.get("/api/schedules/tick/firings?since=2026-01-01T01:00:00Z&until=2026-01-01T02:00:00Z")
    ).json()
    assert [one["fire_time"] for one in since["firings"]] == ["2026-01-01T01:00:00.000Z"]
    assert (await client.get("/api/schedules/tick/firings?cursor=odd")).status_code == 422


async def test_a_preview_tells_the_clock_of_the_zone(client: httpx.AsyncClient) -> None:
    body = {"cron": "30 2 * * *", "timezone": "Europe/Vienna", "after": "2026-03-28T12:00:00Z", "count": 2}
    found = (await client.post("/api/schedules/preview", json=body)).json()
    assert [one["local"] for one in found["times"]] == ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]


@pytest.mark.parametrize("name", ["nobody", "%00", "a%2Fb", "x" * 300])
async def test_a_schedule_that_nobody_made_is_not_found(client: httpx.AsyncClient, name: str) -> None:
    for method, rest in (("GET", ""), ("GET", "/firings"), ("PATCH", ""), ("DELETE", ""), ("POST", "/run")):
        answer = await client.request(method, f"/api/schedules/{name}{rest}", json={} if method == "PATCH" else None)
        assert answer.status_code == 404


async def test_the_requests_shown_on_the_page_are_taken(client: httpx.AsyncClient, service: Service) -> None:
    await service.registry.register(name="content-strategy", document='{"name":"content-strategy"}', hash="2")
    shown = SHOWN.findall(PAGE.read_text(encoding="utf-8"))
    assert len(shown) == 5
    for path, method, text in shown:
        body = {name: value for name, value in json.loads(text).items() if name != "expected_revision"}
        answer = await client.request(method or "POST", path, json=body)
        assert answer.status_code in (200, 201, 202), answer.text
