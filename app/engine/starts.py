"""How new threads come into the world: once for an Idempotency-Key, within what their queue takes, then on their way."""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.domain.commands import Accepted
from app.domain.errors import Conflict, InvalidRequest, QueueFull, Unavailable
from app.domain.ports import StartOutcome
from app.domain.status import Status

if TYPE_CHECKING:
    from collections.abc import Generator

    from app.domain.commands import StartCommand
    from app.domain.records import IdempotencyRecord
    from app.domain.transition import Start
    from app.engine.admission import Admission
    from app.engine.bus import Bus
    from app.engine.deps import Stores
    from app.engine.load import Loaded
    from app.engine.worker import Worker


class Starts:
    """One for the engine."""

    def __init__(self, stores: Stores, worker: Worker, bus: Bus, admission: Admission) -> None:
        self._stores = stores
        self._worker = worker
        self._admission = admission
        self._bus = bus
        self._keys_in_flight: set[tuple[str, str]] = set()

    @contextmanager
    def once(self, tenant: str, idempotency_key: str | None) -> Generator[None]:
        """While a request with this key is handled, another one raises Conflict (idempotency_key_in_flight)."""
        if idempotency_key is None:
            yield
            return
        key = (tenant, idempotency_key)
        if key in self._keys_in_flight:
            raise Conflict("a request with this Idempotency-Key is being handled", code="idempotency_key_in_flight")
        self._keys_in_flight.add(key)
        try:
            yield
        finally:
            self._keys_in_flight.discard(key)

    async def owner(self, command: StartCommand) -> IdempotencyRecord | None:
        """The start that the command's key belongs to."""
        if command.idempotency_key is None:
            return None
        return await self._stores.reads.idempotency(command.tenant, command.idempotency_key)

    async def replay(self, command: StartCommand, owner: IdempotencyRecord) -> Accepted:
        """What the key was answered with.  Raises InvalidRequest (idempotency_key_reused), Conflict when it is gone."""
        if owner.request_sha256 != command.request_sha256:
            raise InvalidRequest("this Idempotency-Key was used for another request", code="idempotency_key_reused")
        thread = await self._stores.reads.thread(owner.thread_id)
        if thread is None:
            raise Conflict("the thread of this Idempotency-Key is gone", code="idempotency_key_in_use")
        return Accepted(thread=thread, execution_id=owner.execution_id, replayed=True)

    async def bear(self, command: StartCommand, start: Start, loaded: Loaded | None = None) -> Accepted | None:
        """Write a new thread and set it going, unless it is born paused; None when there is a thread of that id.

        `loaded` spares its driver the reading.  Raises Unavailable (QueueFull), InvalidRequest.
        """
        thread = start.thread
        paused = thread.status is Status.PAUSED
        mine = not paused and command.delay <= 0 and await self._admission.reserve(thread.thread_id, thread.queue)
        if mine:
            thread.incarnation_id, thread.wake_at = self._worker.incarnation_id, None
        outcome = await self._write(command, start, mine=mine, waits=not (mine or paused))
        if outcome.idempotency is not None:
            return await self.replay(command, outcome.idempotency)
        if outcome.thread_exists:
            return None
        accepted = Accepted(thread=dataclasses.replace(thread), execution_id=thread.execution_id, created=True)
        self._bus.moved(start)
        if mine:
            self._worker.launch(thread, loaded)
        elif not paused:
            self._worker.hint()
        return accepted

    async def _write(self, command: StartCommand, start: Start, *, mine: bool, waits: bool) -> StartOutcome:
        """Write it if its queue takes one more; the slot that was reserved is given back when nothing was born."""
        born = False
        try:
            async with self._admission.entrance(command, at_once=not waits):
                outcome = await self._stores.journal.start(start)
            born = outcome.created
        except QueueFull:
            owner = await self.owner(command)
            if owner is None:
                raise
            return StartOutcome(created=False, idempotency=owner)
        except (Unavailable, asyncio.CancelledError):
            self._worker.adopt_later()  # it may be born all the same
            raise
        finally:
            if mine and not born:
                self._worker.unreserve(start.thread.thread_id)
        return outcome
