"""What comes of agents and workflows: counted in memory as it happens, and written to the time series every two seconds.

It holds up no step: while the store is away the counts wait, those of the last hour at most.  What is written is what this
process has counted so far of a minute, so that a write whose answer was lost may be sent again.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from app.domain.errors import Unavailable
from app.domain.ids import uuid7
from app.domain.metrics import ALL, OTHER, Kind, Resolution, SeriesKey, Tally
from app.domain.runner import Asleep, Failed
from app.domain.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from app.domain.agents import Agents
    from app.domain.metrics import MetricsStore
    from app.domain.records import Usage
    from app.engine.outcome import Ending

NAMES: Final = 1_000
"""Names of a kind that are told apart in a day; the rest is summed under OTHER."""
_FLUSH_EVERY: Final = 2.0
_ROLL_EVERY: Final = timedelta(seconds=60)
_ROLL_TURNS: Final = 30
"""Flushes between two looks for what is to be rolled up."""
_PRUNE_TURNS: Final = 300
"""Flushes between two looks for rows that are too old."""
_ROWS: Final = 1_000
"""Rows dropped at once."""
_SPANS: Final = 12
"""Hours or days rolled up at once."""
_BACKLOG: Final = timedelta(hours=1)
_PATIENCE: Final = 5.0
_LAST: Final = 2.0
_FAILED: Final = frozenset({Status.FAILED, Status.INTERRUPTED})
_log = logging.getLogger(__name__)


class Series:
    """One for the process.  `now` is the store's time; only agents that `agents` knows are counted."""

    def __init__(self, store: MetricsStore, agents: Agents, now: Callable[[], datetime]) -> None:
        self._store = store
        self._agents = agents
        self._now = now
        self._writer = uuid7()
        self._tallies: dict[SeriesKey, Tally] = {}
        self._unwritten: set[SeriesKey] = set()
        self._names: dict[Kind, set[str]] = {kind: set() for kind in Kind}
        self._minute = Resolution.MINUTE.floor(now())
        self._flushing = asyncio.Lock()
        self._away = False

    # ---- counting
    def attempt(self, agent: str, ending: Ending, seconds: float) -> None:
        """An attempt by an agent has ended after so many seconds.

        A failure that a retry might mend speaks against the agent, as for its circuit breaker; any other is `rejected`.
        """
        if isinstance(ending, Asleep) or self._agents.find(agent) is None:
            return
        now = self._now()
        tally = self._tally(Kind.AGENT, agent, now)
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
        tally = self._tally(Kind.WORKFLOW, workflow, self._now())
        tally.count += 1
        tally.errors += status in _FAILED
        if seconds is not None:
            tally.time(seconds)

    def spent(self, workflow: str, agent: str | None, usage: Usage, *, retries: int) -> None:
        """An attempt has cost something, or was not the first of its step; `agent` is who made it, if an agent did."""
        now = self._now()
        found = [self._tally(Kind.WORKFLOW, workflow, now)]
        if agent is not None and self._agents.find(agent) is not None:
            found.append(self._tally(Kind.AGENT, agent, now))
        for tally in found:
            tally.retries += retries
            tally.cost_usd += usage.cost_usd
            tally.input_tokens += usage.input_tokens
            tally.output_tokens += usage.output_tokens

    def _tally(self, kind: Kind, name: str, now: datetime) -> Tally:
        minute = now.replace(second=0, microsecond=0)
        if minute != self._minute:
            minute = self._turn_of_minute(minute)
        known = self._names[kind]
        if name not in known:
            if len(known) >= NAMES:
                name = OTHER
            known.add(name)
        key = SeriesKey(kind, name, minute)
        self._unwritten.add(key)
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = Tally()
        return tally

    def _turn_of_minute(self, minute: datetime) -> datetime:
        """The minute to count in: a clock that was set back a little counts on in the newest, which is not over yet."""
        if self._minute - _BACKLOG < minute < self._minute:
            return self._minute
        if minute.date() != self._minute.date():
            for names in self._names.values():
                names.clear()
        self._minute = minute
        return minute

    # ---- the store
    @property
    def store(self) -> MetricsStore:
        """What is written and read; `flush` first for what this process has counted last."""
        return self._store

    @property
    def unwritten(self) -> int:
        """Rows that wait for the store."""
        return len(self._unwritten)

    async def over(self, agent: str, window: timedelta) -> Tally:
        """What came of an agent's attempts, over all processes, up to two seconds ago.  Raises Unavailable."""
        await self.flush()
        return await self._store.over(Kind.AGENT, agent, window)

    async def flush(self) -> None:
        """Write what was counted.  Raises Unavailable, and what was counted waits."""
        async with self._flushing:
            if not self._unwritten:
                return
            told, self._unwritten = self._unwritten, set()
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._store.write(self._writer, {key: self._tallies[key] for key in told} | self._sums(told))
            except BaseException as error:
                self._take_back(told)
                if isinstance(error, TimeoutError):
                    raise Unavailable("the store of the time series does not answer", retry_after=2) from None
                raise
            waiting = {key.minute for key in self._unwritten} | {self._minute}
            for key in [key for key in self._tallies if key.minute not in waiting]:
                del self._tallies[key]

    async def run(self) -> None:
        """Flush now and then, roll up, and drop what is too old, until cancelled."""
        turn = 0
        try:
            while True:
                await self._turn(turn)
                turn += 1
                await asyncio.sleep(_FLUSH_EVERY)
        finally:
            try:
                async with asyncio.timeout(_LAST):
                    await self.flush()
            except (Unavailable, TimeoutError) as error:
                _log.warning("the last counts of agents and workflows were not written: %s", error)

    async def _turn(self, turn: int) -> None:
        try:
            await self.flush()
            if turn % _ROLL_TURNS == 0:
                await self._roll_up()
            if turn % _PRUNE_TURNS == 0:
                await self._prune()
        except Unavailable as error:
            if not self._away:
                _log.warning("counts of agents and workflows are kept here, their store is away: %s", error)
            self._away = True
        except Exception:  # noqa: BLE001 - what is only counted must not take the service down
            _log.exception("counts of agents and workflows could not be written")
        else:
            self._away = False

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

    def _sums(self, told: set[SeriesKey]) -> dict[SeriesKey, Tally]:
        """What all of a kind come to in these minutes: the tallies of a minute are kept until none of them waits."""
        sums = {SeriesKey(key.kind, ALL, key.minute): Tally() for key in told}
        for key, tally in self._tallies.items():
            found = sums.get(SeriesKey(key.kind, ALL, key.minute))
            if found is not None:
                found.include(tally)
        return sums

    def _take_back(self, told: set[SeriesKey]) -> None:
        oldest = self._now() - _BACKLOG
        for key in told:
            if key.minute >= oldest:
                self._unwritten.add(key)
            else:
                del self._tallies[key]
