"""The real side of the model: processes in this process, each on its own wire to one PostgreSQL, and steps that wait.

Everything runs in one event loop that turns only while an operation is carried out.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from app import bootstrap
from app.api.sse import Streams
from app.api.thread_stream import ThreadStream
from app.domain.errors import Unavailable
from app.domain.runner import StepFailure
from app.engine import lease
from app.runners.registration import function
from app.settings import load_settings
from tests.api.service import in_process
from tests.chaos.model_expected import MAX_RECOVERIES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    import httpx

    from app.bootstrap import Services

PATIENCE: Final = 30.0
"""Seconds after which what is expected has not happened."""
_OPENING: ContextVar[Process] = ContextVar("opening")


class Cut(Unavailable):
    """A dead process is being cleared away."""


class Wire:
    """The journal and the hints as one process reaches them.

    Once cut, its commits alone get through, as those of a process that was frozen and goes on: it hears of nothing else.
    """

    def __init__(self, store: Any) -> None:
        self._journal = store.stores.journal
        self._listen = store.stores.hints.listen
        store.stores.hints.listen = self._deafened
        self.cut, self.gone = asyncio.Event(), asyncio.Event()
        self.cut_at: str | None = None
        """ "before" or "after" the next commit, which does not get through, or whose answer does not."""

    async def commit(self, transition: Any) -> Any:
        """The next one may be the last thing that happens."""
        cut_at, self.cut_at = self.cut_at, None
        if cut_at == "before":
            self.cut.set()
            await self._alive()
        signal = await self._journal.commit(transition)
        if cut_at == "after":
            self.cut.set()
            await self._alive()
        return signal

    def _deafened(self, heard: Callable[[Any], None]) -> None:
        self._listen(lambda hint: None if self.cut.is_set() else heard(hint))

    async def _alive(self) -> None:
        if self.cut.is_set():
            await self.gone.wait()
            raise Cut("this process is dead")

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._journal, name)
        if not asyncio.iscoroutinefunction(method):
            return method

        async def call(*arguments: Any, **more: Any) -> Any:
            await self._alive()
            answer = await method(*arguments, **more)
            await self._alive()
            return answer

        return call


@dataclass(eq=False)
class Call:
    """A step's function that was called and waits to be told how it ends."""

    serial: int
    process: Process
    thread_id: str
    step_id: str
    attempt: int
    told: asyncio.Future[str]

    @property
    def open(self) -> bool:
        """Whether it still waits."""
        return not self.told.done()


@dataclass(eq=False)
class Process:
    """One life of a serving process: the services, and the application on them."""

    world: World
    number: int
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    streams: Streams = field(default_factory=Streams)
    services: Services = field(init=False)
    client: httpx.AsyncClient = field(init=False)
    wire: Wire = field(init=False)
    task: asyncio.Task[None] = field(init=False)

    @property
    def id(self) -> str:
        """Its incarnation."""
        return self.services.worker.incarnation_id

    async def live(self, dsn: str) -> None:
        """From its opening to its closing."""
        _OPENING.set(self)
        module = f"model_steps_{self.number}"
        sys.modules[module] = self._steps(module)
        settings = load_settings(
            database_url=dsn,
            modules=(module,),
            database_pool_size=3,
            lease_seconds=60,
            max_recoveries=MAX_RECOVERIES,
            breaker_failures=1_000_000,
            shutdown_grace_seconds=0.2,
        )
        try:
            async with bootstrap.open_services(settings) as self.services:
                stand_in: Any = self.services
                async with in_process(stand_in) as self.client:
                    self.ready.set()
                    await self.stop.wait()
        finally:
            del sys.modules[module]

    async def close(self) -> None:
        """Clear it away: in good order if it lives."""
        self.stop.set()
        if self.wire.cut.is_set():
            self.wire.gone.set()
        with suppress(asyncio.CancelledError):
            await self.task

    def _steps(self, name: str) -> ModuleType:
        process, module = self, ModuleType(name)

        async def gated(given: Any, ctx: Any) -> str:
            return await process.world.called(process, ctx)

        module.gated = function("gated")(gated)  # pyright: ignore[reportAttributeAccessIssue]
        return module


class Reader:
    """Follows one thread over whatever process there is, as an EventSource does, and notes what it is told."""

    def __init__(self, world: World, thread_id: str, after: int) -> None:
        self._world = world
        self.thread_id = thread_id
        self.after = self.cursor = after
        self.seen: list[tuple[int, str]] = []
        self.process: Process | None = None
        self.task: asyncio.Task[None] | None = None

    def connect(self, process: Process) -> None:
        """Go on from the last event seen, unless a connection is open."""
        if self.task is None or self.task.done():
            self.process = process
            self.task = asyncio.get_running_loop().create_task(self._follow(process))

    async def hang_up(self) -> None:
        """The connection is gone."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])

    async def _follow(self, process: Process) -> None:
        thread = await process.services.reads.thread(self.thread_id)
        if thread is None:
            return
        stand_in: Any = process.services
        async for chunk in ThreadStream(stand_in, process.streams, thread, self.cursor).frames():
            for frame in chunk.decode().split("\n\n"):
                lines = dict(line.split(": ", 1) for line in frame.splitlines() if ": " in line)
                if "id" in lines:
                    self.cursor = int(lines["id"])
                    self.seen.append((self.cursor, lines["event"]))


class World:
    """All processes, their calls and their readers."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.living: list[Process] = []
        self.dead: list[Process] = []
        self.calls: list[Call] = []
        self.readers: list[Reader] = []
        self._born = 0

    async def called(self, process: Process, ctx: Any) -> str:
        """A step's function was called: wait to be told."""
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.calls.append(Call(len(self.calls), process, ctx.thread_id, ctx.step_id, ctx.attempt, told))
        what = await told
        if what == "fail":
            raise StepFailure("told to fail", kind="told")
        return what

    async def open(self) -> Process:
        """One more process."""
        self._born += 1
        process = Process(self, self._born)
        process.task = asyncio.get_running_loop().create_task(process.live(self.dsn))
        opened = asyncio.get_running_loop().create_task(process.ready.wait())
        await asyncio.wait([process.task, opened], return_when=asyncio.FIRST_COMPLETED)
        if process.task.done():
            opened.cancel()
            process.task.result()
        self.living.append(process)
        return process

    async def bury(self, process: Process, *, keep: int = 2) -> None:
        """A process is dead: its readers connect elsewhere; it stays as a zombie until there are others."""
        self.living.remove(process)
        self.dead.append(process)
        for reader in self.readers:
            if reader.process is process:
                await reader.hang_up()
                reader.connect(self.living[0])
        while len(self.dead) > keep:
            await self.dead.pop(0).close()

    async def close(self) -> None:
        """Clear everything away."""
        for reader in self.readers:
            await reader.hang_up()
        for process in [*self.dead, *self.living]:
            await process.close()

    def current(self, thread_id: str, incarnation_id: str, since: int) -> dict[str, Call]:
        """The calls that a thread's driver has made and that are still open, by step."""
        return {
            call.step_id: call
            for call in self.calls[since:]
            if call.open and call.thread_id == thread_id and call.process.id == incarnation_id
        }


async def until(holds: Callable[[], Awaitable[Any]], what: Callable[[], str]) -> None:
    """Let the loop turn until it holds.  Raises AssertionError with `what` is the matter."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not await holds():  # noqa: ASYNC110 - what it waits for is in the database
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(what()) from None


@asynccontextmanager
async def wired() -> AsyncGenerator[None]:
    """Processes that are opened in the block reach the journal by wires."""
    real = bootstrap.open_store

    async def open_store(settings: Any, stack: Any) -> Any:
        store = await real(settings, stack)
        process = _OPENING.get()
        process.wire = Wire(store)
        return replace(store, stores=replace(store.stores, journal=process.wire))

    # A process that was taken for dead finds out soon.
    with patch.object(bootstrap, "open_store", open_store), patch.object(lease, "_OFTEN", 0.05):
        yield
