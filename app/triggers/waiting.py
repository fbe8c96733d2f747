"""Firings that could not be started when their message came, above all since their queue was full: tried again until they can.

They hold up neither the log nor other triggers, and nothing of them is lost: what they are to start is kept with them.
"""

from __future__ import annotations

import asyncio
import logging
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Final

from app.domain.errors import Unavailable
from app.domain.triggers import Outcome
from app.engine.pulse import Pulse
from app.triggers.starting import Begin, again, failed

if TYPE_CHECKING:
    from collections import Counter

    from app.domain.triggers import Firing, Trigger, TriggerStore

_EVERY: Final = 1.0
_PAGE: Final = 200
_AT_ONCE: Final = 50
_HOLD: Final = 30.0
"""Seconds after which another process may try what this one has taken up and not told of."""
_COUNT: Final = 10.0
"""Seconds between two counts: there may be very many."""
_log: Final = logging.getLogger(__name__)


class Waiting:
    """One for the process; `counts` are the outcomes by trigger's name."""

    def __init__(self, store: TriggerStore, begin: Begin, counts: Counter[tuple[str, str]]) -> None:
        self._store = store
        self._begin = begin
        self._counts = counts
        self.pulse = Pulse(_EVERY)
        self.number = 0
        """How many wait in all, when they were last counted."""
        self._count_at = 0.0

    async def run(self) -> None:
        """Try again until cancelled."""
        while True:
            self.pulse.beat()
            try:
                more = await self.turn()
            except Unavailable as error:
                _log.debug("what waits to be started waits on: %s", error)
                more = False
            except Exception:  # noqa: BLE001 - a fault here must not take the service down
                _log.exception("what waits to be started could not be tried")
                more = False
            if not more:
                await asyncio.sleep(_EVERY)

    async def turn(self) -> bool:
        """Try some; whether there may be more that can be started now.  Raises Unavailable."""
        now = monotonic()
        if now >= self._count_at:
            self.number, self._count_at = await self._store.waiting(), now + _COUNT
        due = await self._store.due(_PAGE, _HOLD)
        if not due:
            return False
        rest = iter(due)
        made: list[tuple[Trigger, Firing]] = []

        async def work() -> None:
            for trigger, firing in rest:
                made.append((trigger, await self._try(firing)))

        async with asyncio.TaskGroup() as tasks:
            for _ in islice(due, _AT_ONCE):
                tasks.create_task(work())
        gone = [firing.id for _, firing in made if firing.outcome is Outcome.FAILED]
        if gone:
            await self._store.forgo(gone)
        await self._store.settle([firing for _, firing in made])
        ended = [(trigger, firing) for trigger, firing in made if firing.outcome is not Outcome.WAITING]
        self._counts.update((trigger.name, firing.outcome.value) for trigger, firing in ended)
        return len(due) == _PAGE and bool(ended)

    async def _try(self, firing: Firing) -> Firing:
        try:
            wanted = again(firing)
        except Exception as error:  # noqa: BLE001 - one that cannot be read must not hold up the others
            _log.exception("firing %s cannot be read", firing.id)
            return failed(firing, "internal_error", f"{type(error).__name__}; the service's log tells more")
        return await self._begin(wanted)
