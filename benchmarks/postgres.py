"""The PostgreSQL side of a measurement: databases made for one part, counters of commits and WAL, statements, sizes.

PostgreSQL reports a session's commits at most once a second and when the session ends: read the counters after the
process under test has closed its connections. The WAL's position is exact at any moment.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

STATEMENT = re.compile(rb"LOG:  (?:execute [^:]*|statement): (?!(?:deallocate|fetch)\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Totals since the server's start; subtract two to see what happened between. WAL counts the whole server."""

    commits: int
    rollbacks: int
    wal_bytes: int
    wal_records: int
    wal_fpi: int

    def __sub__(self, other: Counters) -> Counters:
        return Counters(
            commits=self.commits - other.commits,
            rollbacks=self.rollbacks - other.rollbacks,
            wal_bytes=self.wal_bytes - other.wal_bytes,
            wal_records=self.wal_records - other.wal_records,
            wal_fpi=self.wal_fpi - other.wal_fpi,
        )

    def per(self, steps: int) -> dict[str, float]:
        """Commits and WAL bytes a step, as a Sample's extra."""
        return {"commits_per_step": self.commits / steps, "wal_bytes_per_step": self.wal_bytes / steps}


def in_database(dsn: str, name: str) -> str:
    """The same server's DSN with another database name."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


@asynccontextmanager
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """One plain connection."""
    held = await asyncpg.connect(dsn)
    try:
        yield held
    finally:
        await held.close()


async def fresh_database(dsn: str, name: str, *, template: str = "template1") -> str:
    """Drop and create the database `name` on the server of `dsn`; its DSN. `name` is ours, not a user's."""
    async with connection(dsn) as admin:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return in_database(dsn, name)


async def drop_database(dsn: str, name: str) -> None:
    """Drop the database `name` on the server of `dsn`, if it is there."""
    async with connection(dsn) as admin:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def counters(dsn: str, *, session_ended_within: float = 5.0) -> Counters:
    """The counters of the DSN's database, once no other session is connected to it (or that many seconds passed).

    Read through the server's database `postgres`, so that reading does not count.
    """
    name = urlsplit(dsn).path.lstrip("/")
    async with connection(in_database(dsn, "postgres")) as admin:
        deadline = asyncio.get_running_loop().time() + session_ended_within
        while asyncio.get_running_loop().time() < deadline:
            if not await admin.fetchval("SELECT count(*) FROM pg_stat_activity WHERE datname = $1", name):
                break
            await asyncio.sleep(0.05)
        row = await admin.fetchrow(
            "SELECT d.xact_commit AS commits, d.xact_rollback AS rollbacks, w.wal_records, w.wal_fpi,"
            " pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint AS wal_bytes"
            " FROM pg_stat_database d, pg_stat_wal w WHERE d.datname = $1",
            name,
        )
    assert row is not None, f"no database {name}"
    return Counters(**dict(row))


async def database_bytes(dsn: str) -> int:
    """The size on disk of the DSN's database: tables, TOAST and indexes, after a checkpoint."""
    async with connection(dsn) as here:
        await here.execute("CHECKPOINT")
        return await here.fetchval(
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'm')"
            " AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
        )


async def log_statements(dsn: str, *, on: bool) -> None:
    """Write every statement that new sessions send to the DSN's database to the server's log, or stop doing so.

    For an untimed run that counts statements, BEGIN and COMMIT included: the embedded PostgreSQL has no pg_stat_statements.
    """
    name = urlsplit(dsn).path.lstrip("/")
    async with connection(in_database(dsn, "postgres")) as admin:
        await admin.execute(f"ALTER DATABASE \"{name}\" SET log_statement = '{'all' if on else 'none'}'")
        await admin.execute(f'ALTER DATABASE "{name}" SET log_parameter_max_length = {0 if on else -1}')


def log_size(log: Path) -> int:
    """The bytes of the server's log now."""
    return log.stat().st_size


def statements_since(log: Path, start: int) -> int:
    """How many statements the server's log holds after its first `start` bytes (see log_statements)."""
    with log.open("rb") as file:
        file.seek(start)
        return sum(len(STATEMENT.findall(line)) for line in file)


async def server_pid(dsn: str) -> int | None:
    """The process id of the server's postmaster where it runs on this machine under a readable data folder."""
    async with connection(dsn) as here:
        text: str = await here.fetchval("SELECT pg_read_file('postmaster.pid')")
    first = text.split("\n", 1)[0].strip()
    return int(first) if first.isdigit() else None
