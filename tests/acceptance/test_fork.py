"""Forks, comparisons and single tasks on real processes: two variants over the same thread, and a kill in the middle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.acceptance.service import Service, run_cli, running, waiting

if TYPE_CHECKING:
    from pathlib import Path


WORKFLOW: dict[str, Any] = {
    "name": "post",
    "steps": [
        {"id": "analyst", "agent": "worker", "input": {"give": {"score": 0.9, "nul": "a\x00b"}}, "assign": "insights"},
        {"id": "marketer", "agent": "worker", "input": {"give": {"plan": "{context.insights.score}"}}},
        {"id": "publish", "agent": "worker", "input": {"give": "{marketer.output}"}},
    ],
}
TWO = [{"name": "one"}, {"name": "two", "overrides": {"marketer": {"agent": "worker-v2"}}}]


def fork(service: Service, thread: str, **body: Any) -> list[str]:
    """The new threads."""
    return [one["thread_id"] for one in service.post(f"/api/invoke/fork/{thread}", body)["forks"]]


def test_two_variants_over_one_thread_at_version_two_are_run_and_compared(service: Service) -> None:
    source = service.run(WORKFLOW)["thread_id"]
    threads = fork(service, source, version=2, variants=TWO)
    statuses = [service.until(thread) for thread in threads]
    assert [status["status"] for status in statuses] == ["completed", "completed"]
    assert [service.calls(thread) for thread in threads] == [{"marketer": 1, "publish": 1}] * 2
    found = service.get("/api/workflow/executions/compare", a=threads[0], b=statuses[1]["execution_id"])
    assert found["ancestor"] == {"thread_id": source, "version": 2}
    analyst, marketer, publish = found["steps"]
    assert (analyst["a"]["reused"], analyst["b"]["reused"], analyst["output"]["equal"]) == (True, True, True)
    assert [marketer[side]["agent"] for side in "ab"] == ["worker", "worker-v2"]
    assert all(isinstance(step[side]["duration_ms"], int) for step in (marketer, publish) for side in "ab")
    assert (publish["output"]["a"], publish["output"]["b"]) == ({"plan": 0.9}, {"v2": {"plan": 0.9}})
    assert found["context"]["equal"]
    assert found["difference"]["duration_ms"] == found["b"]["duration_ms"] - found["a"]["duration_ms"]


def test_what_a_fork_took_over_is_in_its_own_rows_and_in_the_views(service: Service) -> None:
    source = service.run(WORKFLOW)["thread_id"]
    [thread] = fork(service, source, version=3, resume=False)
    states = [service.get(f"/api/invoke/history/{name}/{at}")["state"] for name, at in ((source, 3), (thread, 1))]
    assert {**states[0], "metadata": None} == {**states[1], "metadata": None}
    rows = service.sql("SELECT step_name, status FROM workflow_steps WHERE thread_id = $1 ORDER BY step_index", thread)
    assert [tuple(row) for row in rows] == [("analyst", "completed"), ("marketer", "completed")]
    [shown] = service.sql("SELECT backstitch_state($1, 1) AS state", thread)
    assert json.loads(shown["state"])["context"]["insights"]["score"] == 0.9
    assert service.get(f"/api/invoke/verify/{thread}")["valid"]
    [entry] = service.versions(thread)
    assert (entry["current_step"], entry["trigger"], entry["completed_steps"]) == (
        "START",
        "fork",
        ["analyst", "marketer"],
    )


def test_a_fork_that_is_killed_goes_on_with_its_overrides_and_repeats_nothing(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with running(tmp_path) as service:
        source = service.run(WORKFLOW)["thread_id"]
        overrides = {
            "marketer": {"agent": "worker-v2"},
            "publish": {"agent": "worker-v2", "input": {"until": str(go)}},
        }
        [thread] = fork(service, source, version=2, variants=[{"overrides": overrides}])
        for _ in waiting("the fork to be in its last step"):
            if service.calls(thread)["publish"]:
                break
        before = service.status(thread)
        service.kill()
        go.touch()
        service.start().ready()
        after = service.until(thread)
        assert (after["status"], after["execution_id"], after["kind"]) == ("completed", before["execution_id"], "fork")
        assert after["output"] == {"publish": {"v2": {"v2": {"plan": 0.9}}}}
        assert service.calls(thread) == {"marketer": 1, "publish": 2}
        assert len(set(service.keys(thread, "publish"))) == 1
        assert after["forked_from"] == {"thread_id": source, "version": 2, "variant": "a"}


def test_a_fork_whose_answer_was_lost_is_asked_for_again_and_made_once(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        source = service.run(WORKFLOW)["thread_id"]
        asked = {"json": {"version": 2, "variants": TWO}, "headers": {"Idempotency-Key": "fork-1"}}
        first = service.http.post(f"/api/invoke/fork/{source}", **asked)
        service.kill()
        service.start().ready()
        again = service.http.post(f"/api/invoke/fork/{source}", **asked)
        assert (again.status_code, again.headers["idempotency-replayed"]) == (202, "true")
        threads = [one["thread_id"] for one in again.json()["forks"]]
        assert threads == [one["thread_id"] for one in first.json()["forks"]]
        assert [service.until(thread)["status"] for thread in threads] == ["completed"] * 2
        assert service.sql("SELECT count(*) FROM threads")[0][0] == 3


def test_variants_of_a_step_are_drawn_for_each_thread_and_told(service: Service) -> None:
    variants = [{"name": "a", "weight": 1}, {"name": "b", "weight": 1, "agent": "worker-v2"}]
    steps = [{"id": "w", "agent": "worker", "input": {"give": 1}, "variants": variants}]
    found: set[tuple[str, str]] = set()
    for number in range(12):
        thread = service.run({"name": "ab", "steps": steps}, thread_id=f"ab-{number}")["thread_id"]
        data = service.sql("SELECT data FROM workflow_events WHERE thread_id = $1 AND name = 'step_start'", thread)
        started = json.loads(data[0]["data"])
        found.add((started["variant"], started["agent"]))
    assert found == {("a", "worker"), ("b", "worker-v2")}


def test_the_command_line_forks_and_compares(service: Service, tmp_path: Path) -> None:
    source = service.run(WORKFLOW)["thread_id"]
    options = ("--version", "2", "--variant", "one", "--set", "two:marketer.agent=worker-v2", "--url", service.url)
    made = json.loads(run_cli("fork", source, *options, "--json", cwd=tmp_path).stdout)
    threads = [one["thread_id"] for one in made["forks"]]
    for thread in threads:
        service.until(thread)
    shown = run_cli("compare", *threads, "--url", service.url, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "worker | worker-v2" in shown.stdout
    assert f"both come from version 2 of {source}" in shown.stdout


def test_a_task_survives_a_kill_and_is_told_flat(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with running(tmp_path) as service:
        task = service.post("/api/tasks", {"agent": "worker", "input": {"until": str(go), "give": {"n": 7}}})["task_id"]
        for _ in waiting("the task to run"):
            if service.calls(task)["task"]:
                break
        service.kill()
        go.touch()
        service.start().ready()
        service.until(task)
        found = service.get(f"/api/tasks/{task}")
        assert (found["status"], found["agent"], found["output"]) == ("completed", "worker", {"n": 7})
        assert [one["task_id"] for one in service.get("/api/tasks")["tasks"]] == [task]
        shown = run_cli("task", "worker", "--input", '{"give": 3}', "--wait", "--url", service.url, cwd=tmp_path)
        assert (shown.returncode, json.loads(shown.stdout)) == (0, 3)
