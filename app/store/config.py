"""Settings that are changed while the service runs, on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.config import ConfigChange, ConfigStore
from app.store import db
from app.store.queries import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

_SQL: Final = load("config")


class PostgresConfig(ConfigStore):
    """See domain.config.ConfigStore."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def overrides(self) -> dict[str, Any]:
        """See ConfigStore."""
        return {row["name"]: jsontext.loads(row["value"]) for row in await self._fetch("overrides")}

    async def put(self, values: Mapping[str, Any], dropped: Sequence[str], changes: Sequence[ConfigChange]) -> None:
        """See ConfigStore."""
        texts = [jsontext.dumps(value) for value in values.values()]
        told = (
            [one.id for one in changes],
            [one.at for one in changes],
            [one.name for one in changes],
            [jsontext.dumps(one.old) for one in changes],
            [jsontext.dumps(one.new) for one in changes],
            [one.source for one in changes],
            [one.by for one in changes],
        )
        by = changes[0].by if changes else None
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_SQL["put"], list(values), texts, by)
                await connection.execute(_SQL["drop"], list(dropped))
                await connection.execute(_SQL["note"], *told)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error

    async def changes(self, before: tuple[datetime, str] | None, limit: int) -> list[ConfigChange]:
        """See ConfigStore."""
        return [_change(row) for row in await self._fetch("changes", *(before or (None, None)), limit)]

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        try:
            return await self._pool.fetch(_SQL[query], *arguments)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error


def _change(row: Any) -> ConfigChange:
    return ConfigChange(
        id=str(row["id"]),
        at=row["at"],
        name=row["name"],
        old=jsontext.loads(row["old"]),
        new=jsontext.loads(row["new"]),
        source=row["source"],
        by=row["changed_by"],
    )
