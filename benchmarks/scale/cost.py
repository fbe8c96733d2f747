"""What a workflow costs in the database: real ones are run by a service, and the tables and indexes are measured after it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from benchmarks import postgres
from benchmarks.ours.service import migrated_database, serve

if TYPE_CHECKING:
    from benchmarks.harness import Bench

DATABASE = "bench_cost"
_SIZES = """
SELECT c.relname AS name, pg_table_size(c.oid) AS table, pg_indexes_size(c.oid) AS indexes
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = 'public'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Bytes a workflow, in all and by table, each with its TOAST and its indexes."""

    steps: int
    step_bytes: int
    total: float
    by_table: dict[str, float]


async def cost(bench: Bench, steps: int, step_bytes: int, workflows: int) -> Cost:
    """Run so many workflows of so many steps that return so many bytes each, and measure."""
    dsn = await migrated_database(bench.dsn, DATABASE)
    before = await _sizes(dsn)
    made = [{"id": f"s{n}", "python": "bench_small", "input": {"step": n, "bytes": step_bytes}} for n in range(steps)]
    async with serve(dsn) as service, httpx.AsyncClient(base_url=f"{service.url}/api", timeout=60) as client:
        (await client.post("/workflows", json={"name": "cost", "steps": made})).raise_for_status()
        lane = asyncio.Semaphore(50)

        async def one() -> None:
            async with lane:
                body = {"workflow": "cost", "input": {"topic": "AI in Education"}}
                (await client.post("/invoke", params={"timeout": "60s"}, json=body)).raise_for_status()

        await asyncio.gather(*(one() for _ in range(workflows)))
    after = await _sizes(dsn)
    await postgres.drop_database(bench.dsn, DATABASE)
    grown = {name: (size - before.get(name, 0)) / workflows for name, size in after.items()}
    by_table = {name: size for name, size in sorted(grown.items(), key=lambda item: -item[1]) if size >= 1}
    return Cost(steps=steps, step_bytes=step_bytes, total=sum(grown.values()), by_table=by_table)


async def _sizes(dsn: str) -> dict[str, int]:
    async with postgres.connection(dsn) as connection:
        await connection.execute("CHECKPOINT")
        return {row["name"]: row["table"] + row["indexes"] for row in await connection.fetch(_SIZES)}
