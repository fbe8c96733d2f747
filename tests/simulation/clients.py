"""The clients of a simulated world: they ask processes for things as people would, wait for ends and follow events."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from app.api.sse import Streams
from app.api.thread_stream import ThreadStream
from app.domain.commands import ResumeCommand, RollbackCommand, StartCommand
from app.domain.errors import BackstitchError, Conflict, Fenced, InvalidRequest, NotFound, Unavailable
from app.domain.gates import Answer, GateFilter
from app.domain.moving import MOVABLE, MoveCommand
from app.domain.status import ENDED
from app.domain.waits import Signal, WaitFilter
from tests.simulation import invariants
from tests.simulation.watch import NARROW

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from random import Random

    from app.domain.commands import Accepted
    from app.domain.waits import Sent
    from tests.simulation.service import Process
    from tests.simulation.world import World

    Ask = Callable[[Process], Coroutine[Any, Any, Any]]

EXPECTED: Final = (Conflict, InvalidRequest, NotFound, Unavailable)
_SEQ: Final = re.compile(rb"^id: (\d+)$", re.MULTILINE)
_REACH: Final = 90.0
"""Seconds after which a client gives a request up."""


class Lost(Exception):
    """The process died, or said nothing, before it answered."""


class Frames(ThreadStream):
    """The real stream, without the snapshot at its beginning, which says nothing of events."""

    async def _snapshot(self) -> bytes:
        return b""


@dataclass(slots=True, kw_only=True)
class Reader:
    """One reader of one thread's events, over all its connections."""

    thread_id: str
    cursor: int = 0
    over: bool = False
    process: Process | None = None
    """To which it is, or was last, connected."""
    task: asyncio.Task[None] | None = field(default=None)


class Clients:
    """All clients; what they were promised is kept, to be held against what became of it."""

    def __init__(self, world: World, random: Random) -> None:
        self.world = world
        self.random = random
        self.born: set[str] = set()
        self.by_key: dict[str, set[str]] = {}
        self.readers: list[Reader] = []
        self.asked_to_pause: set[str] = set()
        self._answers = 0

    async def ask(self, process: Process, ask: Ask) -> Any:
        """The answer of a process, as if by HTTP.  Raises Lost, and what the process answers."""
        epitaph = process.place.epitaph
        if epitaph is None or not process.up.is_set():
            raise Lost
        task = process.handle(ask(process))
        await asyncio.wait({task, epitaph}, timeout=_REACH, return_when=asyncio.FIRST_COMPLETED)
        if task.done() and not task.cancelled():
            return task.result()
        task.cancel()
        raise Lost

    async def operate(self) -> None:
        """One operation of a random client on a random process."""
        world, random = self.world, self.random
        threads = sorted(world.tables.threads)
        process = random.choice(world.processes)
        if len(threads) < 2 or random.random() < 0.2:
            name, ask = "start", self._start()
        else:
            thread_id = random.choice(threads)
            name, ask = self._steer(thread_id)
            process = self._watched_at(thread_id) or process
        world.watch.note(process.place, "ask", name)
        try:
            answer = await self.ask(process, ask)
        except Lost:
            world.watch.note(process.place, "no answer", name)
        except EXPECTED as error:
            world.watch.note(process.place, "refused", f"{name}: {error}")
            if isinstance(error, Fenced):
                world.watch.violated("answers", f"{name}: {error!r}")
        except BackstitchError as error:
            world.watch.violated("answers", f"{name}: {error!r}")
        else:
            world.watch.note(
                process.place, "answer", (name, getattr(getattr(answer, "thread", answer), "status", answer))
            )

    def _watched_at(self, thread_id: str) -> Process | None:
        """Where somebody follows a thread: people often steer it there, and others drive it."""
        places = [reader.process for reader in self.readers if reader.thread_id == thread_id]
        known = [each for each in places if each is not None and each in self.world.processes]
        return self.random.choice(known) if known and self.random.random() < 0.8 else None

    def _start(self) -> Ask:
        random, world = self.random, self.world
        document = world.document(random)
        key = random.choice(["k1", "k2", None, None])
        if key is not None:
            document = world.document(random, fixed=key)
        command = StartCommand(
            workflow=document,
            input=key,
            has_input=True,
            idempotency_key=key,
            request_sha256=(key or "").encode(),
            queue=random.choice(["default", NARROW]) if key is None else "default",
            priority=random.choice([0, 0, 5]),
            delay=random.choice([0.0, 0.0, 0.0, 3.0]) if key is None else 0.0,
        )

        async def ask(process: Process) -> Accepted:
            accepted = await process.control.start(command)
            self.born.add(accepted.thread.thread_id)
            if key is not None:
                self.by_key.setdefault(key, set()).add(accepted.execution_id)
            return accepted

        return ask

    def _steer(self, thread_id: str) -> tuple[str, Ask]:
        random, tables = self.random, self.world.tables
        row = tables.threads[thread_id]
        step_id = random.choice(self.world.watch.steps_of(row.definition_id))
        expected = random.choice([None, None, row.head_version])
        version = random.randint(1, row.last_version)
        go_on = random.random() < 0.7
        patience = random.choice([0.0, 0.5, 5.0, 60.0])
        moving = MoveCommand(
            workflow=self.world.watch.document(row.definition_id)["name"],
            to_version=random.choice([1, 2, None]),
            thread_ids=random.choice([None, [thread_id]]),
            resume=go_on,
            statuses=MOVABLE,
        )
        asks: dict[str, Ask] = {
            "cancel": lambda p: p.control.cancel(thread_id, "on a whim"),
            "kill": lambda p: p.control.cancel(thread_id, force=True),
            "pause": lambda p: p.control.pause(thread_id),
            "resume": lambda p: p.control.resume(ResumeCommand(thread_id=thread_id, expected_version=expected)),
            "resume from": lambda p: p.control.resume(ResumeCommand(thread_id=thread_id, from_step=step_id)),
            "resume skip": lambda p: p.control.resume(ResumeCommand(thread_id=thread_id, skip={step_id: 0})),
            "rerun": lambda p: p.control.start(
                StartCommand(
                    workflow=self.world.watch.document(row.definition_id), input=2, has_input=True, thread_id=thread_id
                )
            ),
            "rollback": lambda p: p.control.rollback(
                RollbackCommand(thread_id=thread_id, to_version=version, resume=go_on, expected_version=expected)
            ),
            "move": lambda p: p.mover.move(moving),
            "wait": lambda p: self._wait(p, thread_id, patience),
            "answer": lambda p: self._answer(p, random.choice([thread_id, None])),
            "signal": lambda p: self._send(p, thread_id),
        }
        name = random.choice([*asks, "resume", "wait", "answer", "move"])
        return f"{name} {thread_id}" + (f" to {version}" if name == "rollback" else ""), asks[name]

    async def _answer(self, process: Process, thread_id: str | None = None) -> int:
        """Answer what can be answered, each with a number of its own; how many took it."""
        taken = 0
        for gate in await process.gates.listed(GateFilter(thread_id=thread_id, only_open=True)):
            self._answers += 1
            answer = Answer(answer_json=str(self._answers))
            key = gate.key
            item = key.item if key.item >= 0 else None
            try:
                await process.gates.answer(key.thread_id, key.step_id, answer, item=item, round=key.round)
            except (Conflict, NotFound):
                continue
            self.world.watch.answered(key, answer.answer_json)
            taken += 1
        return taken + await self._tell(process, thread_id)

    async def _tell(self, process: Process, thread_id: str | None) -> int:
        """Send every thread that waits for one a signal, and publish what others wait for, each with a number of its own."""
        told = 0
        for wait in await process.waits.listed(WaitFilter(thread_id=thread_id, is_open=True)):
            if invariants.is_for(self.world, wait):
                continue  # it has been told
            told += 1
            for _ in range(2):  # one more than it waits for, which the next that waits must find
                if wait.topic is not None:
                    self._answers += 1
                    self.world.post.publish("news.all", self._answers)
                    continue
                try:
                    await self._send(process, wait.key.thread_id)
                except (Conflict, NotFound):
                    break
        return told

    async def _send(self, process: Process, thread_id: str) -> Sent:
        """A signal with a number of its own, perhaps before anything waits for it."""
        self._answers += 1
        return await process.waits.send(thread_id, Signal(name="go", value_json=str(self._answers)))

    async def answer_all(self) -> None:
        """Answer whatever waits, so that all can come to an end."""
        try:
            await self.ask(self.world.processes[0], self._answer)
        except (Lost, *EXPECTED):
            return

    async def _wait(self, process: Process, thread_id: str, patience: float) -> bool:
        began = self.world.loop.time()
        ended = await process.control.wait(thread_id, patience)
        took = self.world.loop.time() - began
        if not ended and took < patience - 0.01:
            self.world.watch.violated("waiters", f"gave up after {took:.2f} of {patience:g} s")
        return ended

    def follow(self, thread_id: str) -> None:
        """Follow a thread's events from now on, with a connection that drops now and then."""
        reader = Reader(thread_id=thread_id)
        self.readers.append(reader)
        reader.task = self.world.loop.create_task(self._read(reader), context=self.world.loop.world.context())

    async def _read(self, reader: Reader) -> None:
        while not reader.over:
            process = self.random.choice(self.world.processes)
            try:
                await self.ask_to_follow(process, reader)
            except Lost:
                await asyncio.sleep(0.5)
            await asyncio.sleep(0.1)

    async def ask_to_follow(self, process: Process, reader: Reader) -> None:
        """One connection, which this side may cut."""
        epitaph = process.place.epitaph
        if epitaph is None or not process.up.is_set():
            raise Lost
        reader.process = process
        task = process.handle(self._stream(process, reader))
        patience = None if self.world.healed else self.random.choice([0.2, 2.0, 20.0, None])
        try:
            await asyncio.wait({task, epitaph}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task, epitaph}, return_when=asyncio.FIRST_COMPLETED)
        if task.done() and not task.cancelled():
            task.result()

    async def _stream(self, process: Process, reader: Reader) -> None:
        try:
            thread = await process.stores.reads.thread(reader.thread_id)
        except Unavailable:
            raise Lost from None
        if thread is None:
            raise Lost
        streams = Streams()
        closing = asyncio.get_running_loop().create_task(_close_with(process, streams))
        connected, place = True, process.place
        try:
            async for chunk in Frames(process.services, streams, thread, reader.cursor).frames():
                for seq in map(int, _SEQ.findall(chunk)):
                    if seq != reader.cursor + 1:
                        self.world.watch.violated(
                            "readers", f"a reader of {reader.thread_id} at {place.name} got {seq} after {reader.cursor}"
                        )
                    reader.cursor = seq
                connected = not place.dead
        finally:
            closing.cancel()
        row = self.world.tables.threads[reader.thread_id]
        if connected and not streams.closing:
            reader.over = row.status in ENDED


async def _close_with(process: Process, streams: Streams) -> None:
    await process.leaving.wait()
    streams.close()
