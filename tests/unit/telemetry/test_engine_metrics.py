"""What the engine tells is counted under the names of workflows and agents, and never under more than so many."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.errors import Unavailable
from app.domain.histogram import Distribution
from app.domain.metrics import ALL, OTHER, Kind, Resolution, Span
from app.domain.runner import StepFailure, Usage
from app.domain.status import Status
from app.domain.times import utc_now
from app.engine.draft import Draft
from app.store.memory_metrics import MemoryMetrics
from app.store.memory_registry import MemoryRegistry
from app.telemetry import metrics_engine as module
from app.telemetry.metrics_engine import EngineMetrics
from app.telemetry.metrics_parts import BreakerFigures
from app.telemetry.series import Series
from tests.agents import FunctionAgents
from tests.unit.engine.house import QUICK, Failing, Gate, House, Wire, open_house, step

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.metrics import Tally

Counts = dict[tuple[str, ...], Any]


class Told:
    """What an engine's metrics show."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.series = Series(MemoryMetrics(house.tables), FunctionAgents(house.functions), house.clock)
        self.registry: Any = Wire(MemoryRegistry(house.tables))
        self.engine = EngineMetrics(self.series, self.registry)
        house.bus.watchers.all.append(self.engine)
        house.breakers.outcomes = self.series.attempt

    def __call__(self, name: str) -> Counts:
        [figure] = [one for one in self.engine.figures() if one.name == f"backstitch_{name}"]
        return dict(figure.samples)

    def ends(self) -> Counts:
        return {key: count for key, count in self("executions_ended_total").items() if count}

    def timed(self, name: str) -> dict[tuple[str, ...], int]:
        return {key: sum(counted.counts) for key, counted in self(name).items() if isinstance(counted, Distribution)}

    async def sums(self, kind: Kind) -> dict[str, Tally]:
        await self.series.flush()
        now = utc_now()
        span = Span(since=Resolution.HOUR.floor(now - timedelta(hours=1)), until=now, resolution=Resolution.MINUTE)
        return dict(await self.series.store.sums(kind, span))


@pytest.fixture
async def house() -> AsyncGenerator[House]:
    async with open_house() as house:
        yield house


@pytest.fixture
def told(house: House) -> Told:
    return Told(house)


async def test_executions_are_counted_from_their_start_to_their_end(house: House, told: Told) -> None:
    await house.run(step("a", input=1))
    house.on("broken", Failing(StepFailure("no", retryable=False)))
    await house.run(step("a", python="broken"))
    assert told("executions_started_total") == {("sewing", "invoke"): 2}
    assert told.ends() == {("sewing", "completed"): 1, ("sewing", "failed"): 1}
    assert told.timed("execution_duration_seconds") == {("sewing",): 2}
    assert told.timed("queue_wait_seconds") == {("default",): 2}
    found = (await told.sums(Kind.WORKFLOW))["sewing"]
    assert (found.count, found.errors, sum(found.buckets)) == (2, 1, 2)


async def test_attempts_are_counted_by_who_made_them_and_what_came_of_them(house: House, told: Told) -> None:
    house.on("analyst", Failing(StepFailure("busy"), times=1), agent=True)
    await house.run(step("a", agent="analyst", retry=QUICK), step("b", input=1), step("c", sleep=0))
    doers = [("sewing", "agent", "analyst"), ("sewing", "python", "echo"), ("sewing", "sleep", "")]
    assert {key: count for key, count in told("step_attempts_total").items() if count} == {
        (*doers[0], "failed"): 1,
        (*doers[0], "completed"): 1,
        (*doers[1], "completed"): 1,
        (*doers[2], "completed"): 1,
    }
    assert told("step_retries_total") == dict(zip(doers, (1, 0, 0), strict=True))
    assert told.timed("step_duration_seconds") == dict(zip(doers, (2, 1, 1), strict=True))
    agent = (await told.sums(Kind.AGENT))["analyst"]
    assert (agent.count, agent.errors, agent.retries) == (2, 1, 1)


async def test_what_attempts_spend_is_counted_for_workflow_and_agent(house: House, told: Told) -> None:
    async def spend(value: Any, ctx: Any) -> Any:
        ctx.spend(Usage(input_tokens=10, output_tokens=5, cost_usd=0.5))
        ctx.spend(Usage(input_tokens=1))
        return value

    house.on("analyst", spend, agent=True)
    await house.run(step("a", agent="analyst", for_each="{input}", input="{item}"), input=[1, 2])
    doer = ("sewing", "agent", "analyst")
    assert told("cost_usd_total") == {doer: 1.0}
    assert told("tokens_total") == {(*doer, "input"): 22, (*doer, "output"): 10}
    assert told("step_attempts_total")[*doer, "completed"] == 2  # the items, not their gathering
    for found in ((await told.sums(Kind.AGENT))["analyst"], (await told.sums(Kind.WORKFLOW))["sewing"]):
        assert (found.cost_usd, found.input_tokens, found.output_tokens) == (1.0, 22, 10)


async def test_what_is_cancelled_is_counted_as_that(house: House, told: Told) -> None:
    gate = Gate()
    house.on("stuck", gate)
    thread_id = (await house.start(step("a", python="stuck"))).thread.thread_id
    await house.until(lambda: gate.entered)
    await house.control.cancel(thread_id)
    await house.end(thread_id)
    await house.until(lambda: told("step_attempts_total").get(("sewing", "python", "stuck", "cancelled")))
    assert told.ends() == {("sewing", "cancelled"): 1}
    found = (await told.sums(Kind.WORKFLOW))["sewing"]
    assert (found.count, found.errors) == (1, 0)


async def test_a_thread_that_another_process_left_in_the_middle_is_a_recovery() -> None:
    gate = Gate()
    async with open_house() as first:
        first.on("once", gate)
        thread_id = (await first.start(step("a", python="once"))).thread.thread_id
        await first.until(lambda: gate.entered)
        await first.die()
        gate.open()
        async with open_house(first) as heir:
            told = Told(heir)
            heir.worker.hint()
            await heir.end(thread_id)
            assert told("recoveries_total") == {("sewing",): 1}
            assert told.timed("checkpoint_load_seconds") == {(): 1}


async def test_there_are_never_more_labels_than_so_many(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORKFLOWS", 2)
    monkeypatch.setattr(module, "DOERS", 2)
    told = Told(house)
    for name in ("a", "b", "c", "d"):
        await house.run(step("x", input=1), doc_name=name)
    assert told.ends() == {("a", "completed"): 1, ("b", "completed"): 1, (OTHER, "completed"): 2}
    assert {key[0]: count for key, count in told("step_attempts_total").items() if key[-1] == "completed"} == {
        "a": 1,
        "b": 1,
        OTHER: 2,
    }


async def test_all_executions_together_are_a_series_of_their_own(house: House, told: Told) -> None:
    for name in ("a", "b"):
        await house.run(step("x", input=1), doc_name=name)
    await told.series.flush()
    now = utc_now()
    span = Span(since=Resolution.HOUR.floor(now - timedelta(hours=1)), until=now, resolution=Resolution.HOUR)
    found = await told.series.store.points(Kind.WORKFLOW, ALL, span, timed=False)
    assert sum(tally.count for _, tally in found) == 2


async def test_a_breaker_shows_its_state(house: House) -> None:
    await house.breakers.open("analyst", "by hand", None)
    [figure] = BreakerFigures(house.breakers.listed).figures()
    assert dict(figure.samples) == {("analyst", "closed"): 0, ("analyst", "open"): 1, ("analyst", "half_open"): 0}


async def test_a_thread_that_is_cancelled_while_nobody_drives_it_counts_for_its_workflow(
    house: House, told: Told
) -> None:
    thread_id = (await house.start(step("a", input=1), delay=100)).thread.thread_id
    await house.control.cancel(thread_id)
    assert told.ends() == {("sewing", "cancelled"): 1}
    assert told.timed("execution_duration_seconds") == {}


@pytest.mark.parametrize("trouble", [None, Unavailable("away"), ValueError("broken")])
async def test_what_ends_without_having_been_met_here_counts_for_its_workflow(
    trouble: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    troubles = [trouble] if trouble is not None else []

    async def definition(definition_id: str) -> Any:
        if troubles:
            raise troubles.pop()
        return await MemoryRegistry(heir.tables).definition(definition_id)

    async with open_house() as first:
        thread_id = (await first.start(step("a", input=1), delay=100)).thread.thread_id
        await first.die()
        async with open_house(first) as heir:
            told = Told(heir)
            told.registry.instead["definition"] = definition
            running = asyncio.create_task(told.engine.run())
            await heir.control.cancel(thread_id)
            await heir.until(told.ends)
            running.cancel()
    name = OTHER if isinstance(trouble, ValueError) else "sewing"
    assert told.ends() == {(name, "cancelled"): 1}
    assert (await told.sums(Kind.WORKFLOW))[name].count == 1


async def test_what_alerts_ask_for_begins_at_nothing(house: House, told: Told) -> None:
    await house.start(step("a", input=1), delay=100)
    ended = ("cancelled", "completed", "failed", "interrupted")
    assert told("executions_ended_total") == {("sewing", status): 0 for status in ended}
    assert told("recoveries_total") == {("sewing",): 0}


async def test_a_driver_that_lets_go_late_takes_nothing_from_the_next(house: House, told: Told) -> None:
    accepted = await house.start(step("a", input=1), delay=100)
    spec, first = (
        await house.catalog.spec(accepted.thread.definition_id),
        await house.execution(accepted.thread.thread_id),
    )
    first.started_at = house.clock()
    second = replace(first, id="the next")
    old, new = (replace(accepted.thread, execution_id=execution.id) for execution in (first, second))
    told.engine.taken_up(old, spec, first)
    told.engine.taken_up(new, spec, second)
    told.engine.let_go(old, spec)
    draft = Draft(new, house.clock(), spec.name)
    draft.execution(Status.COMPLETED)
    told.engine.moved(draft.transition)
    assert told.timed("execution_duration_seconds") == {("sewing",): 1}
