"""Wires time travel: differences, timelines, replays, threads as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.engine.transfer import Transfers
from app.engine.travel import Travel

if TYPE_CHECKING:
    from app.bootstrap.stores import Store
    from app.engine.bus import Bus
    from app.engine.replay import Replays
    from app.settings import Settings


def open_travel(settings: Settings, store: Store, bus: Bus, replays: Replays) -> Travel:
    """Time travel on an open store; the feed is told of threads that come in as files."""
    transfers = Transfers(
        store.stores.reads,
        store.archive,
        max_bytes=settings.import_max_bytes,
        max_value_bytes=settings.max_value_bytes,
        told=lambda: bus.poke(()),
    )
    return Travel(reads=store.stores.reads, lines=store.travels, replays=replays, transfers=transfers)
