"""Circuit breakers in the engine: when they open, what waits meanwhile, and who probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.commands import StepOverride
from app.domain.runner import StepFailure
from tests.unit.engine.breakers import BROKEN, ONCE, Deaf, ask, breaker, in_vain, parked, trip
from tests.unit.engine.house import QUICK, Failing, Gate, open_house, step

if TYPE_CHECKING:
    from tests.unit.engine.house import House


async def test_five_failures_in_a_row_open_it(house: House) -> None:
    await trip(house)
    found = breaker(house)
    assert (found.state, found.trips, found.forced) == ("open", 1, False)
    assert found.reason == "5 failures in a row: http.503: overloaded"


async def test_a_success_begins_the_count_anew(house: House) -> None:
    house.on("analyst", Failing(BROKEN, times=4), agent=True)
    for _ in range(5):
        await house.run(ask())
    house.functions.by_name.clear()
    house.on("analyst", Failing(BROKEN, times=4), agent=True)
    for _ in range(5):
        await house.run(ask())
    assert house.breakers.find("analyst") is None


async def test_failures_that_no_retry_can_mend_do_not_count(house: House) -> None:
    house.on("analyst", Failing(StepFailure("bad input", kind="validation", retryable=False)), agent=True)
    for _ in range(7):
        await house.run(ask())
    assert (house.called("a"), house.breakers.find("analyst")) == (7, None)


async def test_functions_and_other_agents_have_nothing_to_do_with_it(house: House) -> None:
    house.on("flaky", Failing(BROKEN))
    for _ in range(7):
        await house.run(step("a", python="flaky", retry=ONCE))
    assert house.called("a") == 7
    house.calls.clear()
    await trip(house)
    house.on("marketer", Failing(BROKEN, times=0), agent=True)
    await house.run(ask("marketer"))
    assert house.called("a") == 6


async def test_while_it_is_open_a_step_waits_and_spends_no_attempt(house: House) -> None:
    await trip(house)
    thread_id = await parked(house)
    row = (await house.steps(thread_id))["a"]
    assert (house.called("a"), row.status, row.attempt, row.retry_count) == (5, "waiting", 1, 0)
    assert house.worker.running == 0
    house.later(31)
    await house.end(thread_id)
    row = (await house.steps(thread_id))["a"]
    assert (house.called("a"), row.status, row.attempt, row.retry_count) == (6, "completed", 1, 0)


async def test_a_timeout_of_attempts_does_not_run_while_the_breaker_is_open(house: House) -> None:
    await trip(house)
    thread_id = await parked(house, ask(timeout=5))
    house.later(31)
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"


async def test_the_retries_of_one_step_open_it_and_wait(house: House) -> None:
    house.on("analyst", Failing(BROKEN, times=5), agent=True)
    thread_id = await parked(house, ask(retry={"max_attempts": 10, **QUICK}))
    assert house.called("a") == 5
    house.later(31)
    await house.end(thread_id)
    row = (await house.steps(thread_id))["a"]
    assert (row.status, row.attempt, row.retry_count) == ("completed", 6, 5)


async def test_one_step_probes_and_the_others_wait_for_what_comes_of_it(house: House) -> None:
    gate = Gate("done")
    await trip(house, gate)
    threads = [await parked(house) for _ in range(5)]
    house.later(31)
    await house.until(lambda: gate.entered)
    await house.until(lambda: house.worker.running == 1)
    assert (gate.entered, breaker(house).state) == (1, "half_open")
    gate.open()
    await house.until(lambda: breaker(house).state == "closed")
    house.later(31)
    for thread_id in threads:
        await house.end(thread_id)
    assert (breaker(house).trips, gate.entered) == (0, 5)


async def test_a_process_asks_for_the_probe_once_at_a_time(house: House) -> None:
    gate, wire = Gate(), house.wires[1]
    await trip(house)
    threads = [await parked(house) for _ in range(3)]
    wire.instead = {"change": lambda *_: gate(None, None)}
    before = house.journal.commits
    house.later(31)
    await house.until(lambda: house.journal.commits >= before + 5)  # three begin, two are sent away
    assert gate.entered == 1
    wire.instead = {}
    for thread_id in threads:
        await house.control.cancel(thread_id)


async def test_a_probe_that_takes_long_is_not_given_up_while_its_process_lives(house: House) -> None:
    gate = Gate("done")
    await trip(house, gate)
    thread_id = await parked(house)
    house.later(31)
    await house.until(lambda: gate.entered)
    for _ in range(3):
        until = breaker(house).probe_at
        house.later(10)
        house.breakers.hint()
        await house.until(lambda until=until: breaker(house).probe_at != until)
    gate.open()
    await house.end(thread_id)
    await house.until(lambda: breaker(house).state == "closed")


async def test_two_processes_send_one_probe(house: House) -> None:
    gate = Gate("done")
    await trip(house, gate)
    async with open_house(house) as other:
        threads = [await parked(one) for one in (house, other, house, other)]
        house.clock.advance(31)
        house.worker.hint()
        other.worker.hint()
        await house.until(lambda: gate.entered)
        await house.until(lambda: house.worker.running + other.worker.running == 1)
        assert gate.entered == 1
        gate.open()
        await house.until(lambda: breaker(house).state == "closed")
        for one in (house, other):
            await one.breakers.refresh()
        house.later(31)
        for thread_id in threads:
            await house.end(thread_id)


async def test_a_probe_that_fails_opens_it_for_twice_as_long(house: House) -> None:
    await trip(house, Failing(BROKEN, times=1))
    await parked(house)
    house.later(31)
    await house.until(lambda: breaker(house).trips == 2)
    thread_id = await parked(house)
    await in_vain(house, thread_id, 31)
    assert house.called("a") == 6
    house.later(31)
    await house.end(thread_id)
    assert breaker(house).state == "closed"


async def test_a_probe_that_is_cancelled_is_given_back(house: House) -> None:
    gate = Gate("done")
    await trip(house, gate)
    thread_id = await parked(house)
    house.later(31)
    await house.until(lambda: gate.entered)
    await house.control.cancel(thread_id)
    await house.until(lambda: breaker(house).state == "open")
    assert (breaker(house).probe_by, breaker(house).trips) == (None, 1)
    gate.open()
    await house.run(ask())
    await house.until(lambda: breaker(house).state == "closed")


async def test_the_probe_of_a_process_that_died_is_given_up(house: House) -> None:
    gate = Gate("done")
    await trip(house, gate)
    async with open_house(house) as other:
        first = await parked(other)
        house.later(31)
        other.worker.hint()
        await house.until(lambda: gate.entered)
        await house.until(lambda: breaker(house).state == "half_open")
        await other.die()
        gate.open()
        house.later(16)
        await house.end(first)
        await house.until(lambda: breaker(house).state == "closed")


async def test_cancelled_attempts_do_not_count(house: House) -> None:
    gate = Gate()
    house.on("analyst", gate, agent=True)
    for number in range(1, 8):
        thread_id = (await house.start(ask())).thread.thread_id
        await house.until(lambda number=number: gate.entered == number)
        await house.control.cancel(thread_id)
        await house.end(thread_id)
    assert house.breakers.find("analyst") is None
    assert not house.breakers._gates
    await house.until(lambda: not house.breakers._inside)


async def test_attempts_that_do_not_stop_count_as_failures_and_hold_nothing() -> None:
    deaf = Deaf()
    async with open_house(grace=0.01) as house, deaf:
        house.on("analyst", deaf, agent=True)
        for _ in range(5):
            await house.run(ask(timeout=0.01))
        house.breakers.hint()
        await house.until(lambda: "analyst" in house.tables.breakers)
        assert (breaker(house).reason or "").endswith("does not stop")
        assert not house.breakers._inside


async def test_an_override_meets_the_breaker_of_the_agent_that_it_names(house: House) -> None:
    await trip(house)
    house.on("substitute", Failing(BROKEN, times=0), agent=True)
    thread_id = await parked(house)
    await house.control.cancel(thread_id)
    await house.end(thread_id)
    await house.resume(thread_id, overrides={"a": StepOverride(agent="substitute", input={})})
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"
