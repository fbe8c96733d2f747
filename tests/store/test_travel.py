"""What is asked of timelines stays cheap: the index that it has is used, and the others do without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.store.db import open_pool
from app.store.queries import load

if TYPE_CHECKING:
    from app.store.pool import Pool


async def plan(pool: Pool, query: str, *arguments: object) -> str:
    rows = await pool.fetch(f"EXPLAIN {load('travel')[query]}", *arguments)
    return "\n".join(row[0] for row in rows)


async def test_forks_and_children_of_a_thread_are_found_by_an_index(database_url: str) -> None:
    async with open_pool(database_url) as pool:
        assert "workflow_executions_origin" in await plan(pool, "derived", "source", "fork", None, 50)
        assert "workflow_executions_origin" in await plan(pool, "derived", "source", "invoke", None, 50)
        assert "threads_children" in await plan(pool, "children_of", "source", None, 50)
        for query, more in (("segments", ()), ("executions_of", (None, None, 50)), ("turns", ([],))):
            assert "Seq Scan" not in await plan(pool, query, "source", *more), query
