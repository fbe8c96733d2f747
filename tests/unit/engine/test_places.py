"""What a step logs tells of its thread, its step, its attempt and its agent, wherever it runs; and the trail of a thread."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.logs import LogFilter
from app.runners.registration import function
from app.store.memory_logs import MemoryLogs
from app.telemetry.flows import Flows
from app.telemetry.keeping import LogKeeper
from app.telemetry.places import Places
from tests.unit.engine.house import QUICK, Failing, Gate, step

if TYPE_CHECKING:
    from collections.abc import Generator

    from app.domain.logs import LogEntry
    from tests.unit.engine.house import House

log = logging.getLogger("tests.places")


@pytest.fixture
def keeper(house: House) -> Generator[LogKeeper]:
    """What the house's process says, kept."""
    found = LogKeeper(MemoryLogs(), level=logging.INFO, process=None, days=7, most_bytes=10**9)
    house.bus.watchers.all.append(Places())
    with found.attached():
        yield found


async def said(keeper: LogKeeper, logger: str = "tests.places") -> list[LogEntry]:
    """By that logger, oldest first."""
    return list((await keeper.listed(LogFilter(logger=logger, limit=1000))).entries)[::-1]


async def in_loop(value: Any, ctx: Any) -> None:
    log.info("in the loop")


def in_a_thread(value: Any) -> None:
    log.info("in a thread")


def in_its_own_thread(value: Any, ctx: Any) -> None:
    other = threading.Thread(target=ctx.log, args=("info", "in a thread of its own"), kwargs={"n": value})
    other.start()
    other.join()


def in_a_process(value: Any) -> str:
    logging.getLogger("tests.places").warning("in a process: %s", value)
    if value == "fail":
        raise ValueError("failed there")
    return "done"


@pytest.mark.parametrize("call", [in_loop, in_a_thread, in_its_own_thread])
async def test_a_function_s_own_logs_tell_of_its_attempt(house: House, keeper: LogKeeper, call: Any) -> None:
    house.functions.add(function("talk")(call))
    thread_id = await house.run(step("a", python="talk", input=7))
    logger = "backstitch.step" if call is in_its_own_thread else "tests.places"
    [entry] = await said(keeper, logger)
    place = entry.place
    assert place is not None
    assert (place.thread_id, place.workflow, place.step_id, place.attempt) == (thread_id, place.workflow, "a", 1)
    assert place.execution_id == (await house.thread(thread_id)).execution_id
    if call is in_its_own_thread:
        assert entry.context == '{"n":7}'


@pytest.mark.parametrize("given", ["work", "fail"])
async def test_what_is_logged_in_a_process_of_its_own_is_not_lost(house: House, keeper: LogKeeper, given: str) -> None:
    house.functions.add(function("far", run_in="process")(in_a_process))
    thread_id = await house.run(step("a", python="far", input=given, retry={"max_attempts": 1}))
    [entry] = await said(keeper)
    assert (entry.level, entry.message) == (30, f"in a process: {given}")
    assert entry.place is not None
    assert (entry.place.thread_id, entry.place.step_id) == (thread_id, "a")


async def test_items_and_agents_are_told_apart(house: House, keeper: LogKeeper) -> None:
    async def talk(value: Any, ctx: Any) -> None:
        log.info("%s", value)

    house.on("writer", talk, agent=True)
    await house.run(step("a", agent="writer", for_each=["x", "y"], input="{item}"))
    places = sorted((one.message, one.place.item, one.place.agent) for one in await said(keeper) if one.place)
    assert places == [("x", 0, "writer"), ("y", 1, "writer")]


async def test_a_level_that_is_none_is_refused(house: House) -> None:
    async def talk(value: Any, ctx: Any) -> None:
        ctx.log("loud", "what?")

    house.on("talk", talk)
    thread_id = await house.run(step("a", python="talk"))
    assert "'loud' is no level" in ((await house.execution(thread_id)).error or "")


async def trail(keeper: LogKeeper) -> list[str]:
    """What the trail says, without the ids."""
    return [one.message.partition(": ")[2] for one in await said(keeper, "backstitch.flow")]


async def test_the_trail_tells_of_a_thread_from_its_birth_to_its_end(house: House, keeper: LogKeeper) -> None:
    house.bus.watchers.all.append(Flows())
    house.on("flaky", Failing(ValueError("not yet"), times=1))
    thread_id = await house.run(step("a", python="flaky", retry=QUICK))
    told = [text.split(" after 0.")[0] for text in await trail(keeper)]
    assert told[0] == "accepted: invoke of sewing, to be taken up at once"
    assert told[1].startswith("taken up by process ")
    assert told[2] == "begins, done by flaky"
    assert told[3] == "attempt 1 failed"
    assert "attempt 2 in 0.001 s, after exception: ValueError: not yet" in told
    assert told[-3:] == [
        "version 2 written after a, parent 1",
        "version 3 written after END, parent 2",
        "let go, completed",
    ] or ("version 3 written after END, parent 2" in told)
    assert "workflow complete" in told
    assert all(one.place and one.place.thread_id == thread_id for one in await said(keeper, "backstitch.flow"))


async def test_the_trail_tells_of_parking(house: House, keeper: LogKeeper) -> None:
    house.bus.watchers.all.append(Flows())
    accepted = await house.start(step("a", sleep="1h"))
    await house.until_status(accepted.thread.thread_id, "waiting")
    await house.until(lambda: house.worker.running == 0)
    assert any(text.startswith("parked until 2") for text in await trail(keeper))


@pytest.mark.parametrize(
    ("taken_by", "told"), [(None, "fenced at epoch 1"), ("itself", "recovered after its process was lost")]
)
async def test_the_trail_tells_of_a_fence_and_of_recovery(
    house: House, keeper: LogKeeper, taken_by: str | None, told: str
) -> None:
    gate = Gate()
    house.bus.watchers.all.append(Flows())
    house.on("hold", gate)
    accepted = await house.start(step("a", python="hold"))
    await house.until(lambda: gate.entered == 1)
    thread = house.tables.threads[accepted.thread.thread_id]
    thread.epoch, thread.incarnation_id = thread.epoch + 1, None
    thread.wake_at = house.clock() if taken_by else None
    gate.open()
    house.worker.hint()
    await house.until(lambda: thread.status == "completed" if taken_by else house.worker.running == 0)
    assert any(text.startswith(told) for text in await trail(keeper))
