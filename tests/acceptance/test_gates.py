"""Gates from outside: asked once and answered once, whatever dies in between; the example of docs/gates.md runs."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.acceptance import sse
from tests.acceptance.service import ROOT, Service, run_cli, running, waiting

if TYPE_CHECKING:
    from pathlib import Path

Pair = tuple[Service, Service]
SETTINGS_OF_PAIR = {"LEASE_SECONDS": 2, "SHUTDOWN_GRACE_SECONDS": 2}
YES = {"answer": {"approved": True}, "by": "ana"}
ASKING = {
    "name": "asking",
    "steps": [
        {"id": "write", "agent": "worker"},
        {"id": "approve", "gate": {"title": "Publish?", "show": "{write.output}"}},
        {"id": "publish", "agent": "worker", "input": {"give": "{approve.output}"}},
    ],
}


def at_gate(service: Service, workflow: dict[str, Any] = ASKING, given: Any = None) -> str:
    """A thread that waits at its gate."""
    thread = service.start_thread(workflow, given)
    service.until(thread, "waiting")
    return thread


def answer(service: Service, thread: str, body: Any = YES, *, expect: int = 202) -> dict[str, Any]:
    return service.post(f"/api/invoke/gates/{thread}/approve", body, expect)


def check_the_end(service: Service, thread: str, kills: int = 0) -> None:
    """It completed with the answer, nothing ran twice but what a kill may have cut off, and all was told once."""
    found = service.until(thread)
    assert (found["status"], found["output"]) == ("completed", {"publish": {"approved": True}})
    events = sse.whole(service, thread)
    sse.without_gap(events)
    names = [event["event"] for event in events]
    assert [names.count(name) for name in ("gate_waiting", "gate_answered", "workflow_complete")] == [1, 1, 1]
    calls = service.calls(thread)
    assert calls == {"write": 1, "publish": calls["publish"]}
    assert 1 <= calls["publish"] <= 1 + kills
    assert [one["version"] for one in service.versions(thread)] == [1, 2, 3, 4, 5]


def opened(service: Service, threads: list[str]) -> list[dict[str, Any]]:
    """The gates of these threads, once each has one."""
    for _ in waiting("the gates to open"):
        found = [gate for gate in service.get("/api/gates", limit=1000)["gates"] if gate["thread_id"] in threads]
        if len(found) == len(threads):
            return found
    raise AssertionError


def test_a_kill_while_it_waits_changes_nothing(mortal: Service) -> None:
    thread = at_gate(mortal)
    mortal.kill()
    mortal.start().ready()
    [gate] = opened(mortal, [thread])
    assert (gate["show"], mortal.status(thread)["status"]) == ({"by": "write"}, "waiting")
    answer(mortal, thread)
    check_the_end(mortal, thread)


def test_a_kill_right_after_the_answer_loses_nothing(mortal: Service) -> None:
    threads = [at_gate(mortal) for _ in range(3)]
    for thread in threads:
        answer(mortal, thread)
        mortal.kill()
        mortal.start().ready()
    for thread in threads:
        check_the_end(mortal, thread, kills=len(threads))
        refused = answer(mortal, thread, {"answer": {"approved": False}}, expect=409)
        told = (refused["code"], refused["answer"], refused["answered_by"])
        assert told == ("gate_answered", {"approved": True}, "ana")


def test_an_answer_given_to_one_process_reaches_the_thread_of_another(pair: Pair, tmp_path: Path) -> None:
    """Parked, and while something else keeps its driver busy."""
    first, second = pair
    beside = {"id": "busy", "needs": [], "agent": "worker", "input": {"until": str(tmp_path / "go")}}
    parked, driven = at_gate(first), first.start_thread({**ASKING, "steps": [*ASKING["steps"], beside]})
    opened(second, [parked, driven])
    answer(second, parked)
    answer(second, driven)
    assert first.until(parked)["output"] == {"publish": {"approved": True}}
    for _ in waiting("the steps after the gate"):
        if "publish" in second.status(driven)["completed_steps"]:
            break
    (tmp_path / "go").touch()
    assert first.until(driven)["status"] == "completed"


def test_an_answer_reaches_a_thread_whose_process_has_died(pair: Pair, tmp_path: Path) -> None:
    first, second = pair
    beside = {"id": "busy", "needs": [], "agent": "worker", "input": {"until": str(tmp_path / "go")}}
    thread = first.start_thread({**ASKING, "steps": [*ASKING["steps"], beside]})
    opened(second, [thread])
    first.kill()
    answer(second, thread)
    (tmp_path / "go").touch()
    assert second.until(thread)["status"] == "completed"
    events = [event["event"] for event in sse.whole(second, thread)]
    assert (events.count("gate_waiting"), events.count("gate_answered")) == (1, 1)


def test_hundreds_of_waiting_gates_hold_no_slot(tmp_path: Path) -> None:
    gate = {"name": "many", "steps": [{"id": "approve", "gate": {}}]}
    with running(tmp_path, MAX_CONCURRENT_THREADS=5) as service:
        service.register(gate)
        with ThreadPoolExecutor(8) as pool:
            threads = list(pool.map(lambda _: service.start_thread("many"), range(300)))
        for _ in waiting("all of them to wait", 120):
            worker = service.get("/api/health")["parts"]["worker"]
            if worker["running"] == 0 and len(service.get("/api/gates", limit=1000)["gates"]) == len(threads):
                break
            time.sleep(0.2)
        assert worker["free_slots"] == 5
        assert service.run(gate | {"steps": [{"id": "free", "python": "echo", "input": 1}]})["output"] == {"free": 1}
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda thread: answer(service, thread), threads[:50]))
        for thread in threads[:50]:
            service.until(thread)
        assert len(service.get("/api/gates", limit=1000)["gates"]) == 250


def test_of_answers_and_a_timeout_at_one_moment_one_holds(mortal: Service) -> None:
    race = {"name": "race", "steps": [{"id": "approve", "gate": {"timeout": "1500ms", "on_timeout": "late"}}]}
    with ThreadPoolExecutor(8) as pool:
        threads = [mortal.start_thread(race) for _ in range(6)]
        due = {one["thread_id"]: one["timeout_at"] for one in opened(mortal, threads)}
        time.sleep(max(0.0, _seconds_until(due[threads[0]]) - 0.02))

        def ask(job: tuple[str, int]) -> tuple[str, int, int]:
            thread, n = job
            path = f"/api/invoke/gates/{thread}/approve"
            return thread, n, mortal.http.post(path, json={"answer": n}).status_code

        given = list(pool.map(ask, [(thread, n) for thread in threads for n in range(3)]))
        for thread in threads:
            taken = [n for name, n, status in given if name == thread and status == 202]
            assert len(taken) <= 1
            assert mortal.until(thread)["output"] == {"approve": taken[0] if taken else "late"}
        assert {status for _, _, status in given} <= {202, 409}


def _seconds_until(at: str) -> float:
    return (datetime.fromisoformat(at) - datetime.now(UTC)).total_seconds()


def blocks(language: str) -> list[str]:
    page = (ROOT / "docs/gates.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    (tmp_path / "notes.py").write_text(blocks("python")[0])
    (tmp_path / "note.yaml").write_text(blocks("yaml")[0])
    with running(tmp_path, MODULES="notes") as service:
        cli = {"cwd": tmp_path, "BACKSTITCH_URL": service.url}
        for thread, approved in (("yes", "true"), ("no", "false")):
            started = run_cli("invoke", "note.yaml", "--set", "topic=gates", "--thread-id", thread, **cli)
            assert started.returncode == 0, started.stderr
            asked = service.until(thread, "waiting")["steps"][1]["gate"]
            assert (asked["title"], asked["show"]) == ("Publish the note on gates?", {"draft": "What is new in gates"})
            assert "Publish the note on gates?" in run_cli("gates", "--assignee", "ana", **cli).stdout
            refused = run_cli("answer", thread, "approve", "--set", "approved=perhaps", **cli)
            assert (refused.returncode, "[invalid_input]" in refused.stderr) == (1, True)
            given = run_cli("answer", thread, "approve", "--set", f"approved={approved}", "--by", "ana", **cli)
            assert given.returncode == 0, given.stderr
            assert "ana" in run_cli("gates", thread, **cli).stdout
        assert service.until("yes")["output"] == {"publish": {"published": "What is new in gates"}}
        assert service.until("no")["output"] == {"publish": None}
