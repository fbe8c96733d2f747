"""Time travel over HTTP: differences, timelines, filters of a history, on both stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonpatch
import pytest

from tests.api.real import Real, open_real

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

WORKFLOW = {
    "name": "post",
    "steps": [
        {"id": "analyst", "agent": "writer", "input": {"topic": "{input.topic}"}, "assign": "insights"},
        {"id": "marketer", "agent": "writer", "input": {"of": "{context.insights}", "mood": "{context.mood}"}},
    ],
}


@pytest.fixture(params=["memory", "postgres"])
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {} if request.param == "memory" else {"database_url": request.getfixturevalue("database_url")}


@pytest.fixture
async def real(settings: dict[str, Any]) -> AsyncGenerator[Real]:
    async with open_real(**settings) as real:
        yield real


async def run(real: Real, **more: Any) -> str:
    body = {"workflow": WORKFLOW, "input": {"topic": "thread"}, "context": {"mood": "good", "nul/~": "\x00"}, **more}
    return (await real.post("/api/invoke", body, expect=200))["thread_id"]


async def rollback(real: Real, thread: str, to: int, **more: Any) -> dict[str, Any]:
    await real.post(f"/api/invoke/rollback/{thread}", {"to_version": to, **more})
    return await real.ended(thread)


async def state(real: Real, thread: str, version: int) -> Any:
    return (await real.get(f"/api/invoke/history/{thread}/{version}"))["state"]


async def test_a_patch_between_any_two_versions_gives_the_one_from_the_other(real: Real) -> None:
    thread = await run(real)
    await rollback(real, thread, 2, context={"mood": "bad", "new": [1, {"a": 2}]})
    for one, other in ((1, 4), (4, 1), (3, 5), (6, 2), (4, 6), (2, 2)):
        found = await real.get(f"/api/invoke/history/{thread}/diff", **{"from": one, "to": other})
        before, after = [await state(real, thread, version) for version in (one, other)]
        assert jsonpatch.apply_patch(before, found["patch"]) == after, (one, other)
    assert found["patch"] == []
    left = await real.get(f"/api/invoke/history/{thread}/diff", **{"from": 3, "to": 5})
    assert left["changed"] == {"input": False, "context": ["mood", "new"], "steps": ["marketer"]}
    assert (left["from"]["on_timeline"], left["to"]["on_timeline"]) == (False, True)


async def test_a_difference_to_no_version_is_not_found(real: Real) -> None:
    thread = await run(real)
    found = await real.get(f"/api/invoke/history/{thread}/diff", expect=404, **{"from": 2, "to": 9})
    assert found["code"] == "version_not_found"
    assert (await real.get(f"/api/invoke/history/{thread}/diff", expect=422, **{"from": 2}))[
        "code"
    ] == "invalid_request"


async def test_the_tree_tells_where_each_timeline_left_its_parent_and_why(real: Real) -> None:
    thread = await run(real)
    await rollback(real, thread, 2, reason="another wording", triggered_by="me")
    await rollback(real, thread, 1, resume=False)
    found = await real.get(f"/api/invoke/tree/{thread}")
    shown = [
        (one["began"], one["first_version"], one["last_version"], one["parent_version"], one["on_timeline_to"])
        for one in found["branches"]
    ]
    assert shown == [("start", 1, 4, None, 1), ("rollback", 5, 6, 2, None), ("rollback", None, None, 1, None)]
    assert [one["on_timeline"] for one in found["branches"]] == [True, False, True]
    second = found["branches"][1]
    assert (second["reason"], second["left_version"], second["triggered_by"]) == ("another wording", 4, "me")


async def test_a_tree_is_read_page_by_page(real: Real) -> None:
    thread = await run(real)
    for _ in range(4):
        await rollback(real, thread, 2)
    seen: list[Any] = []
    cursor: str | None = None
    while cursor is not None or not seen:
        where: dict[str, Any] = {"cursor": cursor} if cursor else {}
        page = await real.get(f"/api/invoke/tree/{thread}", limit=2, **where)
        seen += page["branches"]
        cursor = page["next_cursor"]
    assert [one["first_version"] for one in seen] == [1, 5, 7, 9, 11]
    assert (await real.get(f"/api/invoke/tree/{thread}", cursor="x", expect=422))["code"] == "invalid_request"


async def test_a_tree_names_forks_and_what_it_was_forked_from(real: Real) -> None:
    thread = await run(real)
    overrides = {"marketer": {"input": {"nul": "\x00"}}}
    made = await real.post(f"/api/invoke/fork/{thread}", {"version": 2, "variants": [{"overrides": overrides}, {}]})
    copies = [one["thread_id"] for one in made["forks"]]
    first = await real.get(f"/api/invoke/tree/{thread}", limit=1)
    second = await real.get(f"/api/invoke/tree/{thread}", limit=1, forks_cursor=first["forks_cursor"])
    assert [(one["thread_id"], one["version"], one["variant"]) for one in first["forks"] + second["forks"]] == [
        (copies[0], 2, "a"),
        (copies[1], 2, "b"),
    ]
    assert second["forks_cursor"] is None
    copy = await real.get(f"/api/invoke/tree/{copies[0]}")
    assert copy["forked_from"] == {"thread_id": thread, "version": 2, "variant": "a"}
    assert copy["branches"][0]["began"] == "fork"


async def test_a_tree_names_sub_workflows_and_their_parent(real: Real) -> None:
    await real.post("/api/workflows", {**WORKFLOW, "name": "child"}, expect=201)
    parent = {"name": "parent", "steps": [{"id": "mail", "workflow": "child", "input": {"topic": "x"}}]}
    thread = (await real.run(parent))["thread_id"]
    [child] = (await real.get(f"/api/invoke/tree/{thread}"))["children"]
    assert child["step_id"] == "mail"
    found = await real.get(f"/api/invoke/tree/{child['thread_id']}")
    assert (found["parent"]["thread_id"], found["parent"]["step_id"]) == (thread, "mail")


async def test_a_history_is_filtered_by_step_trigger_execution_and_timeline(real: Real) -> None:
    thread = await run(real)
    after = await rollback(real, thread, 2)

    async def versions(**where: Any) -> list[int]:
        found = await real.get(f"/api/invoke/history/{thread}", **where)
        return [one["version"] for one in found["history"]]

    assert await versions(step="marketer") == [3, 5]
    assert await versions(step="marketer", limit=1) == [3]
    assert await versions(trigger="end") == [4, 6]
    assert await versions(execution_id=after["execution_id"]) == [5, 6]
    assert await versions(on_timeline="true") == [1, 2, 5, 6]
    assert await versions(on_timeline="false", from_version=4) == [4]
    assert (await real.get(f"/api/invoke/history/{thread}", on_timeline="x", expect=422))["code"] == "invalid_request"
