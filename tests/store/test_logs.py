"""Log entries that are looked through while others are written and deleted: a page begins where the one before ended."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.ids import uuid7
from app.domain.logs import LogEntry, LogFilter
from app.domain.times import utc_now
from app.store.db import open_pool
from app.store.logs import PostgresLogs

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = utc_now()


def entry(second: int, level: int) -> LogEntry:
    """Its message is its second."""
    at = NOW + timedelta(seconds=second)
    return LogEntry(id=uuid7(), at=at, level=level, logger="app", message=str(second))


class Busy(PostgresLogs):
    """Something happens after the first of the queries that a page takes."""

    after_first: Any = None

    async def _fetch(self, query: str, *args: object) -> list[Any]:
        found = await super()._fetch(query, *args)
        happening, self.after_first = self.after_first, None
        if happening is not None:
            await happening()
        return found


async def read(book: PostgresLogs) -> Sequence[str]:
    """The errors, on pages that look at five entries each."""
    found: list[str] = []
    where = LogFilter(level=40, look=5, limit=3)
    page = await book.listed(where)
    found += [one.message for one in page.entries]
    while page.next is not None:
        page = await book.listed(LogFilter(level=40, look=5, limit=3, before=page.next))
        found += [one.message for one in page.entries]
    return found


@pytest.mark.parametrize("deleted", [False, True])
async def test_every_page_begins_where_the_one_before_has_ended(database_url: str, deleted: bool) -> None:
    async with open_pool(database_url, size=1) as pool:
        book = Busy(pool)
        await book.add([entry(second, 40 if second in {5, 3, 1} else 30) for second in range(10)])

        async def happen() -> None:
            if deleted:
                await pool.execute("DELETE FROM agent_logs WHERE message IN ('9', '8', '7')")
            else:
                await PostgresLogs(pool).add([entry(second, 30) for second in (10, 11, 12)])

        book.after_first = happen
        assert await read(book) == ["5", "3", "1"]
