"""The pool of connections: however many want one, each gets one in its turn, and the waiting is measured."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.errors import StartupError, Unavailable
from app.store.db import open_pool
from app.store.reads import PostgresReads
from app.telemetry import parts

SLOW = "SELECT pg_sleep(0.1)"


async def test_an_exhausted_pool_slows_and_does_not_fail(database_url: str) -> None:
    # Together the reads take longer than a statement may: what they wait for a connection is not counted to that.
    async with open_pool(database_url, size=1, patience=0.5) as pool:
        await asyncio.gather(*(pool.fetch(SLOW) for _ in range(10)))
        stats = pool.stats()
    assert stats.acquired == 10
    assert stats.waits.total > 2
    assert stats.longest_wait == stats.longest_recently > 0.5


async def test_who_waits_and_what_is_lent_can_be_seen(database_url: str) -> None:
    async with open_pool(database_url, size=1) as pool:
        async with pool.acquire():
            waiting = [asyncio.create_task(pool.fetch("SELECT 1")) for _ in range(3)]
            await asyncio.sleep(0)
            stats = pool.stats()
            assert (stats.size, stats.max_size, stats.in_use, stats.waiting) == (1, 1, 1, 3)
            assert pool.busy
        await asyncio.gather(*waiting)
        stats = pool.stats()
        assert (stats.in_use, stats.waiting, stats.acquired) == (0, 0, 4)
        assert not pool.busy


async def test_every_wait_is_in_one_bucket(database_url: str) -> None:
    async with open_pool(database_url, size=2) as pool:
        await asyncio.gather(*(pool.fetchval("SELECT 1") for _ in range(20)))
        stats = pool.stats()
    assert sum(stats.waits.counts) == stats.acquired == 20


async def test_who_stops_waiting_leaves_nothing_behind(database_url: str) -> None:
    async with open_pool(database_url, size=1) as pool:
        async with pool.acquire():
            task = asyncio.create_task(pool.fetch("SELECT 1"))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert (pool.stats().waiting, pool.stats().in_use) == (0, 1)
        assert await pool.fetchval("SELECT 7") == 7


async def test_a_store_that_is_only_busy_is_reachable(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.store.reads.HEALTH_TIMEOUT", 0.2)
    async with open_pool(database_url, size=1) as pool:
        await pool.fetch("SELECT 1")
        async with pool.acquire():
            health = await PostgresReads(pool).health()
    assert (health.reachable, health.error) == (True, "no connection is free within 0.2 s")


async def test_a_statement_that_is_not_answered_still_ends(database_url: str) -> None:
    async with open_pool(database_url, size=1, patience=0.5) as pool:
        reads = PostgresReads(pool)
        with pytest.raises(Unavailable):
            await reads._fetch("SELECT pg_sleep(60)")
        assert await pool.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("password", ["se/cret", "se#cret", "[secret"])
async def test_no_piece_of_a_password_is_told_when_the_connection_string_cannot_be_read(password: str) -> None:
    with pytest.raises(StartupError) as caught:
        async with open_pool(f"postgresql://somebody:{password}@127.0.0.1:1/db"):
            raise AssertionError
    assert "cret" not in str(caught.value)


async def test_a_pool_in_full_use_degrades_the_health_of_a_database_that_answers(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_PING", 0.2)
    async with open_pool(database_url, size=1) as pool:
        assert (await parts.database(pool))["status"] == "ready"
        async with pool.acquire():
            found = await parts.database(pool)
    assert (found["status"], found["detail"]) == ("degraded", "all 1 connections are in use: see DATABASE_POOL_SIZE")
    assert (found["latency_ms"], found["pool"]["in_use"]) == (None, 1)


async def test_a_database_that_is_gone_is_unavailable(database_url: str) -> None:
    async with open_pool(database_url, size=1) as pool:
        pool.terminate()
        assert (await parts.database(pool))["status"] == "unavailable"
