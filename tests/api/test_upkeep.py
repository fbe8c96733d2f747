"""Moving threads and upgrading formats over HTTP, on a whole engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.api.schemas_travel import TreeAnswer
from tests.api.real import open_real

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.api.real import Real

NAP = {"id": "nap", "sleep": "1h"}
WRITE = {"id": "write", "agent": "writer"}


@pytest.fixture
async def real() -> AsyncGenerator[Real]:
    """Two threads of `sewing@1` that sleep, and version 2 with another step at its end."""
    async with open_real() as opened:
        await opened.post("/api/workflows", {"name": "sewing", "steps": [WRITE, NAP]}, expect=201)
        for name in ("a", "b"):
            await opened.post("/api/invoke/async", {"workflow": "sewing", "thread_id": name})
            while (await opened.get(f"/api/invoke/status/{name}"))["status"] != "waiting":
                pass
        await opened.post(
            "/api/workflows", {"name": "sewing", "steps": [WRITE, NAP, {"id": "end", "agent": "writer"}]}, expect=201
        )
        yield opened


async def migrate(real: Real, *, expect: int = 200, **body: Any) -> dict[str, Any]:
    return await real.post("/api/workflows/sewing/migrate", body, expect=expect)


async def test_all_that_fit_are_moved_and_say_so_everywhere(real: Real) -> None:
    dry = await migrate(real, dry_run=True)
    assert (dry["to_version"], dry["can_move"], dry["moved"], dry["refused"]) == (2, 2, 0, 0)
    done = await migrate(real, triggered_by="me")
    assert [(one["thread_id"], one["from_version"], one["moved"]) for one in done["threads"]] == [
        ("a", 1, True),
        ("b", 1, True),
    ]
    status = await real.get("/api/invoke/status/a")
    assert (status["workflow_version"], status["kind"]) == (2, "migrate")
    assert [step["id"] for step in status["steps"]] == ["write", "nap", "end"]
    listed = await real.get("/api/workflow/executions", thread_id="a")
    assert [(one["kind"], one["workflow_version"]) for one in listed["executions"]] == [("migrate", 2), ("invoke", 1)]
    old = await real.get(f"/api/workflow/execution/{listed['executions'][1]['id']}")
    assert old["metadata"]["total_steps"] == 2
    assert listed["executions"][0]["triggered_by"] == "me"


async def test_a_tree_tells_of_a_move_as_it_says_it_does(real: Real) -> None:
    await migrate(real)
    tree = TreeAnswer.model_validate(await real.get("/api/invoke/tree/a"))
    assert [branch.began for branch in tree.branches] == ["start", "migrate"]


async def test_pages_go_on_where_the_one_before_ended(real: Real) -> None:
    first = await migrate(real, limit=1)
    rest = await migrate(real, limit=1, cursor=first["next_cursor"])
    assert [one["threads"][0]["thread_id"] for one in (first, rest)] == ["a", "b"]
    assert rest["next_cursor"] is None


async def test_why_a_thread_stays_is_told_step_by_step(real: Real) -> None:
    await real.post(
        "/api/workflows", {"name": "sewing", "steps": [{**WRITE, "input": 1}, {"id": "nap", "sleep": "2h"}]}, expect=201
    )
    found = await migrate(real, thread_ids=["a", "nobody"])
    assert (found["refused"], found["moved"]) == (2, 0)
    assert [(one["code"], one["step_id"]) for one in found["threads"][0]["reasons"]] == [
        ("step_differs", "write"),
        ("open_step_differs", "nap"),
    ]
    assert found["threads"][1]["reasons"][0]["code"] == "thread_not_found"


@pytest.mark.parametrize(
    ("body", "expect", "code"),
    [
        ({"to_version": 9}, 404, "workflow_not_found"),
        ({"statuses": ["asleep"]}, 422, "invalid_request"),
        ({"statuses": ["completed"]}, 422, "invalid_request"),
        ({"statuses": []}, 422, "invalid_request"),
        ({"thread_ids": ["no spaces"]}, 422, "invalid_request"),
        ({"cursor": "x"}, 422, "invalid_request"),
        ({"limit": 0}, 422, "invalid_request"),
        ({"what": 1}, 422, "invalid_request"),
    ],
)
async def test_what_cannot_be_is_refused(real: Real, body: dict[str, Any], expect: int, code: str) -> None:
    assert (await migrate(real, expect=expect, **body))["code"] == code


@pytest.mark.parametrize("name", ["nothing", "sewing@1", "a%00b"])
async def test_an_unknown_workflow_is_not_found(real: Real, name: str) -> None:
    answer = await real.post(f"/api/workflows/{name}/migrate", {}, expect=404)
    assert answer["code"] == "workflow_not_found"


async def test_formats_are_counted_and_there_is_nothing_to_upgrade(real: Real) -> None:
    found = await real.get("/api/workflow/state/formats")
    assert found == {"current": 2, "formats": [{"format": 2, "versions": 4, "known": True}]}
    done = await real.post("/api/workflow/state/upgrade", {"dry_run": True}, expect=200)
    assert (done["checked"], done["upgraded"], done["next_cursor"]) == (0, 0, None)
    refused = await real.post("/api/workflow/state/upgrade", {"cursor": "x"}, expect=422)
    assert refused["code"] == "invalid_request"
