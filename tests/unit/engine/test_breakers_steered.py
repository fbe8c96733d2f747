"""Circuit breakers by hand, what drains after they close, and how they are kept while the store comes and goes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.errors import Unavailable
from tests.unit.engine.breakers import BROKEN, Deaf, ask, breaker, in_vain, parked, status, trip
from tests.unit.engine.house import QUICK, Failing, Gate, open_house

if TYPE_CHECKING:
    from tests.unit.engine.house import House


def endless_ramp(house: House) -> None:
    """However long the test takes, one attempt at a time."""
    house.breakers.policy = replace(house.breakers.policy, ramp_seconds=100_000.0)


async def test_opened_by_hand_it_holds_everything_until_it_is_closed_by_hand(house: House) -> None:
    house.on("analyst", Failing(BROKEN, times=0), agent=True)
    await house.breakers.open("analyst", "maintenance", None)
    thread_id = await parked(house)
    await in_vain(house, thread_id, 3_600)
    assert house.called("a") == 0
    await house.breakers.close("analyst")
    house.later(31)
    await house.end(thread_id)
    assert house.called("a") == 1


async def test_opened_by_hand_for_a_while_it_is_probed_then(house: House) -> None:
    house.on("analyst", Failing(BROKEN, times=0), agent=True)
    await house.breakers.open("analyst", None, 10)
    thread_id = await parked(house)
    assert house.called("a") == 0
    house.later(11)
    await house.end(thread_id)
    await house.until(lambda: breaker(house).state == "closed")
    assert house.called("a") == 1


async def test_what_waited_drains_a_few_at_a_time(house: House) -> None:
    gate = Gate("done")
    house.on("analyst", gate, agent=True)
    await house.breakers.open("analyst", None, None)
    await house.breakers.close("analyst")
    threads = [(await house.start(ask())).thread.thread_id for _ in range(8)]
    waiting = house.tables.runs
    await house.until(lambda: sum(status(waiting, one) == "waiting" for one in threads) == 7)
    assert gate.entered == 1
    house.later(1)
    await house.until(lambda: gate.entered >= 2)
    house.later(1)
    await house.until(lambda: gate.entered >= 4)
    house.later(9)
    await house.until(lambda: gate.entered >= 8)
    gate.open()
    for thread_id in threads:
        await house.end(thread_id)
    assert gate.entered == 8


async def test_a_cancelled_attempt_leaves_its_place_in_the_ramp(house: House) -> None:
    gate = Gate("done")
    house.on("analyst", gate, agent=True)
    endless_ramp(house)
    await house.breakers.open("analyst", None, None)
    await house.breakers.close("analyst")
    for number in range(1, 4):
        thread_id = (await house.start(ask())).thread.thread_id
        await house.until(lambda number=number: gate.entered == number)
        await house.control.cancel(thread_id)
        await house.end(thread_id)
        assert status(house.tables.runs, thread_id) == "cancelled"


async def test_an_attempt_that_does_not_stop_leaves_its_place_in_the_ramp_too() -> None:
    deaf = Deaf()
    async with open_house(grace=0.01) as house, deaf:
        house.on("analyst", deaf, agent=True)
        endless_ramp(house)
        await house.breakers.open("analyst", None, None)
        await house.breakers.close("analyst")
        for number in range(1, 4):
            thread_id = (await house.start(ask())).thread.thread_id
            await house.until(lambda number=number: deaf.entered == number)
            await house.control.cancel(thread_id)
            assert status(house.tables.runs, thread_id) == "cancelled"


async def test_a_step_that_is_cancelled_while_it_takes_the_probe_gives_it_back(house: House) -> None:
    await trip(house)
    thread_id = await parked(house)
    real, wire = house.breakers._store._store, house.wires[1]  # type: ignore[attr-defined]

    async def taken_and_not_told(*arguments: Any) -> Any:
        wire.instead = {}
        await real.change(*arguments)
        await asyncio.Event().wait()

    wire.instead = {"change": taken_and_not_told}
    house.later(31)
    await house.until(lambda: breaker(house).state == "half_open")
    await house.control.cancel(thread_id)
    await house.until(lambda: breaker(house).state == "open")
    await house.run(ask())


async def test_what_was_read_before_a_change_does_not_undo_it(house: House) -> None:
    going, read = asyncio.Event(), house.breakers._store.load
    await house.breakers.open("analyst", None, None)

    async def slow() -> Any:
        table = await read()
        await going.wait()
        return table

    house.breakers._store.load = slow  # type: ignore[method-assign]
    reading = asyncio.create_task(house.breakers.refresh())
    await asyncio.sleep(0)
    await house.breakers.close("analyst")
    house.breakers._store.load = read  # type: ignore[method-assign]
    going.set()
    await reading
    assert [record.state for record in house.breakers.listed()] == ["closed"]


async def test_what_could_not_be_written_yet_is_not_undone_by_what_is_read(house: House) -> None:
    async def away(*_: Any) -> Any:
        raise Unavailable("the database cannot be reached")

    house.wires[1].instead = {"change": away}
    house.on("analyst", Failing(BROKEN), agent=True)
    for _ in range(5):
        await house.run(ask())
    await house.breakers.refresh()
    assert [record.state for record in house.breakers.listed()] == ["open"]
    house.wires[1].instead = {}


@pytest.mark.parametrize("seconds", [0, 60], ids=["at once", "after the ramp"])
async def test_an_attempt_from_before_it_opened_does_not_count_after_it_has_closed(
    house: House, seconds: float
) -> None:
    gate = Gate()

    async def call(value: Any, ctx: Any) -> None:
        await gate(value, ctx)
        raise BROKEN

    house.on("analyst", call, agent=True)
    threads = [(await house.start(ask())).thread.thread_id for _ in range(5)]
    await house.until(lambda: gate.entered == 5)
    await house.breakers.open("analyst", None, None)
    await house.breakers.close("analyst")
    house.later(seconds)
    await house.breakers._turn()
    gate.open()
    for thread_id in threads:
        await house.end(thread_id)
    assert (breaker(house).state, house.breakers._gates["analyst"].failures) == ("closed", 0)


async def test_a_restarted_process_finds_it_open(house: House) -> None:
    await trip(house)
    async with open_house(house) as other:
        await parked(other)
        assert house.called("a") == 5


async def test_without_the_store_the_copy_goes_on_and_is_written_later(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    async def away(*_: Any) -> Any:
        raise Unavailable("the database cannot be reached")

    wire = house.wires[1]
    wire.instead = {"change": away, "load": away}
    house.on("analyst", Failing(BROKEN, times=5), agent=True)
    for _ in range(5):
        await house.run(ask())
    thread_id = await parked(house)
    assert (house.called("a"), house.tables.breakers) == (5, {})
    await in_vain(house, thread_id, 31)
    wire.instead = {}
    house.breakers.hint()
    await house.until(lambda: "analyst" in house.tables.breakers)
    assert breaker(house).state == "open"
    house.later(40)
    await house.end(thread_id)
    assert sum("is away" in record.message for record in caplog.records) == 1


async def test_whoever_wants_to_know_is_told_of_changes_of_this_process_only(house: House) -> None:
    told: list[int] = []

    async def changed() -> None:
        told.append(1)

    house.breakers.changed = changed
    async with open_house(house) as other:
        await other.breakers.open("analyst", None, None)
        await house.breakers.refresh()
        assert house.breakers.find("analyst") is not None
        assert told == []
    await house.breakers.close("analyst")
    await house.until(lambda: told)


def taken_since(house: House, thread_id: str, epoch: int) -> bool:
    """Whether the thread was taken up after that epoch and has left its slot again."""
    row = house.tables.threads[thread_id]
    return row.epoch > epoch and row.incarnation_id is None


async def test_the_steps_of_an_agent_that_is_disabled_by_itself_wait_until_it_is_enabled(house: House) -> None:
    house.breakers.policy = replace(house.breakers.policy, disable_after=1)
    house.on("analyst", Failing(BROKEN, times=6), agent=True)
    thread_id = await parked(house, ask(retry={"max_attempts": 100, **QUICK}))
    house.later(31)
    await house.until(lambda: breaker(house).disabled and taken_since(house, thread_id, 1))
    for _ in range(3):
        epoch = house.tables.threads[thread_id].epoch
        house.later(3600)
        await house.until(lambda epoch=epoch: taken_since(house, thread_id, epoch))
    assert (house.called("a"), (await house.steps(thread_id))["a"].retry_count) == (6, 6)
    await house.breakers.close("analyst")
    house.later(3600)
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"
