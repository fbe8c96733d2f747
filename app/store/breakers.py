"""The circuit breakers on PostgreSQL: read, moved by a pure function, and written by compare-and-set on their revision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.domain.breakers import BreakerRecord, BreakerState, BreakerStore, BreakerTable
from app.domain.errors import Unavailable
from app.store import queries
from app.store.db import AGAIN, LOST, unavailable

if TYPE_CHECKING:
    from datetime import datetime

    from asyncpg import Record

    from app.domain.breakers import Move
    from app.store.pool import Pool

_SQL: Final = queries.load("breakers")
_TRIES: Final = 20
"""Each that fails means that another's write has succeeded."""


class PostgresBreakers(BreakerStore):
    """See domain.breakers.BreakerStore."""

    def __init__(self, pool: Pool, tenant: str = "default") -> None:
        self._pool = pool
        self._tenant = tenant

    async def load(self) -> BreakerTable:
        """All of them."""
        rows = await self._fetch("load", self._tenant)
        return BreakerTable(now=rows[0]["now"], records=[_record(row) for row in rows if row["agent"] is not None])

    async def change(self, agent: str, move: Move) -> tuple[BreakerRecord, bool]:
        """Move a breaker; the breaker as it is then, and whether this call has written it."""
        for _ in range(_TRIES):
            known, now = await self._one(agent)
            wanted = move(known, now)
            if wanted is None:
                return known, False
            if await self._fetch("update" if known.rev else "insert", *_values(wanted)):
                return wanted, True
        raise Unavailable(f"the breaker of {agent} changes all the time")

    async def _one(self, agent: str) -> tuple[BreakerRecord, datetime]:
        [row] = await self._fetch("one", self._tenant, agent)
        known = BreakerRecord(agent=agent, tenant=self._tenant) if row["rev"] is None else _record(row)
        return known, row["now"]

    async def _fetch(self, query: str, *args: object) -> list[Record]:
        try:
            return await self._pool.fetch(_SQL[query], *args)
        except (*LOST, *AGAIN) as error:
            raise unavailable(error) from error


def _record(row: Record) -> BreakerRecord:
    fields = {name: value for name, value in row.items() if name not in ("now", "state", "probe_by")}
    by = row["probe_by"]
    return BreakerRecord(state=BreakerState(row["state"]), probe_by=None if by is None else str(by), **fields)


def _values(record: BreakerRecord) -> tuple[object, ...]:
    return (
        record.tenant,
        record.agent,
        record.state.value,
        record.rev,
        record.forced,
        record.reason,
        record.trips,
        record.opened_at,
        record.probe_at,
        record.probe_by,
        record.closed_at,
        record.changed_at,
    )
