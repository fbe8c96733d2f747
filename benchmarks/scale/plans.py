"""How PostgreSQL answers the routes that look back, on a filled database: EXPLAIN ANALYZE of what the store asks it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from app.domain.event_log import EventFilter
from app.domain.metrics import Kind, Resolution, Span
from app.domain.ports import ExecutionFilter
from app.domain.status import Status
from app.domain.thread_list import ThreadFilter
from app.store.db import connect
from app.store.events import PostgresEvents
from app.store.metrics import PostgresMetrics
from app.store.reads import PostgresReads
from app.store.threads import PostgresThreads

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from app.store.db import Connection

_ANY = "SELECT thread_id, created_at FROM threads OFFSET (SELECT count(*) / 2 FROM threads) LIMIT 1"


class Explaining:
    """Stands in for the pool: each statement is run, explained, and answered."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.plans: list[str] = []

    async def fetch(self, query: str, *values: object) -> list[Any]:
        """The rows; the plan is kept, with its buffers and times."""
        found = await self._connection.fetch(query, *values)
        lines = await self._connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, SUMMARY ON) {query}", *values)
        self.plans.append("\n".join(line[0] for line in lines))
        return found


async def plans(dsn: str) -> dict[str, str]:
    """The plans of what is asked for each question."""
    connection = await connect(dsn, application="backstitch-bench")
    try:
        await connection.execute("SET enable_seqscan = off")  # as the service's own connections
        row = await connection.fetchrow(_ANY)
        assert row is not None
        explaining = Explaining(connection)
        made: dict[str, str] = {}
        for name, question in _questions(explaining, row["thread_id"], row["created_at"]).items():
            explaining.plans.clear()
            await question
            made[name] = "\n".join(explaining.plans)
        return made
    finally:
        await connection.close()


def _questions(pool: Any, thread_id: str, at: Any) -> dict[str, Awaitable[Any]]:
    reads, events, metrics = PostgresReads(pool), PostgresEvents(pool), PostgresMetrics(pool)
    threads = PostgresThreads(pool)
    since = Resolution.HOUR.floor(at)
    day = Span(since=since, until=since + timedelta(days=1), resolution=Resolution.HOUR)
    return {
        "executions": reads.executions(ExecutionFilter(limit=51)),
        "executions of a status": reads.executions(ExecutionFilter(status=Status.FAILED, limit=51)),
        "executions of a workflow": reads.executions(
            ExecutionFilter(workflow="orders", before=(at, thread_id), limit=51)
        ),
        "threads": threads.page(ThreadFilter()),
        "threads of statuses": threads.page(ThreadFilter(statuses=frozenset({Status.FAILED, Status.RUNNING}))),
        "threads with a text": threads.page(ThreadFilter(text="nothing-like-it")),
        "threads, counted": threads.counts(ThreadFilter()),
        "versions of a thread": reads.checkpoints(thread_id, limit=51),
        "events": events.page(EventFilter()),
        "events by name, newest": events.page(EventFilter(names=frozenset({"workflow_failed"}), newest_first=True)),
        "events of a thread": events.page(EventFilter(thread_id=thread_id)),
        "metrics of workflows over a day": metrics.sums(Kind.WORKFLOW, day),
        "time series over a day": metrics.points(Kind.WORKFLOW, "orders", day, timed=True),
    }
