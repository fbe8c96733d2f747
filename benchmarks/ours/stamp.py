"""A module for MODULES of the service in the SSE comparison: it writes into each event when its commit was known.

The time is taken when the database's answer to the flush has arrived, before anything is told to anybody; it goes into
the live event's data (`t_ns`, nanoseconds of time.time_ns()), never into the database.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from app.domain.transition import Start
from app.store.writer import GroupWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.store.gathering import Item

_settle = GroupWriter._settle


def _stamped(self: GroupWriter, batch: Sequence[Item], rows: Sequence[Any]) -> None:
    now = time.time_ns()
    for item in batch:
        events = [item.what.event] if isinstance(item.what, Start) else item.what.events
        for event in events:
            comma = "" if event.data == "{}" else ","
            event.data = f'{event.data[:-1]}{comma}"t_ns":{now}}}'
    _settle(self, batch, rows)


GroupWriter._settle = _stamped
