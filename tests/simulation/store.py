"""The store of a simulated world: one memory journal that plays the database, and the wire by which each process reaches it.

What was sent is carried out whatever becomes of the sender, as with a real database; what the wire does to it on the way is
up to the weather (see faults).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.domain.errors import Unavailable
from app.domain.hints import Hint, Hints
from app.domain.ports import StartOutcome
from app.domain.queues import DEFAULT
from app.domain.transition import Start
from app.store.memory import MemoryJournal
from app.store.memory_reads import MemoryReads
from tests.simulation.loop import PLACE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.store.memory_tables import MemoryTables
    from tests.simulation.faults import Weather
    from tests.simulation.loop import Place, SimLoop
    from tests.simulation.watch import Watch

IMPATIENT: Final = 3.0
"""Seconds after which a request to a database that is away fails; a driver's commit waits for as long as it takes."""
_THAWED: Final = 0.05


@dataclass(slots=True, kw_only=True)
class Trip:
    """What happens to one request: seconds before it takes effect and before its answer comes, whether the answer is lost."""

    before: float
    after: float
    lost: bool


class Database:
    """The journal and reads that all processes share; everything that it does is watched."""

    def __init__(self, tables: MemoryTables, loop: SimLoop, watch: Watch, weather: Weather) -> None:
        self.tables = tables
        self.lines = Lines(loop, weather)
        self.journal = MemoryJournal(tables)
        self.reads = MemoryReads(tables)
        self.loop = loop
        self.watch = watch

    async def write(self, place: Place, name: str, arguments: tuple[Any, ...], more: dict[str, Any]) -> Any:
        """Carry a write out for a process.  Raises what the journal raises."""
        if name == "steer":
            return await self._steer(place, *arguments)
        try:
            answer = await getattr(self.journal, name)(*arguments, **more)
        except Exception as error:
            self.watch.refused(place, name, arguments, error)
            raise
        self.watch.wrote(place, name, arguments, answer)
        if name == "commit" or (name == "start" and answer.created):
            self.lines.tell(place, arguments[0], steered=False)
        elif name == "signal":
            self.lines.tell(place, arguments[0], steered=True)
        return answer

    async def _steer(self, place: Place, thread_id: str, decide: Callable[..., Awaitable[Any]], key: Any = None) -> Any:
        """The decision is the process's own code: it has its clock, and is not made while it is frozen."""
        moves: list[Any] = []

        async def decided(*seen: Any) -> Any:
            token = PLACE.set(place)
            try:
                moves.append(await decide(*seen))
            finally:
                PLACE.reset(token)
            return moves[-1]

        while place.frozen and not place.dead:  # noqa: ASYNC110 - nobody tells of the thaw
            await asyncio.sleep(_THAWED)
        if place.dead:
            raise Unavailable("the session was cut")
        row = await self.journal.steer(thread_id, decided, key)
        self.watch.steered(place, moves[-1], row)
        if moves[-1] is not None:
            self.lines.tell(place, moves[-1], steered=True)
        return row


class Lines:
    """Hints between processes, as NOTIFY brings them: late, and now and then not at all."""

    def __init__(self, loop: SimLoop, weather: Weather) -> None:
        self._loop = loop
        self._weather = weather
        self._ears: dict[Place, Line] = {}

    def line(self, place: Place) -> Line:
        """The line of one process."""
        self._ears[place] = Line()
        return self._ears[place]

    def tell(self, place: Place, what: Any, *, steered: bool) -> None:
        """Tell the others what was written."""
        sender = self._ears.get(place)
        if sender is None or not sender.wanted:
            return
        if isinstance(what, str):
            hint = Hint(sender=place.name, steered=(what,))
        else:
            thread_id = what.thread.thread_id if isinstance(what, Start) else what.thread_id
            hint = Hint(
                sender=place.name, threads=(thread_id,), steered=(thread_id,) if steered else (), due=_due(what)
            )
        for other, line in self._ears.items():
            if other is not place and not other.dead and (late := self._weather.hint(other)) is not None:
                self._loop.call_later(late, line.hear, hint, context=other.context())


class Line(Hints):
    """See domain.hints.Hints."""

    def __init__(self) -> None:
        self.wanted, self.sender = True, ""
        self._listeners: list[Callable[[Hint], None]] = []

    def listen(self, heard: Callable[[Hint], None]) -> None:
        """See Hints."""
        self._listeners.append(heard)

    async def tell(self, hint: Hint) -> None:
        """What is not a write is not told here."""

    def hear(self, hint: Hint) -> None:
        """A hint has come."""
        for heard in self._listeners:
            heard(hint)


class Wire:
    """The journal as one process reaches it, or another part of the store that is given as `to`."""

    def __init__(self, database: Database, weather: Weather, place: Place, to: Any = None) -> None:
        self._database = database
        self._weather = weather
        self._place = place
        self._to = to

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **more: Any) -> Any:
            loop = self._database.loop
            answer: asyncio.Future[Any] = loop.create_future()
            work = self._carry(name, arguments, more, answer)
            loop.create_task(work, context=loop.world.context())
            return await answer

        return call

    async def _carry(
        self, name: str, arguments: tuple[Any, ...], more: dict[str, Any], answer: asyncio.Future[Any]
    ) -> None:
        trip = self._weather.trip(name)
        result, error = None, None
        try:
            if trip.before:
                await asyncio.sleep(trip.before)
            await self._weather.pass_through(self._place, None if name == "commit" else IMPATIENT)
            if self._to is None:
                result = await self._database.write(self._place, name, arguments, more)
            else:
                result = await getattr(self._to, name)(*arguments, **more)
        except Exception as raised:  # noqa: BLE001 - it is the caller's
            error = raised
        if trip.after:
            await asyncio.sleep(trip.after)
        if trip.lost and error is None:
            self._database.watch.note(self._place, "lost", f"the answer to {name} is lost")
            result, error = _without_answer(name, result)
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)


class WireReads:
    """Reads as one process reaches them."""

    def __init__(self, database: Database, weather: Weather, place: Place) -> None:
        self._database = database
        self._weather = weather
        self._place = place

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **options: Any) -> Any:
            pause = self._weather.reading()
            if pause is not None:
                await asyncio.sleep(pause)
            await self._weather.pass_through(self._place, IMPATIENT)
            answer = await getattr(self._database.reads, name)(*arguments, **options)
            if pause is not None:
                await asyncio.sleep(0)
            return answer

        return call


def _without_answer(name: str, result: Any) -> tuple[Any, Exception | None]:
    """What the PostgreSQL journal gives when the connection was lost after the COMMIT (see store.writer)."""
    if name == "commit":
        return None, None  # the outcome was looked up, the signal that came with it is gone
    if name == "start" and isinstance(result, StartOutcome) and result.created:
        return result, None  # looked up too
    return None, Unavailable("the connection was lost")


def _due(what: Any) -> bool:
    """Whether it lets another process take something up (see store.hints)."""
    if isinstance(what, Start):
        return what.thread.incarnation_id is None
    if what.wake_thread_id is not None or (what.wake_at is not None and what.wake_at <= what.at):
        return True
    return what.incarnation_id is None and what.queue != DEFAULT
