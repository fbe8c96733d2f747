"""Workflows in Python from outside: killed in the middle, asked, changed under way, rolled back; the example of the docs."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import yaml

from tests.acceptance import sse
from tests.acceptance.service import ROOT, Service, run_cli, running, waiting

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = {"MODULES": "tests.acceptance.functions,tests.acceptance.flows"}
EXAMPLE = ROOT / "docs" / "examples" / "python"
PAGE = ROOT / "docs" / "python-workflows.md"
STEPS = ["START", "first", "each", "each_2", "held", "approve", "refused", "last", "END"]
OUTPUT = [1, [1, 2], {"approved": True}, "refused"]


def begun(service: Service, go: Path) -> str:
    """A thread whose step `held` runs until the file is there."""
    thread = service.start_thread("flow", {"until": str(go)})
    for _ in waiting("the step held"):
        if service.calls(thread)["held"]:
            break
    return thread


def answered(service: Service, thread: str) -> dict[str, Any]:
    """Its status at the end, after its gate was answered."""
    service.until(thread, "waiting")
    service.post(f"/api/invoke/gates/{thread}/approve", {"answer": {"approved": True}, "by": "ana"})
    return service.until(thread)


def test_after_a_kill_completed_steps_are_not_called_again(mortal: Service, tmp_path: Path) -> None:
    go = tmp_path / "go"
    thread = begun(mortal, go)
    before = {step["id"]: step for step in mortal.status(thread)["steps"] if step["status"] == "completed"}
    assert sorted(before) == ["each", "each_2", "first"]
    mortal.kill()
    mortal.start().ready()
    go.touch()
    mortal.until(thread, "waiting")
    gate = mortal.get(f"/api/invoke/gates/{thread}/approve")
    assert (gate["title"], gate["show"], gate["assignees"]) == ("Go on?", [1, 2], ["ana"])
    refused = mortal.post(f"/api/invoke/gates/{thread}/approve", {"answer": {}}, expect=422)
    assert refused["code"] == "invalid_input"
    mortal.kill()
    mortal.start().ready()
    found = answered(mortal, thread)
    assert (found["status"], found["output"]) == ("completed", OUTPUT)
    calls = mortal.calls(thread)
    assert (calls["first"], calls["each"], calls["each_2"], calls["held"], calls["last"]) == (1, 1, 1, 2, 1)
    assert {step["id"]: step for step in found["steps"] if step["id"] in before} == before
    history = mortal.versions(thread)
    assert [one["version"] for one in history] == list(range(1, len(STEPS) + 1))
    assert sorted(one["current_step"] for one in history) == sorted(STEPS)
    events = sse.whole(mortal, thread)
    sse.without_gap(events)
    names = [event["event"] for event in events]
    assert (names.count("gate_waiting"), names.count("gate_answered")) == (1, 1)
    [failed] = [event for event in events if event["event"] == "step_failed"]
    assert (failed["step_id"], failed["data"]["error"]["kind"]) == ("refused", "refused")


def test_changed_code_is_reported_and_the_old_code_goes_on(mortal: Service, tmp_path: Path) -> None:
    go = tmp_path / "go"
    thread = begun(mortal, go)
    mortal.kill()
    mortal.settings["FLOW_CHANGED"] = "1"
    mortal.start().ready()
    go.touch()
    found = mortal.until(thread)
    assert (found["status"], found["error"]["kind"]) == ("failed", "code_changed")
    assert "held" in found["error"]["message"]
    mortal.stop()
    del mortal.settings["FLOW_CHANGED"]
    mortal.start().ready()
    mortal.post(f"/api/invoke/resume/{thread}")
    found = answered(mortal, thread)
    assert (found["status"], found["output"]) == ("completed", OUTPUT)
    assert mortal.calls(thread)["first"] == 1


def test_a_gate_whose_time_is_over_gives_its_value_or_fails(mortal: Service) -> None:
    assert mortal.run("late")["output"] == [{"approved": False}, "timeout", "strict"]
    found = mortal.get("/api/workflows/flow")
    assert found["document"]["code"]["function"] == "tests.acceptance.flows.flow"
    assert "async def flow" in found["document"]["code"]["source"]
    tried = mortal.post("/api/workflows/validate", found["document"], expect=200)
    assert (tried["valid"], tried["diagram"]) == (False, None)
    assert "MODULES" in tried["problems"][0]["message"]
    for odd in ({"code": {}}, {"name": 1, "code": {}}, {"name": "x", "code": 1, "limits": 3}):
        assert mortal.post("/api/workflows/validate", odd, expect=200)["valid"] is False
    mortal.post("/api/workflows", found["document"], expect=422)


def test_a_rollback_and_a_resume_from_a_step_run_what_comes_after_again(mortal: Service, tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.touch()
    thread = begun(mortal, go)
    answered(mortal, thread)
    dry = mortal.post(f"/api/invoke/rollback/{thread}", {"to_version": 4, "dry_run": True}, expect=200)
    assert [one["step_id"] for one in dry["undone"]] == ["last", "refused", "approve", "held"]
    mortal.post(f"/api/invoke/rollback/{thread}", {"to_version": 4})
    assert answered(mortal, thread)["output"] == OUTPUT
    mortal.post(f"/api/invoke/resume/{thread}", {"from_step": "last"})
    assert mortal.until(thread)["output"] == OUTPUT
    calls = mortal.calls(thread)
    assert (calls["first"], calls["each"], calls["held"], calls["last"]) == (1, 1, 2, 3)


def test_the_example_of_the_docs_runs_as_it_stands(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    code = (EXAMPLE / "research.py").read_text(encoding="utf-8")
    assert re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[0] in code
    [console] = re.findall(r"^```console\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[:1]
    with running(tmp_path, MODULES="research", PYTHONPATH=f"{ROOT}:{EXAMPLE}") as service:
        for line in console.splitlines():
            if line.startswith("$ "):
                words = shlex.split(line[2:])[1:]
                if words[0] == "answer":
                    service.until("thread-1", "waiting")
                found = run_cli(*words, "--url", service.url, cwd=tmp_path)
                assert found.returncode == 0, found.stderr
        assert service.until("thread-1")["output"] == {"written": True, "topic": "thread", "hits": 6}
        shown = yaml.safe_load(run_cli("status", "thread-1", "--json", "--url", service.url, cwd=tmp_path).stdout)
        assert [step["id"] for step in shown["steps"]] == ["plan", "search", "search_2", "approve", "sleep", "write"]
