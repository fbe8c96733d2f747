"""Forks and comparisons over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.domain.commands import StepOverride
from tests.api.real import Real, open_real

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import httpx

    from tests.api.service import Service

WORKFLOW = {
    "name": "post",
    "steps": [
        {"id": "analyst", "agent": "writer", "input": {"topic": "{input.topic}"}, "assign": "insights"},
        {"id": "marketer", "agent": "writer", "input": "{context.insights}"},
    ],
}
TWO = [{"name": "one"}, {"name": "two", "overrides": {"marketer": {"agent": "writer-v2"}}}]


@pytest.fixture
async def real() -> AsyncGenerator[Real]:
    async with open_real() as real:
        yield real


async def test_a_fork_asks_for_what_its_body_says(client: httpx.AsyncClient, service: Service) -> None:
    await service.drive(thread_id="thread")
    variants = [{"overrides": {"marketer": {"agent": "v2", "input": {"a": 1}}}}, {"name": "x", "context": {"b": 2}}]
    body = {"version": 2, "variants": [variants[0], {**variants[1], "threadId": "mine"}], "resume": False}
    answer = await client.post("/invoke/fork/thread", json=body | {"reason": "why", "triggered_by": "me"})
    assert answer.status_code == 202
    [command] = service.control.asked
    assert (command.version, command.resume, command.reason, command.triggered_by) == (2, False, "why", "me")
    assert [(one.name, one.context, one.thread_id) for one in command.variants] == [
        ("a", {}, None),
        ("x", {"b": 2}, "mine"),
    ]
    assert command.variants[0].overrides == {"marketer": StepOverride(agent="v2", input={"a": 1})}


async def test_a_fork_needs_no_body_and_tells_where_the_one_thread_is(
    client: httpx.AsyncClient, service: Service
) -> None:
    await service.drive(thread_id="thread")
    answer = await client.post("/api/invoke/fork/thread")
    [made] = answer.json()["forks"]
    assert (made["variant"], made["version"]) == ("a", 1)
    assert answer.headers["location"] == made["links"]["status"] == f"/api/invoke/status/{made['thread_id']}"
    [command] = service.control.asked
    assert (command.version, len(command.variants), command.resume) == (None, 1, True)


async def test_variants_that_were_not_made_are_told_beside_the_others(
    client: httpx.AsyncClient, service: Service
) -> None:
    await service.drive(thread_id="thread")
    await service.drive(thread_id="taken")
    found = (await client.post("/api/invoke/fork/thread", json={"variants": [{}, {"thread_id": "taken"}]})).json()
    assert [one["variant"] for one in found["forks"]] == ["a"]
    assert found["failed"] == [{"variant": "b", "code": "thread_exists", "detail": "it exists"}]


@pytest.mark.parametrize(
    "body",
    [
        {"variants": []},
        {"variants": [{}] * 21},
        {"variants": [{"name": "a"}, {"name": "a"}]},
        {"variants": [{"name": "b"}, {}]},
        {"variants": [{"thread_id": "x"}, {"thread_id": "x"}]},
        {"variants": [{"input": {}}]},
        {"version": 0},
        {"input": {}},
    ],
)
async def test_a_wrong_fork_is_refused(client: httpx.AsyncClient, service: Service, body: dict[str, Any]) -> None:
    answer = await client.post("/api/invoke/fork/thread", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert service.control.asked == []


async def test_a_key_replays_the_whole_fork(real: Real) -> None:
    thread = (await real.run(WORKFLOW, {"topic": "thread"}))["thread_id"]
    body = {"version": 2, "variants": TWO}
    first, second = [await real.post(f"/api/invoke/fork/{thread}", body, key="once") for _ in range(2)]
    assert [one["thread_id"] for one in first["forks"]] == [one["thread_id"] for one in second["forks"]]
    other = await real.post("/api/invoke/fork/other", body, key="once", expect=422)
    assert other["code"] == "idempotency_key_reused"


async def test_two_variants_over_version_two_are_run_and_compared(real: Real) -> None:
    thread = (await real.run(WORKFLOW, {"topic": "thread"}))["thread_id"]
    made = await real.post(f"/api/invoke/fork/{thread}", {"version": 2, "variants": TWO})
    a, b = [(await real.ended(one["thread_id"])) for one in made["forks"]]
    assert (a["kind"], a["forked_from"]) == ("fork", {"thread_id": thread, "version": 2, "variant": "one"})
    assert [step["reused"] for step in b["steps"]] == [True, False]
    found = await real.get("/api/workflow/executions/compare", a=a["execution_id"], b=b["thread_id"])
    assert found["ancestor"] == {"thread_id": thread, "version": 2}
    analyst, marketer = found["steps"]
    assert (analyst["output"]["equal"], analyst["a"]["reused"]) == (True, True)
    assert [marketer[side]["agent"] for side in "ab"] == ["writer", "writer-v2"]
    assert marketer["output"]["patch"] == [{"op": "replace", "path": "/by", "value": "writer-v2"}]
    assert (found["input"]["equal"], found["context"]["equal"], found["output"]["equal"]) == (True, True, False)
    assert [found[side]["attempts"] for side in "ab"] == [1, 1]


async def test_a_fork_is_compared_with_its_source_and_with_its_own_fork(real: Real) -> None:
    thread = (await real.run(WORKFLOW, {"topic": "thread"}))["thread_id"]
    copy = (await real.post(f"/api/invoke/fork/{thread}", {"version": 2}))["forks"][0]["thread_id"]
    await real.ended(copy)
    further = (await real.post(f"/api/invoke/fork/{copy}", {"version": 1}))["forks"][0]["thread_id"]
    await real.ended(further)
    for pair, at in (((thread, copy), (thread, 2)), ((further, copy), (copy, 1)), ((further, thread), (thread, 2))):
        found = await real.get("/api/workflow/executions/compare", a=pair[0], b=pair[1])
        assert (found["ancestor"]["thread_id"], found["ancestor"]["version"]) == at


async def test_two_executions_of_one_thread_meet_where_the_rollback_went(real: Real) -> None:
    before = await real.run(WORKFLOW, {"topic": "thread"})
    await real.post(f"/api/invoke/rollback/{before['thread_id']}", {"to_version": 2})
    after = await real.ended(before["thread_id"])
    found = await real.get("/api/workflow/executions/compare", a=before["execution_id"], b=after["execution_id"])
    assert found["ancestor"] == {"thread_id": before["thread_id"], "version": 2}
    assert (found["a"]["version"], found["b"]["version"], found["output"]["equal"]) == (4, 6, True)


async def test_threads_that_have_nothing_in_common_have_no_ancestor(real: Real) -> None:
    one, other = [(await real.run(WORKFLOW, {"topic": topic}))["thread_id"] for topic in ("thread", "cloth")]
    found = await real.get("/api/workflow/executions/compare", a=one, b=other)
    assert (found["ancestor"], found["context"]["equal"]) == (None, False)
    assert found["input"]["patch"] == [{"op": "replace", "path": "/topic", "value": "cloth"}]


async def test_what_does_not_exist_cannot_be_compared(real: Real) -> None:
    thread = (await real.run(WORKFLOW, {"topic": "thread"}))["thread_id"]
    for other in ("nobody", "01993c5e-7c1f-7d3a-9a55-0d5a1c3b7e42", "a b"):
        found = await real.get("/api/workflow/executions/compare", a=thread, b=other, expect=404)
        assert found["code"] == "execution_not_found"
    assert (await real.get("/api/workflow/executions/compare", a=thread, expect=422))["code"] == "invalid_request"


async def test_a_resumed_fork_still_tells_where_it_comes_from(real: Real) -> None:
    thread = (await real.run(WORKFLOW, {"topic": "thread"}))["thread_id"]
    copy = (await real.post(f"/api/invoke/fork/{thread}", {"version": 2, "resume": False}))["forks"][0]
    assert copy["status"] == "paused"
    await real.post(f"/api/invoke/resume/{copy['thread_id']}", {"overrides": {"marketer": {"agent": "writer-v2"}}})
    found = await real.ended(copy["thread_id"])
    assert (found["kind"], found["forked_from"]["version"]) == ("resume", 2)
    assert found["output"]["marketer"]["by"] == "writer-v2"
