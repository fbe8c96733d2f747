"""Starting: 202 after the thread is durable, in the shape of the contract; keys, threads of one's own, refusals."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.service import ROOT, chain, digest
from tests.acceptance.shapes import ACCEPTED, PROBLEM, STATUS, check

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service

ASYNC = "/api/invoke/async"
ONE = {"name": "one", "steps": [{"id": "only", "python": "echo", "input": "{input}"}]}


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    """A problem document with this code."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    check(found, PROBLEM)
    assert (found["status"], found["code"]) == (status, code)
    return found


@pytest.mark.parametrize("prefix", ["/api", ""])
def test_a_start_answers_202_with_the_place_of_the_status(service: Service, prefix: str) -> None:
    answer = service.http.post(f"{prefix}/invoke/async", json={"workflow": ONE, "input": {"a": 1}})
    assert answer.status_code == 202
    accepted = answer.json()
    check(accepted, ACCEPTED)
    thread = accepted["thread_id"]
    assert answer.headers["location"] == accepted["links"]["status"] == f"/api/invoke/status/{thread}"
    assert accepted["durable"] is True
    assert accepted["version"] == 1
    found = service.until(thread)
    check(found, STATUS)
    assert (found["status"], found["output"]) == ("completed", {"only": {"a": 1}})


def test_an_inline_document_has_no_workflow_id_and_a_registered_one_has(service: Service) -> None:
    service.register(chain("registered", 1))
    inline = service.run(ONE, 1)
    registered = service.run("registered")
    versioned = service.run("registered@1")
    assert inline["workflow_version"] is None
    assert service.get(f"/api/workflow/execution/{inline['execution_id']}")["execution"]["workflow_id"] is None
    assert service.get(f"/api/workflow/execution/{registered['execution_id']}")["execution"]["workflow_id"]
    assert versioned["workflow_version"] == registered["workflow_version"] == 1


def test_the_document_of_the_contract_in_camel_case_is_taken(service: Service) -> None:
    thread = f"camel:{uuid.uuid4()}"
    body = {"workflow": ONE, "threadId": thread, "triggeredBy": "me@example", "externalRunId": "run-7", "context": {}}
    accepted = service.post(ASYNC, body)
    assert accepted["thread_id"] == thread
    found = service.get(f"/api/workflow/execution/{accepted['execution_id']}")["execution"]
    assert (found["triggered_by"], found["external_run_id"]) == ("me@example", "run-7")


def test_every_field_of_the_contract_with_its_default_is_taken(service: Service) -> None:
    body = {"workflow": ONE, "input": {"topic": "x"}, "thread_id": None, "triggered_by": "me", "external_run_id": None}
    rest = {"priority": 0, "queue": "default", "delay": None, "context": {}, "webhook": None}
    check(service.post(ASYNC, {**body, **rest}), ACCEPTED)


def test_github_run_id_is_another_name_of_external_run_id(service: Service) -> None:
    accepted = service.post(ASYNC, {"workflow": ONE, "github_run_id": "gh-1"})
    found = service.get(f"/api/workflow/execution/{accepted['execution_id']}")
    assert found["execution"]["external_run_id"] == "gh-1"


def test_a_start_that_waits_answers_with_the_status_document(service: Service) -> None:
    answer = service.http.post("/api/invoke", params={"timeout": "20s"}, json={"workflow": ONE, "input": [1]})
    assert answer.status_code == 200, answer.text
    check(answer.json(), STATUS)
    assert (answer.json()["status"], answer.json()["output"]) == ("completed", {"only": [1]})


def test_a_start_that_waits_in_vain_answers_202(service: Service, tmp_path: Path) -> None:
    held = chain("held", 1, until=str(tmp_path / "go"))
    answer = service.http.post("/invoke", params={"timeout": "100ms"}, json={"workflow": held})
    assert answer.status_code == 202, answer.text
    check(answer.json(), ACCEPTED)
    (tmp_path / "go").touch()
    assert service.until(answer.json()["thread_id"])["status"] == "completed"


def test_the_same_key_starts_once(service: Service) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = service.http.post(ASYNC, json={"workflow": ONE, "input": 1}, headers=key)
    second = service.http.post(ASYNC, json={"input": 1, "workflow": ONE}, headers=key)
    assert (first.status_code, second.status_code) == (202, 202)
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert first.json()["thread_id"] == second.json()["thread_id"]
    assert first.json()["execution_id"] == second.json()["execution_id"]


def test_the_same_key_with_another_body_is_refused(service: Service) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    service.http.post(ASYNC, json={"workflow": ONE, "input": 1}, headers=key)
    refused(service.http.post(ASYNC, json={"workflow": ONE, "input": 2}, headers=key), 422, "idempotency_key_reused")


def test_many_at_once_with_one_key_start_one_thread(service: Service) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}

    def start(_: int) -> tuple[int, str]:
        answer = service.http.post(ASYNC, json={"workflow": ONE, "triggered_by": key["Idempotency-Key"]}, headers=key)
        return answer.status_code, answer.json().get("thread_id", "")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(start, range(24)))
    assert {status for status, _ in answers} <= {202, 409}
    assert len({thread for status, thread in answers if status == 202}) == 1
    assert service.get("/api/workflow/executions", triggered_by=key["Idempotency-Key"])["total"] == 1


def test_a_start_that_was_refused_leaves_its_key_free(service: Service) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    refused(service.http.post(ASYNC, json={"workflow": "no-such"}, headers=key), 404, "workflow_not_found")
    assert service.http.post(ASYNC, json={"workflow": ONE}, headers=key).status_code == 202


def test_a_key_goes_before_what_the_thread_does_now(service: Service) -> None:
    key, thread = {"Idempotency-Key": str(uuid.uuid4())}, str(uuid.uuid4())
    answers = [service.http.post(ASYNC, json={"workflow": ONE, "thread_id": thread}, headers=key) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert len({answer.json()["execution_id"] for answer in answers}) == 1


def test_a_key_works_for_a_start_that_waits(service: Service) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first, second = (
        service.http.post("/api/invoke", json={"workflow": ONE, "input": 1}, headers=key) for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"


def test_a_key_that_is_no_printable_text_is_refused(service: Service) -> None:
    refused(service.http.post(ASYNC, json={"workflow": ONE}, headers={"Idempotency-Key": ""}), 400, "invalid_request")
    refused(
        service.http.post(ASYNC, json={"workflow": ONE}, headers={"Idempotency-Key": "x" * 300}), 400, "invalid_request"
    )


def test_a_thread_that_runs_cannot_be_started_again(service: Service, tmp_path: Path) -> None:
    service.register(chain("busy", 1, until=str(tmp_path / "go")))
    thread = service.start_thread("busy", thread_id=f"busy.{uuid.uuid4()}")
    refused(service.http.post(ASYNC, json={"workflow": "busy", "thread_id": thread}), 409, "thread_running")
    (tmp_path / "go").touch()
    service.until(thread)
    answer = service.http.post(ASYNC, json={"workflow": ONE, "thread_id": thread})
    assert (answer.status_code, answer.json()["status"]) == (409, 409)


def test_a_completed_thread_without_input_has_nothing_to_do(service: Service) -> None:
    service.register(chain("done", 2))
    thread = service.run("done")["thread_id"]
    answer = service.http.post(ASYNC, json={"workflow": "done", "thread_id": thread})
    assert answer.status_code == 200, answer.text
    assert answer.json()["resumed_from_version"] == 4
    assert service.calls(thread) == {"s1": 1, "s2": 1}


def test_an_ended_thread_with_input_begins_a_new_execution_with_its_context(service: Service) -> None:
    step = {"id": "say", "python": "echo", "input": {"now": "{input}", "before": "{context}"}, "assign": "said"}
    service.register({"name": "again", "steps": [step]})
    first = service.run("again", 1, context={"tone": "kind"})
    second = service.run("again", 2, thread_id=first["thread_id"])
    assert first["execution_id"] != second["execution_id"]
    assert digest(second["output"]["say"]["before"]["tone"]) == '"kind"'
    assert second["output"]["say"]["before"]["said"] == {"now": 1, "before": {"tone": "kind"}}
    versions = service.versions(first["thread_id"])
    assert [one["current_step"] for one in versions] == ["START", "say", "END", "START", "say", "END"]
    assert [one["version"] for one in versions] == [1, 2, 3, 4, 5, 6]
    assert versions[3]["completed_steps"] == []


def test_a_start_of_a_failed_thread_without_input_resumes_it(service: Service, tmp_path: Path) -> None:
    steps = [{"id": "a", "agent": "worker"}, {"id": "b", "agent": "worker", "input": {"unless": str(tmp_path / "go")}}]
    service.register({"name": "mends", "steps": steps})
    thread = service.run("mends", {"x": 1})["thread_id"]
    (tmp_path / "go").touch()
    service.post(ASYNC, {"workflow": "mends", "thread_id": thread})
    assert service.until(thread)["status"] == "completed"
    assert service.calls(thread) == {"a": 1, "b": 2}


def test_a_webhook_that_leads_nowhere_is_refused(service: Service) -> None:
    found = refused(service.http.post(ASYNC, json={"workflow": ONE, "webhook": {"url": "x"}}), 422, "invalid_request")
    assert found["problems"][0]["pointer"] == "/webhook/url"


def test_a_delayed_start_is_pending_until_it_is_due(service: Service) -> None:
    thread = service.start_thread(ONE, delay="1h", priority=3, queue="slow")
    assert service.status(thread)["status"] == "pending"
    [row] = service.sql(
        "SELECT queue, priority, wake_at > now() + interval '50 min' AS later FROM threads WHERE thread_id = $1", thread
    )
    assert tuple(row) == ("slow", 3, True)
    service.post(f"/api/invoke/cancel/{thread}")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"workflow": ONE, "topik": 1}, 422, "invalid_request"),
        ({}, 422, "invalid_request"),
        ({"workflow": 7}, 422, "invalid_request"),
        ([], 422, "invalid_request"),
        ({"workflow": ""}, 422, "invalid_request"),
        ({"workflow": "no-such"}, 404, "workflow_not_found"),
        ({"workflow": "one@99"}, 404, "workflow_not_found"),
        ({"workflow": ONE, "thread_id": ""}, 422, "invalid_request"),
        ({"workflow": ONE, "thread_id": "a b"}, 422, "invalid_request"),
        ({"workflow": ONE, "thread_id": "a" * 129}, 422, "invalid_request"),
        ({"workflow": ONE, "thread_id": "a\n"}, 422, "invalid_request"),
        ({"workflow": ONE, "thread_id": "."}, 422, "invalid_request"),
        ({"workflow": ONE, "thread_id": ".."}, 422, "invalid_request"),
        ({"workflow": ONE, "context": []}, 422, "invalid_request"),
        ({"workflow": ONE, "priority": "high"}, 422, "invalid_request"),
        ({"workflow": {"name": "x", "steps": []}}, 422, "invalid_workflow"),
        ({"workflow": {"name": "x", "steps": [{"id": "a", "python": "nobody"}]}}, 422, "invalid_workflow"),
    ],
)
def test_what_cannot_be_started_is_refused(service: Service, body: Any, status: int, code: str) -> None:
    refused(service.http.post(ASYNC, json=body), status, code)


def test_an_input_that_breaks_the_schema_is_refused_with_pointers(service: Service) -> None:
    schema = {"type": "object", "required": ["topic"], "properties": {"topic": {"type": "string"}}}
    service.register({**ONE, "name": "strict", "input": schema})
    found = refused(service.http.post(ASYNC, json={"workflow": "strict", "input": {"topic": 1}}), 422, "invalid_input")
    assert found["problems"][0]["pointer"].endswith("/topic")
    refused(service.http.post(ASYNC, json={"workflow": "strict", "input": {}}), 422, "invalid_input")
    found = refused(service.http.post(ASYNC, json={"workflow": "strict"}), 422, "invalid_input")
    assert found["detail"] == '(input): "topic" is a required property'
    found = refused(service.http.post(ASYNC, json={"workflow": "strict", "input": None}), 422, "invalid_input")
    assert found["detail"].startswith("(input): null")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/invoke/async", 405, "method_not_allowed"),
        ("DELETE", "/api/invoke/status/x", 405, "method_not_allowed"),
        ("GET", "/api/nothing", 404, "not_found"),
        ("GET", "/nothing", 404, "not_found"),
        ("POST", "/api/workflow/executions", 405, "method_not_allowed"),
        ("GET", "/workflow/executions", 404, "not_found"),
    ],
)
def test_routing_refuses_in_the_same_form(service: Service, method: str, path: str, status: int, code: str) -> None:
    refused(service.http.request(method, path), status, code)


def test_the_openapi_document_has_every_route_once_under_api(service: Service) -> None:
    document = service.get("/api/openapi.json")
    assert all(path.startswith("/api/") for path in document["paths"])
    assert "/api/invoke/rollback/{thread_id}" in document["paths"]
    assert str(ROOT) not in digest(document)
