"""Many at once: of several that want the same thing one wins, limits hold, and long threads stay whole."""

from __future__ import annotations

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx

from tests.acceptance import sse
from tests.acceptance.service import chain, running, waiting
from tests.acceptance.test_start import ASYNC, refused
from tests.acceptance.test_steer import failing, held

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.service import Service


def at_once(times: int, ask: Callable[[int], httpx.Response]) -> Counter[int]:
    """How many answered with which status."""
    with ThreadPoolExecutor(times) as pool:
        return Counter(answer.status_code for answer in pool.map(ask, range(times)))


def test_of_many_resumes_one_wins(service: Service, tmp_path: Path) -> None:
    thread = service.run(failing(tmp_path, "raced"))["thread_id"]
    body = {"overrides": {"b": {"input": {"until": str(tmp_path / "go")}}}}
    found = at_once(12, lambda _: service.http.post(f"/api/invoke/resume/{thread}", json=body))
    (tmp_path / "go").touch()
    assert found == {202: 1, 409: 11}
    assert service.until(thread)["status"] == "completed"
    assert service.calls(thread) == {"a": 1, "b": 2, "c": 1, "d": 1}


def test_of_many_rollbacks_that_expect_a_version_one_wins(service: Service, tmp_path: Path) -> None:
    thread = service.run(chain("raced-back", 3))["thread_id"]
    body = {"to_version": 2, "expected_version": 5}
    found = at_once(12, lambda _: service.http.post(f"/api/invoke/rollback/{thread}", json=body))
    assert found == {202: 1, 409: 11}
    assert service.until(thread)["version"] == 8
    sse.without_gap(sse.whole(service, thread))


def test_of_many_starts_of_one_thread_one_wins(service: Service, tmp_path: Path) -> None:
    thread = f"raced-{uuid.uuid4()}"
    service.register(chain("one-thread", 2, until=str(tmp_path / "go")))
    found = at_once(12, lambda _: service.http.post(ASYNC, json={"workflow": "one-thread", "thread_id": thread}))
    (tmp_path / "go").touch()
    assert found == {202: 1, 409: 11}
    assert service.until(thread)["status"] == "completed"
    assert service.calls(thread) == {"s1": 1, "s2": 1}


def test_many_registrations_of_one_document_make_one_version(service: Service) -> None:
    name = f"w{uuid.uuid4().hex[:8]}"
    found = at_once(12, lambda _: service.http.post("/api/workflows", json=chain(name, 1)))
    assert found.keys() <= {200, 201}
    assert service.get(f"/api/workflows/{name}")["version"] == 1
    changes = at_once(12, lambda number: service.http.post("/api/workflows", json=chain(name, 2 + number)))
    assert changes == {201: 12}
    assert service.get(f"/api/workflows/{name}")["version"] == 13


def test_steering_of_all_kinds_at_once_keeps_a_thread_whole(service: Service) -> None:
    thread = service.start_thread(chain("shaken", 5, sleep=0.02))
    asks: list[tuple[str, dict[str, Any]]] = [
        ("rollback", {"to_version": 1}),
        ("cancel", {}),
        ("resume", {}),
        ("pause", {}),
        ("rollback", {"to_version": 2, "resume": False}),
        ("resume", {"from_step": "s1"}),
    ]

    def ask(number: int) -> httpx.Response:
        route, body = asks[number % len(asks)]
        return service.http.post(f"/api/invoke/{route}/{thread}", json=body)

    found = Counter[int]()
    for _ in range(5):
        found += at_once(12, ask)
    assert found.keys() <= {200, 202, 404, 409}, found
    for _ in waiting("the thread to come to rest"):
        status = service.status(thread)["status"]
        if status in ("completed", "cancelled", "paused", "failed"):
            break
    if status != "completed":
        service.post(f"/api/invoke/resume/{thread}")
    done = service.until(thread)
    assert done["status"] == "completed", done
    assert [one["version"] for one in service.versions(thread)] == list(range(1, len(service.versions(thread)) + 1))
    sse.without_gap(sse.whole(service, thread))
    open_rows = "SELECT id FROM workflow_steps WHERE thread_id = $1 AND status IN ('running', 'retrying', 'waiting')"
    assert service.sql(open_rows, thread) == []
    rows = service.sql("SELECT status FROM workflow_executions WHERE thread_id = $1", thread)
    assert {row["status"] for row in rows} <= {"completed", "cancelled", "failed"}


def test_a_long_thread_is_whole_in_history_and_stream(service: Service) -> None:
    steps = [{"id": f"s{number}", "python": "echo", "input": number} for number in range(400)]
    done = service.run({"name": "long", "steps": steps})
    assert (done["status"], done["version"], done["last_seq"]) == ("completed", 402, 802)
    found = sse.whole(service, done["thread_id"])
    sse.without_gap(found)
    assert len(found) == 802
    assert [one["version"] for one in service.versions(done["thread_id"])] == list(range(1, 403))
    service.post(f"/api/invoke/rollback/{done['thread_id']}", {"to_version": 399})
    again = service.until(done["thread_id"])
    assert (again["version"], len(again["completed_steps"])) == (405, 400)
    state = service.get(f"/api/invoke/history/{done['thread_id']}/404")["state"]
    assert [one["output"] for one in state["steps"].values()] == list(range(400))


def test_a_wide_workflow_runs_and_joins(service: Service) -> None:
    names = [f"p{number}" for number in range(150)]
    steps = [{"id": name, "python": "echo", "input": name, "needs": []} for name in names]
    last = {"id": "last", "python": "echo", "input": [f"{{{name}.output}}" for name in names], "needs": names}
    done = service.run({"name": "wide", "steps": [*steps, last]})
    assert (done["status"], done["output"]) == ("completed", {"last": names})
    assert done["version"] == 153


def test_no_more_threads_run_than_may_and_waiting_ones_hold_no_slot(tmp_path: Path) -> None:
    with running(tmp_path, MAX_CONCURRENT_THREADS=2, CHECKPOINTER="memory") as service:
        naps = [service.start_thread({"name": "naps", "steps": [{"id": "a", "sleep": "60s"}]}) for _ in range(4)]
        for nap in naps:
            service.until(nap, "waiting")
        threads = [service.start_thread(held(tmp_path)) for _ in range(6)]
        for _ in waiting("two run"):
            if [service.status(thread)["status"] for thread in threads].count("running") == 2:
                break
        assert service.calls().total() == 4
        service.post(f"/api/invoke/cancel/{threads[-1]}")
        (tmp_path / "go").touch()
        assert [service.until(thread)["status"] for thread in threads] == ["completed"] * 5 + ["cancelled"]
        assert service.calls(threads[-1]).total() == 0
        service.post(f"/api/invoke/cancel/{naps[0]}")
        assert service.status(naps[0])["status"] == "cancelled"
        service.post(f"/api/invoke/pause/{naps[1]}")
        assert service.until(naps[1], "paused")["steps"][0]["status"] in ("waiting", "cancelled", "running")


def test_cancel_and_rollback_of_a_parent_reach_its_child(service: Service, tmp_path: Path) -> None:
    mark = f"child-{uuid.uuid4().hex[:8]}"
    service.register({**held(tmp_path), "name": mark})
    parent = {"name": "parent", "steps": [{"id": "sub", "workflow": mark, "input": {"x": 1}}]}
    threads = [service.start_thread(parent) for _ in range(2)]
    for _ in waiting("both children run"):
        children = service.get("/api/workflow/executions", workflow=mark)["executions"]
        if len(children) == 2 and all(service.status(one["thread_id"])["current_step"] == "b" for one in children):
            break
    service.post(f"/api/invoke/cancel/{threads[0]}")
    service.post(f"/api/invoke/rollback/{threads[1]}", {"to_version": 1})
    for _ in waiting("the first children to end"):
        if {service.status(one["thread_id"])["status"] for one in children} == {"cancelled"}:
            break
    (tmp_path / "go").touch()
    assert service.until(threads[1])["status"] == "completed"
    assert len(service.get("/api/workflow/executions", workflow=mark)["executions"]) == 3


def test_a_failed_child_fails_its_parent_and_a_resume_mends_it(service: Service, tmp_path: Path) -> None:
    mark = f"child-{uuid.uuid4().hex[:8]}"
    service.register(failing(tmp_path, mark))
    sub = {"id": "sub", "workflow": mark, "input": {}, "retry": {"max_attempts": 1}}
    done = service.run({"name": "parent", "steps": [{"id": "first", "agent": "worker"}, sub]})
    assert (done["status"], done["error"]["step_id"]) == ("failed", "sub")
    (tmp_path / "go").touch()
    service.post(f"/api/invoke/resume/{done['thread_id']}")
    assert service.until(done["thread_id"])["status"] == "completed"
    assert service.calls(done["thread_id"]) == {"first": 1}
    ends = [one["status"] for one in service.get("/api/workflow/executions", workflow=mark)["executions"]]
    assert ends[0] == "completed"


def test_a_pending_thread_can_be_cancelled_and_steered(tmp_path: Path) -> None:
    with running(tmp_path, MAX_CONCURRENT_THREADS=1, CHECKPOINTER="memory") as service:
        first, second, third, fourth = [service.start_thread(held(tmp_path)) for _ in range(4)]
        assert service.status(second)["status"] == "pending"
        service.post(f"/api/invoke/cancel/{second}")
        refused(service.http.post(f"/api/invoke/resume/{third}"), 409, "thread_running")
        service.post(f"/api/invoke/rollback/{third}", {"to_version": 1})
        service.post(f"/api/invoke/pause/{fourth}")
        (tmp_path / "go").touch()
        assert service.until(first)["status"] == "completed"
        assert service.until(third)["status"] == "completed"
        assert service.status(second)["status"] == "cancelled"
        assert service.until(fourth, "paused")["completed_steps"] == []
        for thread in (second, fourth):
            service.post(f"/api/invoke/resume/{thread}")
            assert service.until(thread)["status"] == "completed"
            assert service.calls(thread) == {"a": 1, "b": 1, "c": 1}
