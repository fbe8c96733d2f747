"""What a workflow can say: order, branches, conditions, templates, retries, timeouts, sub-workflows."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance import sse
from tests.acceptance.service import chain, waiting

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service


def echo(step: str, given: Any = None, **more: Any) -> dict[str, Any]:
    """A step that gives its input."""
    return {"id": step, "python": "echo", "input": given, **more}


def test_the_document_of_the_contract_runs_as_far_as_it_is_built(service: Service) -> None:
    document = {
        "name": "contract",
        "input": {"type": "object", "required": ["topic"], "properties": {"topic": {"type": "string"}}},
        "defaults": {"timeout": "120s", "retry": {"max_attempts": 3, "initial_interval": "1s", "backoff_factor": 2}},
        "steps": [
            echo("analyst", {"topic": "{input.topic}", "score": 0.7}, assign="insights", timeout="60s"),
            echo("marketer", {"insights": "{context.insights}"}, needs=["analyst"], when="analyst.output.score > 0.5"),
        ],
        "output": {"plan": "{marketer.output}"},
    }
    service.register(document)
    found = service.run("contract", {"topic": "AI in Education"})
    assert found["output"] == {"plan": {"insights": {"topic": "AI in Education", "score": 0.7}}}


def test_templates_keep_types_alone_and_render_in_text(service: Service) -> None:
    given = {"list": "{input.l}", "text": "n={input.n} l={input.l}", "braces": "{{x}}", "sum": "{input.n + 1}"}
    found = service.run({"name": "t", "steps": [echo("a", given)]}, {"n": 2, "l": [1, None, "x"]})
    assert found["output"]["a"]["list"] == [1, None, "x"]
    assert found["output"]["a"]["braces"] == "{x}"
    assert found["output"]["a"]["text"].startswith("n=2 l=[1,")
    assert found["output"]["a"]["sum"] == 3


def test_a_step_whose_condition_is_false_is_done_with_null(service: Service) -> None:
    steps = [echo("a", 1), echo("b", 2, when="a.output > 1"), echo("c", {"b": "{b.output}"})]
    found = service.run({"name": "when", "steps": steps})
    assert (found["status"], found["output"]) == ("completed", {"c": {"b": None}})
    assert [step["status"] for step in found["steps"]] == ["completed", "skipped", "completed"]
    assert found["completed_steps"] == ["a", "b", "c"]
    versions = service.versions(found["thread_id"])
    assert [one["current_step"] for one in versions] == ["START", "a", "b", "c", "END"]
    assert versions[-1]["state_summary"]["num_agent_results"] == 2
    assert "step_skipped b" in sse.names(sse.whole(service, found["thread_id"]))


def test_steps_that_wait_for_nothing_run_side_by_side(service: Service, tmp_path: Path) -> None:
    steps = [
        {"id": name, "needs": [], "agent": "worker", "input": {"until": str(tmp_path / "go")}}
        for name in ("a", "b", "c")
    ]
    thread = service.start_thread({"name": "parallel", "steps": steps})
    for _ in waiting("all three run"):
        if [step["status"] for step in service.status(thread)["steps"]] == ["running"] * 3:
            break
    assert service.status(thread)["current_step"] == "a"
    (tmp_path / "go").touch()
    found = service.until(thread)
    assert found["output"] == {name: {"by": name} for name in ("a", "b", "c")}
    assert len(service.versions(thread)) == 5


def test_a_failed_attempt_is_tried_again_with_the_same_key(service: Service, tmp_path: Path) -> None:
    step = {
        "id": "a",
        "agent": "worker",
        "input": {"unless": str(tmp_path / "go"), "retryable": True},
        "retry": {"max_attempts": 50, "initial_interval": "50ms", "max_interval": "50ms"},
    }
    thread = service.start_thread({"name": "retries", "steps": [step]})
    for _ in waiting("two attempts"):
        if service.calls(thread)["a"] >= 2:
            break
    (tmp_path / "go").touch()
    found = service.until(thread)
    assert (found["status"], found["version"]) == ("completed", 3)
    assert found["steps"][0]["attempt"] == service.calls(thread)["a"] == found["steps"][0]["retry_count"] + 1
    assert len(set(service.keys(thread, "a"))) == 1
    told = sse.names(sse.whole(service, thread))
    assert told.count("step_start a") == 1
    assert told.count("step_retry a") == found["steps"][0]["retry_count"]


def test_a_step_over_its_time_fails_with_timeout(service: Service, tmp_path: Path) -> None:
    given = {"until": str(tmp_path / "never")}
    step = {"id": "a", "agent": "worker", "input": given, "timeout": "200ms", "retry": {"max_attempts": 1}}
    found = service.run({"name": "late", "steps": [step]})
    assert (found["status"], found["error"]["kind"], found["error"]["step_id"]) == ("failed", "timeout", "a")
    assert (found["completed_at"] is not None, found["output"]) == (True, None)


def test_an_expression_that_fails_is_final(service: Service) -> None:
    found = service.run({"name": "cel", "steps": [echo("a", {"x": "{input.missing.more}"})]}, {"a": 1})
    assert (found["status"], found["error"]["kind"], found["error"]["retryable"]) == ("failed", "expression", False)
    assert found["steps"][0]["attempt"] == 1


def test_a_workflow_whose_steps_are_all_skipped_completes(service: Service) -> None:
    document = {
        "name": "idle",
        "steps": [echo("a", 1, when="false"), echo("b", 1, when=False)],
        "output": {"x": "{a.output}"},
    }
    found = service.run(document)
    assert (found["status"], found["output"], found["completed_at"] is None) == ("completed", {"x": None}, False)
    execution = service.get(f"/api/workflow/execution/{found['execution_id']}")["execution"]
    assert (execution["status"], execution["output"]) == ("completed", {"x": None})


def test_sync_async_and_cpu_bound_functions_run(service: Service) -> None:
    steps = [
        {"id": "a", "python": "blocking", "input": {"give": 1}, "needs": []},
        {"id": "b", "python": "crunch", "input": {"n": 1000}, "needs": []},
        {"id": "c", "python": "talk", "input": {"text": "one two"}, "needs": []},
        {"id": "d", "sleep": "50ms"},
    ]
    found = service.run({"name": "kinds", "steps": steps, "output": ["{a.output}", "{b.output}", "{c.output}"]})
    assert found["output"] == [1, 332833500, "one two"], found["error"]


def test_a_sub_workflow_is_a_thread_of_its_own(service: Service) -> None:
    service.register({"name": "inner", "steps": [echo("x", {"got": "{input.v}"})], "output": "{x.output.got}"})
    steps = [{"id": "sub", "workflow": "inner", "input": {"v": "{input}"}}, echo("after", "{sub.output}")]
    mark = str(uuid.uuid4())
    found = service.run({"name": "outer", "steps": steps}, mark)
    assert (found["status"], found["output"]) == ("completed", {"after": mark}), found["error"]
    inner = service.get("/api/workflow/executions", workflow="inner", limit=1000)["executions"]
    assert [one["status"] for one in inner][:1] == ["completed"]


def test_a_step_tells_how_far_it_is_and_streams_its_text(service: Service, tmp_path: Path) -> None:
    given = {"text": "one two three", "until": str(tmp_path / "go")}
    thread = service.start_thread({"name": "talks", "steps": [{"id": "a", "python": "talk", "input": given}]})
    with service.http.stream("GET", f"/api/invoke/stream/{thread}") as answer:
        messages = sse.live(answer)
        found: list[sse.Message] = []
        while not found or found[-1].event != "step_start":  # what comes after it is told live, with the text
            found.append(next(messages))
        (tmp_path / "go").touch()
        found += list(messages)
    chunks = [one for one in found if one.event == "step_chunk"]
    assert "".join(one.data["data"]["text"] for one in chunks) == "one two three "
    assert all(one.id is None for one in chunks)
    durable = sse.events(found)
    sse.without_gap(durable)
    told = next(one for one in durable if one["event"] == "step_progress")
    assert (told["type"], told["step_id"]) == ("progress", "a")


def test_events_carry_results_and_their_class(service: Service) -> None:
    thread = service.run(chain("classes", 1, give={"n": 1}))["thread_id"]
    found = {one["event"]: one for one in sse.whole(service, thread)}
    assert {name: one["type"] for name, one in found.items()} == {
        "workflow_start": "status",
        "step_start": "status",
        "step_complete": "status",
        "workflow_complete": "complete",
    }
    done = found["step_complete"]["data"]
    assert done == {"status": "completed", "progress": 1.0, "session_id": None, "result": {"n": 1}}
    assert found["step_complete"]["version"] == 2


@pytest.mark.parametrize("size", [290_000, 320_000])
def test_an_output_near_the_limit(service: Service, size: int) -> None:
    found = service.run({"name": "large", "steps": [{"id": "a", "python": "fill", "input": {"bytes": size}}]})
    if size < 300_000:
        assert found["output"] == {"a": "x" * size}
        assert "preview" in str(sse.whole(service, found["thread_id"])[-1]["data"]["result"])
    else:
        assert (found["status"], found["error"]["kind"]) == ("failed", "output_too_large")
