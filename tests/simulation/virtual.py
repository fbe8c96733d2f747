"""Makes the product's clocks, ids and ends of processes those of a simulated world, for as long as one runs."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from time import monotonic
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from app.domain import document, ids, times
from app.domain.errors import Unavailable
from app.engine import bus, lease
from tests.simulation.loop import PLACE

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.simulation.world import World

_LOG: Final = logging.getLogger("app")
_PARSED: dict[str, Any] = {}
_sites: list[tuple[Any, str, str]] = []
_ORIGINALS: Final[dict[Any, str]] = {
    times.utc_now: "utc",
    monotonic: "monotonic",
    ids.uuid7: "uuid7",
    lease.host: "host",
    lease.process: "process",
    document.parse: "parse",
}


class Listener(logging.Handler):
    """Errors in the product's log are violations: it has met what no rule of it foresees."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.WARNING)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        """Judge one line."""
        place = PLACE.get(self._world.loop.world)
        message = record.getMessage()
        self._world.watch.note(place, "log", f"{record.levelname} {message}")
        error = record.exc_info[1] if record.exc_info else None
        if record.levelno >= logging.ERROR and not isinstance(error, Unavailable) and not self._is_stale(record):
            self._world.watch.violated("no unforeseen error", f"{message}: {error!r}")

    def _is_stale(self, record: logging.LogRecord) -> bool:
        """Whether the thread that a run broke of has moved on: what was loaded of it did not fit together, no harm done."""
        thread_id = record.args[0] if isinstance(record.args, tuple) and record.args else None
        thread = self._world.tables.threads.get(str(thread_id))
        life = _life(self._world)
        return thread is not None and life is not None and thread.incarnation_id != life.lease.own.id


@contextmanager
def virtual(world: World) -> Generator[None]:
    """Patch what has to be, and put it back."""
    loop = world.loop
    patches: dict[str, Any] = {
        "utc": loop.utc,
        "monotonic": loop.time,
        "uuid7": lambda: f"id-{loop.number():08}",
        "host": lambda: _life(world).host,
        "process": lambda pid: _process(world, pid),
        "parse": _parse,
    }
    loop.set_exception_handler(lambda _, context: world.watch.violated("no stray error", str(context)))
    listener = Listener(world)
    level, propagate = _LOG.level, _LOG.propagate
    _LOG.addHandler(listener)
    _LOG.setLevel(logging.WARNING)
    _LOG.propagate = False
    originals = {name: original for original, name in _ORIGINALS.items()}
    for module, attribute, name in _found():
        setattr(module, attribute, patches[name])
    hashed = bus.Subscription.__hash__
    bus.Subscription.__hash__ = _numbered(loop)
    try:
        yield
    finally:
        bus.Subscription.__hash__ = hashed
        for module, attribute, name in _found():
            setattr(module, attribute, originals[name])
        _LOG.removeHandler(listener)
        _LOG.setLevel(level)
        _LOG.propagate = propagate


def _found() -> list[tuple[Any, str, str]]:
    """Where the originals are, in every module of the product that is loaded."""
    if not _sites:
        sys.modules["app.api.sse"].time = SimpleNamespace(monotonic=monotonic)  # pyright: ignore[reportAttributeAccessIssue]
        places: list[Any] = [module for name, module in sys.modules.items() if name.startswith("app.")]
        places.append(sys.modules["app.api.sse"].time)
        for place in places:
            for attribute, value in list(vars(place).items()):
                if callable(value) and value.__hash__ is not None and value in _ORIGINALS:
                    _sites.append((place, attribute, _ORIGINALS[value]))
    return _sites


def _numbered(loop: Any) -> Any:
    def number(self: Any) -> int:
        if not hasattr(self, "number"):
            self.number = loop.number()
        return self.number

    return number


def _life(world: World) -> Any:
    return PLACE.get(world.loop.world).owner


_PIDS: Final = 1_000_000_000
"""Simulated process ids begin above all real ones."""


def _process(world: World, pid: int) -> str:
    if pid < _PIDS:  # its own
        return f"{_PIDS + _life(world).number}@1"
    alive = {process.number for process in world.processes if not process.over.is_set()}
    return f"{pid}@1" if pid - _PIDS in alive else f"{pid}@"


def _parse(source: Any, *, stored: bool = False) -> Any:
    key = str(source)
    if key not in _PARSED:
        _PARSED[key] = originals_parse(source, stored=stored)
    return _PARSED[key]


originals_parse: Final = document.parse
