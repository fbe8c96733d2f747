"""Logs: one line an entry on stdout, JSON for machines, coloured words on a terminal, without any secret that is known."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import structlog
import structlog.tracebacks

from app.domain.known_secrets import KNOWN, without_passwords
from app.telemetry.places import message_of, place_of

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import TextIO

    from structlog.typing import Processor

_OUT: Final = "backstitch stdout"
_NOISY: Final = (
    *("alembic", "anthropic", "asyncio", "httpcore", "httpcore2", "httpx", "httpx2", "mcp", "openai", "sse_starlette"),
    "uvicorn",
)
"""Libraries whose own news are not ours; their warnings are."""


class _Output(logging.StreamHandler["TextIO"]):
    """Lines on a stream.  What cannot be told there is told of without its arguments, which may hold secrets."""

    def emit(self, record: logging.LogRecord) -> None:
        """See Handler."""
        if record.args:
            message = message_of(record)
            record = logging.makeLogRecord(record.__dict__)
            record.msg, record.args = message, None
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that Handler gives it
        """See Handler."""
        with suppress(Exception):
            sys.stderr.write(f"a log entry of {record.name!r} cannot be told: {type(sys.exc_info()[1]).__name__}\n")


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """The last net: whatever a line was made of, no secret leaves in it."""

    def __init__(self, *, as_json: bool, **more: Any) -> None:
        super().__init__(**more)
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        line = without_passwords(super().format(record))
        if not KNOWN:
            return line
        return KNOWN.json(line) if self._as_json else KNOWN.text(line)


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send every log record of the process to `stream` (stdout) from `level` on; the last call holds."""
    out = sys.stdout if stream is None else stream
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _placed,
    ]
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if out.isatty():
        last.append(structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback))
    else:
        # Without the frames' local variables: they hold inputs and connection strings.
        traceback = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        last += [structlog.processors.ExceptionRenderer(traceback), structlog.processors.JSONRenderer()]
    handler = _Output(out)
    handler.setLevel(level.upper())
    handler.setFormatter(_Formatter(as_json=not out.isatty(), foreign_pre_chain=shared, processors=last))
    handler.set_name(_OUT)
    logging.getLogger().handlers[:] = [handler]
    set_level(level)


def set_level(level: str) -> None:
    """From which level on records are told on stdout from now on; others who listen hear what they did."""
    root = logging.getLogger()
    for handler in root.handlers:
        if handler.name == _OUT:
            handler.setLevel(level.upper())
    levels = [handler.level for handler in root.handlers if handler.level]  # one that has none takes what there is
    root.setLevel(min(levels, default=logging.getLevelNamesMapping()[level.upper()]))
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING if level != "debug" else logging.DEBUG)


def _placed(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """With the thread, the step and the agent that it comes from."""
    line.pop("place", None)
    record = line.get("_record")
    place = place_of(record) if isinstance(record, logging.LogRecord) else None
    if place is not None:
        for name, value in place.value().items():
            line.setdefault(name, value)
    return line
