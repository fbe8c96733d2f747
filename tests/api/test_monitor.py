"""The monitor: which threads have not ended, how far they are, and what holds each up, on a whole engine in memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from app.api import monitor
from tests.api.real import Real, open_real

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

GATE = {"id": "approve", "gate": {"title": "Publish it?", "assignees": ["ana"]}}


@pytest.fixture
async def real() -> AsyncGenerator[Real]:
    """An engine with nothing in it."""
    async with open_real(shutdown_grace_seconds=0.05) as found:
        yield found


async def start(real: Real, *steps: Any, **more: Any) -> str:
    document = {"name": "watched", "steps": list(steps)}
    return (await real.post("/api/invoke/async", {"workflow": document, **more}))["thread_id"]


async def seen(real: Real, thread_id: str, reason: str | None, **query: Any) -> dict[str, Any]:
    """The thread's entry, once it gives this reason first."""
    async with asyncio.timeout(30):
        while True:
            page = await real.get("/api/workflow/monitor", **query)
            entry = next((one for one in page["threads"] if one["thread_id"] == thread_id), None)
            if entry is not None and [one["reason"] for one in entry["why"]][:1] == ([reason] if reason else []):
                return entry
            await asyncio.sleep(0.01)


async def test_nothing_is_told_of_threads_that_have_ended(real: Real) -> None:
    await real.run({"name": "quick", "steps": [{"id": "a", "agent": "writer"}]})
    page = await real.get("/api/workflow/monitor")
    assert (page["threads"], page["more"], page["service"]["able"]) == ([], False, True)
    assert set(page["counts"].values()) == {0}


async def test_a_question_names_who_is_asked_and_counts_as_stuck_in_time(real: Real) -> None:
    thread = await start(real, {"id": "a", "agent": "writer"}, GATE)
    entry = await seen(real, thread, "gate")
    assert (entry["progress"], entry["current_steps"], entry["stuck"]) == (0.5, ["approve"], False)
    assert entry["why"][0]["detail"] == "an answer of ana is waited for: Publish it?"
    assert (await seen(real, thread, "gate", stuck_after=0))["stuck"] is True


@pytest.mark.parametrize(
    ("waits", "named", "said"),
    [
        ({"signal": "go"}, {"signal": "go", "topic": None}, "the signal go is waited for"),
        (
            {"topic": "orders.*", "match": "message.data.id == 7", "timeout": "1h"},
            {"signal": None, "topic": "orders.*"},
            "a message on orders.* is waited for, if message.data.id == 7",
        ),
    ],
)
async def test_a_wait_tells_what_for_and_counts_as_stuck_in_time(real: Real, waits: Any, named: Any, said: str) -> None:
    thread = await start(real, {"id": "w", "wait_for": waits})
    entry = await seen(real, thread, "waiting", stuck_after=0)
    [why] = entry["why"]
    assert (why["detail"], {name: why[name] for name in named}) == (said, named)
    assert (entry["stuck"], why["until"] is not None) == (True, "timeout" in waits)


async def test_who_waits_for_a_sub_workflow_is_told_which_thread_that_is(real: Real) -> None:
    await real.post("/api/workflows", {"name": "asking", "steps": [GATE]}, expect=201)
    thread = await start(real, {"id": "child", "workflow": "asking"})
    entry = await seen(real, thread, "sub_workflow")
    [child] = [one["thread_id"] for one in (await real.get("/api/workflow/monitor", workflow="asking"))["threads"]]
    assert entry["why"][0]["detail"] == f"a sub-workflow, the thread {child}, has not ended"


async def test_a_retry_tells_after_which_error(real: Real) -> None:
    retry = {"max_attempts": 3, "initial_interval": "1h", "jitter": False}
    thread = await start(real, {"id": "a", "agent": "unreliable", "retry": retry})
    entry = await seen(real, thread, "retrying")
    assert entry["why"][0]["error"]["kind"] == "flaky"
    assert entry["why"][0]["until"] is not None


async def test_sleeping_and_starting_later_are_never_stuck(real: Real) -> None:
    asleep = await start(real, {"id": "a", "sleep": "1h"})
    assert (await seen(real, asleep, "sleeping", stuck_after=0))["stuck"] is False
    later = await start(real, {"id": "a", "agent": "writer"}, delay="1h")
    assert (await seen(real, later, "delayed", stuck_after=0))["stuck"] is False


async def test_a_paused_thread_is_stuck_at_once(real: Real) -> None:
    thread = await start(real, GATE)
    await seen(real, thread, "gate")
    await real.post(f"/api/invoke/pause/{thread}")
    assert (await seen(real, thread, "paused"))["stuck"] is True


async def test_a_full_queue_and_one_that_runs_nothing_are_told_apart(real: Real) -> None:
    await real.http.put("/api/queue/mail", json={"limit": 1})
    await start(real, {"id": "a", "agent": "hanging"}, queue="mail")
    second = await start(real, {"id": "a", "agent": "hanging"}, queue="mail")
    entry = await seen(real, second, "queue_full")
    assert "1 running of 1" in entry["why"][0]["detail"]
    await real.http.put("/api/queue/mail", json={"limit": 0})
    assert (await seen(real, second, "queue_held"))["stuck"] is True


async def test_an_open_breaker_is_named_with_its_reason(real: Real) -> None:
    await real.http.post("/api/breakers/writer/open", json={"reason": "maintenance"})
    thread = await start(real, {"id": "a", "agent": "writer"})
    entry = await seen(real, thread, "breaker_open")
    assert entry["why"][0]["detail"] == "the agent writer: maintenance"
    assert entry["stuck"] is True


async def test_a_step_that_takes_long_is_named(real: Real) -> None:
    thread = await start(real, {"id": "a", "agent": "hanging"})
    entry = await seen(real, thread, "no_progress", stuck_after=0)
    assert entry["why"][0]["detail"].startswith("the agent hanging has been at it for")


async def test_of_very_many_the_oldest_are_looked_through(real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "_SCANNED", 1)
    first = await start(real, GATE)
    await seen(real, first, "gate")
    await start(real, GATE)
    assert (await seen(real, first, "gate"))["thread_id"] == first


async def test_the_limit_keeps_those_that_moved_longest_ago(real: Real) -> None:
    first = await start(real, GATE)
    await seen(real, first, "gate")
    second = await start(real, GATE)
    await seen(real, second, "gate")
    page = await real.get("/api/workflow/monitor", limit=1, workflow="watched")
    assert ([one["thread_id"] for one in page["threads"]], page["more"]) == ([first], True)
    assert (await real.get("/api/workflow/monitor", workflow="other"))["threads"] == []
