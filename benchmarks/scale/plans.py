"""How PostgreSQL answers the routes that look back, on a filled database: EXPLAIN ANALYZE of the store's own statements."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from app.domain.ports import ExecutionFilter
from app.domain.status import Status
from app.store import queries
from app.store.db import connect
from app.store.reads import executions_query

if TYPE_CHECKING:
    from collections.abc import Iterator

_ANY = "SELECT thread_id, created_at FROM threads OFFSET (SELECT count(*) / 2 FROM threads) LIMIT 1"


async def plans(dsn: str) -> dict[str, str]:
    """The plan of each statement, with its buffers and times."""
    connection = await connect(dsn, application="backstitch-bench")
    try:
        await connection.execute("SET enable_seqscan = off")  # as the service's own connections
        row = await connection.fetchrow(_ANY)
        assert row is not None
        made: dict[str, str] = {}
        for name, query, values in _statements(row["thread_id"], row["created_at"]):
            await connection.fetch(query, *values)
            lines = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {query}", *values)
            made[name] = "\n".join(line[0] for line in lines)
        return made
    finally:
        await connection.close()


def _statements(thread_id: str, at: datetime) -> Iterator[tuple[str, str, list[Any]]]:
    reads = queries.load("reads")
    wheres = {
        "executions": ExecutionFilter(limit=51),
        "executions of a status": ExecutionFilter(status=Status.FAILED, limit=51),
        "executions of a workflow": ExecutionFilter(workflow="orders", before=(at, thread_id), limit=51),
        "executions of a day": ExecutionFilter(since=at, until=at + timedelta(days=1), limit=51),
    }
    for name, where in wheres.items():
        yield name, *executions_query("executions", where, where.limit, cursor=True)
    yield "versions of a thread", reads["checkpoints"], [thread_id, 1, None, 51]
    yield "events of a thread", reads["events"], [thread_id, 0, 1000]
