"""Time series of agents and workflows on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.metrics import ALL, FINER, LATE, SETTLED, Kind, MetricsStore, Resolution, Span, Tally, pieces
from app.store import queries
from app.store.db import AGAIN, LOST, unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.metrics import SeriesKey
    from app.store import db

_SQL: Final = queries.load("metrics")
_SLACK: Final = timedelta(seconds=10)
"""How long a row may be on its way from its statement to its commit."""
_DIGITS: Final = 12
"""Decimal digits that a bucket has in the number that stands for a histogram."""
_NONE: Final = "0" * _DIGITS
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class PostgresMetrics(MetricsStore):
    """See domain.metrics.MetricsStore."""

    def __init__(self, pool: db.Pool, tenant: str = "default") -> None:
        self._pool = pool
        self._tenant = tenant

    async def write(self, writer: str, tallies: Mapping[SeriesKey, Tally]) -> None:
        """See MetricsStore."""
        rows = [(key.kind.value, key.name, key.minute, *_row(tally)) for key, tally in tallies.items()]
        if rows:
            await self._fetch("write", self._tenant, writer, *map(list, zip(*rows, strict=True)))

    async def over(self, kind: Kind, name: str, window: timedelta) -> Tally:
        """See MetricsStore."""
        [row] = await self._fetch("over", self._tenant, kind, name, window)
        return _tally(row)

    async def sums(self, kind: Kind, span: Span, *, after: str = ALL, limit: int = 50) -> list[tuple[str, Tally]]:
        """See MetricsStore."""
        found = await self._fetch("sums", self._tenant, kind, after, limit, *await self._ends(span))
        return [(row["name"], _tally(row)) for row in found]

    async def points(self, kind: Kind, name: str, span: Span, *, timed: bool) -> list[tuple[datetime, Tally]]:
        """See MetricsStore."""
        ends = await self._ends(span)
        found = await self._fetch("points", self._tenant, kind, name, span.resolution, *ends, timed)
        return [(row["at"], _tally(row)) for row in found]

    async def roll_up(self, into: Resolution, *, pause: timedelta, limit: int) -> int:
        """See MetricsStore.  One at a time over all processes; what one that dies had begun is undone."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                turn = await connection.fetchrow(_SQL["take_turn"], self._tenant, into, pause, SETTLED)
                if turn is None:
                    return 0
                finer, until, ready = FINER[into], turn["rolled_until"], turn["ready_until"]
                since, written = until - LATE[into], turn["rolled_at"] - _SLACK
                names = (self._tenant, into, finer)
                found = await connection.fetch(_SQL["touched"], *names, since, ready, written, until, limit)
                for row in found:
                    await connection.execute(_SQL["roll"], *names, row["at"], row["at"] + into.span)
                if len(found) == limit:
                    ready = found[-1]["at"] + into.span
                await connection.execute(_SQL["end_turn"], self._tenant, into, ready)
                return len(found)
        except (*LOST, *AGAIN) as error:
            raise unavailable(error) from error

    async def prune(self, resolution: Resolution, age: timedelta, limit: int) -> int:
        """See MetricsStore."""
        coarser = next((one for one, finer in FINER.items() if finer is resolution), None)
        late = LATE[coarser] if coarser is not None else timedelta()
        return len(await self._fetch("prune", self._tenant, resolution, age, limit, coarser, late))

    async def thread_counts(self) -> dict[str, int]:
        """See MetricsStore."""
        return {row["status"]: row["threads"] for row in await self._fetch("thread_counts", self._tenant)}

    async def _ends(self, span: Span) -> list[datetime]:
        """The bounds of the days, hours and minutes that make up a span."""
        rolled = {row["resolution"]: row["rolled_until"] for row in await self._fetch("rolled", self._tenant)}
        hours, days = rolled.get(Resolution.HOUR, _NEVER), rolled.get(Resolution.DAY, _NEVER)
        return [end for piece in pieces(span, hours, days) for end in piece]

    async def _fetch(self, query: str, *args: object) -> list[Any]:
        try:
            return await self._pool.fetch(_SQL[query], *args)
        except (*LOST, *AGAIN) as error:
            raise unavailable(error) from error


def _row(tally: Tally) -> tuple[Any, ...]:
    """A tally as its row holds it."""
    return (
        tally.count,
        tally.errors,
        tally.rejected,
        tally.retries,
        tally.sum_ms,
        tally.cost_usd,
        tally.input_tokens,
        tally.output_tokens,
        "".join([f"{count:0{_DIGITS}d}" if count else _NONE for count in reversed(tally.buckets)]) or "0",
        None if tally.error is None else jsontext.dumps(tally.error),
        tally.error_at,
    )


def _tally(row: Any) -> Tally:
    """Sums, as a query gives them; those of no rows are none."""
    error = None if row["error"] is None else jsontext.loads(row["error"])
    if row["count"] is None:
        return Tally(error=error, error_at=row["error_at"])
    return Tally(
        count=row["count"],
        errors=row["errors"],
        rejected=row["rejected"],
        retries=row["retries"],
        sum_ms=row["sum_ms"],
        cost_usd=row["cost_usd"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        buckets=_buckets(row["histogram"]),
        error=error,
        error_at=row["error_at"],
    )


def _buckets(digits: str | None) -> list[int]:
    if digits is None or digits == "0":
        return []
    zeros = (len(digits) - len(digits.rstrip("0"))) // _DIGITS
    ends = range(len(digits) - zeros * _DIGITS, 0, -_DIGITS)
    return [0] * zeros + [int(digits[max(0, end - _DIGITS) : end]) for end in ends]
