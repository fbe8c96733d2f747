"""Keeps log entries in the store: whoever logs only puts them into a bounded buffer, one writer takes them out in batches.

While the store is away, or cannot keep up, the oldest are dropped and counted; nobody ever waits.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.errors import JsonError, Unavailable
from app.domain.ids import uuid7
from app.domain.known_secrets import KNOWN, without_passwords
from app.domain.logs import MESSAGE, LogEntry
from app.telemetry.places import message_of, place_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from app.domain.logs import LogBook, LogFilter, LogPage

_MOST: Final = 10_000
_MOST_CHARACTERS: Final = 16_000_000
"""Entries, and characters of them, that wait to be written."""
_BATCH: Final = 500
_FLUSH_EVERY: Final = 0.5
_PRUNE_EVERY: Final = 60.0
_HIGHEST: Final = 2**15 - 1
_AT_ONCE: Final = 1_000
"""Entries dropped at once."""
_BREATH: Final = 0.05
_PATIENCE: Final = 5.0
_LAST: Final = 1.0
_OWN: Final = frozenset(
    {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "place", "context", "color_message"}
)
_log = logging.getLogger(__name__)


class LogKeeper:
    """One for the process; entries below `level` are not kept, `days` and `most_bytes` say for how long they are."""

    def __init__(
        self, book: LogBook, *, level: int, process: str | None, days: float, most_bytes: int, most: int = _MOST
    ) -> None:
        self._book = book
        self.process = process
        self._age, self._most_bytes = timedelta(days=days), most_bytes
        self._most = most
        self._guard = threading.Lock()
        self._waiting: deque[LogEntry] = deque()
        self._size = 0
        self._untold = 0
        self._away = False
        self._flushing = asyncio.Lock()
        self.dropped = 0
        """Entries of this process that are in no store."""
        self.handler = _Handler(self, level)

    @contextmanager
    def attached(self) -> Generator[None]:
        """Hear every logger of the process during the block."""
        root = logging.getLogger()
        before = root.level
        root.addHandler(self.handler)
        root.setLevel(min(self.handler.level, root.getEffectiveLevel()))
        try:
            yield
        finally:
            root.removeHandler(self.handler)
            root.setLevel(before)

    def put(self, entry: LogEntry) -> None:
        """Have an entry written, from any thread."""
        with self._guard:
            self._waiting.append(entry)
            self._size += _weight(entry)
            while len(self._waiting) > self._most or self._size > _MOST_CHARACTERS:
                self._drop(1)

    async def listed(self, where: LogFilter) -> LogPage:
        """A page, newest first, with what this process has just said.  Raises Unavailable."""
        await self.flush()
        return await self._book.listed(where)

    async def flush(self) -> None:
        """Write what waits.  Raises Unavailable, and it waits on."""
        async with self._flushing:
            left = len(self._waiting)  # what comes meanwhile is for the next time
            while left > 0 and self._waiting:
                with self._guard:
                    batch = [self._take() for _ in range(min(_BATCH, len(self._waiting)))]
                left -= len(batch)
                try:
                    async with asyncio.timeout(_PATIENCE):
                        await self._book.add([_without_secrets(entry) for entry in batch])
                except (Unavailable, TimeoutError):
                    self._take_back(batch)
                    raise Unavailable("the store of the log entries is away", retry_after=2) from None
                except asyncio.CancelledError:
                    self._take_back(batch)
                    raise
                except Exception:
                    with self._guard:
                        self._count(len(batch))
                    raise

    async def run(self) -> None:
        """Write now and then, and drop what is too old, until cancelled."""
        loop = asyncio.get_running_loop()
        prune_at = loop.time()
        try:
            while True:
                await self._turn(prune=loop.time() >= prune_at)
                if loop.time() >= prune_at:
                    prune_at = loop.time() + _PRUNE_EVERY
                await asyncio.sleep(_FLUSH_EVERY)
        finally:
            try:
                async with asyncio.timeout(_LAST):
                    await self.flush()
            except Exception as error:  # noqa: BLE001 - nothing can be done about it any more
                _log.warning("the last log entries were not written: %s", error)

    async def prune(self) -> int:
        """Drop what is too old or too much; how many.  Raises Unavailable."""
        whole = 0
        while dropped := await self._book.prune(self._age, self._most_bytes, _AT_ONCE):
            whole += dropped
            await asyncio.sleep(_BREATH)  # others want the database too
        return whole

    async def _turn(self, *, prune: bool) -> None:
        try:
            await self.flush()
            if prune:
                await self.prune()
        except Unavailable:
            self._away = True
        except Exception:  # noqa: BLE001 - what only keeps logs must not take the service down
            if not self._away:
                _log.exception("log entries could not be kept")
            self._away = True
        else:
            self._away = False
            with self._guard:
                untold, self._untold = self._untold, 0
            if untold:
                _log.warning("%d log entries were not kept: too many at once, or the store was away", untold)

    def _take(self) -> LogEntry:
        entry = self._waiting.popleft()
        self._size -= _weight(entry)
        return entry

    def _take_back(self, batch: list[LogEntry]) -> None:
        with self._guard:
            self._waiting.extendleft(reversed(batch))
            self._size += sum(map(_weight, batch))
            while len(self._waiting) > self._most or self._size > _MOST_CHARACTERS:
                self._drop(1)

    def _drop(self, number: int) -> None:
        for _ in range(number):
            self._take()
        self._count(number)

    def _count(self, number: int) -> None:
        self.dropped += number
        self._untold += number


class _Handler(logging.Handler):
    """Makes an entry of a record where it was made, and does no more."""

    def __init__(self, keeper: LogKeeper, level: int) -> None:
        super().__init__(level)
        self._keeper = keeper

    def emit(self, record: logging.LogRecord) -> None:
        entry = LogEntry(
            id=uuid7(),
            at=datetime.fromtimestamp(record.created, UTC),
            level=min(record.levelno, _HIGHEST),
            logger=_plain(record.name)[:200],
            message=_plain(message_of(record)[:MESSAGE]),
            place=place_of(record),
            context=_context(record),
            process=self._keeper.process,
        )
        self._keeper.put(entry)


def _context(record: logging.LogRecord) -> str | None:
    """What was said beside the message, as JSON text."""
    found: dict[str, Any] = {name: value for name, value in vars(record).items() if name not in _OWN}
    given: Any = getattr(record, "context", None)
    if given is not None:
        found = {**found, **given} if isinstance(given, dict) else {**found, "context": given}
    if record.exc_info and record.exc_info[0] is not None:
        found["exception"] = KNOWN.text(logging.Formatter().formatException(record.exc_info))[-MESSAGE:]
    if not found:
        return None
    try:
        text = jsontext.dumps(found)
    except JsonError:
        text = jsontext.dumps({_plain(str(name)): _plain(_shown(value)) for name, value in found.items()})
    if len(text) > MESSAGE:
        text = jsontext.dumps({"truncated": True, "preview": KNOWN.json(text)[:MESSAGE]})
    return text


def _shown(value: Any) -> str:
    try:
        return KNOWN.excerpt(str(value)[:MESSAGE])
    except Exception:  # noqa: BLE001 - somebody's own class
        return "(cannot be told)"


def _plain(text: str) -> str:
    """As a column of text holds it."""
    return jsontext.clean(text).replace("\0", "\ufffd")


def _weight(entry: LogEntry) -> int:
    return len(entry.message) + len(entry.context or "") + 300


def _without_secrets(entry: LogEntry) -> LogEntry:
    entry.message = KNOWN.excerpt(without_passwords(entry.message))
    if entry.context is not None:
        entry.context = KNOWN.json(without_passwords(entry.context))
    return entry
