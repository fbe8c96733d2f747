"""Replays over HTTP, beside what is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.api.real import Real, open_real
from tests.api.test_openapi import check, document
from tests.serving import served

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["document"]
LONG = "x" * 3_000
WORKFLOW = {
    "name": "post",
    "steps": [
        {"id": "analyst", "agent": "writer", "input": {"topic": "{input.topic}"}, "assign": "insights"},
        {"id": "each", "for_each": "{[1, 2]}", "agent": "writer", "input": {"of": "{item}"}},
        {"id": "fails", "agent": "failing", "on_error": "continue"},
    ],
}


@pytest.fixture
async def real(database_url: str) -> AsyncGenerator[Real]:
    async with open_real(database_url=database_url, http_allow_private=True) as real:
        yield real


async def replayed(real: Real, thread: str, step: str, **body: Any) -> dict[str, Any]:
    """The comparison, once the replay has ended."""
    started = await real.post(f"/api/invoke/replay/{thread}/{step}", body)
    assert started["links"]["replay"] == f"/api/invoke/replay/{started['thread_id']}"
    await real.ended(started["thread_id"])
    return await real.get(started["links"]["replay"])


async def test_a_replay_stands_beside_what_is_recorded(real: Real, document: dict[str, Any]) -> None:
    thread = (await real.run(WORKFLOW, {"topic": LONG}))["thread_id"]
    same = await replayed(real, thread, "analyst")
    assert (same["same"], same["output"]["patch"], same["status"]) == (True, [], "completed")
    other = await replayed(real, thread, "analyst", agent="writer-v2", input={"more": 1})
    assert (other["same"], other["input"]) == (False, {"topic": LONG, "more": 1})
    assert [other[side]["agent"] for side in ("recorded", "replayed")] == ["writer", "writer-v2"]
    assert {"op": "add", "path": "/of/more", "value": 1} in other["output"]["patch"]
    schema = document["paths"]["/api/invoke/replay/{thread_id}"]["get"]["responses"]["200"]["content"]
    check(document, schema["application/json"]["schema"], other, "replay")
    tree = await real.get(f"/api/invoke/tree/{thread}")
    assert [(one["step_id"], one["status"]) for one in tree["replays"]] == [("analyst", "completed")] * 2
    scratch = await real.get(f"/api/invoke/tree/{tree['replays'][0]['thread_id']}")
    assert (scratch["branches"][0]["began"], scratch["replay_of"]["thread_id"]) == ("replay", thread)


async def test_an_item_and_a_failure_are_compared_as_well(real: Real) -> None:
    thread = (await real.run(WORKFLOW, {"topic": "thread"}))["thread_id"]
    item = await replayed(real, thread, "each", item=1)
    assert (item["same"], item["input"], item["recorded"]["output"]["of"]) == (True, {"of": 2}, {"of": 2})
    failed = await replayed(real, thread, "fails")
    assert (failed["same"], failed["status"], failed["output"]["omitted"]) == (None, "failed", "not_written")
    assert failed["recorded"]["error"]["kind"] == failed["replayed"]["error"]["kind"] == "refused"


async def test_a_request_is_sent_again_as_it_was_and_one_that_writes_only_if_that_is_allowed(real: Real) -> None:
    seen: list[tuple[str, str, Any]] = []

    async def answer(request: Request) -> Response:
        body = await request.json() if request.method == "POST" else None
        seen.append((request.method, str(request.url.query), body))
        return JSONResponse({"n": len(seen)}, headers={"date": "now"})

    async with served(Starlette(routes=[Route("/{any:path}", answer, methods=["GET", "POST"])])) as url:
        steps = [
            {"id": "look", "http": {"url": url + "/a", "query": {"q": "{input.q}"}}},
            {
                "id": "send",
                "http": {"method": "POST", "url": url, "json": {"of": "{look.output.body}", "q": "{input.q}"}},
            },
        ]
        thread = (await real.run({"name": "calls", "steps": steps}, {"q": "{a} & b"}))["thread_id"]
        found = await replayed(real, thread, "look")
        assert (found["same"], found["output"]["patch"]) == (
            False,
            [{"op": "replace", "path": "/body/n", "value": 3}],
        )
        refused = await real.post(f"/api/invoke/replay/{thread}/send", {}, expect=422)
        assert refused["code"] == "has_effects"
        await replayed(real, thread, "send", allow_effects=True)
    assert [each[0] for each in seen] == ["GET", "POST", "GET", "POST"]
    assert seen[0] == seen[2]
    assert seen[1] == seen[3]


async def test_what_is_no_replay_is_not_shown_as_one(real: Real) -> None:
    thread = (await real.run(WORKFLOW, {"topic": "thread"}))["thread_id"]
    assert (await real.get(f"/api/invoke/replay/{thread}", expect=404))["code"] == "replay_not_found"
    assert (await real.post(f"/api/invoke/replay/{thread}/x", {}, expect=404))["code"] == "step_not_found"
    assert (await real.post(f"/api/invoke/replay/{thread}/each", {"item": 9}, expect=404))["code"] == "items_not_found"
    assert (await real.post(f"/api/invoke/replay/{thread}/analyst", {"odd": 1}, expect=422))[
        "code"
    ] == "invalid_request"


async def test_a_recorded_output_that_is_damaged_or_gone_is_told() -> None:
    async with open_real() as real:
        thread = (await real.run(WORKFLOW, {"topic": "thread"}))["thread_id"]
        started = await real.post(f"/api/invoke/replay/{thread}/analyst")
        await real.ended(started["thread_id"])
        runs = real.services.reads._tables.runs[thread]
        run = next(run for run in runs.values() if run.step_id == "analyst")
        run.output = '"a lie"'
        found = await real.get(started["links"]["replay"])
        assert (found["same"], found["output"]["omitted"]) == (None, "damaged")
        runs.clear()
        found = await real.get(started["links"]["replay"])
        assert (found["same"], found["recorded"], found["output"]["omitted"]) == (None, None, "not_written")
