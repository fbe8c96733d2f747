"""What `doctor` learns from a real database."""

from __future__ import annotations

import asyncpg
import pytest

from app.store import checkup
from app.store.checkup import Unreachable, examine
from app.store.migrate import newest_revision


async def test_a_database_of_this_version_is_found_to_be_one(database_url: str) -> None:
    found = await examine(database_url, "public")
    assert found.revision == found.newest == newest_revision()
    assert found.server["version"] >= 150_000
    assert found.server["encoding"] == "UTF8"
    assert found.schema == {"is_there": True, "may_use": True, "may_create": True}
    assert {"threads", "workflow_events"} <= {one["name"] for one in found.tables}
    assert all(one["usable"] for one in found.tables)
    assert abs(found.skew) < 60


async def test_a_schema_that_is_not_there_is_told_apart_from_an_empty_one(empty_database_url: str) -> None:
    missing = await examine(empty_database_url, "elsewhere")
    empty = await examine(empty_database_url, "public")
    assert (missing.schema["is_there"], missing.revision) == (False, None)
    assert (empty.schema["is_there"], empty.revision, empty.tables) == (True, None, [])


async def test_a_transaction_that_stays_open_and_has_written_is_seen(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkup, "LONG", 0.0)
    other = await asyncpg.connect(database_url, server_settings={"application_name": "forgotten"})
    try:
        async with other.transaction():
            await other.execute("UPDATE threads SET queue = queue")
            await other.execute("SELECT pg_current_xact_id()")
            found = await examine(database_url, "public")
    finally:
        await other.close()
    [mine] = [one for one in found.long_transactions if one["application"] == "forgotten"]
    assert mine["wrote"]
    assert mine["state"] == "idle in transaction"


async def test_a_role_that_may_not_read_a_table_is_told_so(database_url: str) -> None:
    admin = await asyncpg.connect(database_url)
    name = "doctor_" + database_url.partition("test_")[2][:12]
    try:
        await admin.execute(f"CREATE ROLE {name} LOGIN; GRANT SELECT ON threads TO {name}")
        found = await examine(database_url.replace("postgres@", f"{name}@"), "public")
    finally:
        await admin.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")
        await admin.close()
    assert (found.schema["may_create"], found.revision) == (False, "")
    assert not any(one["usable"] for one in found.tables)


async def test_a_server_that_is_not_there_is_one_line() -> None:
    with pytest.raises(Unreachable) as raised:
        await examine("postgresql://me:hunter2@127.0.0.1:1/none", "public")
    assert "hunter2" not in str(raised.value)
    assert "\n" not in str(raised.value)
