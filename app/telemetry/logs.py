"""Logs: one line an entry on stdout, JSON for machines, coloured words on a terminal."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final

import structlog
import structlog.tracebacks

if TYPE_CHECKING:
    from typing import TextIO

    from structlog.typing import Processor

_NOISY: Final = (
    *("alembic", "anthropic", "asyncio", "httpcore", "httpcore2", "httpx", "httpx2", "mcp", "openai", "sse_starlette"),
    "uvicorn",
)
"""Libraries whose own news are not ours; their warnings are."""


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send every log record of the process to `stream` (stdout) from `level` on; the last call holds."""
    out = sys.stdout if stream is None else stream
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if out.isatty():
        last.append(structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback))
    else:
        # Without the frames' local variables: they hold inputs and connection strings.
        traceback = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        last += [structlog.processors.ExceptionRenderer(traceback), structlog.processors.JSONRenderer()]
    handler = logging.StreamHandler(out)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    logging.getLogger().handlers[:] = [handler]
    set_level(level)


def set_level(level: str) -> None:
    """From which level on records are told from now on."""
    logging.getLogger().setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING if level != "debug" else logging.DEBUG)
