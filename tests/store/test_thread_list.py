"""The list of threads on PostgreSQL: what it asks is bounded, whatever the filters, and goes by the indexes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from app.domain.status import Status
from app.domain.thread_list import ThreadFilter
from app.store.threads import PostgresThreads

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

_FILL = """
WITH made AS (
    SELECT n, 't-' || n AS thread_id, gen_random_uuid() AS id, now() - make_interval(secs => n) AS at
    FROM generate_series(1, 4000) AS n
), executions AS (
    INSERT INTO workflow_executions (thread_id, id, workflow_name, kind, status, input, triggered_by, created_at)
    SELECT thread_id, id, 'w-' || n % 3, 'invoke', CASE WHEN n % 4 = 0 THEN 'failed' ELSE 'completed' END, '"hay"', 'ana', at
    FROM made
)
INSERT INTO threads (thread_id, definition_id, execution_id, status, epoch, rev, head_version, last_version, last_seq,
    created_at, updated_at)
SELECT thread_id, gen_random_uuid(), id, CASE WHEN n % 4 = 0 THEN 'failed' ELSE 'completed' END, 1, 0, 1, 1, 1, at, at FROM made
"""
_STEPS = """
INSERT INTO workflow_steps (thread_id, id, execution_id, key_execution_id, step_name, step_index, status, input_tokens)
SELECT 't-1', gen_random_uuid(), execution_id, execution_id, 's' || n, n, CASE WHEN n = 1 THEN 'running' ELSE 'completed' END, 1
FROM threads, generate_series(1, 3000) AS n WHERE thread_id = 't-1'
"""
_LONG = """
UPDATE workflow_executions AS e SET input = to_json(long.text)
FROM (
    SELECT t.thread_id, string_agg(md5(t.thread_id || n), '') AS text FROM threads AS t, generate_series(1, 400) AS n
    WHERE t.thread_id <> 't-4' GROUP BY 1
) AS long
WHERE e.thread_id = long.thread_id
"""


class _Explaining:
    """Runs what it is asked, and keeps how many rows each node of the plans gave or passed over."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.nodes: list[dict[str, Any]] = []

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        plan = await self._connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *args)
        self.nodes += _nodes(json.loads(plan)[0]["Plan"])
        return await self._connection.fetch(query, *args)

    def visited(self, table: str) -> float:
        """Rows of a table that were looked at."""
        own = [node for node in self.nodes if node.get("Relation Name") == table]
        return sum((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in own)


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


@pytest.fixture
async def filled(database_url: str) -> AsyncGenerator[tuple[_Explaining, PostgresThreads]]:
    """Four thousand threads, a quarter of them failed; the newest has three thousand step runs."""
    connection = await asyncpg.connect(database_url, server_settings={"enable_seqscan": "off"})
    await connection.execute(_FILL)
    await connection.execute(_STEPS)
    await connection.execute("VACUUM ANALYZE")
    explaining: Any = _Explaining(connection)
    yield explaining, PostgresThreads(explaining)
    await connection.close()


async def test_a_page_reads_little_more_than_it_shows(filled: tuple[_Explaining, PostgresThreads]) -> None:
    explaining, listed = filled
    for where, found in (
        ({}, 50),
        ({"statuses": frozenset({Status.FAILED})}, 50),
        ({"statuses": frozenset({Status.RUNNING, Status.PENDING})}, 0),
        ({"workflow": "w-1"}, 50),
        ({"workflow": "w-1", "statuses": frozenset({Status.FAILED})}, 50),
        ({"triggered_by": "ana"}, 50),
    ):
        explaining.nodes.clear()
        given: Any = where
        page = await listed.page(ThreadFilter(limit=50, **given))
        assert len(page.threads) == found
        assert not [node for node in explaining.nodes if node["Node Type"] == "Seq Scan" and node["Actual Rows"] > 0]
        assert explaining.visited("workflow_executions") <= 700, where
        assert explaining.visited("threads") <= 200, where


async def test_a_filter_that_leaves_nothing_looks_at_so_many_and_no_more(
    filled: tuple[_Explaining, PostgresThreads],
) -> None:
    explaining, listed = filled
    for more in ({"text": "needle"}, {"triggered_by": "ana", "statuses": frozenset({Status.RUNNING})}):
        explaining.nodes.clear()
        given: Any = more
        page = await listed.page(ThreadFilter(look=500, **given))
        assert (list(page.threads), page.next is not None) == ([], True)
        assert explaining.visited("workflow_executions") <= 1_500


async def test_of_very_many_step_runs_the_open_ones_are_found(
    filled: tuple[_Explaining, PostgresThreads],
) -> None:
    _, listed = filled
    [found] = (await listed.page(ThreadFilter(limit=1))).threads
    assert [run.step_id for run in found.open] == ["s1"]
    assert (found.footing.ended, found.usage and found.usage.input_tokens) == (2_999, 3_000)


async def test_counts_are_told_to_all_who_ask_within_a_second(filled: tuple[_Explaining, PostgresThreads]) -> None:
    explaining, listed = filled
    first = await listed.counts(ThreadFilter())
    asked = len(explaining.nodes)
    assert (first.counts[Status.FAILED], first.counts[Status.COMPLETED]) == (1_000, 3_000)
    assert await listed.counts(ThreadFilter(limit=7, text="x")) == first
    assert len(explaining.nodes) == asked


async def test_long_inputs_are_searched_a_few_at_a_time(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.store.threads._WEIGHT", 0)
    connection: Any = await asyncpg.connect(database_url)
    await connection.execute(_FILL.replace("4000", "5"))
    listed = PostgresThreads(connection)
    found, before, pages = list[str](), None, 0
    while pages == 0 or before is not None:
        ids, before = await listed.ids(ThreadFilter(text="HAY", before=before))
        found, pages = found + [name for name, _ in ids], pages + 1
    await connection.close()
    assert (found, pages) == ([f"t-{n}" for n in range(1, 6)], 5)


async def test_of_many_long_inputs_on_a_page_the_first_are_read(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.store.threads._TITLES", 1)
    connection: Any = await asyncpg.connect(database_url)
    await connection.execute(_FILL.replace("4000", "4"))
    await connection.execute(_LONG)
    found = (await PostgresThreads(connection).page(ThreadFilter())).threads
    await connection.close()
    assert [len(one.head or "") for one in found] == [2_048, 0, 0, 5]
