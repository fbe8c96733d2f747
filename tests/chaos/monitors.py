"""Two monitors, and ten, that find the same expired lease at the same moment, on real connections."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from app.domain.errors import Fenced
from app.store.db import open_pool
from app.store.journal import open_journal
from app.store.migrate import upgrade
from app.store.registry import PostgresRegistry
from tests.builders import Driver, incarnation, new_start
from tests.chaos.frame import Outcome, Row
from tests.chaos.world import database

if TYPE_CHECKING:
    from pathlib import Path

    from app.domain.ports import Journal
    from app.domain.records import WorkflowRecord

THREADS = 2


async def _round(monitors: list[Journal], workflow: WorkflowRecord, outcome: Outcome) -> None:
    dead, living = incarnation(), [incarnation() for _ in monitors]
    first = monitors[0]
    await first.open_incarnation(dead)
    drivers: list[Driver] = []
    for _ in range(THREADS):
        start = new_start(workflow, incarnation_id=dead.id)
        await first.start(start)
        drivers.append(Driver(start))
    [heard_at] = [record.heartbeat_at for record, _ in await first.incarnations() if record.id == dead.id]
    freed = await asyncio.gather(*(one.close_incarnation(dead.id, heard_at, crashed=True) for one in monitors))
    outcome.expect(max(freed) == sum(freed) == THREADS, f"freed by each monitor: {freed}")
    shares = await asyncio.gather(*(one.claim(own.id, 10) for one, own in zip(monitors, living, strict=True)))
    claimed = [thread for share in shares for thread in share]
    rest = await first.claim(living[0].id, 10)  # a claim passes over the rows that another holds
    ids = [thread.thread_id for thread in (*claimed, *rest)]
    outcome.expect(sorted(ids) == sorted(one.thread.thread_id for one in drivers), f"claimed: {ids}")
    outcome.expect(all(thread.epoch == 3 for thread in (*claimed, *rest)), "an epoch that was not raised twice")
    for driver in drivers:
        try:
            await driver.commit(first, driver.event("step_progress"))
        except Fenced:
            continue
        outcome.failures.append("the dead owner wrote")


async def _run(rounds: int, dsn: str, outcome: Outcome) -> None:
    await upgrade(dsn)
    async with AsyncExitStack() as stack:
        journals: list[Journal] = []
        for _ in range(10):
            pool = await stack.enter_async_context(open_pool(dsn, size=1))
            journals.append(await stack.enter_async_context(open_journal(dsn, pool)))
        registering = await stack.enter_async_context(open_pool(dsn, size=1))
        workflow = await PostgresRegistry(registering).register(name="watched", document='{"name":"watched"}', hash="1")
        begun = asyncio.get_running_loop().time()
        for number in range(rounds):
            await _round(journals[: 2 if number % 2 else 10], workflow, outcome)
        took = asyncio.get_running_loop().time() - begun
    outcome.figures |= {"rounds": rounds, "wrong": len(outcome.failures), "a round": f"{took / rounds * 1000:.0f} ms"}


def run(rounds: int, folder: Path) -> Outcome:
    """Half of the rounds with two, half with ten."""
    outcome = Outcome()
    with database(folder) as base:
        asyncio.run(_run(rounds, base.dsn, outcome))
    return outcome


ROWS = (
    Row(
        name="monitors",
        fault="two monitors, and ten, and one expired owner",
        passes="exactly one winner for each thread, epochs raised once each, the dead owner is fenced",
        unit="rounds",
        doses=(100, 10_000),
        bounds=(60, 1_800),
        run=run,
    ),
)
