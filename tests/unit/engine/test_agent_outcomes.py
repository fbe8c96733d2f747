"""What comes of attempts: counted as they end, added to the store in the background, kept while that is away."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.domain.agent_health import percentile
from app.domain.errors import Unavailable
from app.domain.records import ErrorInfo
from app.domain.runner import Asleep, Failed, StepFailure
from app.engine.agent_outcomes import Outcomes
from app.engine.step import Result
from app.store.memory_agents import AgentTables, MemoryAgentHealth
from tests.agents import FunctionAgents
from tests.unit.engine.breakers import Deaf, ask
from tests.unit.engine.house import Clock, Failing, Gate, House, open_house, step

DONE = Result(value=1, text="1")
WINDOW = timedelta(minutes=15)


class Health(MemoryAgentHealth):
    """Can be away, or not answer."""

    away: Any = None

    async def add(self, tallies: Any) -> None:
        if self.away is not None:
            raise self.away
        await super().add(tallies)


class All(FunctionAgents):
    """Knows every agent but `stranger`."""

    def __init__(self) -> None:
        return

    def find(self, name: str) -> Any:
        return None if name == "stranger" else name


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outcomes(clock: Clock) -> Outcomes:
    return Outcomes(Health(AgentTables(clock=clock)), All(), clock)


def failed(*, retryable: bool) -> Failed:
    return Failed(error=ErrorInfo(kind="http.503", message="busy", step_id="a", retryable=retryable))


async def test_endings_are_told_apart(outcomes: Outcomes) -> None:
    for ending in (DONE, DONE, failed(retryable=True), failed(retryable=False), Asleep(seconds=1)):
        outcomes.note("analyst", ending, 0.1)
    outcomes.note("stranger", DONE, 0.1)
    found = await outcomes.over("analyst", WINDOW)
    assert (found.ok, found.failed, found.rejected, sum(found.buckets)) == (2, 1, 1, 3)
    assert found.error == failed(retryable=False).error.value()
    assert (await outcomes.over("stranger", WINDOW)).attempts == 0


async def test_what_happened_before_the_window_does_not_count(outcomes: Outcomes, clock: Clock) -> None:
    outcomes.note("analyst", DONE, 0.1)
    clock.advance(1000)
    outcomes.note("analyst", failed(retryable=True), 5)
    found = await outcomes.over("analyst", WINDOW)
    assert (found.ok, found.failed) == (0, 1)
    assert percentile(found.buckets, 0.5) == pytest.approx(5000, rel=0.1)


@pytest.mark.parametrize("error", [Unavailable("away"), TimeoutError(), asyncio.CancelledError()])
async def test_what_could_not_be_written_waits(outcomes: Outcomes, error: BaseException) -> None:
    store: Any = outcomes._store
    outcomes.note("analyst", DONE, 0.1)
    store.away = error
    with pytest.raises((Unavailable, asyncio.CancelledError)):
        await outcomes.flush()
    outcomes.note("analyst", DONE, 0.1)
    store.away = None
    assert (await outcomes.over("analyst", WINDOW)).ok == 2


async def test_of_a_long_outage_the_last_hour_is_kept(outcomes: Outcomes, clock: Clock) -> None:
    store: Any = outcomes._store
    store.away = Unavailable("away")
    outcomes.note("analyst", DONE, 0.1)
    clock.advance(4000)
    outcomes.note("analyst", DONE, 0.1)
    with pytest.raises(Unavailable):
        await outcomes.flush()
    assert len(outcomes._tallies) == 1


async def test_old_minutes_are_dropped_in_the_background(outcomes: Outcomes, clock: Clock) -> None:
    store: Any = outcomes._store
    outcomes.note("analyst", DONE, 0.1)
    await outcomes.flush()
    clock.advance(50 * 3600)
    await outcomes._turn(prune=True)
    assert store._tables.minutes == {}


async def test_what_was_counted_last_is_written_when_the_process_ends(outcomes: Outcomes) -> None:
    store: Any = outcomes._store
    running = asyncio.create_task(outcomes.run())
    await asyncio.sleep(0)
    outcomes.note("analyst", DONE, 0.1)
    running.cancel()
    await asyncio.wait([running])
    assert [tally.ok for tally in store._tables.minutes.values()] == [1]


# ---- in the engine


def counted(house: House) -> list[tuple[str, str]]:
    """What the engine tells of endings."""
    told: list[tuple[str, str]] = []
    house.breakers.outcomes = lambda agent, ending, seconds: told.append((agent, type(ending).__name__))
    return told


async def test_every_attempt_of_an_agent_is_told_and_no_other(house: House) -> None:
    told = counted(house)
    house.on("analyst", Failing(StepFailure("busy"), times=1), agent=True)
    await house.run(ask(retry={"max_attempts": 2, "initial_interval": 0.001}), step("b"))
    assert told == [("analyst", "Failed"), ("analyst", "Result")]


async def test_a_cancelled_attempt_is_not_told(house: House) -> None:
    told, gate = counted(house), Gate()
    house.on("analyst", gate, agent=True)
    thread_id = (await house.start(ask())).thread.thread_id
    await house.until(lambda: gate.entered)
    await house.control.cancel(thread_id)
    await house.end(thread_id)
    assert told == []


async def test_an_attempt_that_does_not_stop_is_a_failure() -> None:
    deaf = Deaf()
    async with open_house(grace=0.01) as house, deaf:
        told = counted(house)
        house.on("analyst", deaf, agent=True)
        await house.run(ask(timeout=0.01))
        house.breakers.hint()
        await house.until(lambda: told)
        assert told == [("analyst", "Failed")]
