"""What comes of agents and workflows: counted in memory as it happens, and written to the time series every two seconds.

It holds up no step: while the store is away the counts wait, those of the last hour at most.  What is written is what this
process has counted so far of a minute, so that a write whose answer was lost may be sent again.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from app.domain.errors import Unavailable
from app.domain.ids import uuid7
from app.domain.metrics import ALL, OTHER, Kind, Resolution, SeriesKey, Tally
from app.domain.runner import Asleep, Failed
from app.domain.status import Status
from app.engine.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.domain.agents import Agents
    from app.domain.metrics import MetricsStore
    from app.domain.records import Usage
    from app.engine.outcome import Ending

NAMES: Final = 1_000
"""Names of a kind that are told apart in a day; the rest is summed under OTHER."""
_FLUSH_EVERY: Final = 2.0
_ROLL_EVERY: Final = timedelta(seconds=60)
_ROWS: Final = 1_000
"""Rows dropped at once."""
_BATCH: Final = 300
"""Rows after which a write is full: 10 ms of the event loop."""
_SPANS: Final = 12
"""Hours or days rolled up at once."""
_BACKLOG: Final = timedelta(hours=1)
_PATIENCE: Final = 5.0
_LAST: Final = 2.0
_FAILED: Final = frozenset({Status.FAILED, Status.INTERRUPTED})
_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Book:
    """What was counted of a kind in a minute, by name, and which of it the store does not have."""

    kind: Kind
    minute: datetime
    tallies: dict[str, Tally] = field(default_factory=dict[str, Tally])
    unwritten: set[str] = field(default_factory=set[str])

    def rows(self) -> dict[SeriesKey, Tally]:
        """What is to be written, and the sum of all, which changes with it."""
        if not self.unwritten:
            return {}
        whole = Tally()
        for tally in self.tallies.values():
            whole.include(tally)
        rows = {SeriesKey(self.kind, name, self.minute): self.tallies[name] for name in self.unwritten}
        return {**rows, SeriesKey(self.kind, ALL, self.minute): whole}


class Series:
    """One for the process.  `now` is the store's time; only agents that `agents` knows are counted."""

    def __init__(self, store: MetricsStore, agents: Agents, now: Callable[[], datetime]) -> None:
        self._store = store
        self._agents = agents
        self._now = now
        self._writer = uuid7()
        self._names: dict[Kind, set[str]] = {kind: set() for kind in Kind}
        self._minute = self._until = datetime.min.replace(tzinfo=UTC)
        self._books: list[_Book] = []
        """The last two are those of the minute that is counted in."""
        self._begin(Resolution.MINUTE.floor(now()))
        self._flushing = asyncio.Lock()
        self._away = False
        self.pulse = Pulse(_FLUSH_EVERY)

    # ---- counting
    def attempt(self, agent: str, ending: Ending, seconds: float) -> None:
        """An attempt by an agent has ended after so many seconds.

        A failure that a retry might mend speaks against the agent, as for its circuit breaker; any other is `rejected`.
        """
        if isinstance(ending, Asleep) or self._agents.find(agent) is None:
            return
        now = self._now()
        tally = self._tally(self._agents_now, agent, now)
        tally.count += 1
        if not isinstance(ending, Failed):
            tally.time(seconds)
            return
        tally.errors += 1
        tally.error, tally.error_at = ending.error.value(), now
        if ending.error.retryable:
            tally.time(seconds)
        else:
            tally.rejected += 1

    def execution(self, workflow: str, status: Status, seconds: float | None) -> None:
        """An execution has ended so many seconds after it began to run, if that is known."""
        tally = self._tally(self._workflows_now, workflow, self._now())
        tally.count += 1
        tally.errors += status in _FAILED
        if seconds is not None:
            tally.time(seconds)

    def spent(self, workflow: str, agent: str | None, usage: Usage, *, retries: int) -> None:
        """An attempt has cost something, or was not the first of its step; `agent` is who made it, if an agent did."""
        now = self._now()
        found = [self._tally(self._workflows_now, workflow, now)]
        if agent is not None and self._agents.find(agent) is not None:
            found.append(self._tally(self._agents_now, agent, now))
        for tally in found:
            tally.retries += retries
            tally.cost_usd += usage.cost_usd
            tally.input_tokens += usage.input_tokens
            tally.output_tokens += usage.output_tokens

    def _tally(self, book: _Book, name: str, now: datetime) -> Tally:
        """The tally to count in; `book` is the newest of its kind."""
        if not self._minute <= now < self._until and self._turn_of_minute(now):
            book = self._agents_now if book.kind is Kind.AGENT else self._workflows_now
        tally = book.tallies.get(name)
        if tally is None:
            name = self._known(book.kind, name)
            tally = book.tallies.setdefault(name, Tally())
        book.unwritten.add(name)
        return tally

    def _known(self, kind: Kind, name: str) -> str:
        names = self._names[kind]
        if name not in names:
            if len(names) >= NAMES:
                return OTHER
            names.add(name)
        return name

    def _turn_of_minute(self, now: datetime) -> bool:
        """Whether another minute has begun: a clock that was set back a little counts on in the newest there was."""
        if self._minute - _BACKLOG < now < self._minute:
            return False
        before = self._minute
        self._begin(Resolution.MINUTE.floor(now))
        if before.date() != self._minute.date():
            for names in self._names.values():
                names.clear()
        return True

    def _begin(self, minute: datetime) -> None:
        self._minute, self._until = minute, minute + Resolution.MINUTE.span
        self._agents_now, self._workflows_now = _Book(Kind.AGENT, minute), _Book(Kind.WORKFLOW, minute)
        self._books += [self._agents_now, self._workflows_now]

    # ---- the store
    @property
    def store(self) -> MetricsStore:
        """What is written and read; `flush` first for what this process has counted last."""
        return self._store

    @property
    def unwritten(self) -> int:
        """Rows that wait for the store."""
        return sum(len(book.unwritten) for book in self._books)

    async def over(self, agent: str, window: timedelta) -> Tally:
        """What came of an agent's attempts, over all processes, up to a few seconds ago.  Raises Unavailable."""
        with suppress(Unavailable):  # it may be slow only: whether it is away shows next
            await self.flush()
        return await self._store.over(Kind.AGENT, agent, window)

    async def flush(self) -> None:
        """Write what was counted.  Raises Unavailable, and what was counted waits."""
        try:
            async with asyncio.timeout(_PATIENCE), self._flushing:
                for books in _batches(self._books):
                    await self._write(books)
        except TimeoutError:
            raise Unavailable("the store of the time series does not answer", retry_after=2) from None

    async def _write(self, books: list[_Book]) -> None:
        told = [(book, book.unwritten) for book in books]
        rows = {key: tally for book in books for key, tally in book.rows().items()}
        for book in books:
            book.unwritten = set()
        try:
            await self._store.write(self._writer, rows)
        except BaseException:
            oldest = self._now() - _BACKLOG
            for book, names in told:
                book.unwritten |= names if book.minute >= oldest else set()
            raise
        finally:
            now = (self._agents_now, self._workflows_now)
            self._books = [book for book in self._books if book.unwritten or book in now]

    async def run(self) -> None:
        """Flush now and then and, beside that, roll up and drop what is too old, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._each(_FLUSH_EVERY, self._beat))
                tasks.create_task(self._each(_ROLL_EVERY.total_seconds(), self._keep_up))
        finally:
            try:
                async with asyncio.timeout(_LAST):
                    await self.flush()
            except Exception as error:  # noqa: BLE001 - the end goes on without it
                _log.warning("the last counts of agents and workflows were not written: %s", error)

    async def _each(self, seconds: float, do: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._try(do)
            await asyncio.sleep(seconds)

    async def _try(self, do: Callable[[], Awaitable[None]]) -> None:
        try:
            await do()
        except Unavailable as error:
            if not self._away:
                _log.warning("counts of agents and workflows are kept here, their store is away: %s", error)
            self._away = True
        except Exception:  # noqa: BLE001 - what is only counted must not take the service down
            _log.exception("counts of agents and workflows could not be written")
        else:
            self._away = False

    async def _beat(self) -> None:
        self.pulse.beat()
        await self.flush()

    async def _keep_up(self) -> None:
        await self._roll_up()
        await self._prune()

    async def _roll_up(self) -> None:
        for resolution in (Resolution.HOUR, Resolution.DAY):
            done, pause = _SPANS, _ROLL_EVERY
            while done == _SPANS:
                done = await self._store.roll_up(resolution, pause=pause, limit=_SPANS)
                pause = timedelta()

    async def _prune(self) -> None:
        for resolution in Resolution:
            dropped = _ROWS
            while resolution.kept is not None and dropped == _ROWS:
                dropped = await self._store.prune(resolution, resolution.kept, _ROWS)


def _batches(books: list[_Book]) -> list[list[_Book]]:
    """Those with something to write, the oldest first, a few at a time: after an outage there is an hour of them."""
    found: list[list[_Book]] = []
    rows = _BATCH
    for book in books:
        if not book.unwritten:
            continue
        if rows >= _BATCH:
            found.append([])
            rows = 0
        found[-1].append(book)
        rows += len(book.unwritten)
    return found
