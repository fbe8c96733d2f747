"""Fill a database with many threads: `python -m benchmarks.scale.seed --dsn DSN [--threads 100000]`.

A few threads of each kind are run by a real service.  Their rows are then copied in SQL under new ids and times, spread over
the last days, in transactions of a few hundred threads, so that the copies are what the service would have written: their
digests hold, and each can be shown, verified, resumed, rolled back.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx

from app.store.migrate import upgrade
from benchmarks import postgres
from benchmarks.ours.service import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    import asyncpg

    from benchmarks.ours.service import Service

DAYS = 30
BATCH = 500
TEXT = "0123456789" * 20
_STEPS = [{"id": f"s{n}", "python": "bench_small", "input": {"step": n}} for n in range(4)]
_FAILS = {"id": "s2", "python": "bench_fail", "retry": {"max_attempts": 2, "initial_interval": 0.01}}
_GATE = {"id": "s1", "gate": {"show": "{s0.output}"}}
TEMPLATES: dict[str, tuple[list[dict[str, Any]], float, str]] = {
    "orders": (_STEPS, 0.30, "completed"),
    "research": (_STEPS, 0.25, "completed"),
    "support": (_STEPS, 0.20, "completed"),
    "reports": ([*_STEPS, {"id": "s4", "python": "bench_small", "input": {"step": 4}}], 0.15, "completed"),
    "imports": ([*_STEPS[:2], _FAILS, _STEPS[3]], 0.08, "failed"),
    "reviews": ([_STEPS[0], _GATE, *_STEPS[2:]], 0.02, "waiting"),
    "rare": (_STEPS, 0.0002, "completed"),
}
"""Steps, share of all threads and the status that a thread comes to, by the workflow's name."""

_COLUMNS = """
SELECT c.table_name, c.column_name, c.data_type
FROM information_schema.columns AS c
JOIN information_schema.tables AS t USING (table_schema, table_name)
WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.is_generated = 'NEVER'
    AND c.table_name IN (
        SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'thread_id')
ORDER BY c.table_name, c.ordinal_position
"""
_ID = "[0-9a-f]{8}-[0-9a-f]{4}(-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12})"
_SHARED = {"definition_id", "workflow_id"}
"""Ids of what all copies have in common."""
_WITH_IDS = {"manifest", "data", "parameters"}
"""JSON that may name runs and executions."""


def _copied(table: str, column: str, kind: str) -> str:
    """The copy of a column, where `p` is the beginning of its ids and `shift` how much later it was."""
    if (table, column) == ("checkpoints", "sha256"):
        return f"sha256(convert_to(regexp_replace(manifest::text, '{_ID}', p || '\\1', 'g'), 'UTF8'))"
    if column == "xact":
        return "pg_current_xact_id()::text::bigint"
    if column.endswith("thread_id"):
        return f"p || substr({column}, 14)"
    if kind == "json" and column in _WITH_IDS:
        return f"regexp_replace({column}::text, '{_ID}', p || '\\1', 'g')::json"
    by_kind = {
        "uuid": column if column in _SHARED else f"(p || substr({column}::text, 14))::uuid",
        "timestamp with time zone": f"{column} + shift",
    }
    return by_kind.get(kind, column)


async def _statements(connection: asyncpg.Connection) -> list[str]:
    """One INSERT a table that holds rows of threads: template $1, first and last copy $2 and $3, of `$4` in all."""
    tables: dict[str, list[tuple[str, str]]] = {}
    for row in await connection.fetch(_COLUMNS):
        tables.setdefault(row["table_name"], []).append((row["column_name"], row["data_type"]))
    made: list[str] = []
    for table, columns in tables.items():
        names = ", ".join(name for name, _ in columns)
        values = ", ".join(_copied(table, name, kind) for name, kind in columns)
        made.append(f"""
            WITH copies AS (
                SELECT n, substr(h, 1, 8) || '-' || substr(h, 9, 4) AS p, at - origin.created_at AS shift
                FROM generate_series($2::int, $3::int) AS n
                JOIN threads AS origin ON origin.thread_id = $1
                CROSS JOIN LATERAL (SELECT now() - {DAYS} * interval '1 day' * (1 - n::float8 / $4::int) AS at) AS times
                CROSS JOIN LATERAL (SELECT lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS h) AS ids
            )
            INSERT INTO {table} ({names})
            SELECT {values} FROM {table}, copies WHERE {table}.thread_id = $1 ORDER BY n
        """)
    return made


_SERIES = """
INSERT INTO metrics (kind, name, resolution, at, count, errors, sum_ms, histogram)
SELECT kind, name, span, at, 20, 1, 900, metric_histogram('{0,0,0,3,9,5,2,1}')
FROM unnest($1::text[], $2::text[]) AS series (kind, name)
CROSS JOIN LATERAL (
    SELECT 'minute' AS span, generate_series(date_trunc('minute', now() - interval '2 days'), now(), '1 minute') AS at
    UNION ALL SELECT 'hour', generate_series(date_trunc('hour', now() - interval '60 days'), now() - interval '1h', '1h')
    UNION ALL SELECT 'day', generate_series(date_trunc('day', now() - interval '400 days'), now() - interval '1 day', '1 day')
) AS spans
"""
"""Two days of minutes, sixty of hours, four hundred of days."""
_ROLLED = """
INSERT INTO metric_rollups (resolution, rolled_until)
VALUES ('hour', date_trunc('hour', now())), ('day', date_trunc('day', now()))
ON CONFLICT (tenant, resolution) DO UPDATE SET rolled_until = EXCLUDED.rolled_until
"""
AGENTS = 40
_MARK = f"""
INSERT INTO event_marks (at, xact)
VALUES (now() - {DAYS} * interval '1 day' * (1 - $1::float8), pg_current_xact_id()::text::bigint)
"""


async def _series(connection: asyncpg.Connection) -> None:
    """The time series of all workflows and of some agents; the sum of a kind has no name."""
    names = [("workflow", name) for name in ("", *TEMPLATES)] + [
        ("agent", f"agent-{n}" if n else "") for n in range(AGENTS)
    ]
    await connection.execute(_SERIES, [kind for kind, _ in names], [name for _, name in names])
    await connection.execute(_ROLLED)


async def _template(service: Service, name: str) -> str:
    """Run one thread of a workflow to where it stays; its id."""
    steps, _, until = TEMPLATES[name]
    async with httpx.AsyncClient(base_url=f"{service.url}/api", timeout=30) as client:
        (await client.post("/workflows", json={"name": name, "steps": steps})).raise_for_status()
        started = await client.post("/invoke/async", json={"workflow": name, "input": TEXT, "triggered_by": "seed"})
        thread_id: str = started.raise_for_status().json()["thread_id"]
        for _ in range(600):
            if (await client.get(f"/invoke/status/{thread_id}")).json()["status"] == until:
                return thread_id
            await asyncio.sleep(0.05)
    raise RuntimeError(f"the thread of {name} does not come to be {until}")


async def seed(dsn: str, threads: int) -> dict[str, float]:
    """Fill the database of `dsn`; how many rows there are of what, and the seconds that it took."""
    began = time.monotonic()
    await upgrade(dsn)
    async with serve(dsn) as service:
        templates = {name: await _template(service, name) for name in TEMPLATES}
    async with postgres.connection(dsn) as connection:
        statements = await _statements(connection)
        for first in range(0, threads, BATCH):
            last = min(threads, first + BATCH)
            async with connection.transaction():
                await connection.execute(_MARK, first / threads)
                place = first
                for name, end in _shares(first, last):
                    for statement in statements if end > place else ():
                        await connection.execute(statement, templates[name], place, end - 1, threads)
                    place = end
        await _series(connection)
        await connection.execute("VACUUM (ANALYZE)")
        tables = ("threads", "workflow_executions", "workflow_steps", "checkpoints", "workflow_events", "metrics")
        rows = {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in tables}
    return {**rows, "seconds": round(time.monotonic() - began, 1)}


def _shares(first: int, last: int) -> Iterator[tuple[str, int]]:
    """Which places of a batch are whose, by their end: over all batches each workflow has its share."""
    place = first
    for name, (_, share, _) in TEMPLATES.items():
        place += round(share * last) - round(share * first)
        yield name, min(place, last)


def main() -> None:
    """Fill the database that is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale.seed", description=__doc__)
    parser.add_argument("--dsn", required=True, help="a PostgreSQL database that is ours to fill")
    parser.add_argument("--threads", type=int, default=100_000)
    given = parser.parse_args()
    sys.stdout.write(json.dumps(asyncio.run(seed(given.dsn, given.threads))) + "\n")


if __name__ == "__main__":
    main()
