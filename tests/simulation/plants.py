"""Bugs to plant in the product, so that it is known what the simulation can find: each takes one safeguard away."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from app.api.thread_stream import ThreadStream
from app.domain.plan import Frontier
from app.engine import claims, load
from app.engine.known_parts import KnownParts
from app.engine.lease import Lease
from app.engine.waits import Waits
from app.engine.worker import Worker
from app.store.memory import MemoryJournal
from app.store.memory_gates import MemoryGates
from app.store.memory_queue import MemoryQueues
from app.store.memory_waits import MemoryWaits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator


def no_epoch_check() -> tuple[Any, str, Any]:
    """The journal takes a driver's write whatever has happened to the thread."""
    write = MemoryJournal._write

    def careless(self: Any, move: Any) -> Any:
        thread = self._tables.threads[move.thread_id]
        move.epoch, move.rev = thread.epoch, thread.rev
        return write(self, move)

    return MemoryJournal, "_write", careless


def claims_fence_nobody() -> tuple[Any, str, Any]:
    """A thread that is taken over keeps its epoch."""
    claim = MemoryJournal.claim

    async def careless(self: Any, *arguments: Any) -> Any:
        taken = await claim(self, *arguments)
        for thread in taken:
            thread.epoch -= 1
            self._tables.threads[thread.thread_id].epoch -= 1
        return taken

    return MemoryJournal, "claim", careless


def nobody_adopts() -> tuple[Any, str, Any]:
    """A process never asks what is its own by the store's word."""
    return claims, "undriven", lambda *_: []


def nobody_takes_over() -> tuple[Any, str, Any]:
    """The leases of dead processes are never ended."""

    async def careless(self: Any, *arguments: Any) -> None:
        return None

    return Lease, "_take_off", careless


def keys_are_forgotten() -> tuple[Any, str, Any]:
    """An Idempotency-Key is not written with its start."""
    start = MemoryJournal.start

    async def careless(self: Any, birth: Any) -> Any:
        birth.idempotency = None
        return await start(self, birth)

    return MemoryJournal, "start", careless


def slots_leak() -> tuple[Any, str, Any]:
    """A slot that was reserved for nothing is not given back."""

    def careless(self: Any, thread_id: str) -> None:
        self._expect_no_more(thread_id)

    return Worker, "unreserve", careless


def ends_change() -> tuple[Any, str, Any]:
    """A write to an execution that has ended is carried out."""

    def careless(self: Any, change: Any) -> None:
        execution = self._tables.executions[change.id]
        execution.status, execution.completed_at = change.status, change.completed_at

    return MemoryJournal, "_change_execution", careless


def order_is_ignored() -> tuple[Any, str, Any]:
    """Steps do not wait for those that they need."""
    begin = Frontier.__init__

    def careless(self: Any, plan: Any, done: Any = ()) -> None:
        begin(self, plan, done)
        self._degrees = dict.fromkeys(self._degrees, 0)
        self._ready = [(place, step_id) for step_id, place in plan.index.items() if step_id not in self._done]

    return Frontier, "__init__", careless


def gaps_are_passed_over() -> tuple[Any, str, Any]:
    """A stream takes what the bus brings for all there is."""

    async def careless(self: Any, items: Any, *, stored: bool = False) -> AsyncIterator[bytes]:
        news = [item for item in items if not isinstance(item, bytes) and item.seq > self._cursor]
        if news:
            self._cursor = news[-1].seq
            yield b"".join(item.frame() for item in news)

    return ThreadStream, "_passed", careless


def readers_are_never_told() -> tuple[Any, str, Any]:
    """A stream hears nothing of what other processes write."""

    async def careless(self: Any) -> bytes:
        return b""

    return ThreadStream, "_ask", careless


def leases_are_taken_for_granted() -> tuple[Any, str, Any]:
    """A process starts steps whatever its lease says."""
    return Lease, "holds", property(lambda _: True)


def limits_are_ignored() -> tuple[Any, str, Any]:
    """A queue always has room."""
    return MemoryQueues, "_slots", lambda *_: 1_000


def answers_wake_nobody() -> tuple[Any, str, Any]:
    """Whoever waits at a gate is not told of its answer."""
    return MemoryGates, "_wake", lambda *_: None


def the_last_answer_wins() -> tuple[Any, str, Any]:
    """A gate that was answered takes another answer."""
    listed = MemoryGates.listed

    async def careless(self: Any, where: Any) -> Any:
        for key, gate in self._tables.gates.items():
            self._tables.gates[key] = replace(gate, answered_at=None)
        return await listed(self, where)

    return MemoryGates, "listed", careless


def items_are_forgotten() -> tuple[Any, str, Any]:
    """Who takes a step up does not ask which of its parts have completed."""

    async def careless(*_: Any) -> KnownParts:
        return KnownParts()

    return load, "known_parts", careless


def messages_are_taken_again() -> tuple[Any, str, Any]:
    """A thread does not know which messages it has taken."""
    take = MemoryWaits.take

    async def careless(self: Any, key: Any, taken: Any) -> Any:
        self._tables.messages_taken.pop(key.thread_id, None)
        return await take(self, key, taken)

    return MemoryWaits, "take", careless


def early_signals_are_forgotten() -> tuple[Any, str, Any]:
    """Whoever begins to wait does not look for signals that are there."""
    opened = MemoryWaits.open

    async def careless(self: Any, *arguments: Any) -> Any:
        self._take_signal = lambda _: False
        try:
            return await opened(self, *arguments)
        finally:
            del self._take_signal

    return MemoryWaits, "open", careless


def nobody_searches_the_log() -> tuple[Any, str, Any]:
    """Whoever begins to wait does not look for messages that are there."""

    async def careless(self: Any, log: Any, wait: Any) -> Any:
        return await log.end()

    return Waits, "_search", careless


PLANTS: Final[tuple[Callable[[], tuple[Any, str, Any]], ...]] = (
    no_epoch_check,
    claims_fence_nobody,
    nobody_adopts,
    nobody_takes_over,
    keys_are_forgotten,
    slots_leak,
    ends_change,
    order_is_ignored,
    gaps_are_passed_over,
    readers_are_never_told,
    leases_are_taken_for_granted,
    limits_are_ignored,
    answers_wake_nobody,
    the_last_answer_wins,
    items_are_forgotten,
    messages_are_taken_again,
    early_signals_are_forgotten,
    nobody_searches_the_log,
)


@contextmanager
def planted(plant: Callable[[], tuple[Any, str, Any]]) -> Generator[None]:
    """The product with one bug more, until the block ends."""
    owner, name, careless = plant()
    sound = getattr(owner, name)
    setattr(owner, name, careless)
    try:
        yield
    finally:
        setattr(owner, name, sound)
