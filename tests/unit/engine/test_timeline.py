"""Timelines of real threads: spans by step run, live and ended, with retries, waiting, recovery and rollback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.domain import jsontext
from app.domain.timeline import TimelineFilter
from app.domain.views.common import encode
from app.domain.views.timeline import timeline_document
from app.store.memory_events import MemoryTimelines
from tests.unit.engine.house import Failing, Gate, step

if TYPE_CHECKING:
    from tests.unit.engine.house import House


async def timeline(house: House, thread_id: str, **filters: Any) -> dict[str, Any]:
    """As the API answers it."""
    page = await MemoryTimelines(house.tables).page(TimelineFilter(thread_id=thread_id, **filters))
    thread = await house.thread(thread_id)
    kinds = {one.id: one.kind for one in (await house.catalog.spec(thread.definition_id)).steps}
    return jsontext.loads(encode(timeline_document(thread, page, kinds, house.clock())))


def spans(document: dict[str, Any], step_id: str) -> list[tuple[Any, ...]]:
    """(state, attempt, outcome, is it over) of the spans of a step's last run."""
    run = [one for one in document["steps"] if one["step_id"] == step_id][-1]
    return [(one["state"], one.get("attempt"), one.get("outcome"), one["ended_at"] is not None) for one in run["spans"]]


async def test_a_thread_that_has_ended_has_closed_spans(house: House) -> None:
    found = await timeline(house, await house.run(step("a"), step("b")))
    assert spans(found, "a") == spans(found, "b") == [("running", 1, "completed", True)]
    [execution] = found["executions"]
    assert [one["state"] for one in execution["spans"]] == ["queued", "running"]
    assert (found["status"], execution["ended_at"] is not None, found["whole"]) == ("completed", True, True)


async def test_each_attempt_and_each_pause_is_a_span(house: House) -> None:
    house.on("flaky", Failing(ValueError("not yet"), times=2))
    retry = {"initial_interval": 0.02, "backoff_factor": 1, "jitter": False}
    found = await timeline(house, await house.run(step("a", python="flaky", retry=retry)))
    assert spans(found, "a") == [
        ("running", 1, "failed", True),
        ("retrying", 2, None, True),
        ("running", 2, "failed", True),
        ("retrying", 3, None, True),
        ("running", 3, "completed", True),
    ]
    retrying = found["steps"][0]["spans"][1]
    assert (retrying["duration_ms"], retrying["error"]["kind"]) == (20, "exception")


async def test_a_pause_that_has_not_ended_is_open(house: House) -> None:
    house.on("flaky", Failing(ValueError("not yet"), times=1))
    retry = {"initial_interval": 3600, "jitter": False}
    accepted = await house.start(step("a", python="flaky", retry=retry))
    await house.until_status(accepted.thread.thread_id, "waiting")
    found = await timeline(house, accepted.thread.thread_id)
    assert spans(found, "a") == [("running", 1, "failed", True), ("retrying", 2, None, False)]
    assert found["executions"][0]["waiting"] is True


async def test_what_runs_has_an_open_span_that_has_lasted_until_now(house: House) -> None:
    gate = Gate()
    house.on("hold", gate)
    accepted = await house.start(step("a", python="hold"))
    await house.until(lambda: gate.entered == 1)
    house.clock.advance(5)
    found = await timeline(house, accepted.thread.thread_id)
    assert spans(found, "a") == [("running", 1, None, False)]
    assert found["steps"][0]["spans"][0]["duration_ms"] >= 5_000
    gate.open()


async def test_waiting_for_time_a_thread_and_an_answer_are_told_apart(house: House) -> None:
    house.on("hold", Gate())
    await house.catalog.register({"name": "inner", "steps": [step("s", gate={"title": "sure?"})]})
    kinds = [step("nap", needs=[], sleep="1h"), step("sub", needs=[], workflow="inner"), step("ask", needs=[], gate={})]
    accepted = await house.start(*kinds)
    thread_id = accepted.thread.thread_id
    await house.until(lambda: any(event.name == "gate_waiting" for event in house.tables.events[thread_id]))
    found = await timeline(house, thread_id)
    waits = {run["step_id"]: run["spans"][-1].get("waits_for") for run in found["steps"]}
    assert waits == {"nap": "sleep", "sub": "thread", "ask": "gate"}
    assert {run["spans"][-1]["state"] for run in found["steps"]} == {"waiting"}


async def test_after_a_rollback_both_runs_of_a_step_are_there(house: House) -> None:
    thread_id = await house.run(step("a"), step("b"))
    await house.rollback(thread_id, 2)
    await house.end(thread_id)
    found = await timeline(house, thread_id)
    assert [run["step_id"] for run in found["steps"]] == ["a", "b", "b"]
    assert [one["kind"] for one in found["executions"]] == ["invoke", "rollback"]
    newest = found["executions"][-1]["execution_id"]
    assert [run["step_id"] for run in (await timeline(house, thread_id, execution_id=newest))["steps"]] == ["b"]


async def test_a_recovered_attempt_is_told_as_lost(house: House) -> None:
    gate = Gate()
    house.on("hold", gate)
    accepted = await house.start(step("a", python="hold"))
    await house.until(lambda: gate.entered == 1)
    thread = house.tables.threads[accepted.thread.thread_id]
    thread.epoch, thread.incarnation_id, thread.wake_at = thread.epoch + 1, None, house.clock()
    house.worker.hint()
    await house.until(lambda: gate.entered == 2)
    gate.open()
    await house.end(thread.thread_id)
    found = await timeline(house, thread.thread_id)
    assert spans(found, "a") == [("running", 1, "lost", True), ("running", 1, "completed", True)]
    assert found["steps"][0]["spans"][1]["recovered"] is True


async def test_items_are_shown_when_asked_for_and_so_many_at_most(house: House) -> None:
    thread_id = await house.run(step("a", for_each=[1, 2, 3], input="{item}"))
    assert (await timeline(house, thread_id))["steps"][0]["items"] == []
    [run] = (await timeline(house, thread_id, items=2))["steps"]
    assert [(one["index"], one["status"]) for one in run["items"]] == [(0, "completed"), (1, "completed")]
    assert spans({"steps": [run]}, "a") == [("running", 1, "completed", True)]


async def test_pages_follow_each_other(house: House) -> None:
    thread_id = await house.run(*(step(f"s{number}") for number in range(5)))
    seen: list[str] = []
    after, more = None, True
    while more:
        page = await MemoryTimelines(house.tables).page(TimelineFilter(thread_id=thread_id, after=after, limit=2))
        seen += [run.step_id for run in page.runs]
        after, more = page.runs[-1].id, page.more
    assert seen == [f"s{number}" for number in range(5)]
