"""A `for_each` of 10,000 items in a real service: what it shows, what it holds in memory, what a kill -9 repeats of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import psutil

from tests.acceptance import sse
from tests.acceptance.service import Service, running, waiting

if TYPE_CHECKING:
    from pathlib import Path

ITEMS, CONCURRENCY = 10_000, 50


def mapped(given: Any, items: int = ITEMS, **parts: Any) -> dict[str, Any]:
    """Each item calls the worker, with what is given to it."""
    step = {"id": "m", "for_each": "{input.items}", "concurrency": CONCURRENCY, "agent": "worker", "input": given}
    return {"workflow": {"name": "many", "steps": [{**step, **parts}]}, "given": {"items": list(range(items))}}


def items_done(service: Service, thread: str) -> int:
    return service.sql(
        "SELECT count(*) AS n FROM workflow_items WHERE thread_id = $1 AND status = 'completed'", thread
    )[0]["n"]


def test_after_a_kill_at_most_as_many_items_are_repeated_as_run_at_a_time(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        thread = service.start_thread(**mapped({"give": "{index}"}))
        for _ in waiting("some thousand items"):
            if items_done(service, thread) > ITEMS // 3:
                break
        service.kill()
        done = items_done(service, thread)
        assert 0 < done < ITEMS
        service.start().ready()
        status = service.until(thread)
        assert status["status"] == "completed"
        assert status["output"] == {"m": list(range(ITEMS))}
        calls = Counter(service.keys(thread, "m"))
        assert len(calls) == ITEMS
        repeated = sum(count - 1 for count in calls.values())
        assert repeated <= CONCURRENCY
        sse.without_gap(sse.whole(service, thread))


def test_its_progress_is_told_and_its_memory_is_bounded(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        assert service.process is not None
        service.run(**mapped({"give": "x"}, items=100))
        process = psutil.Process(service.process.pid)
        before = process.memory_info().rss
        thread = service.start_thread(**mapped({"give": "x" * 1_000}))
        most = 0
        for _ in waiting("the end"):
            most = max(most, process.memory_info().rss)
            if service.status(thread)["status"] == "completed":
                break
        events = [event for event in sse.whole(service, thread) if event["event"] == "step_progress"]
        fractions = [event["data"]["progress"] for event in events]
        assert fractions == sorted(fractions)
        assert all(event["data"]["message"].endswith(f"of {ITEMS} items") for event in events)
        assert len(events) >= 2
        assert most - before < 150_000_000, "10 MB of outputs, of which the list is made at the end"


def test_items_that_are_workflows_go_on_after_a_kill(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        child = {"id": "c", "agent": "worker", "input": {"until": str(tmp_path / "go"), "give": "{input}"}}
        service.register({"name": "child", "steps": [child]})
        step = {"id": "m", "for_each": [1, 2, 3], "workflow": "child", "input": "{item}"}
        thread = service.start_thread({"name": "parent", "steps": [step]})
        for _ in waiting("the children to run"):
            if service.calls().total() == 3:
                break
        service.kill()
        service.start().ready()
        (tmp_path / "go").touch()
        status = service.until(thread)
        assert status["output"] == {"m": [{"c": 1}, {"c": 2}, {"c": 3}]}
        assert service.sql("SELECT count(*) AS n FROM threads WHERE parent_thread_id = $1", thread)[0]["n"] == 3
