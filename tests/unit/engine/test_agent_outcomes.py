"""Which endings of attempts the engine tells whoever counts those of agents."""

from __future__ import annotations

from app.domain.runner import StepFailure
from tests.unit.engine.breakers import Deaf, ask
from tests.unit.engine.house import Failing, Gate, House, open_house, step


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
