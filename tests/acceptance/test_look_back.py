"""Looking back: history, versions, executions, their filters and pages; the workflows; health."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.service import chain
from tests.acceptance.shapes import EXECUTION, EXECUTIONS, HISTORY, HISTORY_ENTRY, STATE, TIME, WORKFLOW, Open, check
from tests.acceptance.test_start import refused

if TYPE_CHECKING:
    from typing import Any

    from tests.acceptance.service import Service


def test_n_steps_that_end_leave_n_plus_2_versions(service: Service) -> None:
    found = service.run(chain("five", 5))
    page = service.get(f"/api/invoke/history/{found['thread_id']}")
    check(page, HISTORY)
    assert page["head_version"] == found["version"] == 7
    steps = [f"s{number}" for number in range(1, 6)]
    assert [one["current_step"] for one in page["history"]] == ["START", *steps, "END"]
    assert [one["version"] for one in page["history"]] == [1, 2, 3, 4, 5, 6, 7]
    assert [one["parent_version"] for one in page["history"]] == [None, 1, 2, 3, 4, 5, 6]
    assert [one["state_summary"]["num_agent_results"] for one in page["history"]] == [0, 1, 2, 3, 4, 5, 5]
    assert page["history"][3]["completed_steps"] == steps[:3]
    assert all(one["on_timeline"] for one in page["history"])


def test_the_progress_of_a_version_is_that_of_the_status(service: Service) -> None:
    found = service.run(chain("three", 3))
    assert [one["progress"] for one in service.versions(found["thread_id"])] == [0.0, 0.3333, 0.6667, 1.0, 1.0]


@pytest.mark.parametrize("prefix", ["/api", ""])
def test_a_version_is_the_whole_state(service: Service, prefix: str) -> None:
    steps = [{"id": "a", "python": "echo", "input": {"x": "{input}"}, "assign": "kept"}, {"id": "b", "agent": "worker"}]
    thread = service.run({"name": "two", "steps": steps}, 7, context={"given": True})["thread_id"]
    found = service.get(f"{prefix}/invoke/history/{thread}/2")
    check(found, STATE)
    assert found["state"]["input"] == 7
    assert found["state"]["context"] == {"given": True, "kept": {"x": 7}}
    assert found["state"]["steps"] == {"a": {"output": {"x": 7}, "status": "completed"}}
    assert found["state"]["metadata"]["current_step"] == "a"
    refused(service.http.get(f"{prefix}/invoke/history/{thread}/9"), 404, "version_not_found")
    refused(service.http.get(f"{prefix}/invoke/history/{thread}/0"), 404, "version_not_found")
    assert service.http.get(f"{prefix}/invoke/history/{thread}/two").status_code == 422


def test_history_pages_and_filters(service: Service) -> None:
    thread = service.run(chain("eight", 8))["thread_id"]
    path = f"/api/invoke/history/{thread}"
    first = service.get(path, limit=4)
    second = service.get(path, limit=4, cursor=first["next_cursor"])
    third = service.get(path, limit=4, cursor=second["next_cursor"])
    assert [[one["version"] for one in page["history"]] for page in (first, second, third)] == [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
        [9, 10],
    ]
    assert third["next_cursor"] is None
    ranged = service.get(path, from_version=3, to_version=5)
    assert [one["version"] for one in ranged["history"]] == [3, 4, 5]
    camel = service.get(path, fromVersion=9)
    assert [one["version"] for one in camel["history"]] == [9, 10]
    times = [one["created_at"] for one in service.versions(thread)]
    since = service.get(path, since=times[-1])
    assert since["history"][-1]["version"] == 10
    assert service.get(path, until="2020-01-01T00:00:00Z")["history"] == []


@pytest.mark.parametrize("path", ["status", "stream", "history", "resume", "rollback", "cancel", "pause"])
@pytest.mark.parametrize("prefix", ["/api", ""])
@pytest.mark.parametrize("thread", ["nobody", "%00", "a%20b", "x" * 200])
def test_a_thread_that_is_not_there_is_404(service: Service, path: str, prefix: str, thread: str) -> None:
    looks = path in ("status", "stream", "history")
    body = {"to_version": 1} if path == "rollback" else None
    url = f"{prefix}/invoke/{path}/{thread}"
    answer = service.http.get(url) if looks else service.http.post(url, json=body)
    refused(answer, 404, "thread_not_found")


def test_the_other_name_of_the_status_route(service: Service) -> None:
    found = service.run(chain("alias", 1))
    assert service.get(f"/api/invoke-status/status/{found['thread_id']}") == found


def test_executions_newest_first_in_pages_with_filters(service: Service) -> None:
    mark = f"by-{uuid.uuid4()}"
    threads = [service.run(chain("listed", 1), triggered_by=mark)["thread_id"] for _ in range(5)]
    first = service.get("/api/workflow/executions", triggered_by=mark, limit=2)
    check(first, EXECUTIONS)
    second = service.get("/api/workflow/executions", triggered_by=mark, limit=2, cursor=first["next_cursor"])
    third = service.get("/api/workflow/executions", triggered_by=mark, limit=2, cursor=second["next_cursor"])
    found = [one["thread_id"] for page in (first, second, third) for one in page["executions"]]
    assert found == threads[::-1]
    assert (first["total"], third["next_cursor"]) == (5, None)
    assert service.get("/api/workflow/executions", triggered_by=mark, status="failed")["total"] == 0
    assert (
        service.get("/api/workflow/executions", triggered_by=mark, status="completed", workflow="listed")["total"] == 5
    )
    assert service.get("/api/workflow/executions", thread_id=threads[0])["executions"][0]["thread_id"] == threads[0]
    later = (datetime.fromisoformat(first["executions"][0]["started_at"]) + timedelta(hours=1)).isoformat()
    assert service.get("/api/workflow/executions", triggered_by=mark, since=later)["total"] == 0
    assert service.get("/api/workflow/executions", triggered_by=mark, until=later)["total"] == 5


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 1001},
        {"limit": "many"},
        {"cursor": "AAAA"},
        {"cursor": "\x00"},
        {"status": "asleep"},
        {"since": "yesterday"},
        {"colour": "red"},
    ],
)
def test_a_list_refuses_what_it_does_not_know(service: Service, query: dict[str, Any]) -> None:
    refused(service.http.get("/api/workflow/executions", params=query), 422, "invalid_request")
    if query.keys() != {"status"}:
        thread = service.run(chain("asked", 1))["thread_id"]
        refused(service.http.get(f"/api/invoke/history/{thread}", params=query), 422, "invalid_request")


def test_one_execution_with_its_steps(service: Service) -> None:
    mark = f"run-{uuid.uuid4()}"
    document = {"name": "detailed", "steps": [{"id": "a", "python": "echo", "input": {"x": "{input}"}}]}
    done = service.run(document, 5, triggered_by="me", external_run_id=mark, context={"k": 1})
    found = service.get(f"/api/workflow/execution/{done['execution_id']}")
    check(found, EXECUTION)
    execution = found["execution"]
    assert (execution["input"], execution["output"], execution["context"]) == (5, {"a": {"x": 5}}, {"k": 1})
    assert (execution["triggered_by"], execution["external_run_id"], execution["kind"]) == ("me", mark, "invoke")
    assert [(step["name"], step["input"], step["output"]) for step in found["steps"]] == [("a", {"x": 5}, {"x": 5})]
    assert found["metadata"] == {"total_steps": 1, "completed_steps": 1, "failed_steps": 0, "skipped_steps": 0}


@pytest.mark.parametrize("name", ["nothing", "01a1fc64-ecfa-7001-9fd9-e7ce937465a1", "%00"])
def test_an_execution_that_is_not_there_is_404(service: Service, name: str) -> None:
    refused(service.http.get(f"/api/workflow/execution/{name}"), 404, "execution_not_found")


def test_the_same_document_is_the_same_version_and_a_change_the_next(service: Service) -> None:
    name = f"w{uuid.uuid4().hex[:8]}"
    first = service.http.post("/api/workflows", json=chain(name, 1))
    again = service.http.post("/api/workflows", json=dict(reversed(chain(name, 1).items())))
    changed = service.http.post("/api/workflows", json=chain(name, 2))
    assert [one.status_code for one in (first, again, changed)] == [201, 200, 201]
    check(first.json(), Open({**WORKFLOW, "id": str}))
    assert [one.json()["version"] for one in (first, again, changed)] == [1, 1, 2]
    assert service.get(f"/api/workflows/{name}")["version"] == 2
    assert service.get(f"/api/workflows/{name}@1")["document"] == chain(name, 1)
    refused(service.http.get(f"/api/workflows/{name}@3"), 404, "workflow_not_found")
    refused(service.http.get("/api/workflows/nobody"), 404, "workflow_not_found")


def test_a_yaml_document_is_registered_too(service: Service) -> None:
    text = "name: from-yaml\nsteps:\n  - id: a\n    python: echo\n    input: {x: '{input.x}'}\noutput: {y: '{a.output.x}'}\n"
    answer = service.http.post("/api/workflows", content=text, headers={"content-type": "application/yaml"})
    assert answer.status_code == 201, answer.text
    assert service.run("from-yaml", {"x": [1]})["output"] == {"y": [1]}


def test_workflows_are_listed_page_by_page(service: Service) -> None:
    for number in range(3):
        service.register(chain(f"page-{number}", 1))
    found, cursor = [], None
    while True:
        page = service.get("/api/workflows", limit=2, **({"cursor": cursor} if cursor else {}))
        assert page.keys() == {"workflows", "next_cursor"}
        found += [one["name"] for one in page["workflows"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == sorted(set(found))
    assert {"page-0", "page-1", "page-2", "content-strategy"} <= set(found)


@pytest.mark.parametrize(
    ("steps", "pointer"),
    [
        ([{"id": "a", "python": "echo", "colour": 1}], "/steps/0/colour"),
        ([{"id": "a", "python": "echo"}, {"id": "a", "python": "echo"}], "/steps/1/id"),
        ([{"id": "a", "python": "echo", "needs": ["z"]}], "/steps/0/needs/0"),
        ([{"id": "a", "python": "echo", "input": {"x": "{z.output}"}}], "/steps/0/input/x"),
        ([{"id": "a", "python": "echo", "when": "1 +"}], "/steps/0/when"),
        ([{"id": "in", "python": "echo"}], "/steps/0/id"),
        ([{"id": "a"}], "/steps/0"),
        ([{"id": "a", "python": "echo", "agent": "worker"}], "/steps/0"),
        ([{"id": "a", "python": "no-such-function"}], "/steps/0/python"),
    ],
)
def test_a_document_that_does_not_hold_is_refused_with_pointers(
    service: Service, steps: list[Any], pointer: str
) -> None:
    document = {"name": "broken", "steps": steps}
    found = refused(service.http.post("/api/workflows", json=document), 422, "invalid_workflow")
    assert pointer in [one["pointer"] for one in found["problems"]]
    judged = service.post("/api/workflows/validate", document, expect=200)
    assert judged["valid"] is False
    assert pointer in [one["pointer"] for one in judged["problems"]]


def test_a_circle_is_refused(service: Service) -> None:
    steps = [{"id": "a", "python": "echo", "needs": ["b"]}, {"id": "b", "python": "echo", "needs": ["a"]}]
    refused(service.http.post("/api/workflows", json={"name": "round", "steps": steps}), 422, "invalid_workflow")


@pytest.mark.parametrize("key", ["on_cancel", "webhook"])
def test_what_is_documented_and_not_built_is_refused(service: Service, key: str) -> None:
    document = {"name": "later", "steps": [{"id": "a", "python": "echo", key: "b"}]}
    refused(service.http.post("/api/workflows", json=document), 422, "not_supported")


def test_a_good_document_is_validated_with_its_diagram(service: Service) -> None:
    judged = service.post("/api/workflows/validate", chain("good", 2), expect=200)
    assert (judged["valid"], judged["problems"], judged["steps"]) == (True, [], ["s1", "s2"])
    assert "flowchart" in judged["diagram"]
    refused(service.http.get("/api/workflows/good"), 404, "workflow_not_found")


def test_health_tells_of_each_part(service: Service) -> None:
    whole = service.get("/api/health")
    assert whole["parts"].keys() >= {
        "database",
        "journal",
        "worker",
        "monitor",
        "queue",
        "telemetry",
        "settings",
        "disk",
    }
    assert whole["parts"]["database"]["pool"]["size"] == 10
    assert whole["parts"]["monitor"]["lease"] is True
    assert (whole["status"], whole["durable"]) == ("ready", True)
    store = service.get("/api/health/checkpointer")
    check(
        store, Open(kind="postgres", durable=True, reachable=True, latency_ms=float, error_rate=float, size_bytes=int)
    )
    assert service.get("/api/health/live")["status"] == "live"


def test_times_have_milliseconds_and_a_z(service: Service) -> None:
    done = service.run(chain("timed", 1))
    text = json.dumps([done, service.versions(done["thread_id"]), service.get("/api/workflow/executions", limit=3)])
    times = [word for word in text.split('"') if word[:2] == "20" and word[4:5] == "-"]
    assert times
    assert all(TIME.fullmatch(word) for word in times)
    assert HISTORY_ENTRY["created_at"] is TIME
