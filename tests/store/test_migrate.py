"""The migrations: up, down and up again, many at once, in a schema of one's own."""

from __future__ import annotations

import asyncio
import sys

import asyncpg
import pytest

from app.domain.errors import StartupError
from app.store.migrate import current_revision, downgrade, newest_revision, upgrade

_OBJECTS = """
SELECT n.nspname || '.' || c.relname || ' ' || c.relkind::text AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND c.relname NOT LIKE 'alembic_version%'
ORDER BY 1
"""


async def _names(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        return [row["name"] for row in await connection.fetch(_OBJECTS)]
    finally:
        await connection.close()


async def test_the_migrations_go_up_down_and_up_again(empty_database_url: str) -> None:
    await upgrade(empty_database_url)
    made = await _names(empty_database_url)
    await downgrade(empty_database_url)
    assert await _names(empty_database_url) == []
    await upgrade(empty_database_url)
    assert made
    assert await _names(empty_database_url) == made


async def test_several_processes_may_migrate_at_once(empty_database_url: str) -> None:
    program = "import asyncio, sys; from app.store.migrate import upgrade; asyncio.run(upgrade(sys.argv[1]))"
    command = (sys.executable, "-c", program, empty_database_url)
    processes = [await asyncio.create_subprocess_exec(*command) for _ in range(3)]
    assert [await process.wait() for process in processes] == [0, 0, 0]
    assert await current_revision(empty_database_url) == newest_revision()


async def test_a_database_that_is_up_to_date_is_left_alone(database_url: str) -> None:
    assert await upgrade(database_url) is False


async def test_a_schema_of_its_own_is_made_and_filled(empty_database_url: str) -> None:
    await upgrade(empty_database_url, "stitches")
    assert {name.partition(".")[0] for name in await _names(empty_database_url)} == {"stitches"}
    assert await current_revision(empty_database_url, "stitches") == newest_revision()
    assert await current_revision(empty_database_url) is None


async def test_a_database_newer_than_the_program_is_refused(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()
    with pytest.raises(StartupError, match="9999"):
        await upgrade(database_url)
