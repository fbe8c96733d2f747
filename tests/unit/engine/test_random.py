"""Whatever is asked of threads in whatever order, and however often their service dies, the journal stays whole."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from random import Random
from typing import Any

import pytest

from app.domain.commands import ResumeCommand, RollbackCommand, StartCommand
from app.domain.errors import Conflict, InvalidRequest
from app.domain.events import TERMINAL
from app.domain.status import ENDED, STEP_OPEN, Status
from app.store.memory_tables import MemoryTables
from tests.unit.engine.house import House, open_house, step

OPERATIONS = 40
THREADS = 4


def dag(random: Random) -> list[dict[str, Any]]:
    """Steps in a random graph: some sleep, some fail now and then, one may be skipped, one may be a sub-workflow."""
    steps: list[dict[str, Any]] = []
    for place in range(random.randint(1, 6)):
        needs = [one["id"] for one in steps if random.random() < 0.4]
        kind = random.choice(
            [{"python": "maybe"}, {"python": "maybe"}, {"sleep": "1ms"}, {"sleep": "1h"}, {"workflow": "inner"}]
        )
        retry = {"max_attempts": 2, "initial_interval": random.choice([0.001, 5]), "jitter": False}
        steps.append({"id": f"s{place}", "needs": needs, "retry": retry, **kind})
        if random.random() < 0.15:
            steps[-1]["when"] = "false"
        if random.random() < 0.4:
            steps[-1]["assign"] = random.choice(["x", "y"])
    return steps


async def operate(house: House, random: Random, threads: list[str]) -> None:
    if len(threads) < THREADS:
        workflow = {"name": "random", "steps": dag(random)}
        threads.append((await house.control.start(StartCommand(workflow=workflow))).thread.thread_id)
        return
    thread_id = random.choice(threads)
    steps = (await house.catalog.spec(house.tables.threads[thread_id].definition_id)).steps
    chosen = random.choice(steps).id
    last = house.tables.threads[thread_id].last_version
    match random.randrange(7):
        case 0:
            await house.control.cancel(thread_id)
        case 1:
            await house.control.pause(thread_id)
        case 2:
            await house.control.resume(ResumeCommand(thread_id=thread_id))
        case 3:
            await house.control.resume(ResumeCommand(thread_id=thread_id, from_step=chosen))
        case 4:
            await house.control.resume(ResumeCommand(thread_id=thread_id, skip={chosen: 1}))
        case 5:
            house.later(3601)
        case _:
            await house.control.rollback(
                RollbackCommand(thread_id=thread_id, to_version=random.randint(1, last), resume=random.random() < 0.8)
            )


def check(tables: MemoryTables) -> None:
    """What always holds, whatever is under way."""
    for thread_id, thread in tables.threads.items():
        versions, events = tables.checkpoints[thread_id], tables.events[thread_id]
        assert [v.version for v in versions] == list(range(1, thread.last_version + 1))
        assert all(v.parent_version is None or v.parent_version < v.version for v in versions)
        assert [e.seq for e in events] == list(range(1, thread.last_seq + 1))
        ends = [e.execution_id for e in events if e.name in TERMINAL]
        assert len(ends) == len(set(ends))
        for run in tables.runs[thread_id].values():
            assert tables.executions[run.execution_id].status not in ENDED or run.status not in STEP_OPEN
        idle = thread.status in ENDED or thread.status is Status.PAUSED
        driven = thread.incarnation_id is not None
        assert [idle, driven, thread.wake_at is not None].count(True) == 1, thread
        assert tables.executions[thread.execution_id].status == thread.status


@pytest.mark.parametrize("seed", range(15))
async def test_random_operations_and_deaths_leave_the_journal_whole(seed: int) -> None:
    random, threads = Random(seed), list[str]()

    async def maybe(_: Any, __: Any) -> Any:
        await asyncio.sleep(random.choice([0, 0, 0.001]))
        if random.random() < 0.2:
            raise ValueError("no luck")
        return random.random()

    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(open_house(slots=random.choice([1, 2, 10]), grace=0.2))
        house.on("maybe", maybe)
        await house.control.register({"name": "inner", "steps": [step("x", python="maybe")]})
        for _ in range(OPERATIONS):
            with suppress(Conflict, InvalidRequest):
                await operate(house, random, threads)
            await asyncio.sleep(random.choice([0, 0, 0.001, 0.003]))
            check(house.tables)
            if random.random() < 0.08:
                await house.die()
                house = await stack.enter_async_context(open_house(house, slots=random.choice([1, 2, 10]), grace=0.2))
        await settle(house)
        check(house.tables)


async def settle(house: House) -> None:
    """Let everything come to its end: no thread hangs, and every slot is given back."""
    for _ in range(2_000):
        going_on = [t for t in house.tables.threads.values() if t.status not in {*ENDED, Status.PAUSED}]
        if not going_on:
            break
        house.later(3601)
        await asyncio.sleep(0.002)
    else:
        pytest.fail(f"these go on for ever: {going_on}")
    await house.until(lambda: house.worker.running == 0)
    await house.until(lambda: house.worker.free == house.worker.slots)
