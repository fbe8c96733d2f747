"""The answer to a statement is lost after it was committed: the engine, through our own proxy, finds out what happened."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from app.bootstrap import open_services
from app.domain.commands import ResumeCommand, RollbackCommand, StartCommand
from app.domain.errors import Conflict, Unavailable
from app.runners.registration import function
from app.settings import load_settings
from app.store.queries import load
from tests.chaos.frame import Outcome, Row
from tests.chaos.world import GAPS, TWICE, ask, database
from tests.store.lossy import lossy_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from app.bootstrap import Services
    from tests.store.lossy import Drop, LossyProxy, Unit

_JOURNAL, _REGISTRY, _QUEUE = load("journal"), load("registry"), load("queue")
_LOST = 20.0
_RECOVERIES = """
    SELECT count(*) FROM workflow_events WHERE name = 'workflow_resumed' AND data ->> 'trigger' = 'recovery'
"""


def _is(sql: str) -> Callable[[Unit], bool]:
    return lambda unit: unit.sql == sql


def _commit_after(sql: str) -> Callable[[Unit], bool]:
    return lambda unit: unit.sql.startswith("COMMIT") and sql in unit.before


class Losses:
    """One method for each kind of statement: lose its answer, and look that it counted once."""

    def __init__(self, proxy: LossyProxy, dsn: str, outcome: Outcome) -> None:
        self._proxy = proxy
        self._dsn = dsn
        self._outcome = outcome
        self._go = asyncio.Event()
        self._armed: Drop | None = None
        self._calls = 0
        self.keys = 0
        self.engine: Services

    def module(self) -> ModuleType:
        """The steps, as MODULES would load them."""
        module = ModuleType("chaos_reply_steps")

        @function("armed")
        async def armed(_: Any, __: Any) -> str:
            """Its end is the next thing that is flushed."""
            self._calls += 1
            self._armed = self._proxy.drop(_is(_JOURNAL["flush"]))
            return "done"

        @function("held")
        async def held(_: Any, __: Any) -> str:
            """Until it is let go."""
            self._calls += 1
            await self._go.wait()
            return "done"

        module.armed, module.held = armed, held  # pyright: ignore[reportAttributeAccessIssue]
        return module

    async def start(self) -> None:
        """A flush with a start."""
        drop = self._proxy.drop(_is(_JOURNAL["flush"]))
        thread = await self._start({"python": "echo"})
        await self._lost(drop)
        await self._completes(thread)

    async def move(self) -> None:
        """A flush with the end of a step."""
        self._calls = 0
        thread = await self._start({"python": "armed"}, {"python": "echo"})
        await self._completes(thread)
        assert self._armed is not None
        await self._lost(self._armed)
        self._outcome.expect(self._calls == 1, f"the step ran {self._calls} times")

    async def steer(self) -> None:
        """A rollback; with `expected_version` it can be sent again without fear."""
        thread = await self._start({"python": "echo"})
        await self._completes(thread)
        drop = self._proxy.drop(_commit_after(_JOURNAL["lock"]))
        command = RollbackCommand(thread_id=thread, to_version=1, resume=False, expected_version=3)
        try:
            await self._insist(lambda: self.engine.control.rollback(command))
        except Conflict as error:
            self._outcome.expect(error.code == "version_conflict", f"the second rollback: {error.code}")
        await self._lost(drop)
        rolled = await self._told(thread, "workflow_rolled_back")
        self._outcome.expect(rolled == 1, f"rolled back {rolled} times")
        await self._insist(lambda: self.engine.control.resume(ResumeCommand(thread_id=thread)))
        await self._completes(thread)

    async def claim(self) -> None:
        """A claim of a thread whose time has come."""
        thread = await self._start({"sleep": "1.15s"})
        drop = self._proxy.drop(_is(_QUEUE["claim"]), holding=thread.encode())
        await self._lost(drop)
        await self._completes(thread)

    async def heartbeat(self) -> None:
        """A renewal of the lease."""
        self._calls = 0
        self._go.clear()
        thread = await self._start({"python": "held"})
        await self._until(lambda: self._calls > 0)
        await self._lost(self._proxy.drop(_is(_JOURNAL["heartbeat"]), with_rows=True))
        self._go.set()
        await self._completes(thread)
        self._outcome.expect(self._calls == 1, f"the step ran {self._calls} times")

    async def signal(self) -> None:
        """A wish to pause."""
        self._calls = 0
        self._go.clear()
        thread = await self._start({"python": "held"}, {"python": "echo"})
        await self._until(lambda: self._calls > 0)
        drop = self._proxy.drop(_is(_JOURNAL["signal"]), with_rows=True)
        await self._insist(lambda: self.engine.control.pause(thread))
        await self._lost(drop)
        self._go.set()
        self._outcome.expect(await self.engine.control.wait(thread, _LOST), "not paused in time")
        paused = await self._told(thread, "workflow_paused")
        self._outcome.expect(paused == 1, f"paused {paused} times")
        await self._insist(lambda: self.engine.control.resume(ResumeCommand(thread_id=thread)))
        await self._completes(thread)
        self._outcome.expect(self._calls == 1, f"the step ran {self._calls} times")

    async def registry(self) -> None:
        """A registration."""
        self.keys += 1
        name = f"registered-{self.keys}"
        drop = self._proxy.drop(_commit_after(_REGISTRY["register"]))
        document = {"name": name, "steps": [{"id": "a", "python": "echo"}]}
        record, _ = await self._insist(lambda: self.engine.control.register(document))
        await self._lost(drop)
        rows = await ask(self._dsn, "SELECT version FROM workflows WHERE name = $1", name)
        self._outcome.expect([row[0] for row in rows] == [record.version] == [1], f"{name}: versions {rows}")

    # ---- how
    async def _start(self, *kinds: dict[str, Any]) -> str:
        self.keys += 1
        key = f"key-{self.keys}"
        document = {"name": "lossy", "steps": [{"id": f"s{number}", **kind} for number, kind in enumerate(kinds, 1)]}
        command = StartCommand(
            workflow=document, input={}, triggered_by=key, idempotency_key=key, request_sha256=b"the same"
        )
        return (await self._insist(lambda: self.engine.control.start(command))).thread.thread_id

    @staticmethod
    async def _insist(ask_for: Callable[[], Awaitable[Any]]) -> Any:
        """As a client does that is told to come again."""
        async with asyncio.timeout(_LOST):
            while True:
                try:
                    return await ask_for()
                except Unavailable:
                    await asyncio.sleep(0.05)

    @staticmethod
    async def _lost(drop: Drop) -> None:
        async with asyncio.timeout(_LOST):
            await drop.done.wait()

    @staticmethod
    async def _until(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(_LOST):
            while not holds():  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def _completes(self, thread: str) -> None:
        ended = await self._insist(lambda: self.engine.control.wait(thread, _LOST))
        record = await self._insist(lambda: self.engine.reads.thread(thread))
        self._outcome.expect(ended and record.status == "completed", f"{thread} is {record.status}")

    async def _told(self, thread: str, name: str) -> int:
        query = "SELECT count(*) FROM workflow_events WHERE thread_id = $1 AND name = $2"
        return (await ask(self._dsn, query, thread, name))[0][0]


@asynccontextmanager
async def _engine(dsn: str, outcome: Outcome) -> AsyncGenerator[Losses]:
    async with lossy_proxy(dsn) as (proxy, through):
        losses = Losses(proxy, dsn, outcome)
        sys.modules["chaos_reply_steps"] = losses.module()
        modules = ("chaos_reply_steps", "tests.acceptance.functions")
        settings = load_settings(database_url=through, modules=modules, lease_seconds=3)
        async with open_services(settings) as losses.engine:
            yield losses


async def _run(dose: int, dsn: str, outcome: Outcome) -> None:
    async with _engine(dsn, outcome) as losses:
        kinds = (
            losses.start,
            losses.move,
            losses.steer,
            losses.claim,
            losses.heartbeat,
            losses.signal,
            losses.registry,
        )
        for kind in kinds:
            begun = asyncio.get_running_loop().time()
            for number in range(dose):
                try:
                    await kind()
                except TimeoutError:
                    outcome.failures.append(f"{kind.__name__} {number}: what should come did not come in {_LOST:g} s")
                    break
            outcome.figures[kind.__name__] = f"{asyncio.get_running_loop().time() - begun:.1f} s"
    lost = losses.keys - len(await ask(dsn, "SELECT name FROM workflows WHERE name LIKE 'registered-%'"))
    rows = await ask(
        dsn, "SELECT count(*), count(DISTINCT triggered_by) FROM workflow_executions WHERE kind = 'invoke'"
    )
    outcome.expect(tuple(rows[0]) == (lost, lost), f"{lost} were asked for, executions and keys: {tuple(rows[0])}")
    for what, query in (("gaps", GAPS), ("double", TWICE)):
        found = [row[0] for row in await ask(dsn, query)]
        outcome.expect(not found, f"{what} in {len(found)} threads: {found[:5]}")
        outcome.figures[what] = len(found)
    [[recoveries]] = await ask(dsn, _RECOVERIES)
    outcome.figures["recoveries"] = recoveries
    outcome.expect(recoveries == 0, f"{recoveries} threads had to be recovered: what had happened was not looked up")
    open_ = await ask(dsn, "SELECT thread_id, status FROM threads WHERE status <> 'completed'")
    outcome.expect(not open_, f"not completed: {[tuple(row) for row in open_][:5]}")
    outcome.figures["lost"] = len(open_)


def run(dose: int, folder: Path) -> Outcome:
    """So often for each kind."""
    outcome = Outcome()
    with database(folder) as base:
        asyncio.run(_run(dose, base.dsn, outcome))
    return outcome


ROWS = (
    Row(
        name="reply",
        fault="the answer after COMMIT is lost (own TCP proxy), for each kind of statement",
        passes="0 double, 0 lost, no step run again",
        unit="of each of 7 kinds",
        doses=(10, 1_000),
        bounds=(120, 5_400),
        run=run,
    ),
)
