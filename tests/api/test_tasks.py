"""Single tasks over HTTP: started once, waited for, listed, followed, cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.real import Real, open_real

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@pytest.fixture
async def real() -> AsyncGenerator[Real]:
    async with open_real() as real:
        yield real


async def test_a_task_is_durable_and_then_told_with_its_output(real: Real) -> None:
    accepted = await real.post("/api/tasks", {"agent": "writer", "input": {"n": 1}, "triggered_by": "me"})
    assert accepted["links"]["task"] == f"/api/tasks/{accepted['task_id']}"
    await real.ended(accepted["task_id"])
    found = await real.get(accepted["links"]["task"])
    assert (found["status"], found["agent"], found["output"]) == (
        "completed",
        "writer",
        {"by": "writer", "of": {"n": 1}},
    )
    assert (found["attempts"], found["error"], found["execution_id"]) == (1, None, accepted["execution_id"])


async def test_a_task_that_ends_in_the_time_to_wait_is_answered_with(real: Real) -> None:
    found = await real.post("/api/tasks", {"agent": "writer", "input": 7, "wait": "30s"}, expect=200)
    assert (found["status"], found["output"]["of"]) == ("completed", 7)
    late = await real.post("/api/tasks", {"agent": "hanging", "wait": "1ms"})
    assert late["status"] == "pending"
    await real.post(f"/api/tasks/{late['task_id']}/cancel", {})


async def test_a_task_that_fails_tells_why(real: Real) -> None:
    found = await real.post("/api/tasks", {"agent": "failing", "wait": 30}, expect=200)
    assert (found["status"], found["output"], found["error"]["kind"]) == ("failed", None, "refused")


async def test_timeout_and_retry_are_those_of_its_step(real: Real) -> None:
    body = {"agent": "hanging", "timeout": "1ms", "retry": {"max_attempts": 2, "initial_interval": 0}, "wait": 30}
    found = await real.post("/api/tasks", body, expect=200)
    assert (found["status"], found["attempts"], found["error"]["kind"]) == ("failed", 2, "timeout")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"agent": "nobody"}, "/agent"),
        ({"agent": "a b"}, "/agent"),
        ({}, "/agent"),
        ({"agent": "writer", "retry": {"max_attempts": 0}}, "/retry/max_attempts"),
        ({"agent": "writer", "retry": {"often": 1}}, "/retry/often"),
        ({"agent": "writer", "timeout": "long"}, "/timeout"),
        ({"agent": "writer", "steps": []}, "/steps"),
    ],
)
async def test_a_wrong_task_is_refused_with_the_place(real: Real, body: dict[str, Any], pointer: str) -> None:
    found = await real.post("/api/tasks", body, expect=422)
    assert (found["code"], [one["pointer"] for one in found["problems"]]) == ("invalid_request", [pointer])


async def test_one_key_starts_one_task(real: Real) -> None:
    first, second = [await real.post("/api/tasks", {"agent": "writer"}, key="once") for _ in range(2)]
    assert first["task_id"] == second["task_id"]
    refused = await real.post("/api/tasks", {"agent": "writer-v2"}, key="once", expect=422)
    assert refused["code"] == "idempotency_key_reused"


async def test_tasks_are_listed_newest_first_and_nothing_else_is(real: Real) -> None:
    other = {"name": "task", "steps": [{"id": "a", "agent": "writer"}, {"id": "b", "agent": "writer"}]}
    tasks = []
    for agent in ("writer", "failing"):
        tasks.append((await real.post("/api/tasks", {"agent": agent, "wait": 30}, expect=200))["task_id"])
        await real.run(other)
    found = (await real.get("/api/tasks"))["tasks"]
    assert [(one["task_id"], one["agent"], one["status"]) for one in found] == [
        (tasks[1], "failing", "failed"),
        (tasks[0], "writer", "completed"),
    ]
    assert [one["task_id"] for one in (await real.get("/api/tasks", status="failed"))["tasks"]] == [tasks[1]]


async def test_the_list_has_pages(real: Real) -> None:
    tasks = [(await real.post("/api/tasks", {"agent": "writer"}))["task_id"] for _ in range(3)]
    first = await real.get("/api/tasks", limit=2)
    second = await real.get("/api/tasks", limit=2, cursor=first["next_cursor"])
    assert [one["task_id"] for one in first["tasks"] + second["tasks"]] == tasks[::-1]
    assert second["next_cursor"] is None


async def test_a_task_that_was_resumed_is_listed_once(real: Real) -> None:
    task = (await real.post("/api/tasks", {"agent": "failing", "wait": 30}, expect=200))["task_id"]
    again = await real.post(f"/api/invoke/resume/{task}", {"overrides": {"task": {"agent": "writer"}}})
    await real.ended(task)
    found = (await real.get("/api/tasks"))["tasks"]
    assert [(one["task_id"], one["execution_id"], one["status"]) for one in found] == [
        (task, again["execution_id"], "completed")
    ]


async def test_a_task_is_cancelled(real: Real) -> None:
    task = (await real.post("/api/tasks", {"agent": "hanging"}))["task_id"]
    found = await real.post(f"/api/tasks/{task}/cancel", {"reason": "enough"})
    assert (found["status"], found["error"]["message"]) == ("cancelled", "enough")
    assert (await real.post(f"/api/tasks/{task}/cancel", expect=409))["code"] == "thread_ended"


async def test_the_stream_of_a_task_is_that_of_its_thread(real: Real) -> None:
    task = (await real.post("/api/tasks", {"agent": "writer", "wait": 30}, expect=200))["task_id"]
    answer = await real.http.get(f"/api/tasks/{task}/stream")
    assert answer.headers["content-type"].startswith("text/event-stream")
    names = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
    assert names == ["snapshot", "workflow_start", "step_start", "step_complete", "workflow_complete"]


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/stream"), ("POST", "/cancel")])
async def test_what_is_no_task_is_not_found(real: Real, method: str, path: str) -> None:
    thread = (await real.run({"name": "w", "steps": [{"id": "task", "agent": "writer"}]}))["thread_id"]
    for name in (thread, "nobody", "%2e"):
        answer = await real.http.request(method, f"/api/tasks/{name}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "task_not_found")
