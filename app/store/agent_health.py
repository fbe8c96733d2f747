"""How agents do, on PostgreSQL: a row an agent and minute, added to by all processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.agent_health import AgentHealthStore, Tally
from app.store import queries
from app.store.db import AGAIN, LOST, unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from app.store import db

_SQL: Final = queries.load("agent_health")


class PostgresAgentHealth(AgentHealthStore):
    """See domain.agent_health.AgentHealthStore."""

    def __init__(self, pool: db.Pool, tenant: str = "default") -> None:
        self._pool = pool
        self._tenant = tenant

    async def add(self, tallies: Mapping[tuple[str, datetime], Tally]) -> None:
        """See AgentHealthStore."""
        rows = [
            (
                agent,
                minute,
                tally.ok,
                tally.failed,
                tally.rejected,
                "{" + ",".join(map(str, tally.buckets)) + "}",
                None if tally.error is None else jsontext.dumps(tally.error),
                tally.error_at,
            )
            for (agent, minute), tally in tallies.items()
        ]
        if rows:
            await self._fetch("add", self._tenant, *map(list, zip(*rows, strict=True)))

    async def over(self, agent: str, window: timedelta) -> Tally:
        """See AgentHealthStore."""
        [row] = await self._fetch("over", self._tenant, agent, window)
        return Tally(
            ok=row["ok"],
            failed=row["failed"],
            rejected=row["rejected"],
            buckets=list(row["buckets"] or ()),
            error=None if row["error"] is None else jsontext.loads(row["error"]),
            error_at=row["error_at"],
        )

    async def prune(self, age: timedelta, limit: int) -> int:
        """See AgentHealthStore."""
        return len(await self._fetch("prune", age, limit))

    async def _fetch(self, query: str, *args: object) -> list[Any]:
        try:
            return await self._pool.fetch(_SQL[query], *args)
        except (*LOST, *AGAIN) as error:
            raise unavailable(error) from error
