"""What comes of the attempts of agents: counted in memory as they end, and added to the stored minutes every two seconds.

It holds up no step: while the store is away the counts wait, those of the last hour at most.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from app.domain.agent_health import Tally
from app.domain.errors import Unavailable
from app.domain.runner import Asleep, Failed
from app.engine.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from app.domain.agent_health import AgentHealthStore
    from app.domain.agents import Agents
    from app.engine.step import Ending

KEPT: Final = timedelta(hours=48)
"""How long minutes are kept."""
_FLUSH_EVERY: Final = 2.0
_PRUNE_EVERY: Final = 300
"""Flushes between two looks for minutes that are too old."""
_AT_ONCE: Final = 1_000
"""Minutes dropped at once."""
_BACKLOG: Final = timedelta(hours=1)
_PATIENCE: Final = 5.0
_LAST: Final = 2.0
_log = logging.getLogger(__name__)


class Outcomes:
    """One for the process.  `now` is the store's time; only agents that `agents` knows are counted."""

    def __init__(self, store: AgentHealthStore, agents: Agents, now: Callable[[], datetime]) -> None:
        self._store = store
        self._agents = agents
        self._now = now
        self._tallies: dict[tuple[str, datetime], Tally] = {}
        self._flushing = asyncio.Lock()
        self._away = False
        self.pulse = Pulse(_FLUSH_EVERY)

    def note(self, agent: str, ending: Ending, seconds: float) -> None:
        """An attempt by an agent has ended after so many seconds.

        A failure that a retry might mend speaks against the agent, as for its circuit breaker; any other is `rejected`.
        """
        if isinstance(ending, Asleep) or self._agents.find(agent) is None:
            return
        now = self._now()
        tally = self._tallies.setdefault((agent, now.replace(second=0, microsecond=0)), Tally())
        if not isinstance(ending, Failed):
            tally.ok += 1
            tally.time(seconds)
            return
        tally.error, tally.error_at = ending.error.value(), now
        if ending.error.retryable:
            tally.failed += 1
            tally.time(seconds)
        else:
            tally.rejected += 1

    async def over(self, agent: str, window: timedelta) -> Tally:
        """What came of an agent's attempts, over all processes, up to a few seconds ago.  Raises Unavailable."""
        with suppress(Unavailable):  # it may be slow only: whether it is away shows next
            await self.flush()
        return await self._store.over(agent, window)

    async def flush(self) -> None:
        """Add what was counted to the store.  Raises Unavailable, and what was counted waits."""
        async with self._flushing:
            if not self._tallies:
                return
            told, self._tallies = self._tallies, {}
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._store.add(told)
            except BaseException as error:
                self._take_back(told)
                if isinstance(error, TimeoutError):
                    raise Unavailable("the store of the agents' health does not answer", retry_after=2) from None
                raise

    async def run(self) -> None:
        """Flush now and then, and drop what is too old, until cancelled."""
        turn = 0
        try:
            while True:
                self.pulse.beat()
                await self._turn(prune=turn % _PRUNE_EVERY == 0)
                turn += 1
                await asyncio.sleep(_FLUSH_EVERY)
        finally:
            try:
                async with asyncio.timeout(_LAST):
                    await self.flush()
            except (Unavailable, TimeoutError) as error:
                _log.warning("the last outcomes of agents were not written: %s", error)

    async def _turn(self, *, prune: bool) -> None:
        try:
            await self.flush()
            dropped = _AT_ONCE
            while prune and dropped == _AT_ONCE:
                dropped = await self._store.prune(KEPT, _AT_ONCE)
        except Unavailable as error:
            if not self._away:
                _log.warning("outcomes of agents are kept here, their store is away: %s", error)
            self._away = True
        except Exception:  # noqa: BLE001 - what is only counted must not take the service down
            _log.exception("outcomes of agents could not be written")
        else:
            self._away = False

    def _take_back(self, told: dict[tuple[str, datetime], Tally]) -> None:
        oldest = self._now() - _BACKLOG
        for key, tally in told.items():
            if key[1] >= oldest:
                tally.include(self._tallies.pop(key, Tally()))
                self._tallies[key] = tally
