"""Items, usage, limits and dry runs over HTTP, on a whole engine."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.api.app import create_app
from app.domain.spec import Limits
from app.domain.times import rfc3339, utc_now
from tests.api.real import Real, open_real
from tests.api.test_openapi import check

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import httpx

    from tests.api.service import Service

EACH = {
    "name": "each",
    "steps": [{"id": "m", "for_each": "{input}", "on_item_error": "collect", "agent": "spender", "input": "{item}"}],
}
POST: dict[str, Any] = {
    "name": "post",
    "steps": [
        {"id": "draft", "agent": "writer", "effect": "none"},
        {"id": "reserve", "agent": "writer", "effect": "idempotent", "compensate": {"agent": "writer-v2"}},
        {"id": "publish", "agent": "writer", "effect": "irreversible"},
    ],
}


@pytest.fixture
async def real() -> AsyncGenerator[Real]:
    async with open_real() as real:
        yield real


async def test_items_are_listed_by_page_with_their_counts(real: Real) -> None:
    thread = (await real.run(EACH, [0, "x", 2, 3]))["thread_id"]
    first = await real.get(f"/api/workflow/items/{thread}/m", limit=2)
    assert first["counts"] == {"total": 4, "completed": 3, "failed": 1, "open": 0}
    assert [(one["index"], one["status"], one["output"]) for one in first["items"]] == [
        (0, "completed", 0),
        (1, "failed", None),
    ]
    assert first["items"][1]["error"]["kind"] == "refused"
    rest = await real.get(f"/api/workflow/items/{thread}/m", cursor=first["next_cursor"])
    assert ([one["index"] for one in rest["items"]], rest["next_cursor"]) == ([2, 3], None)


async def test_the_answers_are_as_they_are_documented(real: Real) -> None:
    def never() -> Any:
        raise AssertionError("nothing is opened for the document")

    document = create_app(never).openapi()
    each, post = [(await real.run(one, [1, "x"]))["thread_id"] for one in (EACH, POST)]
    answers = {
        ("get", "/api/workflow/items/{thread_id}/{step_id}"): await real.get(f"/api/workflow/items/{each}/m"),
        ("get", "/api/workflow/items/{thread_id}/{step_id}/{index}"): await real.get(f"/api/workflow/items/{each}/m/1"),
        ("get", "/api/usage"): await real.get("/api/usage", by="agent,day"),
        ("post", "/api/invoke/rollback/{thread_id}"): await real.post(
            f"/api/invoke/rollback/{post}", {"to_version": 2, "dry_run": True}, expect=200
        ),
    }
    for (method, path), answer in answers.items():
        content = document["paths"][path][method]["responses"]["200"]["content"]
        check(document, content["application/json"]["schema"], answer, path)


async def test_items_of_one_status_are_found(real: Real) -> None:
    thread = (await real.run(EACH, [0, "x", 2]))["thread_id"]
    found = await real.get(f"/api/workflow/items/{thread}/m", status="failed")
    assert [one["index"] for one in found["items"]] == [1]


async def test_a_long_list_is_counted_though_its_text_is_not_kept_twice(real: Real) -> None:
    thread = (await real.run(EACH, list(range(1_000))))["thread_id"]
    assert (await real.get(f"/api/workflow/items/{thread}/m"))["counts"]["total"] == 1_000


async def test_a_long_output_is_shortened_in_the_list_and_whole_by_itself(real: Real) -> None:
    document = {"name": "long", "steps": [{"id": "m", "for_each": ["x" * 9_000], "agent": "writer", "input": "{item}"}]}
    thread = (await real.run(document))["thread_id"]
    [one] = (await real.get(f"/api/workflow/items/{thread}/m"))["items"]
    assert one["output"]["truncated"] is True
    whole = await real.get(f"/api/workflow/items/{thread}/m/0")
    assert whole["output"]["of"] == "x" * 9_000


async def test_iterations_are_items_too(real: Real) -> None:
    repeat = {"until": "iteration == 2", "max_iterations": 5}
    document = {"name": "again", "steps": [{"id": "r", "agent": "spender", "input": "{iteration}", "repeat": repeat}]}
    thread = (await real.run(document))["thread_id"]
    found = await real.get(f"/api/workflow/items/{thread}/r")
    assert [one["output"] for one in found["items"]] == [0, 1, 2]


@pytest.mark.parametrize(
    ("path", "code"),
    [("nobody", "step_not_found"), ("draft", "items_not_found"), ("draft/0", "items_not_found")],
)
async def test_what_has_no_items_is_a_404(real: Real, path: str, code: str) -> None:
    thread = (await real.run(POST))["thread_id"]
    assert (await real.get(f"/api/workflow/items/{thread}/{path}", expect=404))["code"] == code


async def test_before_a_step_begins_it_has_no_items(real: Real) -> None:
    first = {"id": "first", "agent": "failing"}
    document = {"name": "late", "steps": [first, {"id": "m", "for_each": [1], "agent": "writer"}]}
    thread = (await real.run(document))["thread_id"]
    found = await real.get(f"/api/workflow/items/{thread}/m")
    assert (found["status"], found["run_id"], found["items"]) == ("pending", None, [])
    await real.get(f"/api/workflow/items/{thread}/m/0", expect=404)


async def test_usage_is_summed_by_what_is_asked(real: Real) -> None:
    await real.run(EACH, [1, 2])
    await real.run({**EACH, "name": "other"}, [3])
    found = await real.get("/api/usage", by="workflow,agent")
    assert [(one["workflow"], one["agent"], one["cost_usd"], one["step_runs"]) for one in found["usage"]] == [
        ("each", "spender", 2.0, 1),
        ("other", "spender", 1.0, 1),
    ]
    assert found["total"] == {"step_runs": 2, "input_tokens": 300, "output_tokens": 150, "cost_usd": 3.0}
    [today] = (await real.get("/api/usage", by="day"))["usage"]
    assert today.keys() == {"day", "step_runs", "input_tokens", "output_tokens", "cost_usd"}
    later = rfc3339(utc_now() + timedelta(days=1))
    assert (await real.get("/api/usage", since=later))["total"]["step_runs"] == 0


async def test_usage_comes_in_pages(real: Real) -> None:
    for name in ("a", "b", "c"):
        await real.run({**EACH, "name": name}, [1])
    first = await real.get("/api/usage", by="workflow", limit=2)
    rest = await real.get("/api/usage", by="workflow", limit=2, cursor=first["next_cursor"])
    assert [one["workflow"] for one in first["usage"] + rest["usage"]] == ["a", "b", "c"]
    assert (rest["next_cursor"], rest["total"]["step_runs"]) == (None, 3)


@pytest.mark.parametrize("query", ["by=agents", "by=agent,,day", "since=yesterday", "cursor=x&by=day", "by=agent;day"])
async def test_an_odd_question_about_usage_is_refused(real: Real, query: str) -> None:
    answer = await real.http.get(f"/api/usage?{query}")
    assert answer.status_code == 422


async def test_a_resume_sets_limits(client: httpx.AsyncClient, service: Service) -> None:
    await service.drive(thread_id="thread")
    body = {"limits": {"max_cost_usd": 5, "maxTokens": 1000, "deadline": "2h"}}
    assert (await client.post("/api/invoke/resume/thread", json=body)).status_code == 202
    assert service.control.asked[-1].limits == Limits(max_cost_usd=5.0, max_tokens=1000, deadline=7200.0)


@pytest.mark.parametrize(
    "limits", [{"max_cost_usd": -1}, {"max_tokens": 1.5}, {"deadline": "soon"}, {"euros": 1}, {"max_cost_usd": True}, 3]
)
async def test_odd_limits_are_refused(client: httpx.AsyncClient, service: Service, limits: Any) -> None:
    await service.drive(thread_id="thread")
    answer = await client.post("/api/invoke/resume/thread", json={"limits": limits})
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["pointer"].startswith("/limits")


async def test_over_its_budget_a_thread_pauses_and_a_raised_limit_lets_it_go_on(real: Real) -> None:
    costly = [{"id": f"s{n}", "agent": "spender", "input": n} for n in range(3)]
    paused = await real.run({"name": "costly", "limits": {"max_cost_usd": 2}, "steps": costly})
    assert (paused["status"], paused["completed_steps"]) == ("paused", ["s0", "s1"])
    thread = paused["thread_id"]
    await real.post(f"/api/invoke/resume/{thread}", {"limits": {"max_cost_usd": 5}})
    assert (await real.ended(thread))["status"] == "completed"


async def test_a_dry_run_tells_what_is_undone_and_changes_nothing(real: Real) -> None:
    thread = (await real.run(POST))["thread_id"]
    before = await real.get(f"/api/invoke/status/{thread}")
    found = await real.post(f"/api/invoke/rollback/{thread}", {"to_version": 2, "dry_run": True}, expect=200)
    assert [(one["step_id"], one["effect"], one["compensate"]) for one in found["undone"]] == [
        ("publish", "irreversible", False),
        ("reserve", "idempotent", True),
    ]
    assert (found["from_version"], found["to_version"]) == (5, 2)
    assert (found["irreversible"], found["runs_again"]) == (["publish"], ["reserve", "publish"])
    assert await real.get(f"/api/invoke/status/{thread}") == before


@pytest.mark.parametrize(
    ("more", "code"), [({"expected_version": 3}, "version_conflict"), ({"to_version": 9}, "version_not_found")]
)
async def test_a_dry_run_is_refused_as_the_rollback_would_be(real: Real, more: dict[str, Any], code: str) -> None:
    thread = (await real.run(POST))["thread_id"]
    answer = await real.http.post(f"/api/invoke/rollback/{thread}", json={"to_version": 2, "dry_run": True, **more})
    assert answer.json()["code"] == code


async def test_a_rollback_compensates_when_it_is_asked_to(real: Real) -> None:
    thread = (await real.run(POST))["thread_id"]
    body = {"to_version": 2, "compensate": True, "resume": False}
    await real.post(f"/api/invoke/rollback/{thread}", body)
    while (await real.get(f"/api/invoke/status/{thread}"))["status"] != "paused":
        pass
    execution = (await real.get(f"/api/invoke/status/{thread}"))["execution_id"]
    runs = (await real.get(f"/api/workflow/execution/{execution}"))["steps"]
    undo = [run for run in runs if run["name"] == "reserve.undo"]
    assert [(run["status"], run["agent"]) for run in undo] == [("completed", "writer-v2")]
