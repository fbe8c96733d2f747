"""What a page draws a thread from: the definition that it runs, one step run whole, and looks ahead; on both stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.api import cursors
from app.store.memory_tables import MemoryTables
from tests.api.real import Real, open_real

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

POST: dict[str, Any] = {
    "name": "post",
    "steps": [
        {"id": "draft", "agent": "writer", "input": {"n": 1}, "effect": "none"},
        {"id": "reserve", "agent": "writer", "effect": "idempotent", "compensate": {"agent": "writer-v2"}},
        {"id": "publish", "agent": "writer", "effect": "irreversible"},
    ],
}
STOPPED: dict[str, Any] = {
    "name": "stopped",
    "steps": [
        {"id": "first", "agent": "writer"},
        {"id": "second", "agent": "failing", "effect": "irreversible"},
        {"id": "third", "agent": "writer"},
    ],
}
ASKING: dict[str, Any] = {"name": "asking", "steps": [{"id": "ask", "gate": {"title": "Go?"}}]}


@pytest.fixture(params=["memory", "postgres"])
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {} if request.param == "memory" else {"database_url": request.getfixturevalue("database_url")}


@pytest.fixture
async def real(settings: dict[str, Any]) -> AsyncGenerator[Real]:
    async with open_real(**settings) as real:
        yield real


async def step(real: Real, thread: str, name: str, *, expect: int = 200, **which: Any) -> dict[str, Any]:
    return await real.get(f"/api/invoke/steps/{thread}/{name}", expect=expect, **which)


async def test_a_step_run_is_told_whole_or_by_the_size_of_its_values(real: Real) -> None:
    thread = (await real.run(POST))["thread_id"]
    found = await step(real, thread, "draft")
    told = (found["status"], found["current"], found["reused"], found["kind"], found["effect"], found["index"])
    assert told == ("completed", True, False, "agent", "none", 0)
    assert (found["input"], found["output"]) == ({"n": 1}, {"by": "writer", "of": {"n": 1}})
    light = await step(real, thread, "draft", values="false")
    assert (light["input_bytes"], light["output_bytes"]) == (7, len('{"by":"writer","of":{"n":1}}'))
    assert light == {name: value for name, value in found.items() if name not in ("input", "output")}
    [listed] = [one for one in (await real.get(f"/api/invoke/status/{thread}"))["steps"] if one["id"] == "draft"]
    assert listed.items() <= found.items()


async def test_the_run_that_counts_is_told_and_the_others_are_named(real: Real) -> None:
    thread = (await real.run(POST))["thread_id"]
    old = await step(real, thread, "reserve")
    await real.post(f"/api/invoke/rollback/{thread}", {"to_version": 2})
    await real.ended(thread)
    now, kept = await step(real, thread, "reserve"), await step(real, thread, "draft")
    assert (now["current"], now["run_id"] != old["run_id"]) == (True, True)
    assert [(one["id"], one["reused"]) for one in now["runs"]] == [(old["run_id"], True)]
    assert (kept["reused"], kept["current"], kept["runs"]) == (True, True, [])
    for which in ({"run_id": old["run_id"]}, {"execution_id": old["execution_id"]}):
        again = await step(real, thread, "reserve", **which)
        assert (again["run_id"], again["current"]) == (old["run_id"], False)


async def test_a_run_that_was_rolled_back_is_told_as_one_that_does_not_count(real: Real) -> None:
    thread = (await real.run(POST))["thread_id"]
    await real.post(f"/api/invoke/rollback/{thread}", {"to_version": 2, "resume": False, "compensate": True})
    while (await real.get(f"/api/invoke/status/{thread}"))["status"] != "paused":
        pass
    left = await step(real, thread, "reserve")
    assert (left["status"], left["current"], left["reused"]) == ("completed", False, True)
    undo = await step(real, thread, "reserve.undo")
    assert (undo["kind"], undo["compensates"], undo["current"]) == ("agent", "reserve", True)
    assert undo["output"]["by"] == "writer-v2"


async def test_a_step_that_has_not_begun_is_pending_and_one_that_waits_tells_its_gate(real: Real) -> None:
    workflow = {**ASKING, "steps": [*ASKING["steps"], {"id": "then", "agent": "writer"}]}
    thread = (await real.post("/api/invoke/async", {"workflow": workflow}))["thread_id"]
    while (await real.get(f"/api/invoke/status/{thread}"))["status"] != "waiting":
        pass
    asked, then = await step(real, thread, "ask"), await step(real, thread, "then")
    assert (asked["gate"]["title"], asked["gate"]["status"], asked["wait"]) == ("Go?", "open", None)
    assert (then["status"], then["run_id"], then["input"], then["runs"]) == ("pending", None, None, [])


@pytest.mark.parametrize(
    ("name", "which", "status", "code"),
    [
        ("nothing", {}, 404, "step_not_found"),
        ("draft.undo", {}, 404, "step_not_found"),
        ("draft%00", {}, 404, "step_not_found"),
        ("draft", {"run_id": "odd"}, 404, "step_not_found"),
        ("draft", {"execution_id": "0199c5e0-0000-7000-8000-000000000000"}, 404, "execution_not_found"),
        ("draft", {"execution_id": "odd"}, 404, "execution_not_found"),
        ("draft", {"execution_id": "a", "run_id": "b"}, 422, "invalid_request"),
        ("draft", {"unknown": 1}, 422, "invalid_request"),
    ],
)
async def test_what_is_not_there_is_said(real: Real, name: str, which: dict[str, Any], status: int, code: str) -> None:
    thread = (await real.run(POST))["thread_id"]
    assert (await step(real, thread, name, expect=status, **which))["code"] == code
    assert (await step(real, "nobody", "draft", expect=404))["code"] == "thread_not_found"


async def test_the_definition_of_a_thread_is_the_one_that_it_runs_with_its_graph(real: Real) -> None:
    await real.post("/api/workflows", POST, expect=201)
    thread = (await real.post("/api/invoke", {"workflow": "post"}, expect=200))["thread_id"]
    await real.post("/api/workflows", {**POST, "description": "newer"}, expect=201)
    found = await real.get(f"/api/invoke/workflow/{thread}")
    assert found == await real.get("/api/workflows/post@1")
    assert [(one["id"], one["effect"]) for one in found["graph"]["nodes"]][1:] == [
        ("reserve", "idempotent"),
        ("publish", "irreversible"),
    ]
    ad_hoc = (await real.run(STOPPED))["thread_id"]
    direct = await real.get(f"/api/invoke/workflow/{ad_hoc}")
    assert (direct["name"], direct["version"], direct["document"]) == ("stopped", None, STOPPED)
    assert (await real.get("/api/invoke/workflow/nobody", expect=404))["code"] == "thread_not_found"


async def test_the_versions_of_a_workflow_are_listed_newest_first_in_pages(real: Real) -> None:
    for number in range(3):
        await real.post("/api/workflows", {**POST, "description": str(number)}, expect=201)
    first = await real.get("/api/workflows/post/versions", limit=2)
    rest = await real.get("/api/workflows/post/versions", limit=2, cursor=first["next_cursor"])
    assert [(one["version"], one["description"]) for one in first["versions"]] == [(3, "2"), (2, "1")]
    assert ([one["version"] for one in rest["versions"]], rest["next_cursor"]) == ([1], None)
    assert "document" not in first["versions"][0]
    assert (await real.get("/api/workflows/nothing/versions", expect=404))["code"] == "workflow_not_found"


async def test_few_documents_are_read_at_a_time_however_long_a_page_is(
    real: Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"zz-{number}" for number in range(5)]
    for name in names:
        await real.post("/api/workflows", {**POST, "name": name}, expect=201)
    registry, asked = real.services.registry, list[int]()
    workflows = registry.workflows

    async def counting(*, limit: int = 50, **more: Any) -> Any:
        asked.append(limit)
        return await workflows(limit=limit, **more)

    monkeypatch.setattr(registry, "workflows", counting)
    monkeypatch.setattr("app.api.workflows._AT_ONCE", 2)
    for limit, expected, more in ((5, names, False), (4, names[:4], True), (3, names[:3], True), (9, names, False)):
        page = await real.get("/api/workflows", limit=limit, cursor=cursors.encode("zz"))
        assert ([one["name"] for one in page["workflows"]], page["next_cursor"] is not None) == (expected, more)
    assert max(asked) == 3


async def test_a_dry_resume_tells_what_would_run_and_changes_nothing(real: Real) -> None:
    thread = (await real.run(STOPPED))["thread_id"]
    before = await real.get(f"/api/invoke/status/{thread}")
    found = await real.post(f"/api/invoke/resume/{thread}", {"dry_run": True}, expect=200)
    assert (found["would_run"], found["kept"], found["status"]) == (["second", "third"], ["first"], "pending")
    assert found["resumed_from_version"] == before["version"]
    assert [(one["step_id"], one["status"]) for one in found["again"]] == [("second", "failed")]
    assert found["irreversible"] == ["second"]
    given = {"dry_run": True, "skip": {"second": 1}, "from_step": "first"}
    other = await real.post(f"/api/invoke/resume/{thread}", given, expect=200)
    assert (other["would_run"], other["skipped"], other["kept"]) == (["first", "third"], ["second"], [])
    assert await real.get(f"/api/invoke/status/{thread}") == before


async def test_a_dry_resume_says_what_the_real_one_then_does(real: Real) -> None:
    thread = (await real.run(POST))["thread_id"]
    assert (await real.post(f"/api/invoke/resume/{thread}", {"dry_run": True}, expect=200))["would_run"] == []
    told = await real.post(f"/api/invoke/resume/{thread}", {"dry_run": True, "from_step": "reserve"}, expect=200)
    await real.post(f"/api/invoke/resume/{thread}", {"from_step": "reserve"})
    steps = (await real.ended(thread))["steps"]
    assert told["would_run"] == [one["id"] for one in steps if not one["reused"]] == ["reserve", "publish"]
    assert told["kept"] == ["draft"]
    assert [one["step_id"] for one in told["again"]] == ["reserve", "publish"]
    assert told["irreversible"] == ["publish"]


async def test_a_dry_run_is_refused_for_what_the_real_one_would_be(real: Real) -> None:
    thread = (await real.run(POST))["thread_id"]
    for action, given, status, code in (
        ("resume", {"from_step": "nothing"}, 422, "step_not_found"),
        ("resume", {"expected_version": 1}, 409, "version_conflict"),
        ("rollback", {"to_version": 2, "expected_version": 1}, 409, "version_conflict"),
        ("rollback", {"to_version": 2, "overrides": {"nothing": {}}}, 422, "step_not_found"),
        ("rollback", {"to_version": 5, "context": {"a": 1}}, 422, "nothing_to_run"),
        ("rollback", {"to_version": 9}, 404, "version_not_found"),
    ):
        refused = await real.post(f"/api/invoke/{action}/{thread}", {**given, "dry_run": True}, expect=status)
        assert refused["code"] == code


async def test_a_dry_rollback_tells_what_it_would_undo_do_and_leave(real: Real) -> None:
    thread = (await real.run(POST))["thread_id"]
    path, told = f"/api/invoke/rollback/{thread}", {}
    for name, given in (
        ("on", {}),
        ("held", {"resume": False}),
        ("undone", {"resume": False, "compensate": True}),
        ("end", {"to_version": 5}),
    ):
        told[name] = await real.post(path, {"to_version": 2, "dry_run": True, **given}, expect=200)
    assert [told[name]["status"] for name in told] == ["pending", "paused", "paused", "completed"]
    assert [told[name]["compensations"] for name in told] == [[], [], ["reserve.undo"], []]
    assert [told[name]["runs_again"] for name in told] == [["reserve", "publish"]] * 3 + [[]]
    assert [told[name]["irreversible"] for name in told] == [["publish"]] * 3 + [[]]
    assert told["held"]["kept"] == ["draft"]


async def test_the_process_that_answers_is_among_the_workers(real: Real) -> None:
    thread = await real.post(
        "/api/invoke/async", {"workflow": {"name": "h", "steps": [{"id": "a", "agent": "hanging"}]}}
    )
    while (await real.get(f"/api/invoke/status/{thread['thread_id']}"))["status"] != "running":
        pass
    found = await real.get("/api/workers")
    [one] = found["workers"]
    assert (one["this"], one["alive"], one["threads"], one["queues"]) == (True, True, 1, {"default": 1})
    assert one["slots"] - one["free_slots"] == 1
    assert 0 <= one["age_ms"] <= found["lease_ms"]
    await real.post(f"/api/invoke/cancel/{thread['thread_id']}")


async def test_problems_of_a_text_have_lines_and_columns(real: Real) -> None:
    text = "name: post\nsteps:\n  - id: a\n    agent: nobody\n    colour: red\n"
    judged = (await real.http.post("/api/workflows/validate", content=text)).json()
    assert [(one["pointer"], one["line"], one["column"]) for one in judged["problems"]] == [("/steps/0/colour", 5, 5)]
    refused = (await real.http.post("/api/workflows", content=text.replace("    colour: red\n", ""))).json()
    assert [(one["pointer"], one["line"], one["column"]) for one in refused["problems"]] == [("/steps/0/agent", 4, 5)]
    odd = (await real.http.post("/api/workflows/validate", content="name: x\nsteps: [\n")).json()
    assert [(one["pointer"], one["line"], one["column"]) for one in odd["problems"]] == [("", 3, 1)]
    broken = await real.http.post("/api/workflows/validate", content='{"name": "x",\n "steps" 1}')
    assert (broken.status_code, broken.json()["code"], broken.json()["problems"][0]["line"]) == (400, "invalid_json", 2)
    future = (await real.http.post("/api/workflows", json={**POST, "schedule": {}})).json()
    assert (future["code"], future["problems"][0]["line"]) == ("not_supported", 1)


async def test_a_definition_that_is_gone_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_real() as real:
        thread = (await real.run(POST))["thread_id"]
        tables: MemoryTables = real.services.registry._tables
        monkeypatch.setattr(tables, "workflows", {})
        assert (await real.get(f"/api/invoke/workflow/{thread}", expect=404))["code"] == "workflow_not_found"
