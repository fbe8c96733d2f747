"""LogBook: entries are kept, found by what they say of themselves, and dropped by age and by size."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.ids import uuid7
from app.domain.logs import LogEntry, LogFilter, Place
from app.domain.times import utc_now
from app.store.db import open_pool
from app.store.logs import PostgresLogs
from app.store.memory_logs import MemoryLogs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.logs import LogBook

NOW = utc_now()
MUCH = 10**9


@pytest.fixture
async def book(store_dsn: str | None) -> AsyncGenerator[LogBook]:
    """An empty one."""
    if store_dsn is None:
        yield MemoryLogs()
        return
    async with open_pool(store_dsn, size=2) as pool:
        yield PostgresLogs(pool)


def entry(message: str, seconds: float = 0, *, level: int = 20, logger: str = "app", **place: Any) -> LogEntry:
    """One that was said so many seconds from now."""
    found = Place(**{"execution_id": "e", **place}) if place else None
    at = NOW + timedelta(seconds=seconds)
    return LogEntry(id=uuid7(), at=at, level=level, logger=logger, message=message, place=found)


async def messages(book: LogBook, **filters: Any) -> list[str]:
    """Those of every page."""
    found: list[str] = []
    before = None
    for _ in range(100):
        page = await book.listed(LogFilter(**{"limit": 2, **filters}, before=before))
        found += [one.message for one in page.entries]
        before = page.next
        if before is None:
            return found
    raise AssertionError


async def test_an_entry_is_kept_as_it_was_said(book: LogBook) -> None:
    place = Place(thread_id="t", execution_id="e", workflow="w", step_id="s", item=3, attempt=2, agent="a")
    said = LogEntry(
        id=uuid7(),
        at=NOW,
        level=30,
        logger="agents.a",
        message="zwölf ☂",
        place=place,
        context='{"n":1,"nul":"\\u0000"}',
        process=uuid7(),
    )
    await book.add([said, entry("elsewhere", -1)])
    assert list((await book.listed(LogFilter(thread_id="t"))).entries) == [said]


async def test_what_is_added_twice_is_kept_once(book: LogBook) -> None:
    said = entry("once")
    await book.add([said])
    await book.add([said])
    assert await messages(book) == ["once"]


async def test_the_pages_have_each_entry_once_newest_first(book: LogBook) -> None:
    await book.add([entry(str(number), number // 3) for number in range(9)])
    found = await messages(book)
    assert sorted(found) == [str(number) for number in range(9)]
    assert [int(text) // 3 for text in found] == [2, 2, 2, 1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("look", [1, 3, 100])
async def test_each_filter_keeps_its_own(book: LogBook, look: int) -> None:
    await book.add(
        [
            entry("Tea is ready", 1, thread_id="t", step_id="brew", agent="cook"),
            entry("water boils", 2, level=10, logger="app.engine.run", thread_id="t"),
            entry("no more Tea", 3, level=40, logger="app.engine", thread_id="u", agent="cook"),
            entry("applied", 4, level=30, logger="application"),
        ]
    )
    assert await messages(book, look=look, level=40) == ["no more Tea"]
    assert await messages(book, look=look, level=30) == ["applied", "no more Tea"]
    assert await messages(book, look=look, level=20) == ["applied", "no more Tea", "Tea is ready"]
    assert await messages(book, look=look, thread_id="t") == ["water boils", "Tea is ready"]
    assert await messages(book, look=look, step_id="brew") == ["Tea is ready"]
    assert await messages(book, look=look, agent="cook") == ["no more Tea", "Tea is ready"]
    assert await messages(book, look=look, logger="app.engine") == ["no more Tea", "water boils"]
    assert await messages(book, look=look, text="tea") == ["no more Tea", "Tea is ready"]
    assert await messages(book, look=look, text="100%_") == []
    since, until = NOW + timedelta(seconds=2), NOW + timedelta(seconds=4)
    assert await messages(book, look=look, since=since, until=until) == ["no more Tea", "water boils"]


async def test_what_is_too_old_is_dropped_in_small_batches(book: LogBook) -> None:
    await book.add([entry(f"old {number}", -100_000) for number in range(5)] + [entry("new")])
    dropped = [await book.prune(timedelta(days=1), MUCH, 2) for _ in range(4)]
    assert dropped == [2, 2, 1, 0]
    assert await messages(book) == ["new"]


async def test_of_too_many_the_oldest_are_dropped(book: LogBook) -> None:
    await book.add([entry("x" * 1_000, -120 * number) for number in range(5)])
    assert await book.prune(timedelta(days=1), 3_000, 100) == 3
    assert await book.prune(timedelta(days=1), 3_000, 100) == 0
    assert len(await messages(book)) == 2
