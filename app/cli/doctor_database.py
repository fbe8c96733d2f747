"""What `doctor` says of the database: whether it can be used, what its server is set to, what holds it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from app.cli.doctor_findings import Finding, ok, problem, skipped, warning
from app.store.checkup import Unreachable, examine
from app.store.embedded import running_dsn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.settings import Settings
    from app.store.checkup import Checkup

PART: Final = "database"
_LEAST_VERSION: Final = 150_000
_SKEW: Final = 2.0
_DEAD: Final = 50_000
_LINE: Final = 1
"""The connection for hints and heartbeats that a process has beside its pool and its lanes."""


async def database(settings: Settings) -> list[Finding]:
    """All of it; never raises."""
    if not settings.is_durable:
        return [skipped(PART, "the settings ask for none: the journal is in memory")]
    dsn = settings.database_dsn
    if dsn is None:
        dsn = running_dsn(settings.data_dir)
        if dsn is None:
            return [skipped(PART, "the embedded PostgreSQL does not run now: it starts with the service")]
    try:
        found = await examine(dsn, settings.postgres_schema)
    except Unreachable as error:
        told = f"PostgreSQL at {_place(dsn)} cannot be used: {_without_secrets(str(error), settings)}"
        return [problem(PART, told, "start it, or mend DATABASE_URL (or DATABASE_HOST and its like)")]
    return [ok(PART, f"PostgreSQL {found.server['version_text']} at {_place(dsn)}"), *judged(found, settings)]


def judged(found: Checkup, settings: Settings) -> Iterator[Finding]:
    """What is to be said of what was found."""
    yield from _server(found)
    yield from _schema(found, settings)
    yield from _connections(found, settings)
    yield from _held_up(found)
    yield from _vacuum(found)


def _server(found: Checkup) -> Iterator[Finding]:
    server = found.server
    if server["version"] < _LEAST_VERSION:
        yield problem(PART, f"PostgreSQL {server['version_text']} is too old", "upgrade it to 15 or newer")
    if server["encoding"] != "UTF8":
        yield problem(PART, f"the database is encoded in {server['encoding']}", "make one with ENCODING 'UTF8'")
    if server["standby"]:
        yield problem(PART, "this server is a standby, and takes no writes", "name the primary")
    elif server["read_only"]:
        told = "transactions are read only there"
        yield problem(PART, told, "ALTER DATABASE ... RESET default_transaction_read_only, or another role")
    if not server["fsync"] or not server["full_page_writes"]:
        name = "full_page_writes" if server["fsync"] else "fsync"
        yield problem(PART, f"{name} is off: a power failure damages the database", f"set {name} = on, and restart it")
    if abs(found.skew) > _SKEW:
        told = f"its clock is {abs(found.skew):.1f} s {'ahead of' if found.skew > 0 else 'behind'} this machine's"
        yield warning(PART, told, "let both follow NTP: delays, timeouts and times in the history are off by it")
    if not server["autovacuum"]:
        yield problem(PART, "autovacuum is off: the tables grow without end", "set autovacuum = on")


def _schema(found: Checkup, settings: Settings) -> Iterator[Finding]:
    name, role = settings.postgres_schema, found.server["role"]
    if not found.schema["is_there"]:
        if found.server["may_create"]:
            yield ok(PART, f"the schema {name} is not there yet: the first start makes it")
        else:
            yield problem(PART, f"the schema {name} is not there", f'CREATE SCHEMA "{name}" AUTHORIZATION {role}')
        return
    if not found.schema["may_use"]:
        yield problem(
            PART, f"{role} may not use the schema {name}", f'GRANT USAGE, CREATE ON SCHEMA "{name}" TO {role}'
        )
        return
    yield from _revision(found, name)
    closed = [one["name"] for one in found.tables if not one["usable"]]
    if closed:
        told = f"{role} may not read and write {', '.join(closed)}"
        yield problem(PART, told, f'GRANT ALL ON ALL TABLES IN SCHEMA "{name}" TO {role}')
    elif found.tables:
        yield ok(PART, f"{role} may read and write its {len(found.tables)} tables")


def _revision(found: Checkup, schema: str) -> Iterator[Finding]:
    at, newest = found.revision, found.newest
    size = f"{found.server['size_bytes'] / 1e6:,.0f} MB"
    if at == "":
        told = f"{found.server['role']} may not read the table alembic_version of {schema}"
        yield problem(PART, told, f'GRANT ALL ON ALL TABLES IN SCHEMA "{schema}" TO {found.server["role"]}')
    elif at == newest:
        yield ok(PART, f"the schema {schema} is at revision {at}, which is this version's; {size}")
    elif at is not None and at > newest:
        told = f"the schema {schema} is at revision {at}, and this version knows {newest}"
        yield problem(PART, told, "start a newer version of Backstitch: this one refuses to")
    elif not found.schema["may_create"]:
        told = (
            f"the tables of {schema} have to be made or changed ({at or 'none'} to {newest}), which this role may not"
        )
        yield problem(PART, told, f'GRANT CREATE ON SCHEMA "{schema}" TO {found.server["role"]}')
    elif at is None:
        yield ok(PART, f"the schema {schema} has no tables yet: the first start makes them")
    else:
        yield ok(PART, f"the schema {schema} is at revision {at}: the next start takes it to {newest}; {size}")


def _connections(found: Checkup, settings: Settings) -> Iterator[Finding]:
    needed = settings.database_pool_size + settings.journal_lanes + _LINE
    there, used = found.server["connections"], found.server["connected"]
    told = f"a process may hold {needed} connections; the server has {there}, of which {used} are in use"
    if needed > there:
        yield problem(PART, told, "raise max_connections, or lower DATABASE_POOL_SIZE")
    elif used + needed > there:
        advice = "raise max_connections, or lower DATABASE_POOL_SIZE, before another process starts"
        yield warning(PART, told, advice)
    else:
        yield ok(PART, told)


def _held_up(found: Checkup) -> Iterator[Finding]:
    for one in found.long_transactions:
        what = "the feed of events stands still behind it" if one["wrote"] else "no dead row newer than it can go"
        who = f"{one['application'] or 'a session'} (pid {one['pid']}, {one['state']})"
        told = f"{who} has a transaction open for {one['seconds']:.0f} s: {what}"
        yield warning(PART, told, f"end it there, or SELECT pg_terminate_backend({one['pid']})")
    for one in found.prepared:
        told = f"the prepared transaction {one['gid']} is {one['seconds']:.0f} s old: the feed of events stands still behind it"
        yield warning(PART, told, "COMMIT PREPARED or ROLLBACK PREPARED it")


def _vacuum(found: Checkup) -> Iterator[Finding]:
    for one in found.tables:
        if one["unvacuumed"]:
            advice = f"ALTER TABLE {one['name']} RESET (autovacuum_enabled)"
            yield warning(PART, f"autovacuum is off for the table {one['name']}", advice)
        elif _is_bloated(one):
            told = f"{one['name']} has {one['dead']:,} dead rows beside {one['live']:,}: autovacuum does not keep up"
            yield warning(PART, told, f"VACUUM {one['name']}, and look for transactions that stay open")


def _is_bloated(table: Any) -> bool:
    return table["dead"] > max(_DEAD, table["live"])


def _place(dsn: str) -> str:
    """Where it is, without user and password."""
    try:
        parts = urlsplit(dsn)
        host, port = parts.hostname, parts.port or 5432
    except ValueError:  # several hosts, or an address that is none
        return "DATABASE_URL"
    if "@" in parts.path:  # which began in the password
        return "DATABASE_URL"
    return f"{host}:{port}{parts.path}" if host else "its socket"


def _without_secrets(text: str, settings: Settings) -> str:
    written = (settings.database_dsn or "").rpartition("@")[0].rpartition(":")[2]
    for password in filter(None, (settings.database_password, written, unquote(written))):
        text = text.replace(password, "***")
    return text
