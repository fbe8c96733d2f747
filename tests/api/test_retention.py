"""Retention and deleting over HTTP, on a whole engine in memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.ids import uuid7
from app.domain.logs import LogEntry, Place
from app.domain.times import utc_now
from tests.api.real import Real, open_real

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

ONE: dict[str, Any] = {"name": "one", "steps": [{"id": "a", "agent": "writer"}]}
OTHER: dict[str, Any] = {"name": "other", "steps": [{"id": "a", "agent": "writer"}]}
ASKS: dict[str, Any] = {"name": "asks", "steps": [{"id": "ask", "gate": {}}]}


@pytest.fixture
async def real() -> AsyncGenerator[Real]:
    async with open_real() as real:
        yield real


async def finished(real: Real) -> dict[str, Any]:
    """The last run, once it has ended."""
    async with asyncio.timeout(30):
        while (found := (await real.get("/api/retention"))["runs"][0])["status"] == "running":  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return found


async def test_a_deleted_thread_is_not_found_any_more(real: Real) -> None:
    thread_id = (await real.run(ONE))["thread_id"]
    answer = await real.http.delete(f"/api/threads/{thread_id}")
    assert (answer.status_code, answer.json()["threads"]) == (200, [thread_id])
    for path in ("status", "history", "stream"):
        assert (await real.get(f"/api/invoke/{path}/{thread_id}", expect=404))["code"] == "thread_not_found"
    assert (await real.http.delete(f"/api/threads/{thread_id}")).status_code == 404
    await real.post("/api/invoke", {"workflow": ONE, "thread_id": thread_id}, expect=200)


async def test_what_was_logged_of_a_thread_goes_with_it(real: Real) -> None:
    thread_ids = [(await real.run(ONE))["thread_id"] for _ in range(2)]
    for thread_id in thread_ids:
        place = Place(thread_id=thread_id, execution_id="x")
        said = LogEntry(id=uuid7(), at=utc_now(), level=20, logger="app", message="here", place=place)
        await real.services.logs._book.add([said])
    await real.http.delete(f"/api/threads/{thread_ids[0]}")
    left = [len((await real.get("/api/logs", thread_id=each, text="here"))["logs"]) for each in thread_ids]
    assert left == [0, 1]


async def test_a_thread_that_has_not_ended_is_not_deleted(real: Real) -> None:
    thread_id = (await real.post("/api/invoke/async", {"workflow": ASKS}))["thread_id"]
    refused = await real.http.delete(f"/api/threads/{thread_id}")
    assert (refused.status_code, refused.json()["code"]) == (409, "thread_running")
    await real.post(f"/api/invoke/pause/{thread_id}")
    assert (await real.http.delete(f"/api/threads/{thread_id}")).status_code == 409
    await real.post(f"/api/invoke/cancel/{thread_id}")
    assert (await real.http.delete(f"/api/threads/{thread_id}")).status_code == 200


async def test_a_sub_workflow_goes_with_its_parent_only(real: Real) -> None:
    await real.post("/api/workflows", ONE, expect=201)
    parent = await real.run({"name": "outer", "steps": [{"id": "inner", "workflow": "one"}]})
    child = parent["steps"][0]["session_id"]
    refused = await real.http.delete(f"/api/threads/{child}")
    assert (refused.status_code, refused.json()["code"]) == (409, "thread_has_parent")
    deleted = await real.http.delete(f"/api/threads/{parent['thread_id']}")
    assert set(deleted.json()["threads"]) == {parent["thread_id"], child}


async def test_a_dry_run_tells_of_sub_workflows_as_the_run_does(real: Real) -> None:
    await real.post("/api/workflows", ONE, expect=201)
    await real.run({"name": "outer", "steps": [{"id": "inner", "workflow": "one"}]})
    dry = await real.post("/api/retention/run", {"max_per_workflow": 0, "dry_run": True}, expect=200)
    await real.post("/api/retention/run", {"max_per_workflow": 0})
    done = await finished(real)
    told = ("scanned", "threads", "size_bytes", "reasons", "workflows")
    assert {name: dry[name] for name in told} == {name: done[name] for name in told}
    assert (done["threads"], done["workflows"]) == (2, {"outer": 1})


async def test_a_run_keeps_the_newest_of_each_workflow_and_says_so(real: Real) -> None:
    ones = [(await real.run(ONE))["thread_id"] for _ in range(3)]
    other = (await real.run(OTHER))["thread_id"]
    asked = {"max_per_workflow": 1, "by": "me"}
    dry = await real.post("/api/retention/run", {**asked, "dry_run": True}, expect=200)
    assert (dry["threads"], dry["reasons"], dry["workflows"], dry["rows"]) == (2, {"count": 2}, {"one": 2}, 0)
    await real.post("/api/retention/run", asked)
    done = await finished(real)
    assert (done["threads"], done["reasons"], done["asked"]["by"], done["status"]) == (
        2,
        {"count": 2},
        "me",
        "completed",
    )
    assert [(await real.http.get(f"/api/invoke/status/{each}")).status_code for each in [*ones, other]] == [
        404,
        404,
        200,
        200,
    ]


async def test_what_a_workflow_is_told_goes_before_all_others_and_kept_is_kept(real: Real) -> None:
    kept, gone = (await real.run(ONE))["thread_id"], (await real.run(OTHER))["thread_id"]
    put = await real.http.put("/api/retention/workflows/one", json={"keep": True})
    assert put.json() == {"workflow": "one", "keep": True, "days": None, "status_days": {}, "max_threads": None}
    await real.http.put("/api/retention/workflows/other", json={"max_threads": 0})
    shown = await real.get("/api/retention", preview=True)
    assert [each["workflow"] for each in shown["policy"]["workflows"]] == ["one", "other"]
    assert shown["would_delete"]["workflows"] == {"other": 1}
    await real.post("/api/retention/run", {"max_per_workflow": 0})
    assert (await finished(real))["threads"] == 1
    await real.get(f"/api/invoke/status/{kept}")
    await real.get(f"/api/invoke/status/{gone}", expect=404)
    for no_such in ("on%00e", "one" + "e" * 200):
        assert (await real.http.delete(f"/api/retention/workflows/{no_such}")).status_code == 422
    assert (await real.http.delete("/api/retention/workflows/one")).status_code == 204
    assert (await real.http.delete("/api/retention/workflows/one")).json()["code"] == "policy_not_found"


async def test_a_run_can_be_confined_to_a_status_and_a_workflow(real: Real) -> None:
    broken = {"name": "one", "steps": [{"id": "a", "agent": "writer", "when": "input.no > 1"}]}
    failed = (await real.run(broken))["thread_id"]
    for workflow in (ONE, OTHER):
        await real.run(workflow)
    only = {"max_per_workflow": 0, "dry_run": True}
    counts = [
        (await real.post("/api/retention/run", only | more, expect=200))["threads"]
        for more in ({}, {"workflow": "one"}, {"status": "failed"}, {"workflow": "other", "status": "failed"})
    ]
    assert counts == [3, 2, 1, 0]
    refused = await real.post("/api/retention/run", {"status": "paused"}, expect=422)
    assert refused["detail"].startswith("/status: should be one of")
    await real.get(f"/api/invoke/status/{failed}")
