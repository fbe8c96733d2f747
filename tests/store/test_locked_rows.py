"""A row that somebody holds, perhaps a process that is frozen, holds up nobody else; and nobody holds one for ever."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from app.domain.times import utc_now
from tests.builders import incarnation
from tests.store.test_journal import Books, open_books

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

PAST = timedelta(minutes=-1)
_HOLD = "SELECT FROM threads WHERE thread_id = $1 FOR UPDATE"


@pytest.fixture
async def books(database_url: str) -> AsyncGenerator[Books]:
    """A journal on a database of its own."""
    async with open_books(database_url) as opened:
        yield opened


async def test_a_claim_passes_over_a_locked_thread(books: Books) -> None:
    for name in ("held", "free"):
        await books.drive(thread_id=name, wake_at=utc_now() + PAST)
    async with books.pool.acquire() as other, other.transaction():
        await other.execute(_HOLD, "held")
        assert [thread.thread_id for thread in await books.journal.claim(incarnation().id, 10)] == ["free"]
    assert [thread.thread_id for thread in await books.journal.claim(incarnation().id, 10)] == ["held"]


async def test_a_claim_takes_nothing_that_another_is_taking(books: Books) -> None:
    await books.drive(thread_id="wanted", wake_at=utc_now() + PAST)
    async with books.pool.acquire() as other, other.transaction():
        await other.execute("UPDATE threads SET epoch = epoch + 1, wake_at = NULL, incarnation_id = gen_random_uuid()")
        claiming = asyncio.get_running_loop().create_task(books.journal.claim(incarnation().id, 10))
        await asyncio.wait([claiming], timeout=0.3)
    assert await claiming == []


async def test_a_queue_in_which_another_claims_is_passed_over(books: Books) -> None:
    await books.journal.queues.ensure("mail")
    await books.drive(thread_id="letter", queue="mail", wake_at=utc_now() + PAST)
    await books.drive(thread_id="plain", wake_at=utc_now() + PAST)
    async with books.pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM queues WHERE name = 'mail' FOR UPDATE")
        assert [thread.thread_id for thread in await books.journal.claim(incarnation().id, 10)] == ["plain"]
    assert [thread.thread_id for thread in await books.journal.claim(incarnation().id, 10)] == ["letter"]


async def test_the_monitor_passes_over_a_locked_thread_and_sweeps_it_later(books: Books) -> None:
    dead = incarnation()
    await books.journal.open_incarnation(dead)
    for name in ("held", "stuck", "free"):
        await books.drive(thread_id=name, incarnation_id=dead.id)
    async with books.pool.acquire() as other, other.transaction():
        await other.execute(_HOLD, "held")
        await other.execute(_HOLD, "stuck")
        assert await books.journal.close_incarnation(dead.id) == 1
        assert await books.journal.sweep() == 0
    assert await books.journal.sweep() == 2


async def test_nobody_holds_a_row_for_ever(books: Books) -> None:
    async with books.pool.acquire() as connection:
        found = [
            await connection.fetchval(f"SHOW {name}")
            for name in ("lock_timeout", "idle_in_transaction_session_timeout")
        ]
    assert found == ["5s", "5s"]
