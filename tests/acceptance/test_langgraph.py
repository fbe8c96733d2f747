"""A LangGraph graph as one step of the real service: killed in the middle of a node, asked by a gate, watched by a stream."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.acceptance import sse
from tests.acceptance.service import Service, running, waiting

if TYPE_CHECKING:
    from pathlib import Path

MODULES = "tests.acceptance.functions,tests.acceptance.graphs"


def workflow(agent: str, **given: Any) -> dict[str, Any]:
    return {"name": agent, "steps": [{"id": "research", "agent": agent, "input": {"topic": "sewing", **given}}]}


def nodes(service: Service) -> Counter[str]:
    """How often each node has begun."""
    lines = service.calls_file.read_text().splitlines() if service.calls_file.exists() else []
    return Counter(line.split()[1] for line in lines if line.startswith("graph "))


def until_begun(service: Service, node: str) -> None:
    for _ in waiting(f"the node {node}"):
        if nodes(service)[node]:
            return


def test_a_kill_in_the_middle_of_a_node_does_not_repeat_the_finished_ones(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with running(tmp_path, MODULES=MODULES) as service:
        thread = service.start_thread(workflow("working", until=str(go)))
        until_begun(service, "second")
        service.kill()
        go.touch()
        service.start().ready()
        ended = service.until(thread, "completed")
        assert ended["output"]["research"]["done"] == ["first", "second"]
        assert nodes(service) == {"first": 1, "second": 2}
        stored = service.sql("SELECT DISTINCT thread_id FROM langgraph_checkpoints")
        assert [row["thread_id"] for row in stored] == [thread]


def test_an_interrupt_waits_as_a_gate_through_a_kill_and_its_answer_goes_into_the_node(tmp_path: Path) -> None:
    with running(tmp_path, MODULES=MODULES) as service:
        thread = service.start_thread(workflow("asking"))
        service.until(thread, "waiting")
        service.kill()
        service.start().ready()
        gate = service.get(f"/api/invoke/gates/{thread}/research")
        assert gate["show"] == {"publish": "sewing"}
        wrong = service.http.post(f"/api/invoke/gates/{thread}/research", json={"answer": {"maybe": True}})
        assert wrong.status_code == 422
        service.post(f"/api/invoke/gates/{thread}/research", {"answer": {"approved": True}, "by": "ana"})
        ended = service.until(thread, "completed")
        assert ended["output"]["research"]["verdict"] == {"approved": True}
        assert nodes(service) == {"first": 1, "third": 1}


def test_what_a_node_streams_comes_as_chunks_and_its_end_as_progress(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with running(tmp_path, MODULES=MODULES) as service:
        thread = service.start_thread(workflow("working", until=str(go)))
        with service.http.stream("GET", f"/api/invoke/stream/{thread}") as answer:
            heard: list[sse.Message] = []
            for message in sse.live(answer):
                heard.append(message)
                if message.event in ("snapshot", "step_progress"):
                    go.touch()
        told = {message.event: message.data for message in heard}
        assert "step_progress" in told
        assert "streamed by the first" in str([message.data for message in heard if message.event == "step_chunk"])
