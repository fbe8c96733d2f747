"""Schedules on PostgreSQL: a process that is not there any more holds none, and 10,000 of them cost one look into an index."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from app.domain.errors import UnknownFormat
from app.domain.ids import uuid7
from app.domain.schedule_store import ScheduleFilter
from app.store import queries
from tests.contracts.test_schedules import open_bench

if TYPE_CHECKING:
    from collections.abc import Iterator

_MANY = """
INSERT INTO schedules (id, name, plan, workflow, since, look_at)
SELECT gen_random_uuid(), 's-' || n, '{}', 'w', now(), now() + make_interval(mins => n) FROM generate_series(1, 10000) AS n
"""
_OLD = """
INSERT INTO schedule_firings (schedule_id, fire_time, kind, outcome, due_at, decided_at, thread)
SELECT $1::uuid, old, 'schedule', 'starting', old, old, 't' FROM (SELECT now() - interval '31 days' AS old) AS at
"""


async def test_the_claims_of_a_process_that_is_gone_are_free_at_once(database_url: str) -> None:
    async with open_bench(database_url) as bench:
        await bench.make()
        [lost] = (await bench.claim(bench.other)).schedules
        assert (await bench.claim()).schedules == []
        await bench.journal.close_incarnation(bench.other, crashed=True)
        [found] = (await bench.claim()).schedules
        assert (found.id, found.rev) == (lost.id, lost.rev + 1)


async def test_a_firing_that_was_written_while_its_schedule_was_deleted_goes_in_the_end(database_url: str) -> None:
    async with open_bench(database_url) as bench:
        kept = await bench.make()
        connection = await asyncpg.connect(database_url)
        for schedule_id in (kept.id, uuid7()):
            await connection.execute(_OLD, schedule_id)
        assert await bench.schedules.tidy(30, 10) == 1
        assert str(await connection.fetchval("SELECT schedule_id FROM schedule_firings")) == kept.id
        await connection.close()


async def test_a_look_at_many_schedules_goes_by_the_index(database_url: str) -> None:
    connection = await asyncpg.connect(database_url, server_settings={"enable_seqscan": "off"})
    try:
        await connection.execute(_MANY)
        await connection.execute("ANALYZE schedules")
        plan = await connection.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {queries.load('schedules')['claim']}", uuid7(), 60.0, 100
        )
    finally:
        await connection.close()
    nodes = list(_nodes(json.loads(plan)[0]["Plan"]))
    assert not [node for node in nodes if node["Node Type"] == "Seq Scan"]
    looked = [node for node in nodes if node.get("Relation Name") == "schedules" and "Index" in node["Node Type"]]
    assert looked
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in looked) <= 1


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


async def test_a_schedule_that_cannot_be_read_holds_no_other_up(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_bench(database_url) as bench:
        for name in ("a", "b", "c"):
            await bench.make(name)
        connection = await asyncpg.connect(database_url)
        await connection.execute("""UPDATE schedules SET plan = '{"every": 60, "overlap": "later"}' WHERE name = 'b'""")
        assert {one.name for one in (await bench.claim()).schedules} == {"a", "c"}
        held = await connection.fetchval("SELECT owner FROM schedules WHERE name = 'b' AND look_at > now()")
        assert str(held) == bench.one
        for after, names in (("", ["a", "c"]), ("a", ["c"])):
            found = await bench.schedules.schedules(ScheduleFilter(after=after, limit=2))
            assert [schedule.name for schedule, _ in found] == names
        await connection.close()
        with pytest.raises(UnknownFormat, match="the schedule b cannot be read"):
            await bench.schedules.schedule("b")
        assert await bench.schedules.delete("b")
    assert [record.levelname for record in caplog.records if "schedule b" in record.message] == ["ERROR"]
