"""What a function logs in a process of its own, taken along with what it gives, to be logged where its step is known."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from app.domain.known_secrets import KNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Said = tuple[str, int, str, float]
"""A logger, a level, a message and a time."""
_MOST: Final = 1_000
_LONGEST: Final = 8_000
_CARRIED: Final = "__backstitch_said__"


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[Said] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.said) < _MOST:
            self.said.append((record.name, record.levelno, _text(record), record.created))


def run_logged(call: Callable[[Any], Any], value: Any, level: int) -> tuple[Any, list[Said]]:
    """In the other process: what `call` gives, and what it said from `level` on.  What it raises carries that along."""
    root, collector = logging.getLogger(), _Collector()
    before = root.level
    root.addHandler(collector)
    root.setLevel(level)
    try:
        return call(value), collector.said
    except Exception as error:
        setattr(error, _CARRIED, collector.said)
        raise
    finally:
        root.setLevel(before)
        root.removeHandler(collector)


def said_by(error: BaseException) -> Sequence[Said]:
    """What was said before this was raised."""
    return getattr(error, _CARRIED, ())


def say(said: Sequence[Said]) -> None:
    """In the service's process: log it, each at its own time."""
    for name, level, message, created in said:
        logger = logging.getLogger(name)
        if logger.isEnabledFor(level):
            told = KNOWN.excerpt(message)  # which may be cut off within a secret
            record = logging.makeLogRecord({"name": name, "levelno": level, "msg": told, "created": created})
            record.levelname = logging.getLevelName(level)
            logger.handle(record)


def _text(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
        if record.exc_info:
            text = f"{text}\n{logging.Formatter().formatException(record.exc_info)}"
    except Exception:  # noqa: BLE001 - a message that cannot be made is the function's own fault, and no reason to fail
        text = record.msg if isinstance(record.msg, str) else f"({type(record.msg).__name__}: cannot be told)"
    return text[:_LONGEST]
