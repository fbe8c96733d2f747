"""Steering, workflows and health: what the engine is asked and what is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.domain.commands import StepOverride

if TYPE_CHECKING:
    import httpx

    from tests.api.service import Service


async def test_a_resume_needs_no_body(client: httpx.AsyncClient, service: Service) -> None:
    driver = await service.drive(thread_id="thread")
    answer = await client.post("/api/invoke/resume/thread")
    assert answer.status_code == 202
    found = answer.json()
    assert (found["thread_id"], found["execution_id"]) == ("thread", driver.thread.execution_id)
    assert (found["status"], found["resumed_from_version"]) == ("pending", 4)
    assert found["links"]["stream"] == "/api/invoke/stream/thread"


async def test_a_resume_asks_for_what_its_body_says(client: httpx.AsyncClient, service: Service) -> None:
    await service.drive(thread_id="thread")
    body = {"fromStep": "analyst", "skip": {"publish": {"any": 10**30}}, "expected_version": 3}
    overrides = {"marketer": {"agent": "marketer-v2", "input": {"a": 1}}}
    assert (await client.post("/invoke/resume/thread", json=body | {"overrides": overrides})).status_code == 202
    command = service.control.asked[-1]
    assert (command.from_step, command.skip, command.expected_version) == ("analyst", {"publish": {"any": 10**30}}, 3)
    assert command.overrides == {"marketer": StepOverride(agent="marketer-v2", input={"a": 1})}


async def test_an_override_that_is_no_object_is_told_in_plain_words(
    client: httpx.AsyncClient, service: Service
) -> None:
    await service.drive(thread_id="thread")
    answer = await client.post("/api/invoke/resume/thread", json={"overrides": {"marketer": 1}})
    assert answer.json()["problems"] == [{"pointer": "/overrides/marketer", "message": "should be an object"}]


async def test_a_resume_with_nothing_to_do_is_200(client: httpx.AsyncClient, service: Service) -> None:
    await service.drive(thread_id="thread")
    service.control.answer = {"nothing_to_do": True, "from_version": None}
    answer = await client.post("/api/invoke/resume/thread", json={})
    assert (answer.status_code, answer.json()["resumed_from_version"]) == (200, 1)


async def test_a_rollback_tells_both_versions(client: httpx.AsyncClient, service: Service) -> None:
    await service.drive(thread_id="thread")
    body = {"toVersion": 2, "resume": False, "reason": "\x00", "context": {"a": 1}}
    answer = await client.post("/api/invoke/rollback/thread", json=body)
    assert answer.status_code == 202
    assert (answer.json()["rolled_back_to_version"], answer.json()["rolled_back_from_version"]) == (2, 4)
    command = service.control.asked[-1]
    assert (command.to_version, command.resume, command.reason, command.context) == (2, False, "\x00", {"a": 1})


@pytest.mark.parametrize(
    "body", [{}, {"to_version": 0}, {"to_version": "2"}, {"to_version": True}, {"to_version": 2**31}]
)
async def test_a_rollback_needs_a_version(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    answer = await client.post("/api/invoke/rollback/thread", json=body)
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["pointer"] == "/to_version"


async def test_cancel_and_pause_answer_with_the_status(client: httpx.AsyncClient, service: Service) -> None:
    await service.drive(thread_id="thread")
    cancelled = await client.post("/api/invoke/cancel/thread", json={"reason": "enough", "force": True})
    paused = await client.post("/api/invoke/pause/thread")
    assert (cancelled.status_code, paused.status_code) == (202, 202)
    assert len(paused.json()["steps"]) == 3
    assert service.control.asked == [("cancel", "enough", True), "pause"]


@pytest.mark.parametrize("action", ["resume", "rollback", "cancel", "pause"])
async def test_steering_an_unknown_thread_is_not_found(client: httpx.AsyncClient, action: str) -> None:
    answer = await client.post(f"/api/invoke/{action}/nobody", json={"to_version": 1} if action == "rollback" else {})
    assert (answer.status_code, answer.json()["code"]) == (404, "thread_not_found")


async def test_a_json_document_is_registered(client: httpx.AsyncClient, service: Service) -> None:
    answer = await client.post("/api/workflows", json={"name": "sewing", "steps": []})
    assert (answer.status_code, answer.headers["location"]) == (201, "/api/workflows/sewing@1")
    assert service.control.asked == [{"name": "sewing", "steps": []}]
    assert answer.json()["steps"] == ["analyst", "marketer", "publish"]


async def test_a_yaml_document_is_handed_on_as_text(client: httpx.AsyncClient, service: Service) -> None:
    text = "name: sewing\nsteps:\n  - {id: a, agent: b}\n"
    assert (await client.post("/api/workflows", content=text)).status_code == 201
    assert service.control.asked == [text]


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 50_000, b"\xff: 1"])
async def test_a_document_that_cannot_be_read_is_refused(
    client: httpx.AsyncClient, service: Service, body: bytes
) -> None:
    assert 400 <= (await client.post("/api/workflows", content=body)).status_code < 500
    assert service.control.asked == []


async def test_workflows_are_listed_and_found_by_name_and_version(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/api/workflows")).json()
    assert [(one["name"], one["version"]) for one in listed["workflows"]] == [("sewing", 1)]
    assert listed["next_cursor"] is None
    for reference in ("sewing", "sewing@1"):
        assert (await client.get(f"/api/workflows/{reference}")).json()["document"]["name"] == "sewing"


@pytest.mark.parametrize("reference", ["sewing@2", "sewing@x", "sewing@99999999999", "a%00b", "nobody"])
async def test_an_unknown_workflow_is_not_found(client: httpx.AsyncClient, reference: str) -> None:
    answer = await client.get(f"/api/workflows/{reference}")
    assert (answer.status_code, answer.json()["code"]) == (404, "workflow_not_found")


async def test_the_list_of_workflows_has_pages(client: httpx.AsyncClient, service: Service) -> None:
    await service.registry.register(name="knitting", document='{"name":"knitting"}', hash="2a")
    first = (await client.get("/api/workflows?limit=1")).json()
    second = (await client.get(f"/api/workflows?limit=1&cursor={first['next_cursor']}")).json()
    assert [page["workflows"][0]["name"] for page in (first, second)] == ["knitting", "sewing"]
    assert second["next_cursor"] is None


async def test_a_valid_document_gets_a_diagram(client: httpx.AsyncClient) -> None:
    found = (await client.post("/api/workflows/validate", json={"name": "sewing"})).json()
    assert found["valid"] is True
    assert found["diagram"].splitlines()[:2] == ["flowchart TD", '  s0["analyst<br/>agent: analyst"]']
    assert "  s0 --> s1" in found["diagram"]


async def test_an_invalid_document_gets_its_problems(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/workflows/validate", json={"name": 1})
    assert (answer.status_code, answer.json()["valid"]) == (200, False)
    assert answer.json()["problems"] == [{"pointer": "/name", "message": "should be text", "line": 1, "column": 2}]


@pytest.mark.parametrize(
    ("parts", "status", "code"),
    [
        ({"database": {"status": "ready"}}, "ready", 200),
        ({"database": {"status": "degraded"}, "worker": {"status": "ready"}}, "degraded", 200),
        ({"database": {"status": "unavailable"}, "worker": {"status": "degraded"}}, "unavailable", 503),
        ({"database": {"status": "ready"}, "queue": {"status": "unavailable"}}, "degraded", 200),
    ],
)
async def test_the_health_is_that_of_the_worst_part(
    client: httpx.AsyncClient, service: Service, parts: Any, status: str, code: int
) -> None:
    service.parts = parts
    answer = await client.get("/api/health")
    assert (answer.status_code, answer.json()) == (code, {"status": status, "durable": True, "parts": parts})


async def test_a_service_that_shuts_down_is_not_ready_but_live(client: httpx.AsyncClient, service: Service) -> None:
    service.shutting_down.set()
    assert (await client.get("/api/health")).status_code == 503
    assert (await client.get("/api/health/live")).json() == {"status": "live"}


async def test_the_checkpointer_says_which_it_is(client: httpx.AsyncClient) -> None:
    found = (await client.get("/api/health/checkpointer")).json()
    assert (found["kind"], found["durable"], found["reachable"], found["fallback"]) == ("memory", False, True, None)
