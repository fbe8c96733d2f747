"""Admission: which threads this process may launch by itself, and whether a queue takes one more start.

Threads of a queue with a limit are driven by way of a claim only, which counts the slots under a lock: nobody gets past it.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING, Final

from app.domain.errors import QueueFull, Unavailable
from app.domain.queues import DEFAULT, NAMED_LIMIT, QueueReport, QueueSettings
from app.engine.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.commands import StartCommand
    from app.domain.queues import Queues
    from app.engine.worker import Worker

REFRESH: Final = 2.0
"""Seconds after which the settings of a queue are read again: another process may have changed them."""
_PRUNE: Final = 300.0
"""Seconds between two looks for queues that nobody uses."""
MAX_DEPTH: Final = 100_000
_SMALL: Final = 1000
"""Up to this bound the waiting are counted for each start, above it once in a while."""
_COUNT: Final = 1.0
_KNOWN: Final = 10_000
_RETRY_AFTER: Final = 2.0
_TURN: Final = 5.0
"""Seconds that a start waits for its turn while nobody else's ends: a store that does not answer holds up all that wait."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Queue:
    settings: QueueSettings
    read_at: float
    depth: int = 0
    since: int = 0
    """Own starts since the waiting were counted."""
    counted_at: float = float("-inf")
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    turned_at: float = 0.0
    """When a turn last ended, in the loop's time."""


class Admission:
    """One for the engine.  `limit` and `max_depth` are the usual ones of a named queue and of any; `slots` is how many
    threads this process drives at most, the only bound of a default queue that is told none.
    """

    def __init__(
        self,
        queues: Queues,
        worker: Worker,
        *,
        limit: int = NAMED_LIMIT,
        max_depth: int = MAX_DEPTH,
        slots: int = 1000,
    ) -> None:
        self._store = queues
        self._worker = worker
        self.limit = limit
        self.max_depth = max_depth
        self.slots = slots
        self._known: dict[str, _Queue] = {}
        self.pulse = Pulse(REFRESH)

    async def reserve(self, thread_id: str, queue: str) -> bool:
        """Take a slot for a thread that is about to be born or steered; never for one that has to be counted."""
        if queue != DEFAULT or (await self._queue(DEFAULT)).settings.limited:
            return False
        return self._worker.reserve(thread_id)

    @asynccontextmanager
    async def entrance(self, command: StartCommand, *, at_once: bool) -> AsyncGenerator[None]:
        """Where a start is written, `at_once` if it has a slot.  Raises QueueFull; children are never turned away."""
        if at_once or command.parent_thread_id is not None:
            yield
            return
        queue = await self._queue(command.queue or DEFAULT)
        if self._bound(queue) > _SMALL:
            await self._estimate(queue)
            yield
            queue.since += command.delay <= 0
            return
        async with _turn_of(queue):
            await self._count(queue)
            yield

    async def watch(self) -> None:
        """Follow what the default queue is told to be, and forget queues that nobody uses, until cancelled."""
        pruned_at = monotonic()
        while True:
            self.pulse.beat()
            try:
                await self._queue(DEFAULT)
                if monotonic() - pruned_at >= _PRUNE:
                    pruned_at = monotonic()
                    await self._store.prune()
            except Exception as error:  # noqa: BLE001 - the next look may succeed
                _log.debug("the queues cannot be read: %s", error)
            await asyncio.sleep(REFRESH)

    async def configure(self, settings: QueueSettings) -> QueueReport:
        """Make a queue or change it; those that wait may be due now."""
        self._learn(await self._store.configure(settings))
        self._worker.hint()
        return (await self.report(settings.name))[0]

    async def report(self, name: str | None = None) -> list[QueueReport]:
        """How the queues are, or one if it exists, with the usual where they are told nothing else; a `max_running` of
        None: only the slots of each process.
        """
        return [replace(each, settings=self._filled(each.settings)) for each in await self._store.report(name)]

    async def _queue(self, name: str) -> _Queue:
        """What is known of a queue; it is made when it is new."""
        known = self._known.get(name)
        if known is None:
            return self._learn(await self._store.ensure(name))
        now = monotonic()
        if now - known.read_at >= REFRESH:
            known.read_at = now  # others go on with what was known
            try:
                self._learn(await self._store.ensure(name))
            except Unavailable as error:  # whoever needs the store will hear of it
                _log.debug("queue %s cannot be read: %s", name, error)
        return known

    def _learn(self, settings: QueueSettings) -> _Queue:
        if len(self._known) >= _KNOWN:
            self._known.clear()
        queue = self._known.setdefault(settings.name, _Queue(settings, 0.0))
        queue.settings, queue.read_at = settings, monotonic()
        if settings.name == DEFAULT:
            self._worker.counted = settings.limited
        return queue

    async def _count(self, queue: _Queue) -> None:
        """One more fits where fewer wait than may, beside those for whom there are slots."""
        name, bound, limit = queue.settings.name, self._bound(queue), self._filled(queue.settings).max_running
        most = bound + (self._worker.free if limit is None else limit)
        load = await self._store.load(name, max(1, most))
        spare = self._worker.free if limit is None else limit - load.running
        if load.depth >= bound + max(0, spare):
            raise _full(name, bound)

    async def _estimate(self, queue: _Queue) -> None:
        bound, now = self._bound(queue), monotonic()
        if now - queue.counted_at >= _COUNT:
            queue.counted_at = now
            queue.depth, queue.since = (await self._store.load(queue.settings.name, bound)).depth, 0
        if queue.depth + queue.since >= bound:
            raise _full(queue.settings.name, bound)

    def _bound(self, queue: _Queue) -> int:
        depth = queue.settings.max_depth
        return self.max_depth if depth is None else depth

    def _filled(self, settings: QueueSettings) -> QueueSettings:
        usual = None if settings.name == DEFAULT else self.limit
        limit, depth = settings.max_running, settings.max_depth
        return replace(
            settings,
            max_running=usual if limit is None else limit,
            max_depth=self.max_depth if depth is None else depth,
        )


@asynccontextmanager
async def _turn_of(queue: _Queue) -> AsyncGenerator[None]:
    loop = asyncio.get_running_loop()
    came_at = loop.time()
    try:
        async with asyncio.timeout(None) as patience:

            def look() -> None:
                nonlocal alarm
                until = max(came_at, queue.turned_at) + _TURN
                if loop.time() < until:  # the line is long, and it moves
                    alarm = loop.call_at(until, look)
                else:
                    patience.reschedule(loop.time())

            alarm = loop.call_at(came_at + _TURN, look)
            try:
                await queue.turn.acquire()
            finally:
                alarm.cancel()
    except TimeoutError:
        told = f"nobody has got a turn for {_TURN:g} s to start in the queue {queue.settings.name}"
        raise Unavailable(told, retry_after=_RETRY_AFTER) from None
    try:
        yield
    finally:
        queue.turned_at = loop.time()
        queue.turn.release()


def _full(name: str, bound: int) -> QueueFull:
    return QueueFull(f"the queue {name} is full: {bound} may wait", retry_after=_RETRY_AFTER)
