"""Upkeep on both stores: old formats, gaps among events, the threads of a workflow."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from app.domain import jsontext
from app.domain.moving import ThreadsOf
from app.domain.state import FORMAT
from app.domain.status import Status
from app.store.db import open_pool
from app.store.memory_upkeep import MemoryUpkeep
from app.store.upkeep import PostgresUpkeep

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.builders import Driver
    from tests.contracts.conftest import Store


class Old:
    """A store with its upkeep, whose rows can be changed behind its back."""

    def __init__(self, store: Store, upkeep: Any, sql: Any) -> None:
        self.store, self.upkeep, self._sql = store, upkeep, sql

    async def make_old(self, thread_id: str) -> None:
        """All its versions as format 1 had them."""
        for one in await self.store.reads.checkpoints(thread_id):
            manifest = jsontext.loads(one.manifest)
            manifest.pop("of")
            await self.change(thread_id, one.version, jsontext.dumps(manifest), None, 1)

    async def change(self, thread_id: str, version: int, text: str, digest: bytes | None, of: int) -> None:
        """Other text, with its own digest unless another is given."""
        given = jsontext.sha256(text) if digest is None else digest
        if self._sql is None:
            known = self.store.reads._tables.checkpoints[thread_id]  # type: ignore[attr-defined]
            known[version - 1] = replace(known[version - 1], manifest=text, sha256=given, format=of)
            return
        await self._sql.execute(
            "UPDATE checkpoints SET manifest = $3::text::json, sha256 = $4, format = $5 "
            "WHERE thread_id = $1 AND version = $2",
            thread_id,
            version,
            text,
            given,
            of,
        )

    async def drop_event(self, thread_id: str, seq: int) -> None:
        if self._sql is None:
            events = self.store.reads._tables.events  # type: ignore[attr-defined]
            events[thread_id] = [event for event in events[thread_id] if event.seq != seq]
            return
        await self._sql.execute("DELETE FROM workflow_events WHERE thread_id = $1 AND seq = $2", thread_id, seq)


@pytest.fixture
async def old(store: Store, store_dsn: str | None) -> AsyncGenerator[Old]:
    async with _opened(store, store_dsn) as opened:
        yield opened


@asynccontextmanager
async def _opened(store: Store, dsn: str | None) -> AsyncGenerator[Old]:
    if dsn is None:
        yield Old(store, MemoryUpkeep(store.reads._tables), None)  # type: ignore[attr-defined]
        return
    sql = await asyncpg.connect(dsn)
    async with open_pool(dsn, size=2) as pool:
        yield Old(store, PostgresUpkeep(pool), sql)
    await sql.close()


async def lived(old: Old, **fields: Any) -> Driver:
    """A thread with four versions and four events."""
    driver = await old.store.drive(**fields)
    driver.set_context("x", "\u0000 {}")
    for step_id in ("a", "b", "c"):
        await driver.commit(old.store.journal, driver.end_step(step_id, 1))
    return driver


async def upgrade(old: Old, *, limit: int = 3, dry_run: bool = False) -> tuple[int, int, int]:
    """Batch by batch to the end: seen, upgraded, damaged."""
    sums, after = [0, 0, 0], ("", 0)
    while after is not None:
        done = await old.upkeep.upgrade(after, limit, dry_run=dry_run)
        sums = [sums[0] + done.seen, sums[1] + done.upgraded, sums[2] + done.damaged]
        after = done.after
    return sums[0], sums[1], sums[2]


async def test_old_versions_read_as_new_ones_and_are_upgraded_in_batches(old: Old) -> None:
    first, second = [(await lived(old)).thread.thread_id for _ in range(2)]
    before = {name: await old.store.reads.checkpoints(name) for name in (first, second)}
    await old.make_old(first)
    await old.make_old(second)
    assert {name: await old.store.reads.checkpoints(name) for name in before} == before
    assert await old.upkeep.formats() == {1: 8}
    assert await upgrade(old) == (8, 8, 0)
    assert await old.upkeep.formats() == {FORMAT: 8}
    assert {name: await old.store.reads.checkpoints(name) for name in before} == before
    assert await upgrade(old) == (0, 0, 0)


async def test_a_dry_run_counts_and_changes_nothing(old: Old) -> None:
    await old.make_old((await lived(old)).thread.thread_id)
    assert await upgrade(old, dry_run=True) == (4, 4, 0)
    assert await old.upkeep.formats() == {1: 4}


async def test_a_digest_that_did_not_hold_is_never_made_to_hold(old: Old) -> None:
    thread_id = (await lived(old)).thread.thread_id
    await old.make_old(thread_id)
    await old.change(thread_id, 2, '{"steps":{}}', b"wrong", 1)
    assert await upgrade(old) == (4, 3, 1)
    assert await old.upkeep.formats() == {1: 1, FORMAT: 3}
    found = (await old.store.reads.checkpoints(thread_id, first=2, last=2))[0]
    assert (found.manifest, found.sha256) == ('{"steps":{}}', b"wrong")


async def test_a_later_format_is_counted_and_left_alone(old: Old) -> None:
    thread_id = (await lived(old)).thread.thread_id
    await old.change(thread_id, 3, '{"much": "later"}', b"other", FORMAT + 1)
    assert await upgrade(old) == (0, 0, 0)
    assert await old.upkeep.formats() == {FORMAT: 3, FORMAT + 1: 1}


async def test_gaps_among_events_are_found_at_either_end_and_in_between(old: Old) -> None:
    driver = await lived(old)
    thread_id = driver.thread.thread_id
    assert await old.upkeep.missing_events(thread_id, 4) == []
    for seq in (1, 3, 4):
        await old.drop_event(thread_id, seq)
    assert await old.upkeep.missing_events(thread_id, 4) == [(1, 1), (3, 4)]
    assert await old.upkeep.missing_events("nobody", 2) == [(1, 2)]
    assert await old.upkeep.missing_events("nobody", 0) == []


async def test_the_threads_of_a_workflow_by_version_and_status(old: Old) -> None:
    registry, journal = old.store.registry, old.store.journal
    second = await registry.register(name="sewing", document='{"name":"sewing","v":2}', hash="sewing-2")
    other = await registry.register(name="other", document='{"name":"other"}', hash="other-1")
    ad_hoc = await registry.register(name="sewing", document="{}", hash="sewing-0", ad_hoc=True)
    await old.store.drive(thread_id="a")
    await old.store.drive(thread_id="b", status=Status.FAILED)
    for name, definition in (("c", second), ("d", other), ("e", ad_hoc)):
        await old.store.drive(thread_id=name, definition_id=definition.id)
    done = await old.store.drive(thread_id="f")
    await done.commit(journal, done.complete(1))

    async def found(**options: Any) -> list[str]:
        where = ThreadsOf(**{"workflow": "sewing", "beside": second.id, **options})
        return [thread.thread_id for thread in await old.upkeep.threads_of(where)]

    assert await found() == ["a", "b"]
    assert await found(beside=old.store.workflow.id) == ["c"]
    assert await found(statuses={Status.FAILED}) == ["b"]
    assert await found(version=2) == []
    assert await found(after="a", limit=1) == ["b"]
    assert await found(workflow="nothing") == []
