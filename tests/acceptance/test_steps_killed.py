"""Loops, rescuers, sub-workflows, limits and compensations in a service that dies in the middle: nothing done is done again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.acceptance import sse
from tests.acceptance.service import Service, waiting

if TYPE_CHECKING:
    from pathlib import Path


def called(service: Service, thread: str, step: str, times: int = 1) -> None:
    """Wait until a step was called so often."""
    for _ in waiting(f"{step} to be called {times} times"):
        if service.calls(thread)[step] >= times:
            return


def again(service: Service) -> None:
    """Kill it, and start it on the same data."""
    service.kill()
    service.start().ready()


def test_a_loop_goes_on_with_the_iteration_that_ran(mortal: Service, tmp_path: Path) -> None:
    go = tmp_path / "go"
    repeat = {"until": "r.output == 3", "max_iterations": 9}
    given = {"give": "{iteration}", "until": "{iteration == 2 ? input.go : null}"}
    document = {"name": "loop", "steps": [{"id": "r", "agent": "worker", "input": given, "repeat": repeat}]}
    thread = mortal.start_thread(document, {"go": str(go)})
    called(mortal, thread, "r", 3)
    again(mortal)
    called(mortal, thread, "r", 4)
    found = mortal.get(f"/api/workflow/items/{thread}/r")
    assert [(one["index"], one["status"]) for one in found["items"]] == [(0, "completed"), (1, "completed")]
    go.touch()
    assert mortal.until(thread)["output"] == {"r": 3}
    keys = mortal.keys(thread, "r")
    assert [key.rpartition(":")[2] for key in keys] == ["0", "1", "2", "2", "3"]
    assert [one["version"] for one in mortal.versions(thread)] == [1, 2, 3]
    sse.without_gap(sse.whole(mortal, thread))


def test_a_rescuer_that_was_cut_runs_again_and_the_failed_step_does_not(mortal: Service, tmp_path: Path) -> None:
    go = tmp_path / "go"
    steps: list[dict[str, Any]] = [
        {
            "id": "a",
            "agent": "worker",
            "input": {"unless": "/nowhere"},
            "on_error": {"kinds": ["refused"], "run": "help"},
        },
        {"id": "help", "agent": "worker", "input": {"until": str(go), "give": "{error.kind}"}},
        {"id": "after", "needs": ["a"], "agent": "worker", "input": {"give": ["{a.status}", "{help.output}"]}},
    ]
    thread = mortal.start_thread({"name": "rescued", "steps": steps})
    called(mortal, thread, "help")
    again(mortal)
    go.touch()
    assert mortal.until(thread)["output"] == {"after": ["failed", "refused"]}
    assert mortal.calls(thread) == {"a": 1, "help": 2, "after": 1}
    assert [one["version"] for one in mortal.versions(thread)] == [1, 2, 3, 4, 5]
    [failed] = [event for event in sse.whole(mortal, thread) if event["event"] == "step_failed"]
    assert failed["data"]["caught"] is True


def test_sub_workflows_of_items_are_started_once(mortal: Service, tmp_path: Path) -> None:
    go = tmp_path / "go"
    child: list[dict[str, Any]] = [
        {"id": "c1", "agent": "worker", "input": {"give": "{input}"}},
        {"id": "c2", "agent": "worker", "input": {"until": str(go), "give": "{c1.output}"}},
    ]
    step = {"id": "m", "for_each": [1, 2, 3, 4], "concurrency": 2, "workflow": "child", "input": "{item}"}
    mortal.register({"name": "child", "steps": child})
    thread = mortal.start_thread({"name": "parent", "steps": [step]})
    for _ in waiting("two children"):
        if sum(count for name, count in mortal.calls().items() if name.endswith(" c2")) >= 2:
            break
    again(mortal)
    go.touch()
    found = mortal.until(thread)
    assert found["output"] == {"m": [{"c2": n} for n in (1, 2, 3, 4)]}
    children = [item["session_id"] for item in mortal.get(f"/api/workflow/items/{thread}/m")["items"]]
    assert len(set(children)) == 4
    known = mortal.sql("SELECT thread_id FROM threads WHERE parent_thread_id = $1", thread)
    assert {row["thread_id"] for row in known} == set(children)
    assert [mortal.calls(one)["c1"] for one in children] == [1, 1, 1, 1]


def test_over_its_budget_a_thread_pauses_also_after_a_kill_and_goes_on_with_more(
    mortal: Service, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    steps = [{"id": f"s{n}", "agent": "spender", "input": {"until": str(go)} if n == 1 else {}} for n in range(4)]
    thread = mortal.start_thread({"name": "costly", "limits": {"max_cost_usd": 2}, "steps": steps})
    called(mortal, thread, "s1")
    again(mortal)
    go.touch()
    paused = mortal.until(thread, "paused")
    assert paused["completed_steps"] == ["s0", "s1"]
    mortal.post(f"/api/invoke/resume/{thread}")
    mortal.until(thread, "paused")
    mortal.post(f"/api/invoke/resume/{thread}", {"limits": {"max_cost_usd": 10, "max_tokens": 10_000}})
    assert mortal.until(thread)["status"] == "completed"
    assert mortal.calls(thread) == {"s0": 1, "s1": 2, "s2": 1, "s3": 1}
    pauses = [event["data"] for event in sse.whole(mortal, thread) if event["event"] == "workflow_paused"]
    assert [one["reason"] for one in pauses] == ["max_cost_usd", "max_cost_usd"]
    spent = mortal.get("/api/usage", by="workflow,agent")["usage"]
    mine = [(one["agent"], one["step_runs"]) for one in spent if one["workflow"] == "costly"]
    assert mine == [("spender", 4)]


def test_a_deadline_pauses_a_thread_that_waits(mortal: Service) -> None:
    document = {"name": "slow", "limits": {"deadline": "2s"}, "steps": [{"id": "g", "gate": {"title": "?"}}]}
    thread = mortal.start_thread(document)
    mortal.until(thread, "waiting")
    again(mortal)
    mortal.until(thread, "paused")
    mortal.post(f"/api/invoke/resume/{thread}")
    mortal.until(thread, "paused")
    mortal.post(f"/api/invoke/resume/{thread}", {"limits": {"deadline": "1h"}})
    mortal.until(thread, "waiting")
    mortal.post(f"/api/invoke/gates/{thread}/g", {"answer": 1})
    assert mortal.until(thread)["output"] == {"g": 1}


def test_compensations_run_once_by_their_keys_the_latest_first(mortal: Service, tmp_path: Path) -> None:
    go = tmp_path / "go"

    def step(number: int) -> dict[str, Any]:
        held = {"until": str(go)} if number == 2 else {}
        undo = {"agent": "worker", "input": {**held, "give": "{output}"}}
        return {"id": f"s{number}", "agent": "worker", "input": {"give": number}, "compensate": undo}

    thread = mortal.run({"name": "undone", "steps": [step(number) for number in (1, 2, 3)]})["thread_id"]
    mortal.post(f"/api/invoke/rollback/{thread}", {"to_version": 1, "compensate": True, "resume": False})
    called(mortal, thread, "s2.undo")
    again(mortal)
    called(mortal, thread, "s2.undo", 2)
    go.touch()
    found = mortal.until(thread, "paused")
    lines = [line.split() for line in mortal.calls_file.read_text().splitlines()]
    order = [words[1] for words in lines if words[0] == thread and words[1].endswith(".undo")]
    assert order == ["s3.undo", "s2.undo", "s2.undo", "s1.undo"]
    keys = {step: set(mortal.keys(thread, step)) for step in order}
    assert keys == {name: {f"{thread}:{found['execution_id']}:{name}"} for name in order}
    runs = mortal.get(f"/api/workflow/execution/{found['execution_id']}")["steps"]
    assert {run["name"]: run["output"] for run in runs} == {"s1.undo": 1, "s2.undo": 2, "s3.undo": 3}
    assert found["version"] == 1
    mortal.post(f"/api/invoke/resume/{thread}")
    assert mortal.until(thread)["status"] == "completed"
    assert [mortal.calls(thread)[f"s{number}.undo"] for number in (1, 2, 3)] == [1, 2, 1]
