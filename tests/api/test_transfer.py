"""Threads as files, between PostgreSQL and memory: what goes out of the one comes into the other as it was."""

from __future__ import annotations

import gzip
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.real import Real, open_real

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

WORKFLOW = {
    "name": "post",
    "steps": [
        {"id": "analyst", "agent": "writer", "input": {"topic": "{input.topic}"}, "assign": "insights"},
        {"id": "each", "for_each": "{[1, 2, 3]}", "agent": "writer", "input": "{item}"},
        {"id": "approve", "gate": {"title": "Well?", "show": "{context}", "assignees": ["ana"]}},
        {"id": "marketer", "agent": "writer", "input": {"of": "{context.insights}", "mood": "{context.mood}"}},
    ],
}


@pytest.fixture
async def real(database_url: str) -> AsyncGenerator[Real]:
    async with open_real(database_url=database_url) as real:
        yield real


@asynccontextmanager
async def another() -> AsyncGenerator[Real]:
    """Another service, with a store of its own."""
    async with open_real() as real:
        yield real


async def at_gate(real: Real, **more: Any) -> str:
    """A thread that waits for its answer."""
    body = {"workflow": WORKFLOW, "input": {"topic": "thread"}, "context": {"mood": "good", "nul": "\x00"}, **more}
    thread = (await real.post("/api/invoke/async", body))["thread_id"]
    await until(real, thread, "waiting")
    return thread


async def until(real: Real, thread: str, *statuses: str) -> dict[str, Any]:
    """The status of a thread, once it is one of these."""
    while (found := await real.get(f"/api/invoke/status/{thread}"))["status"] not in statuses:
        pass
    return found


async def answered(real: Real, thread: str) -> dict[str, Any]:
    """The thread, once it has its answer and has ended."""
    await real.post(f"/api/invoke/gates/{thread}/approve", {"answer": "yes", "by": "ana"})
    return await until(real, thread, "completed", "failed")


async def file_of(real: Real, thread: str, **query: Any) -> bytes:
    answer = await real.http.get(f"/api/invoke/export/{thread}", params=query)
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    return answer.content


async def take_in(real: Real, data: bytes, *, expect: int = 201, **query: Any) -> dict[str, Any]:
    answer = await real.http.post("/api/invoke/import", content=data, params=query)
    assert answer.status_code == expect, answer.text
    return answer.json()


async def seen(real: Real, thread: str) -> dict[str, Any]:
    """All that can be read of a thread, but for what says where it lives."""
    history = await real.get(f"/api/invoke/history/{thread}", limit=1000)
    versions = [await real.get(f"/api/invoke/history/{thread}/{one['version']}") for one in history["history"]]
    status = await real.get(f"/api/invoke/status/{thread}")
    steps = [{**one, "status": one["status"].replace("running", "waiting")} for one in status["steps"]]
    return {
        "states": [one["state"] for one in versions],
        "history": [{**one, "execution_id": None} for one in history["history"]],
        "steps": steps,
        "items": await real.get(f"/api/workflow/items/{thread}/each") | {"thread_id": None, "run_id": None},
        "output": status["output"],
    }


async def test_what_has_ended_is_the_same_elsewhere(real: Real) -> None:
    thread = await at_gate(real)
    await answered(real, thread)
    await real.post(f"/api/invoke/rollback/{thread}", {"to_version": 2, "reason": "again"})
    await until(real, thread, "waiting")
    await answered(real, thread)
    data = await file_of(real, thread)
    async with another() as other:
        found = await take_in(other, data)
        assert (found["thread_id"], found["status"], found["renamed"]) == (thread, "completed", False)
        assert await seen(other, thread) == await seen(real, thread)
        assert (await other.get(f"/api/invoke/verify/{thread}"))["valid"]
        ours, theirs = [(await one.get(f"/api/invoke/tree/{thread}"))["branches"] for one in (real, other)]
        assert ours == theirs
        rolled = await other.post(f"/api/invoke/rollback/{thread}", {"to_version": 4})
        assert rolled["rolled_back_to_version"] == 4


async def test_what_waited_comes_in_paused_and_goes_on_from_where_it_was(real: Real) -> None:
    thread = await at_gate(real)
    data = await file_of(real, thread)
    async with another() as other:
        assert (await take_in(other, data))["status"] == "paused"
        assert await seen(other, thread) == await seen(real, thread)
        before = (await other.get(f"/api/invoke/status/{thread}"))["last_seq"]
        await other.post(f"/api/invoke/resume/{thread}")
        found = await answered(other, thread)
        assert (found["status"], found["version"]) == ("completed", 6)
        assert [one["reused"] for one in found["steps"]] == [False] * 4
        assert [one["attempt"] for one in found["steps"]] == [1] * 4
        names = await real_events(other, thread, before)
        assert names[0] == "workflow_resumed"
        assert names.count("gate_waiting") <= 1


async def real_events(real: Real, thread: str, after: int) -> list[str]:
    answer = await real.http.get(f"/api/invoke/stream/{thread}", params={"after": after})
    lines = answer.text.splitlines()
    return [line.removeprefix("event: ") for line in lines if line.startswith("event: ") and line != "event: snapshot"]


async def test_a_copy_beside_the_original_is_a_thread_of_its_own(real: Real) -> None:
    thread = await at_gate(real)
    data = await file_of(real, thread)
    assert (await take_in(real, data, expect=409))["code"] == "thread_exists"
    copy = await take_in(real, data, on_conflict="rename")
    assert copy["renamed"] is True
    assert await seen(real, copy["thread_id"]) == await seen(real, thread)
    assert (await real.get(f"/api/invoke/verify/{copy['thread_id']}"))["valid"]
    await real.post(f"/api/invoke/resume/{copy['thread_id']}")
    assert (await answered(real, copy["thread_id"]))["status"] == "completed"
    assert (await real.get(f"/api/invoke/status/{thread}"))["status"] == "waiting"
    named = await take_in(real, data, thread_id="mine")
    assert (named["thread_id"], named["source_thread_id"]) == ("mine", thread)
    assert (await take_in(real, data, expect=409, thread_id="mine", on_conflict="rename"))["code"] == "thread_exists"


async def test_a_packed_file_comes_in_as_well(real: Real) -> None:
    thread = await at_gate(real)
    packed, plain = [await file_of(real, thread, gzip=gzipped) for gzipped in ("true", "false")]
    lines = [data.splitlines()[1:-1] for data in (gzip.decompress(packed), plain)]
    assert lines[0] == lines[1]
    async with another() as other:
        assert (await take_in(other, packed[:-9], expect=422))["code"] == "invalid_export"
        assert (await take_in(other, packed + b"x", expect=422))["code"] == "invalid_export"
        assert (await take_in(other, packed))["thread_id"] == thread


async def test_a_file_names_no_agent_and_counts_what_it_holds(real: Real) -> None:
    lines = [json.loads(line) for line in (await file_of(real, await at_gate(real))).splitlines()]
    header, end = lines[0], lines[-1]
    counts: dict[str, int] = {}
    for line in lines[1:-1]:
        counts[line["row"]] = counts.get(line["row"], 0) + 1
    assert counts == {name: count for name, count in header["counts"].items() if count}
    assert (header["format"], header["children"], end["lines"]) == (2, 0, len(lines) - 1)
    assert counts["item"] == 3
    assert "agent_config" not in counts


async def test_no_thread_no_file(real: Real) -> None:
    assert (await real.get("/api/invoke/export/nobody", expect=404))["code"] == "thread_not_found"


async def test_a_file_that_is_too_large_is_refused_packed_or_not() -> None:
    async with open_real(import_max_bytes=10_000) as real:
        answer = await real.http.post("/api/invoke/import", content=b"x" * 20_000)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
        bomb = gzip.compress(b" " * 10_000_000)[:9_999]
        assert (await take_in(real, bomb, expect=422))["code"] == "import_too_large"


async def test_a_registered_workflow_is_known_again_and_an_unknown_one_takes_no_name(real: Real) -> None:
    await real.post("/api/workflows", WORKFLOW, expect=201)
    await real.post("/api/workflows", {**WORKFLOW, "description": "newer"}, expect=201)
    thread = await at_gate(real, workflow="post@1")
    data = await file_of(real, thread)
    async with another() as other:
        await other.post("/api/workflows", {**WORKFLOW, "description": "mine"}, expect=201)
        await take_in(other, data)
        assert (await other.get(f"/api/invoke/status/{thread}"))["workflow_version"] is None
        assert (await other.get("/api/workflows/post"))["version"] == 1
        await other.post("/api/workflows", WORKFLOW, expect=201)
        await take_in(other, data, on_conflict="rename")
    assert (await real.get(f"/api/invoke/status/{thread}"))["workflow_version"] == 1


async def test_a_fork_and_a_copy_of_it_know_where_they_come_from(real: Real) -> None:
    thread = await at_gate(real)
    fork = (await real.post(f"/api/invoke/fork/{thread}", {"version": 2, "resume": False}))["forks"][0]["thread_id"]
    copy = await take_in(real, await file_of(real, fork), on_conflict="rename")
    tree = await real.get(f"/api/invoke/tree/{copy['thread_id']}")
    assert tree["forked_from"] == {"thread_id": thread, "version": 2, "variant": "a"}
    assert await seen(real, copy["thread_id"]) == await seen(real, fork)


async def test_the_events_of_an_import_come_by_the_feed_of_all_threads(real: Real) -> None:
    thread = await at_gate(real)
    data = await file_of(real, thread)
    await real.post(f"/api/invoke/cancel/{thread}")
    copy = (await take_in(real, data, on_conflict="rename"))["thread_id"]
    events = await real_events(real, thread, 0)
    assert events[-1] == "workflow_cancelled"
    last = await real.get(f"/api/invoke/status/{copy}")
    assert last["last_seq"] > 1
