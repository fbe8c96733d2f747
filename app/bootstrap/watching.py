"""Wires what listens to the engine and the process: places, trails, the log entries that are kept, the secrets to leave out."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, unquote, urlsplit

from app.domain.errors import Unavailable
from app.domain.known_secrets import KNOWN
from app.domain.logs import LEVELS
from app.telemetry.flows import Flows
from app.telemetry.keeping import LogKeeper
from app.telemetry.places import Places

if TYPE_CHECKING:
    from app.bootstrap.stores import Store
    from app.domain.event_log import EventLog
    from app.engine.bus import Bus
    from app.settings import Settings

_MEGABYTE: Final = 1_000_000
_NEVER: Final = 1_000
"""A level above all."""
_MARK_EVERY: Final = 60.0
_log: Final = logging.getLogger(__name__)


def learn_secrets(settings: Settings) -> None:
    """Let the last net know the passwords of the database, and what the operator lists as secrets."""
    for dsn in (settings.database_url, settings.postgres_connection_string, settings.database_dsn):
        try:
            parts = urlsplit(dsn or "")
        except ValueError:  # which is told when it is opened
            continue
        given = parse_qs(parts.query)
        KNOWN.learn(unquote(parts.password or ""), *given.get("password", ()), *given.get("sslpassword", ()))
    KNOWN.learn(settings.database_password)
    KNOWN.learn(*(settings.secret(name) for name in ("PGPASSWORD", *settings.api_agent_secrets)))


def log_keeper(settings: Settings, store: Store, process: str) -> LogKeeper:
    """What keeps the log entries of this process."""
    return LogKeeper(
        store.logs,
        level=LEVELS.get(settings.log_db_level, _NEVER),
        process=process,
        days=settings.log_retention_days,
        most_bytes=settings.log_max_mb * _MEGABYTE,
    )


def watch_flows(settings: Settings, bus: Bus) -> None:
    """Have log lines know their place, and trails written if the settings ask for them."""
    bus.watchers.all.append(Places())
    if settings.log_flows:
        bus.watchers.all.append(Flows())


async def mark_events(events: EventLog) -> None:
    """Note the feed's place in time now and then, until cancelled."""
    while True:
        try:
            await events.mark()
        except Unavailable:
            _log.debug("the feed's place in time is not marked: the store is away")
        except Exception:  # noqa: BLE001 - it only spares looking at events
            _log.exception("the feed's place in time could not be marked")
        await asyncio.sleep(_MARK_EVERY)
