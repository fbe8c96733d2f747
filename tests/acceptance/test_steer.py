"""Resume, rollback, cancel and pause against a real service, with steps that leave a line for each call."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance import sse
from tests.acceptance.service import chain, waiting
from tests.acceptance.shapes import RESUMED, ROLLED_BACK, STATUS, check
from tests.acceptance.test_start import refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service


def failing(folder: Path, name: str = "failing") -> dict[str, Any]:
    """a, then b and c side by side, b fails until the file `go` is there, then d of both."""
    steps = [
        {"id": "a", "agent": "worker"},
        {"id": "b", "needs": ["a"], "agent": "worker", "input": {"unless": str(folder / "go")}},
        {"id": "c", "needs": ["a"], "agent": "worker"},
        {"id": "d", "needs": ["b", "c"], "agent": "worker", "input": {"give": "{b.output}"}},
    ]
    return {"name": name, "steps": steps}


def held(folder: Path, name: str = "held") -> dict[str, Any]:
    """a, then b that waits for the file `go`, then c."""
    steps = [
        {"id": "a", "agent": "worker"},
        {"id": "b", "agent": "worker", "input": {"until": str(folder / "go")}},
        {"id": "c", "agent": "worker"},
    ]
    return {"name": name, "steps": steps}


def until_running(service: Service, thread: str, step: str) -> dict[str, Any]:
    """Wait until the step runs."""
    for _ in waiting(f"{step} runs"):
        found = service.status(thread)
        if found["current_step"] == step:
            return found
    raise AssertionError


@pytest.mark.parametrize("prefix", ["/api", ""])
def test_a_rollback_to_2_goes_on_as_version_n_plus_3_with_parent_2(service: Service, prefix: str) -> None:
    thread = service.run(chain("back", 3))["thread_id"]
    before = service.versions(thread)
    answer = service.http.post(f"{prefix}/invoke/rollback/{thread}", json={"toVersion": 2, "reason": "better"})
    assert answer.status_code == 202, answer.text
    moved = answer.json()
    check(moved, ROLLED_BACK)
    assert answer.headers["location"] == f"/api/invoke/status/{thread}"
    assert (moved["rolled_back_to_version"], moved["rolled_back_from_version"]) == (2, 5)
    done = service.until(thread)
    assert (done["status"], done["kind"], done["version"]) == ("completed", "rollback", 8)
    after = service.versions(thread)
    assert [(one["version"], one["parent_version"]) for one in after[5:]] == [(6, 2), (7, 6), (8, 7)]
    assert [one["on_timeline"] for one in after] == [True, True, False, False, False, True, True, True]
    assert [{**one, "on_timeline": True} for one in after[:5]] == before
    assert service.calls(thread) == {"s1": 1, "s2": 2, "s3": 2}
    assert [step["reused"] for step in done["steps"]] == [True, False, False]


def test_a_rollback_tells_its_event_and_the_numbers_go_on(service: Service) -> None:
    thread = service.run(chain("told", 2))["thread_id"]
    service.post(f"/api/invoke/rollback/{thread}", {"to_version": 2, "reason": "why not"})
    service.until(thread)
    found = sse.whole(service, thread)
    sse.without_gap(found)
    assert sse.names(found) == [
        "workflow_start",
        "step_start s1",
        "step_complete s1",
        "step_start s2",
        "step_complete s2",
        "workflow_complete",
        "workflow_rolled_back",
        "step_start s2",
        "step_complete s2",
        "workflow_complete",
    ]


def test_a_rollback_mints_new_keys_and_a_retry_keeps_them(service: Service) -> None:
    done = service.run(chain("keyed", 2))
    thread = done["thread_id"]
    moved = service.post(f"/api/invoke/rollback/{thread}", {"to_version": 2})
    service.until(thread)
    first, second = service.keys(thread, "s2")
    assert first == f"{thread}:{done['execution_id']}:s2"
    assert second == f"{thread}:{moved['execution_id']}:s2"


def test_a_rollback_without_resume_leaves_the_thread_paused(service: Service) -> None:
    thread = service.run(chain("stays", 2))["thread_id"]
    service.post(f"/api/invoke/rollback/{thread}", {"to_version": 2, "resume": False})
    found = service.status(thread)
    assert (found["status"], found["version"], found["completed_steps"]) == ("paused", 2, ["s1"])
    service.post(f"/api/invoke/resume/{thread}")
    assert service.until(thread)["status"] == "completed"
    assert service.calls(thread) == {"s1": 1, "s2": 2}


def test_a_rollback_to_an_end_completes_and_runs_nothing(service: Service) -> None:
    done = service.run(chain("end", 2))
    thread = done["thread_id"]
    service.post(f"/api/invoke/rollback/{thread}", {"to_version": 2})
    service.until(thread)
    service.post(f"/api/invoke/rollback/{thread}", {"to_version": 4})
    found = service.until(thread)
    assert (found["status"], found["version"], found["output"]) == ("completed", 4, done["output"])
    assert service.calls(thread) == {"s1": 1, "s2": 2}
    assert len(service.versions(thread)) == 6


def test_a_rollback_of_a_running_thread_stops_it(service: Service, tmp_path: Path) -> None:
    thread = service.start_thread(held(tmp_path))
    until_running(service, thread, "b")
    old = service.status(thread)["execution_id"]
    service.post(f"/api/invoke/rollback/{thread}", {"to_version": 1})
    (tmp_path / "go").touch()
    done = service.until(thread)
    assert done["status"] == "completed"
    assert service.calls(thread) == {"a": 2, "b": 2, "c": 1}
    ended = service.get(f"/api/workflow/execution/{old}")["execution"]
    assert (ended["status"], ended["error"]["kind"]) == ("cancelled", "superseded")
    sse.without_gap(sse.whole(service, thread))


def test_a_rollback_with_context_and_overrides_runs_on_with_them(service: Service) -> None:
    steps = [
        {"id": "a", "python": "echo", "input": 1},
        {"id": "b", "python": "echo", "input": {"tone": "{context.tone}", "plain": True}},
    ]
    thread = service.run({"name": "toned", "steps": steps}, context={"tone": "dry"})["thread_id"]
    body = {"to_version": 2, "context": {"tone": "warm"}, "overrides": {"b": {"input": {"plain": False}}}}
    service.post(f"/api/invoke/rollback/{thread}", body)
    assert service.until(thread)["output"] == {"b": {"tone": "warm", "plain": False}}


def test_a_rollback_that_does_not_fit_is_refused(service: Service) -> None:
    thread = service.run(chain("refusing", 1))["thread_id"]
    url = f"/api/invoke/rollback/{thread}"
    refused(service.http.post(url, json={"to_version": 9}), 404, "version_not_found")
    refused(service.http.post(url, json={"to_version": 0}), 422, "invalid_request")
    refused(service.http.post(url, json={"to_version": "2"}), 422, "invalid_request")
    refused(service.http.post(url, json={}), 422, "invalid_request")
    refused(service.http.post(url), 400, "invalid_json")
    refused(service.http.post(url, json={"to_version": 2, "expected_version": 2}), 409, "version_conflict")
    assert service.status(thread)["version"] == 3


def test_a_resume_runs_only_what_had_not_completed(service: Service, tmp_path: Path) -> None:
    failed = service.run(failing(tmp_path))
    thread = failed["thread_id"]
    assert failed["status"] == "failed"
    assert failed["completed_at"] is not None
    assert failed["error"] == {"kind": "refused", "message": "not yet", "step_id": "b", "retryable": False}
    (tmp_path / "go").touch()
    answer = service.http.post(f"/api/invoke/resume/{thread}")
    assert answer.status_code == 202, answer.text
    check(answer.json(), RESUMED)
    done = service.until(thread)
    assert (done["status"], done["kind"], done["error"]) == ("completed", "resume", None)
    assert service.calls(thread) == {"a": 1, "b": 2, "c": 1, "d": 1}
    assert {step["id"]: step["reused"] for step in done["steps"]} == {"a": True, "b": False, "c": True, "d": False}
    assert done["output"] == {"d": {"by": "b"}}
    assert len(set(service.keys(thread, "b"))) == 1
    assert len(service.versions(thread)) == 6


def test_a_step_that_had_completed_beside_the_failing_one_is_kept(service: Service, tmp_path: Path) -> None:
    thread = service.run(failing(tmp_path))["thread_id"]
    found = service.status(thread)
    assert {step["id"]: step["status"] for step in found["steps"]} == {
        "a": "completed",
        "b": "failed",
        "c": "completed",
        "d": "pending",
    }
    assert [one["current_step"] for one in service.versions(thread)] == ["START", "a", "c"]


def test_a_resume_from_a_step_runs_it_and_all_that_depends_on_it(service: Service, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    thread = service.run(failing(tmp_path, "from-step"))["thread_id"]
    answer = service.post(f"/api/invoke/resume/{thread}", {"fromStep": "b", "expected_version": 6})
    assert answer["resumed_from_version"] == 6
    assert service.until(thread)["status"] == "completed"
    assert service.calls(thread) == {"a": 1, "b": 2, "c": 1, "d": 2}
    first, second = service.keys(thread, "b")
    assert first != second


def test_a_resume_can_skip_a_step_with_an_output(service: Service, tmp_path: Path) -> None:
    thread = service.run(failing(tmp_path, "skips"))["thread_id"]
    service.post(f"/api/invoke/resume/{thread}", {"skip": {"b": {"any": "output"}}})
    done = service.until(thread)
    assert (done["status"], done["output"]) == ("completed", {"d": {"any": "output"}})
    assert service.calls(thread) == {"a": 1, "b": 1, "c": 1, "d": 1}


def test_a_resume_can_override_agent_and_input(service: Service, tmp_path: Path) -> None:
    thread = service.run(failing(tmp_path, "overrides"))["thread_id"]
    (tmp_path / "other").touch()
    override = {"b": {"agent": "worker", "input": {"unless": str(tmp_path / "other"), "give": 5}}}
    service.post(f"/api/invoke/resume/{thread}", {"overrides": override})
    assert service.until(thread)["output"] == {"d": 5}


def test_a_resume_of_a_completed_thread_has_nothing_to_do(service: Service) -> None:
    thread = service.run(chain("ended", 1))["thread_id"]
    answer = service.post(f"/api/invoke/resume/{thread}", {}, expect=200)
    check(answer, RESUMED)
    assert answer["resumed_from_version"] == 3
    assert service.calls(thread) == {"s1": 1}


def test_a_resume_that_does_not_fit_is_refused(service: Service, tmp_path: Path) -> None:
    thread = service.start_thread(held(tmp_path, "refuses"))
    until_running(service, thread, "b")
    url = f"/api/invoke/resume/{thread}"
    refused(service.http.post(url), 409, "thread_running")
    service.post(f"/api/invoke/cancel/{thread}")
    refused(service.http.post(url, json={"from_step": "zz"}), 422, "step_not_found")
    refused(service.http.post(url, json={"skip": {"zz": 1}}), 422, "step_not_found")
    refused(service.http.post(url, json={"overrides": {"zz": {"input": {}}}}), 422, "step_not_found")
    refused(service.http.post(url, json={"expected_version": 1}), 409, "version_conflict")
    refused(service.http.post(url, json={"step": "b"}), 422, "invalid_request")


@pytest.mark.parametrize("prefix", ["/api", ""])
def test_a_cancelled_thread_keeps_what_it_did_and_can_be_resumed(service: Service, tmp_path: Path, prefix: str) -> None:
    thread = service.start_thread(held(tmp_path, "cancelled"))
    until_running(service, thread, "b")
    answer = service.http.post(f"{prefix}/invoke/cancel/{thread}")
    assert answer.status_code == 202, answer.text
    check(answer.json(), STATUS)
    found = service.until(thread)
    assert (found["status"], found["completed_steps"], found["version"]) == ("cancelled", ["a"], 2)
    assert found["steps"][1]["status"] == "cancelled"
    assert sse.names(sse.whole(service, thread))[-1] == "workflow_cancelled"
    assert service.http.post(f"{prefix}/invoke/cancel/{thread}").status_code == 409
    (tmp_path / "go").touch()
    service.post(f"/api/invoke/resume/{thread}")
    assert service.until(thread)["status"] == "completed"
    assert service.calls(thread) == {"a": 1, "b": 2, "c": 1}


@pytest.mark.parametrize("prefix", ["/api", ""])
def test_a_paused_thread_ends_its_step_and_starts_no_other(service: Service, tmp_path: Path, prefix: str) -> None:
    thread = service.start_thread(held(tmp_path, "paused"))
    until_running(service, thread, "b")
    answer = service.http.post(f"{prefix}/invoke/pause/{thread}")
    assert answer.status_code == 202, answer.text
    check(answer.json(), STATUS)
    (tmp_path / "go").touch()
    found = service.until(thread, "paused")
    assert found["completed_steps"] == ["a", "b"]
    assert service.calls(thread) == {"a": 1, "b": 1}
    refused(service.http.post(f"{prefix}/invoke/cancel/nobody"), 404, "thread_not_found")
    service.post(f"/api/invoke/resume/{thread}")
    assert service.until(thread)["status"] == "completed"
    assert service.calls(thread) == {"a": 1, "b": 1, "c": 1}


def test_the_versions_and_events_of_much_steering_have_no_gap(service: Service) -> None:
    thread = f"steered-{uuid.uuid4()}"
    service.run(chain("steered", 4), thread_id=thread)
    for version in (2, 3, 1, 6, 4):
        service.post(f"/api/invoke/rollback/{thread}", {"to_version": version})
    assert service.until(thread)["status"] == "completed"
    versions = service.versions(thread)
    assert [one["version"] for one in versions] == list(range(1, len(versions) + 1))
    sse.without_gap(sse.whole(service, thread))
