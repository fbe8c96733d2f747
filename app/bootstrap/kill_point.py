"""Lets a service that `backstitch verify --kill-points` runs kill itself at a commit (see engine.kill_points)."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from app.engine.kill_points import KillPoint, armed

if TYPE_CHECKING:
    from app.bootstrap.stores import Store
    from app.engine.bus import Bus

_log: Final = logging.getLogger(__name__)


def arm(text: str, store: Store, bus: Bus) -> None:
    """Put what KILL_POINT says before the store's journal.  Raises StartupError when it is none."""
    _log.warning("KILL_POINT is set: this process is for `backstitch verify` and will kill itself")
    journal, ledger = armed(store.stores.journal, KillPoint.parse(text))
    store.stores = replace(store.stores, journal=journal)
    bus.watchers.all.append(ledger)
