"""Start: what is accepted, what is refused, and what the engine is asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from tests.api.service import Service

ASYNC = "/api/invoke/async"


async def test_a_start_answers_202_with_the_place_of_its_status(client: httpx.AsyncClient, service: Service) -> None:
    answer = await client.post(ASYNC, json={"workflow": "sewing", "input": {"topic": "x"}})
    found = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == found["links"]["status"] == f"/api/invoke/status/{found['thread_id']}"
    assert found["status"] == "pending"
    assert (found["version"], found["durable"], found["estimated_duration_ms"]) == (1, True, None)
    assert (await client.get(answer.headers["location"])).json()["thread_id"] == found["thread_id"]


async def test_a_start_works_without_the_prefix(client: httpx.AsyncClient) -> None:
    assert (await client.post("/invoke/async", json={"workflow": "sewing"})).status_code == 202


async def test_every_field_also_goes_by_its_camel_case_name(client: httpx.AsyncClient, service: Service) -> None:
    body = {"workflow": "sewing", "threadId": "mine", "triggeredBy": "me", "externalRunId": "7"}
    assert (await client.post(ASYNC, json=body)).status_code == 202
    command = service.control.asked[-1]
    assert (command.thread_id, command.triggered_by, command.external_run_id) == ("mine", "me", "7")


@pytest.mark.parametrize("name", ["github_run_id", "githubRunId", "external_run_id"])
async def test_the_external_run_id_has_three_names(client: httpx.AsyncClient, service: Service, name: str) -> None:
    await client.post(ASYNC, json={"workflow": "sewing", name: "42"})
    assert service.control.asked[-1].external_run_id == "42"


async def test_the_nulls_of_the_contract_mean_not_given(client: httpx.AsyncClient, service: Service) -> None:
    body = {"workflow": "sewing", "input": None, "thread_id": None, "priority": 0, "queue": "default"}
    more = {"delay": None, "webhook": None, "context": None, "triggered_by": None, "external_run_id": None}
    assert (await client.post(ASYNC, json=body | more)).status_code == 202
    assert not service.control.asked[-1].has_input
    assert service.control.asked[-1].context == {}


async def test_a_webhook_goes_with_the_command(client: httpx.AsyncClient, service: Service) -> None:
    answer = await client.post(ASYNC, json={"workflow": "sewing", "webhook": {"url": "https://x.example"}})
    assert answer.status_code == 202
    assert service.control.asked[-1].webhook.url == "https://x.example"


@pytest.mark.parametrize(("delay", "seconds"), [("500ms", 0.5), ("90", 90.0), (2.5, 2.5)])
async def test_queue_priority_and_delay_reach_the_engine(
    client: httpx.AsyncClient, service: Service, delay: Any, seconds: float
) -> None:
    body = {"workflow": "sewing", "queue": "fast", "priority": -3, "delay": delay}
    assert (await client.post(ASYNC, json=body)).status_code == 202
    asked = service.control.asked[-1]
    assert (asked.queue, asked.priority, asked.delay) == ("fast", -3, seconds)


@pytest.mark.parametrize(
    "field",
    [
        {"queue": "a b"},
        {"queue": ""},
        {"priority": 1001},
        {"priority": 0.5},
        {"delay": -1},
        {"delay": " 5s"},
        {"delay": ".5"},
    ],
)
async def test_a_queue_priority_or_delay_that_is_none_is_refused(
    client: httpx.AsyncClient, field: dict[str, Any]
) -> None:
    answer = await client.post(ASYNC, json={"workflow": "sewing", **field})
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["pointer"] == f"/{next(iter(field))}"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"workflow": "sewing", "nonsense": 1}, "/nonsense"),
        ({"input": {}}, "/workflow"),
        ({"workflow": 3}, "/workflow"),
        ({"workflow": ""}, "/workflow"),
        ({"workflow": "a\x00b"}, "/workflow"),
        ({"workflow": "sewing", "priority": False}, "/priority"),
        ({"workflow": "sewing", "thread_id": ""}, "/thread_id"),
        ({"workflow": "sewing", "thread_id": "a/b"}, "/thread_id"),
        ({"workflow": "sewing", "thread_id": "x" * 129}, "/thread_id"),
        ({"workflow": "sewing", "triggered_by": "a\x00b"}, "/triggered_by"),
        ({"workflow": "sewing", "triggered_by": 5}, "/triggered_by"),
        ({"workflow": "sewing", "context": []}, "/context"),
        ({"workflow": "sewing", "delay": "soon"}, "/delay"),
        ({"workflow": "sewing", "thread_id": "a", "threadId": "b"}, "/threadId"),
        ([], ""),
    ],
)
async def test_a_wrong_field_is_named_by_its_pointer(client: httpx.AsyncClient, body: Any, pointer: str) -> None:
    answer = await client.post(ASYNC, json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [one["pointer"] for one in answer.json()["problems"]] == [pointer]


async def test_the_input_arrives_without_loss(client: httpx.AsyncClient, service: Service) -> None:
    raw = '{"workflow":"sewing","input":{"z":123456789012345678901234567890,"a":"\\u0000","n":1.5}}'
    await client.post(ASYNC, content=raw)
    assert service.control.asked[-1].input == {"z": 123456789012345678901234567890, "a": "\x00", "n": 1.5}


async def test_the_content_type_does_not_matter(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert (await client.post(ASYNC, content='{"workflow":"sewing"}', headers=headers)).status_code == 202


async def test_a_replayed_start_says_so(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "order 7"}
    first = await client.post(ASYNC, json={"workflow": "sewing"}, headers=headers)
    second = await client.post(ASYNC, json={"workflow": "sewing"}, headers=headers)
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert second.status_code == 202
    assert second.json() == first.json()


async def test_a_key_stands_for_the_body_whatever_its_spelling(client: httpx.AsyncClient, service: Service) -> None:
    for raw in ('{"workflow":"sewing","input":{"a":1,"b":2}}', '{ "input": {"b":2, "a":1}, "workflow": "sewing"}'):
        await client.post(ASYNC, content=raw, headers={"Idempotency-Key": "k"})
    await client.post(ASYNC, json={"workflow": "sewing", "input": {"a": 1}}, headers={"Idempotency-Key": "k"})
    one, same, other = (command.request_sha256 for command in service.control.asked)
    assert one == same != other


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9", "a\tb"])
async def test_a_key_that_is_not_printable_is_refused(client: httpx.AsyncClient, key: str) -> None:
    answer = await client.post(
        ASYNC, json={"workflow": "sewing"}, headers=[(b"idempotency-key", key.encode("latin-1"))]
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


async def test_invoke_waits_and_answers_with_the_status(client: httpx.AsyncClient, service: Service) -> None:
    answer = await client.post("/api/invoke?timeout=2m", json={"workflow": "sewing"})
    assert answer.status_code == 200
    assert answer.json()["steps"][0]["id"] == "analyst"
    assert service.control.asked[-1] == ("wait", 120.0)


async def test_invoke_answers_202_when_the_time_is_up(client: httpx.AsyncClient, service: Service) -> None:
    service.control.ends_in_time = False
    answer = await client.post("/api/invoke?timeout=0", json={"workflow": "sewing"})
    assert answer.status_code == 202
    assert answer.json()["links"]


@pytest.mark.parametrize("given", ["-1", "never", "2h", ""])
async def test_invoke_refuses_an_odd_timeout(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.post(f"/api/invoke?timeout={given}", json={"workflow": "sewing"})
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["pointer"] == "/query/timeout"


async def test_a_shutdown_ends_the_waiting(client: httpx.AsyncClient, service: Service) -> None:
    waiting = asyncio.Event()

    async def wait(thread_id: str, timeout: float) -> bool:  # noqa: ASYNC109
        waiting.set()
        return await asyncio.Event().wait()

    service.control.wait = wait
    asking = asyncio.create_task(client.post("/api/invoke?timeout=10m", json={"workflow": "sewing"}))
    await waiting.wait()
    service.shutting_down.set()
    assert (await asking).status_code == 202


async def test_an_error_of_the_wait_is_answered_as_itself(client: httpx.AsyncClient, service: Service) -> None:
    async def wait(thread_id: str, timeout: float) -> bool:  # noqa: ASYNC109
        raise LookupError

    service.control.wait = wait
    answer = await client.post("/api/invoke", json={"workflow": "sewing"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
