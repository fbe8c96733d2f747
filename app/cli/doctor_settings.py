"""What `doctor` says of the settings: each wrong one by its name, what is passed over, what contradicts itself, the port.

No value of a setting is ever told, but those that say where something is.
"""

from __future__ import annotations

import difflib
import ipaddress
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.cli.doctor_findings import Finding, ok, problem, warning
from app.cli.process import ServerError, is_taken
from app.env_file import SettingsError, read_file
from app.settings import Settings, environment, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PART: Final = "settings"
_ALIKE: Final = 0.84
_SHORT_LEASE: Final = 2.0
_NAMES: Final = frozenset(name.upper() for name in Settings.model_fields)


def read(data_dir: Path | None) -> tuple[Settings | None, list[Finding]]:
    """The settings as the service would have them, None where it would not start; and what is to be said of them."""
    findings = list(_env_file())
    try:
        settings = load_settings(data_dir=data_dir)
    except SettingsError as error:
        wrong = [one for one in error.lines if not one.startswith(".env cannot be read")]
        advice = "mend it in .env or the environment; docs/configuration.md has every setting"
        return None, [*findings, *(problem(PART, one, advice) for one in wrong)]
    findings.append(ok(PART, "every setting is valid"))
    return settings, [*findings, *contradictions(settings)]


def _env_file() -> Iterator[Finding]:
    where = Path(".env").absolute()
    try:
        found = read_file()
    except SettingsError as error:
        yield problem(PART, f"{where}: {error.lines[0]}", "mend it, or take it away: nothing starts with it")
        return
    if found is None:
        yield ok(PART, f"no .env in {where.parent}: the environment and the defaults count")
        return
    values, broken = found
    yield ok(PART, f"{where} has {len(values)} entries")
    for line in broken:
        yield warning(PART, f"line {line} of .env says nothing and is passed over", "write it as NAME=VALUE")
    if where.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH) and any(map(_is_secret, values)):
        yield warning(PART, "every user of this machine may read .env, which holds secrets", "chmod 600 .env")
    for name in values.keys() - _NAMES:
        meant = difflib.get_close_matches(name.upper(), _NAMES, n=1, cutoff=_ALIKE)
        if meant and name.upper() not in _NAMES:
            yield warning(PART, f"{name} in .env is no setting and is passed over", f"did you mean {meant[0]}?")
    yield from _twice(values)


def _twice(values: Mapping[str, str]) -> Iterator[Finding]:
    given = {name.upper(): value for name, value in environment().items()}
    for name in sorted(values.keys() & _NAMES):
        if given.get(name) and values[name] and given[name] != values[name]:
            told = f"{name} stands in .env and in the environment, with another value"
            yield warning(PART, told, "the environment goes before .env: take one of them away")


def contradictions(settings: Settings) -> Iterator[Finding]:
    """What holds each by itself, and not together."""
    s = settings
    named = s.database_dsn is not None
    if s.database_url and s.postgres_connection_string and s.database_url != s.postgres_connection_string:
        yield warning(
            PART, "POSTGRES_CONNECTION_STRING is not used", "DATABASE_URL goes before it: take one of them away"
        )
    if s.database_host and (s.database_url or s.postgres_connection_string):
        yield warning(
            PART, "DATABASE_HOST and its like are not used", "the whole address goes before them: take one away"
        )
    if not s.is_durable:
        unused = ", though a database is named" if named else ""
        advice = "unset CHECKPOINTER, USE_POSTGRES_SAVER and CHECKPOINT_ENABLED to keep threads"
        yield warning(PART, f"the journal is in memory{unused}: all is gone with the process", advice)
    elif s.persistence_fallback == "memory":
        told = "PERSISTENCE_FALLBACK=memory: without its database the service starts all the same, and keeps nothing"
        yield warning(PART, told, "PERSISTENCE_FALLBACK=none, unless that is meant")
    if not _is_local(s.host):
        told = f"HOST is {s.host}, and there is no authentication: who reaches the port may do everything"
        yield warning(PART, told, "listen on 127.0.0.1, or let a proxy ask who is there (docs/deploy.md)")
    if s.lease_seconds < _SHORT_LEASE:
        told = "LEASE_SECONDS is so short that a busy process may be taken for dead"
        yield warning(PART, told, "say 10 unless another figure was tried")
    if s.kill_point is not None:
        yield problem(PART, "KILL_POINT is set: the service would kill itself", "leave it empty")


def port(settings: Settings, *, served: bool) -> Finding:
    """Whether the service can listen; `served`: one of ours answers there."""
    where = f"port {settings.port} of {settings.host}"
    if settings.port == 0:
        return ok(PART, "PORT is 0: any free port")
    try:
        taken = is_taken(settings.host, settings.port)
    except ServerError as error:
        return problem(PART, str(error), "mend HOST, or choose another PORT")
    if not taken:
        return ok(PART, f"{where} is free")
    if served:
        return ok(PART, f"{where} is that of the service that runs")
    return problem(PART, f"{where} is taken by another program", "choose another PORT, or end that program")


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_secret(name: str) -> bool:
    return any(
        part in name.upper() for part in ("PASSWORD", "SECRET", "TOKEN", "KEY", "DATABASE_URL", "CONNECTION_STRING")
    )
