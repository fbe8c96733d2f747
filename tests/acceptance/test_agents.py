"""Agents of real services: from code, files, the API and psql; changed while steps run, counted, disabled, enabled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.domain import document_text
from tests.acceptance.service import ROOT, Service, run_cli, running, two_running, waiting
from tests.unit.test_docs import blocks

if TYPE_CHECKING:
    from collections.abc import Generator

PAGE = ROOT / "docs" / "agents.md"


def write(folder: Path, name: str, **fields: Any) -> None:
    """Put an agent into a file, whole at once."""
    new = folder / f".{name}"
    new.write_text(json.dumps({"name": name, "kind": "python", **fields}))
    new.rename(folder / f"{name}.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of agents, whose work `worker` does: a hand for each test."""
    found = tmp_path_factory.mktemp("agents")
    for hand in ("changed", "in-rows", "broken"):
        write(found, hand, config={"function": "worker"})
    return found


@pytest.fixture(scope="module")
def own(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    with running(tmp_path_factory.mktemp("service"), AGENTS_DIR=folder) as found:
        yield found


@pytest.fixture
def service(own: Service) -> Service:
    """The service of the folder, which a test may have left killed."""
    return own.up()


def version(service: Service, wanted: int, name: str) -> None:
    """Wait until that is the current version."""
    for _ in waiting(f"{name} to be in version {wanted}"):
        answer = service.http.get(f"/api/agents/{name}")
        if answer.status_code == 200 and answer.json()["version"] == wanted:
            return


def outputs(service: Service, thread: str) -> dict[str, Any]:
    """What each step gave."""
    execution = service.until(thread, "completed")["execution_id"]
    return {one["name"]: one["output"] for one in service.get(f"/api/workflow/execution/{execution}")["steps"]}


def two_steps(hand: str, until: Path) -> dict[str, Any]:
    """A step of `hand` that waits for a file, and another one."""
    first = {"id": "a", "agent": hand, "input": {"until": str(until), "give": "by worker"}}
    return {"name": f"pair-{hand}", "steps": [first, {"id": "b", "agent": hand, "input": {"give": "x"}}]}


def versions_of_steps(service: Service, thread: str) -> dict[str, int] | None:
    """Which version of its agent did each step, None where rows do not tell it."""
    columns = (
        "SELECT 1 FROM information_schema.columns WHERE table_name = 'workflow_steps' AND column_name = 'agent_version'"
    )
    if not service.sql(columns):
        return None
    rows = service.sql("SELECT step_name, agent_version FROM workflow_steps WHERE thread_id = $1", thread)
    return {row["step_name"]: row["agent_version"] for row in rows}


def test_the_example_of_the_docs_runs(tmp_path: Path) -> None:
    agents, (titler, brief) = tmp_path / "agents", blocks(PAGE, "yaml")
    agents.mkdir()
    (agents / "titler.yaml").write_text(titler)
    (tmp_path / "my_agents.py").write_text(blocks(PAGE, "python")[0])
    (tmp_path / "brief.yaml").write_text(brief)
    path = f"{ROOT}:{tmp_path}"
    with running(tmp_path / "service", PYTHONPATH=path, MODULES="my_agents", AGENTS_DIR=agents) as service:
        command = ("invoke", "brief.yaml", "--set", "text=stitches hold longer", "--wait")
        done = run_cli("--url", service.url, *command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"title": "All About Stitches", "words": 3}
        found = {one["name"]: (one["source"], one["origin"]) for one in service.get("/api/agents")["agents"]}
        assert (found["analyst"], found["titler"]) == (("code", "my_agents:analyse"), ("file", "titler.yaml"))
        refused = service.until(service.start_thread(document_text.load(brief), {"text": ""}), "failed")
        assert refused["error"]["kind"] == "validation"
        listed = run_cli("--url", service.url, "agents", "list", "--tag", "text", cwd=tmp_path)
        assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == ["analyst", "titler"]


def test_a_changed_file_changes_the_next_step_and_not_the_running_one(
    service: Service, folder: Path, tmp_path: Path
) -> None:
    thread = service.start_thread(two_steps("changed", tmp_path / "go"))
    for _ in waiting("the first step to run"):
        if service.calls(thread)["a"]:
            break
    write(folder, "changed", config={"function": "echo"})
    version(service, 2, "changed")
    (tmp_path / "go").touch()
    assert outputs(service, thread) == {"a": "by worker", "b": {"give": "x"}}
    assert versions_of_steps(service, thread) in (None, {"a": 1, "b": 2})


def test_a_changed_row_changes_the_next_step(service: Service, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    assert outputs(service, service.start_thread(two_steps("in-rows", tmp_path / "go")))["b"] == "x"
    service.sql("""UPDATE agents SET config = '{"function": "echo"}' WHERE name = 'in-rows' AND current""")
    version(service, 2, "in-rows")
    assert outputs(service, service.start_thread(two_steps("in-rows", tmp_path / "go")))["b"] == {"give": "x"}
    service.sql("""UPDATE agents SET config = '{"functoin": "echo"}' WHERE name = 'in-rows' AND current""")
    version(service, 3, "in-rows")
    refused = service.http.post("/api/invoke/async", json={"workflow": two_steps("in-rows", tmp_path / "other")})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_workflow")
    assert "/config" in refused.json()["detail"]


def test_a_broken_file_is_told_and_changes_nothing(service: Service, folder: Path, tmp_path: Path) -> None:
    (folder / "broken.json").write_text("{")
    for _ in waiting("the file to be refused"):
        if service.get("/api/agents")["refused_files"]:
            break
    part = service.get("/api/health")["parts"]["agents"]
    assert (part["status"], part["detail"]) == ("degraded", "refused: broken.json")
    assert "broken.json, is refused" in service.log.read_text()
    (tmp_path / "go").touch()
    assert outputs(service, service.start_thread(two_steps("broken", tmp_path / "go")))["b"] == "x"
    service.kill()
    service.start().ready()
    assert service.get("/api/agents/broken")["version"] == 1
    (folder / "broken.json").unlink()
    for _ in waiting("the agent to go"):
        if service.http.get("/api/agents/broken").status_code == 404:
            break


def test_what_one_process_registers_the_other_performs_at_once(tmp_path: Path) -> None:
    with two_running(tmp_path) as (first, second):
        document = {"name": "remote", "kind": "python", "config": {"function": "echo"}}
        for number in range(1, 4):
            first.post("/api/agents", {**document, "description": str(number)}, expect=201)
            version(second, number, "remote")
            assert second.run({"name": "w", "steps": [{"id": "a", "agent": "remote"}]}, number)["output"] == {
                "a": number
            }
        rows = first.sql("SELECT version, current FROM agents WHERE name = 'remote' ORDER BY version")
        assert [tuple(row) for row in rows] == [(1, False), (2, False), (3, True)]


def test_code_that_wants_a_name_of_the_api_does_not_start(tmp_path: Path) -> None:
    with running(tmp_path, MODULES="") as service:
        known = service.get("/api/agents")["agents"][0]["name"]
        service.post("/api/agents", {"name": "worker", "kind": "python", "config": {"function": known}}, expect=201)
        service.stop()
        service.settings = {}
        service.start()
        assert service.process is not None
        assert service.process.wait(60) == 2
        assert "agent worker belongs to the API, in version 1: code cannot register it" in service.log.read_text()


def failing_without(file: Path, attempts: int = 1) -> dict[str, Any]:
    """A workflow of one step, which fails as long as the file is not there."""
    step = {"id": "s1", "agent": "worker", "input": {"unless": str(file), "retryable": True}}
    return {"name": "fragile", "steps": [{**step, "retry": {"max_attempts": attempts, "initial_interval": "10ms"}}]}


def test_an_agent_that_cannot_work_any_more_keeps_nobody_from_starting(tmp_path: Path) -> None:
    workflows = tmp_path / "workflows"
    workflows.mkdir()
    (workflows / "own.json").write_text(json.dumps({"name": "own", "steps": [{"id": "a", "agent": "mine"}]}))
    service = Service(tmp_path / "service")
    try:
        service.start().ready()
        for name in ("critic", "mine"):  # the first in the place of an example's
            agent = {"name": name, "kind": "python", "config": {"function": "worker"}}
            service.post("/api/agents", agent, expect=201)
        service.stop()
        service.settings["WORKFLOWS_DIR"] = workflows
        service.start().ready()
        service.stop()
        service.settings["MODULES"] = ""
        service.start().ready()
        refused = service.http.post("/api/invoke/async", json={"workflow": "own"})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_workflow")
    finally:
        service.close()


def test_health_counts_the_attempts_of_all_processes_and_outlives_a_crash(tmp_path: Path) -> None:
    with two_running(tmp_path, BREAKER_FAILURES=100) as pair:
        for service in pair:
            for _ in range(3):
                assert service.run(failing_without(tmp_path))["status"] == "completed"
            assert service.run(failing_without(tmp_path / "nowhere", 2))["status"] == "failed"
        first, second = pair
        for _ in waiting("both to have written what they counted"):
            if second.get("/api/agents/worker/health")["attempts"] == 10:
                break
        first.kill()
        second.kill()
        second.start().ready()
        found = second.get("/api/agents/worker/health", window="10m")
        assert [found[name] for name in ("succeeded", "failed", "rejected", "success_rate")] == [6, 4, 0, 0.6]
        assert 0 < found["duration_ms"]["p50"] <= found["duration_ms"]["p99"]
        assert (found["last_error"]["kind"], found["last_error"]["step_id"]) == ("refused", "s1")


def test_an_agent_that_keeps_failing_is_disabled_and_can_be_enabled_again(tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    limits = {"BREAKER_FAILURES": 1, "BREAKER_OPEN_SECONDS": 1.5, "AGENT_DISABLE_AFTER": 1}
    with running(tmp_path / "service", **limits) as service:
        thread = service.start_thread(failing_without(mended, 100))
        for _ in waiting("the agent to be disabled, and that to be written"):
            if service.get("/api/agents/worker/events")["events"][0]["event"] == "disabled":
                break
        found = service.get("/api/agents/worker")
        assert found["enabled"] is False
        assert found["disabled_reason"] == "1 probes in a row failed, the last so: the probe failed: refused: not yet"
        calls = service.calls(thread)["s1"]
        service.kill()
        service.start().ready()
        service.until(thread, "waiting")
        assert service.get("/api/agents/worker")["enabled"] is False
        mended.touch()
        done = run_cli("--url", service.url, "agents", "enable", "worker", cwd=tmp_path)
        assert done.stdout == "agent worker is enabled\n"
        service.until(thread, "completed")
        assert service.calls(thread)["s1"] == calls + 1
        events = [one["event"] for one in service.get("/api/agents/worker/events")["events"]]
        assert events == ["enabled", "disabled", "registered"]
