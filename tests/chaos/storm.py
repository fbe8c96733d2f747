"""Readers of streams that come and go in a storm, resumed at random cursors; then nothing of them is left.

The service runs in this process, so that its tasks and subscriptions can be counted too.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

import psutil
import uvloop

from app.api.app import create_app
from app.api.server import Server, configure, listener
from app.bootstrap import open_services
from app.domain.commands import StartCommand
from app.settings import load_settings
from tests.chaos.frame import Outcome, Row
from tests.chaos.readers import Faithful, read
from tests.chaos.world import ask, database, row_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from app.bootstrap import Services

ALIVE = 8
AT_ONCE = 40


class Storm:
    """So many connections of readers, while workflows come and end."""

    def __init__(self, engine: Services, port: int, connections: int, outcome: Outcome) -> None:
        self._engine = engine
        self._port = port
        self._left = connections
        self._outcome = outcome
        self._dice = random.Random(9)
        self._threads: list[str] = []
        self._faithful: dict[str, Faithful] = {}
        self._busy: set[str] = set()
        self._over = asyncio.Event()
        self.kinds: Counter[str] = Counter()

    async def rage(self) -> None:
        """Until all connections were made; then those who are faithful read to the end."""
        async with asyncio.TaskGroup() as tasks:
            feed = tasks.create_task(self._read_feed())
            work = [tasks.create_task(self._work()) for _ in range(ALIVE)]
            await asyncio.sleep(0.3)
            readers = [tasks.create_task(self._come_and_go()) for _ in range(AT_ONCE)]
            await asyncio.wait(readers)
            self._over.set()
            await asyncio.wait(work)
            await asyncio.wait([feed])
        for thread in self._threads:
            await self._read_to_the_end(thread)

    async def _work(self) -> None:
        while not self._over.is_set():
            command = StartCommand(workflow=row_of(8, self._dice.uniform(0.01, 0.1)), input={}, triggered_by="storm")
            thread = (await self._engine.control.start(command)).thread.thread_id
            self._threads.append(thread)
            await self._engine.control.wait(thread, 60)

    async def _come_and_go(self) -> None:
        while self._left > 0:
            self._left -= 1
            thread = self._dice.choice(self._threads[-3 * ALIVE :])
            cut = {
                "at_most": self._dice.choice([1, 700, 3_000, 1 << 40]),
                "seconds": self._dice.uniform(0.02, 0.8),
                "abort": self._dice.random() < 0.5,
            }
            if thread not in self._busy and self._dice.random() < 0.5:
                self._busy.add(thread)
                await self._reader(thread).go_on(**cut)
                self._busy.discard(thread)
                self.kinds["resumed"] += 1
            else:
                await self._jump(thread, **cut)

    def _reader(self, thread: str) -> Faithful:
        return self._faithful.setdefault(thread, Faithful(self._port, f"/api/invoke/stream/{thread}"))

    async def _jump(self, thread: str, *, at_most: int, seconds: float, abort: bool) -> None:
        """To a cursor anywhere up to where the thread is now."""
        found = await self._engine.reads.thread(thread)
        assert found is not None
        cursor = self._dice.randint(0, found.last_seq)
        by_header = self._dice.random() < 0.5
        path = f"/api/invoke/stream/{thread}" + ("" if by_header else f"?after={cursor}")
        last = str(cursor) if by_header else None
        part = await read(self._port, path, last, at_most=at_most, seconds=seconds, abort=abort)
        ids = [int(one) for one in part.ids]
        wanted = list(range(cursor + 1, cursor + 1 + len(ids)))
        self._outcome.expect(ids == wanted, f"{thread} after {cursor}: {ids[:20]}")
        self._outcome.expect(part.status in (0, 200, 204), f"status {part.status}")
        self.kinds["jumped"] += 1

    async def _read_to_the_end(self, thread: str) -> None:
        reader = self._reader(thread)
        for _ in range(5):
            if (await reader.go_on(seconds=20)).ended:
                break
        wanted = [str(row.seq) for row in await self._engine.reads.events(thread, after=0)]
        self._outcome.expect(reader.seen == wanted, f"{thread}: {reader.seen} instead of 1..{len(wanted)}")
        self.kinds["events"] += len(wanted)

    async def _read_feed(self) -> None:
        """The feed of all, cut again and again; it goes on from its cursor."""
        reader, met = Faithful(self._port, "/api/stream"), list[tuple[str, int]]()
        quiet = 0
        while quiet < 2:
            part = await reader.go_on(seconds=self._dice.uniform(0.3, 1.5), abort=self._dice.random() < 0.5)
            events = [message.data for message in part.messages if message.data is not None and message.id]
            met += [(data["thread_id"], data["seq"]) for data in events]
            quiet = quiet + 1 if self._over.is_set() and not events else 0
        twice = [one for one, count in Counter(met).items() if count > 1]
        self._outcome.expect(not twice, f"the feed told twice: {twice[:5]}")
        first: dict[str, int] = {}
        for thread, seq in met:
            first.setdefault(thread, seq)
        for thread, begun in first.items():
            seqs = [seq for one, seq in met if one == thread]
            last = await self._engine.reads.thread(thread)
            assert last is not None
            wanted = list(range(begun, last.last_seq + 1))
            self._outcome.expect(seqs == wanted, f"the feed of {thread}: {seqs} instead of {begun}..{last.last_seq}")
        self.kinds["told by the feed"] = len(met)


@asynccontextmanager
async def _serving(dsn: str) -> AsyncGenerator[tuple[Services, int]]:
    settings = load_settings(database_url=dsn, modules=("tests.chaos.steps",), sse_heartbeat_seconds=0.5)
    async with open_services(settings) as engine, asyncio.TaskGroup() as tasks:
        socket = listener("127.0.0.1", 0)
        server = Server(configure(create_app(lambda: nullcontext(engine)), "warning"), engine)
        serving = tasks.create_task(server.serve(sockets=[socket]))
        while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.01)
        yield engine, socket.getsockname()[1]
        server.should_exit = True
        await serving


async def _measure(engine: Services, wanted: tuple[int, int, int] | None) -> tuple[int, int, int]:
    """Tasks, descriptors and subscriptions when nothing goes on; waits a while for them to be as `wanted`."""
    found = (0, 0, 0)
    for _ in range(150):
        found = (len(asyncio.all_tasks()), psutil.Process().num_fds(), engine.bus.subscribers)
        if wanted is not None and all(one <= most for one, most in zip(found, wanted, strict=True)):
            break
        await asyncio.sleep(0.1 if wanted else 0.01)
    return found


async def _run(connections: int, dsn: str, outcome: Outcome) -> None:
    async with _serving(dsn) as (engine, port):
        warm = Storm(engine, port, AT_ONCE, outcome)  # the pool of connections grows to its full size
        await warm.rage()
        await asyncio.gather(*(engine.reads.feed_end() for _ in range(30)))
        await asyncio.sleep(1.0)
        before = await _measure(engine, None)
        storm = Storm(engine, port, connections, outcome)
        await storm.rage()
        after = await _measure(engine, before)
        outcome.figures |= {"connections": connections, **storm.kinds, "wrong": len(outcome.failures)}
        for name, was, now in zip(("tasks", "descriptors", "subscriptions"), before, after, strict=True):
            outcome.figures[name] = f"{was} -> {now}"
            outcome.expect(now <= was, f"{now - was} {name} leaked")
    gaps = await ask(dsn, "SELECT count(*) FROM threads WHERE status <> 'completed'")
    outcome.expect(gaps[0][0] == 0, f"{gaps[0][0]} threads are not completed")


def run(connections: int, folder: Path) -> Outcome:
    """So many connections in all."""
    os.environ["CHAOS_CALLS"] = str(folder / "calls")
    outcome = Outcome()
    with database(folder) as base, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(connections, base.dsn, outcome))
    return outcome


ROWS = (
    Row(
        name="sse",
        fault="SSE: connect/drop storms, resumed at random cursors",
        passes="0 missing, 0 duplicate; tasks, descriptors and subscriptions back at the base line",
        unit="connections",
        doses=(500, 10_000),
        bounds=(120, 1_800),
        run=run,
    ),
)
