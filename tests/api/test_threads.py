"""The list of threads and what is asked of many at once, on a whole engine and a real database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from app.api import bulk
from app.domain.errors import Unavailable
from app.domain.status import Status
from tests.api.real import Real, open_real

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import httpx

    from tests.api.service import Service

GATE = {"id": "ask", "gate": {"title": "Publish it?"}}
FAILS = {"id": "fail", "agent": "failing"}
WRITES = {"id": "write", "agent": "writer", "input": {}}


@pytest.fixture
async def real(database_url: str) -> AsyncGenerator[Real]:
    """An engine with nothing in it."""
    async with open_real(database_url=database_url, shutdown_grace_seconds=0.05) as found:
        yield found


async def start(real: Real, *steps: Any, until: str, **more: Any) -> str:
    """A thread that has come to a status."""
    document = {"name": "listed", "steps": list(steps)}
    thread: str = (await real.post("/api/invoke/async", {"workflow": document, **more}))["thread_id"]
    await comes_to(real, thread, until)
    return thread


async def comes_to(real: Real, thread: str, status: str) -> None:
    async with asyncio.timeout(60):
        while True:
            if (await real.get(f"/api/invoke/status/{thread}"))["status"] == status:
                return
            await asyncio.sleep(0.01)


async def names(real: Real, **query: Any) -> list[str]:
    return [one["thread_id"] for one in (await real.get("/api/threads", **query))["threads"]]


async def many(real: Real, what: str, **body: Any) -> dict[str, Any]:
    return await real.post(f"/api/threads/{what}", body, expect=200)


async def test_an_entry_tells_what_a_thread_is_at(real: Real) -> None:
    given = {"seed": 7, "topic": "AI in Education"}
    thread = await start(real, WRITES, GATE, until="waiting", input=given, triggered_by="ana")
    [found] = (await real.get("/api/threads"))["threads"]
    status = await real.get(f"/api/invoke/status/{thread}")
    same = ("thread_id", "execution_id", "workflow", "kind", "status", "version", "last_seq", "progress", "started_at")
    assert {name: found[name] for name in same} == {name: status[name] for name in same}
    assert (found["title"], found["steps_done"], found["steps_total"]) == ("AI in Education", 1, 2)
    [step] = found["open"]
    assert (step["id"], step["status"], step["waits"], found["open_more"]) == ("ask", "waiting", "gate", 0)
    assert (found["error"], found["triggered_by"], found["parent_thread_id"]) == (None, "ana", None)


async def test_a_thread_that_is_about_to_run_steps_again_has_not_done_them(real: Real) -> None:
    thread = await start(real, WRITES, FAILS, until="failed")
    [found] = (await real.get("/api/threads"))["threads"]
    assert (found["progress"], found["error"]["kind"], found["completed_at"] is not None) == (0.5, "refused", True)
    await real.http.put("/api/queue/default", json={"limit": 0})
    await real.post(f"/api/invoke/resume/{thread}", {"from_step": "write"})
    [found] = (await real.get("/api/threads"))["threads"]
    assert (found["status"], found["kind"], found["steps_done"], found["progress"]) == ("pending", "resume", 0, 0.0)


async def test_filters_pages_and_counts_agree(real: Real) -> None:
    failed = [await start(real, FAILS, until="failed", input={"n": n}) for n in range(3)]
    waiting = await start(real, GATE, until="waiting", input="Needle")
    assert await names(real, status="failed") == failed[::-1]
    assert await names(real, status="failed,waiting") == [waiting, *failed[::-1]]
    assert await names(real, text="needle") == [waiting]
    page = await real.get("/api/threads", limit=2)
    assert [one["thread_id"] for one in page["threads"]] == [waiting, failed[2]]
    assert await names(real, limit=2, cursor=page["next_cursor"]) == failed[1::-1]
    counts = await real.get("/api/threads/counts", workflow="listed")
    assert (counts["counts"]["failed"], counts["counts"]["waiting"], counts["total"]) == (3, 1, 4)
    assert (counts["capped_at"], counts["whole"]) == (10_000, True)


async def test_a_sub_workflow_is_listed_when_it_is_asked_for(real: Real) -> None:
    await real.post("/api/workflows", {"name": "asking", "steps": [GATE]}, expect=201)
    thread = await start(real, {"id": "child", "workflow": "asking"}, until="waiting")
    [found] = (await real.get("/api/threads"))["threads"]
    assert (found["thread_id"], found["open"][0]["waits"]) == (thread, "child")
    [child] = (await real.get("/api/threads", workflow="asking", children=True))["threads"]
    assert child["parent_thread_id"] == thread


@pytest.mark.parametrize(
    "query", ["status=odd", "status=", "limit=0", "cursor=x", "text=", "colour=red", "since=then", "status=failed,"]
)
async def test_a_query_that_makes_no_sense_is_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/api/threads?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_all_that_failed_are_resumed_and_no_other(real: Real) -> None:
    failed = [await start(real, FAILS, until="failed") for _ in range(3)]
    paused = await start(real, GATE, until="waiting")
    await many(real, "pause", thread_ids=[paused])
    told = await many(real, "resume", where={"workflow": "listed"}, dry_run=True)
    assert (told["matched"], told["done"], told["thread_ids"]) == (3, 0, failed[::-1])
    done = await many(real, "resume", where={"workflow": "listed"}, limit=2, triggered_by="ana")
    assert (done["done"], done["more"], done["refused"]) == (2, True, [])
    assert set(done["thread_ids"]) == set(failed[1:])
    again = await real.get("/api/workflow/executions", triggered_by="ana")
    assert {one["kind"] for one in again["executions"]} == {"resume"}
    assert await names(real, status="paused") == [paused]


async def test_who_asks_on_with_the_cursor_meets_no_thread_twice(real: Real) -> None:
    failed = [await start(real, FAILS, until="failed") for _ in range(3)]
    await start(real, GATE, until="waiting")
    met: list[str] = []
    cursor = None
    while cursor is not None or not met:
        told = await many(real, "resume", where={"workflow": "listed"}, limit=1, cursor=cursor)
        for thread in told["thread_ids"]:  # at the top of the list, and matching again
            await comes_to(real, thread, "failed")
        met, cursor = met + told["thread_ids"], told["next_cursor"]
        assert told["more"] == (cursor is not None)
    assert met == failed[::-1]


async def test_named_threads_are_cancelled_and_those_that_cannot_be_are_told(real: Real) -> None:
    waiting = await start(real, GATE, until="waiting")
    running = await start(real, {"id": "hang", "agent": "hanging"}, until="running")
    ended = await start(real, WRITES, until="completed")
    given = [waiting, ended, "nobody", running, waiting]
    told = await many(real, "cancel", thread_ids=given, dry_run=True)
    done = await many(real, "cancel", thread_ids=given, reason="no longer needed")
    assert (done["matched"], done["done"], done["thread_ids"]) == (4, 2, [waiting, running])
    for answer in (told, done):
        refused = [(one["thread_id"], one["code"]) for one in answer["refused"]]
        assert refused == [(ended, "thread_ended"), ("nobody", "thread_not_found")]
    assert (told["done"], told["thread_ids"], told["dry_run"]) == (0, [waiting, running], True)
    for thread in (waiting, running):
        assert (await real.get(f"/api/invoke/status/{thread}"))["error"]["message"] == "no longer needed"


async def test_threads_are_paused_and_what_completed_is_not_resumed(real: Real) -> None:
    waiting = [await start(real, GATE, until="waiting") for _ in range(2)]
    ended = await start(real, WRITES, until="completed")
    done = await many(real, "pause", where={"status": ["waiting", "completed"]})
    assert (set(done["thread_ids"]), [one["code"] for one in done["refused"]]) == (set(waiting), ["thread_ended"])
    done = await many(real, "resume", thread_ids=[*waiting, ended])
    assert (done["thread_ids"], [one["code"] for one in done["refused"]]) == (waiting, ["nothing_to_do"])


async def test_a_thread_that_is_not_in_that_status_any_more_is_left_alone(
    real: Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = await start(real, GATE, until="waiting")
    threads: Any = real.services.threads
    ids = threads.ids

    async def late(where: Any) -> Any:
        found = await ids(where)
        await real.post(f"/api/invoke/{'cancel' if Status.PAUSED in where.statuses else 'pause'}/{thread}")
        return found

    monkeypatch.setattr(threads, "ids", late)
    for what, status in (("cancel", "waiting"), ("resume", "paused")):
        told = await many(real, what, where={"status": status})
        assert [one["code"] for one in told["refused"]] == ["status_changed"]
    assert (await real.get(f"/api/invoke/status/{thread}"))["status"] == "cancelled"


async def test_what_hinders_one_thread_hinders_no_other(real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = [await start(real, GATE, until="waiting") for _ in range(3)]
    cancel, causes = real.services.control.cancel, {threads[0]: ValueError("odd"), threads[1]: Unavailable("away")}

    async def sometimes(thread_id: str, *args: Any, **more: Any) -> Any:
        if thread_id in causes:
            raise causes[thread_id]
        return await cancel(thread_id, *args, **more)

    monkeypatch.setattr(real.services.control, "cancel", sometimes)
    done = await many(real, "cancel", where={})
    refused = {one["thread_id"]: one["code"] for one in done["refused"]}
    assert (done["thread_ids"], refused) == ([threads[2]], {threads[0]: "internal_error", threads[1]: "unavailable"})


async def test_when_the_time_is_over_no_further_thread_is_begun_with(
    real: Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = [await start(real, GATE, until="waiting") for _ in range(2)]
    monkeypatch.setattr(bulk, "PATIENCE", -1.0)
    done = await many(real, "cancel", where={})
    assert (done["matched"], done["done"], done["refused"], done["more"]) == (2, 0, [], True)
    assert done["next_cursor"] is None
    assert set(await names(real, status="waiting")) == set(threads)
    times = iter((0.0, 0.0))
    monkeypatch.setattr(bulk, "PATIENCE", 1.0)
    monkeypatch.setattr(bulk, "monotonic", lambda: next(times, 2.0))
    done = await many(real, "cancel", where={})
    assert (done["thread_ids"], done["more"]) == ([threads[1]], True)
    times = iter((0.0, 0.0))
    rest = await many(real, "cancel", where={"status": "waiting,cancelled"}, cursor=done["next_cursor"])
    assert (rest["thread_ids"], rest["more"], rest["next_cursor"]) == ([threads[0]], False, None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"thread_ids": ["a"], "where": {}},
        {"thread_ids": []},
        {"thread_ids": ["a b"]},
        {"thread_ids": ["a"], "limit": 0},
        {"where": {"colour": "red"}},
        {"where": {"status": []}},
        {"where": {"status": "odd"}},
        {"where": {"since": "then"}},
        {"where": {"since": 1}},
        {"where": {}, "cursor": "x"},
        {
            "thread_ids": ["a"],
            "cursor": "WyIyMDI2LTExLTIxVDA5OjMwOjAwWiIsIjAxOTk5OTk5LTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMCJd",
        },
        {"thread_ids": ["a"] * 1_001},
    ],
)
async def test_a_body_names_threads_or_filters(client: httpx.AsyncClient, body: Any) -> None:
    answer = await client.post("/api/threads/pause", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_bulk_takes_the_times_that_the_list_takes(client: httpx.AsyncClient, service: Service) -> None:
    await service.drive(thread_id="t")
    for since, there in (("2000-01-01", ["t"]), ("2999-01-01T00:00:00", [])):
        listed = await client.get("/api/threads", params={"since": since})
        told = await client.post("/api/threads/cancel", json={"where": {"since": since}, "dry_run": True})
        assert [one["thread_id"] for one in listed.json()["threads"]] == told.json()["thread_ids"] == there


async def test_threads_are_asked_for_by_their_ids(client: httpx.AsyncClient, service: Service) -> None:
    for name in ("a", "b"):
        await service.drive(thread_id=name)
    for query, expected in (("ids=b,a,b,c", ["b", "a"]), ("ids=b,a&limit=1", ["b"])):
        found = (await client.get(f"/api/threads?{query}")).json()
        assert ([one["thread_id"] for one in found["threads"]], found["next_cursor"]) == (expected, None)
    assert (await client.get("/api/threads?ids=a&status=failed")).status_code == 422


async def test_status_may_be_given_more_than_once(client: httpx.AsyncClient, service: Service) -> None:
    await service.drive(thread_id="t")
    found = [await client.get(f"/api/threads?{query}") for query in ("status=failed&status=pending", "status=failed")]
    assert [[one["thread_id"] for one in each.json()["threads"]] for each in found] == [["t"], []]
