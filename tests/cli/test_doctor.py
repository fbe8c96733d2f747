"""`doctor`: each thing that can be wrong is found, with what to do about it, and no secret is told."""

from __future__ import annotations

import gc
import json
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from app.cli import doctor_code, doctor_database, doctor_settings
from app.cli.doctor_installation import installation
from app.cli.doctor_service import service as asked
from app.cli.root import app
from app.settings import load_settings
from app.store.checkup import Checkup
from tests.cli import contract

if TYPE_CHECKING:
    from pathlib import Path

    from app.cli.doctor_findings import Finding
    from app.settings import Settings
    from tests.cli.contract import Service

SECRET = "hunter2"
SERVER: dict[str, Any] = {
    "version": 180004, "version_text": "18.4", "standby": False, "read_only": False, "fsync": True,
    "full_page_writes": True, "autovacuum": True, "connections": 97, "connected": 9, "encoding": "UTF8",
    "size_bytes": 9_000_000, "role": "app", "may_create": True,
}  # fmt: skip
SCHEMA = {"is_there": True, "may_use": True, "may_create": True}
TABLE: dict[str, Any] = {"name": "threads", "usable": True, "unvacuumed": False, "dead": 0, "live": 10}
WELL = Checkup(
    server=SERVER, schema=SCHEMA, revision="0008", newest="0008", skew=0.0, tables=[TABLE], long_transactions=[],
    prepared=[],
)  # fmt: skip
OPEN: dict[str, Any] = {"pid": 7, "application": "psql", "seconds": 90.0, "wrote": True, "state": "idle in transaction"}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without .env, and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for name in (*doctor_settings._NAMES, "BACKSTITCH_URL"):
        monkeypatch.delenv(name, raising=False)


def told(findings: list[Finding], level: str) -> str:
    """What was found of a level, with the advice."""
    assert all(one.advice for one in findings if one.level in {"warning", "problem"})
    return "\n".join(f"{one.message} -> {one.advice}" for one in findings if one.level == level)


def settings(**given: Any) -> Settings:
    return load_settings(**given)


# ---- the whole


def test_a_new_installation_without_service_or_database_is_healthy() -> None:
    result = CliRunner().invoke(app, ["doctor", "--json", "--url", "http://127.0.0.1:1"])
    found = json.loads(result.stdout)
    assert (result.exit_code, found["healthy"]) == (0, True), result.stdout
    parts = {one["part"]: one["level"] for one in found["findings"]}
    assert (parts["database"], parts["service"], parts["code"]) == ("skipped", "skipped", "ok")


def test_a_broken_env_file_is_told_line_by_line_and_without_values(tmp_path: Path) -> None:
    lines = ["PORT=abc", "nothing", f"DATABSE_URL=postgresql://u:{SECRET}@h/x", f"DATABASE_PASSWORD={SECRET}"]
    (tmp_path / ".env").write_text("\n".join(lines))
    result = CliRunner().invoke(app, ["doctor", "--url", "http://127.0.0.1:1"])
    assert result.exit_code == 1
    for said in ("PORT: Input should be a valid integer", "line 2 of .env says nothing", "did you mean DATABASE_URL?"):
        assert said in result.stdout
    assert "chmod 600 .env" in result.stdout
    assert SECRET not in result.stdout + result.stderr


def test_an_env_file_that_is_not_text_is_one_problem(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    result = CliRunner().invoke(app, ["doctor", "--json", "--url", "http://127.0.0.1:1"])
    problems = [one for one in json.loads(result.stdout)["findings"] if one["level"] == "problem"]
    assert (result.exit_code, len(problems)) == (1, 1)
    assert "it is not UTF-8" in problems[0]["message"]


def test_a_part_that_breaks_is_a_finding_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: Settings) -> list[Finding]:
        raise ImportError("no asyncpg here")

    monkeypatch.setattr(doctor_database, "database", broken)
    result = CliRunner().invoke(app, ["doctor", "--url", "http://127.0.0.1:1"])
    assert result.exit_code == 1
    assert "this part cannot be looked at: ImportError: no asyncpg here" in result.stdout
    assert "the modules load" in result.stdout


# ---- installation


def test_a_folder_that_others_may_enter_is_a_problem(tmp_path: Path) -> None:
    cluster = tmp_path / "data" / "postgres"
    cluster.mkdir(parents=True)
    cluster.chmod(0o755)
    assert f"chmod 700 {cluster}" in told(list(installation(tmp_path / "data")), "problem")


def test_a_full_disk_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 50_000_000

    monkeypatch.setattr("app.cli.doctor_installation.shutil.disk_usage", lambda _: Usage)
    assert "0.1 GB free" in told(list(installation(tmp_path)), "problem")


def test_a_missing_package_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "app.cli.doctor_installation.requires", lambda _: ["nosuch>=1", "typer>=999", "x; extra == 'y'"]
    )
    found = told(list(installation(None)), "problem")
    assert "the package nosuch is not installed" in found
    assert "has to be 999 or newer" in found


# ---- settings


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"database_url": "postgresql://a/b", "postgres_connection_string": "postgresql://c/d"}, "is not used"),
        ({"database_url": "postgresql://a/b", "database_host": "c"}, "DATABASE_HOST and its like are not used"),
        ({"database_host": "c", "checkpointer": "memory"}, "in memory, though a database is named"),
        ({"persistence_fallback": "memory"}, "PERSISTENCE_FALLBACK=none"),
        ({"host": "192.0.2.1"}, "there is no authentication"),
        ({"lease_seconds": 1}, "LEASE_SECONDS is so short"),
    ],
)
def test_settings_that_contradict_each_other_are_told(given: dict[str, Any], said: str) -> None:
    assert said in told(list(doctor_settings.contradictions(settings(**given))), "warning")


def test_what_the_environment_overrides_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("LOG_LEVEL=debug\n")
    monkeypatch.setenv("LOG_LEVEL", "info")
    assert "LOG_LEVEL stands in .env and in the environment" in told(doctor_settings.read(None)[1], "warning")


def test_a_port_that_another_program_has_is_a_problem() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = settings(port=taken.getsockname()[1])
        assert doctor_settings.port(given, served=False).level == "problem"
        assert doctor_settings.port(given, served=True).level == "ok"
    assert doctor_settings.port(settings(port=0), served=False).level == "ok"


# ---- database


def judged(**given: Any) -> list[Finding]:
    return list(doctor_database.judged(replace(WELL, **given), settings(database_url="postgresql://h/x")))


def test_a_database_that_is_well_gives_no_advice() -> None:
    assert {one.level for one in judged()} == {"ok"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"server": SERVER | {"version": 140000, "version_text": "14.1"}}, "upgrade it to 15"),
        ({"server": SERVER | {"encoding": "LATIN1"}}, "ENCODING 'UTF8'"),
        ({"server": SERVER | {"standby": True}}, "is a standby"),
        ({"server": SERVER | {"read_only": True}}, "read only"),
        ({"server": SERVER | {"fsync": False}}, "set fsync = on"),
        ({"server": SERVER | {"full_page_writes": False}}, "set full_page_writes = on"),
        ({"server": SERVER | {"autovacuum": False}}, "autovacuum is off"),
        ({"server": SERVER | {"connections": 11}}, "raise max_connections"),
        ({"revision": "0009"}, "start a newer version"),
        ({"revision": ""}, "may not read the table alembic_version"),
        ({"revision": "0007", "schema": SCHEMA | {"may_create": False}}, "GRANT CREATE"),
        ({"schema": SCHEMA | {"may_use": False}}, "GRANT USAGE"),
        ({"schema": SCHEMA | {"is_there": False}, "server": SERVER | {"may_create": False}}, "CREATE SCHEMA"),
        ({"tables": [TABLE | {"usable": False}]}, "GRANT ALL ON ALL TABLES"),
    ],
)
def test_what_keeps_the_service_from_working_is_a_problem(given: dict[str, Any], said: str) -> None:
    assert said in told(judged(**given), "problem")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"server": SERVER | {"connected": 90}}, "before another process starts"),
        ({"skew": -5.0}, "5.0 s behind"),
        ({"long_transactions": [OPEN]}, "the feed of events stands still behind it -> end it there, or SELECT pg_term"),
        ({"long_transactions": [OPEN | {"wrote": False}]}, "no dead row newer than it can go"),
        ({"prepared": [{"gid": "x", "seconds": 3.0}]}, "ROLLBACK PREPARED"),
        ({"tables": [TABLE | {"unvacuumed": True}]}, "RESET (autovacuum_enabled)"),
        ({"tables": [TABLE | {"dead": 60_000}]}, "VACUUM threads"),
    ],
)
def test_what_may_become_trouble_is_a_warning(given: dict[str, Any], said: str) -> None:
    found = judged(**given)
    assert said in told(found, "warning")
    assert not told(found, "problem")


@pytest.mark.parametrize("revision", [None, "0007"])
def test_tables_that_the_next_start_makes_are_no_problem(revision: str | None) -> None:
    assert {one.level for one in judged(revision=revision)} == {"ok"}


async def test_a_database_that_is_away_is_told_without_its_password() -> None:
    given = settings(database_url=f"postgresql://me:{SECRET}@127.0.0.1:1/app")
    found = told(await doctor_database.database(given), "problem")
    assert "PostgreSQL at 127.0.0.1:1/app cannot be used" in found
    assert SECRET not in found


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://u:{SECRET}@[::1/x",
        f"postgresql://u:{SECRET}/more@127.0.0.1:1/x",
        f"postgresql://u:12/{SECRET}@127.0.0.1:1/x",
        f"postgresql://u:{SECRET}@127.0.0.1:1,127.0.0.1:2/x",
        f"postgresql://u:{SECRET}/more",
    ],
)
async def test_an_odd_address_is_a_problem_that_tells_no_piece_of_its_password(dsn: str) -> None:
    found = told(await doctor_database.database(settings(database_url=dsn)), "problem")
    assert "mend DATABASE_URL" in found
    assert SECRET not in found


@pytest.mark.parametrize("host", ["300.1.1.1", "203.0.113.1"])
def test_a_host_that_is_not_of_this_machine_is_no_port_that_is_taken(host: str) -> None:
    found = told([doctor_settings.port(settings(host=host), served=False)], "problem")
    assert f"port 8000 of {host} cannot be listened on" in found


def test_a_host_that_is_none_leaves_the_other_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "300.1.1.1")
    found = CliRunner().invoke(app, ["doctor"])
    assert "every setting is valid" in found.stdout
    assert "cannot be looked at" not in found.stdout


async def test_a_start_that_fails_leaves_no_work_unawaited(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    found = told(await doctor_code.code(settings(checkpointer="memory", agents_dir=tmp_path / "none")), "problem")
    gc.collect()
    assert "AGENTS_DIR cannot be read" in found
    assert not [one for one in recwarn if "never awaited" in str(one.message)]


async def test_a_real_database_is_looked_at(database_url: str) -> None:
    found = await doctor_database.database(settings(database_url=database_url))
    assert "fsync is off" in told(found, "problem")  # the tests' own server is like that
    assert any("which is this version's" in one.message for one in found)


# ---- code and service


async def test_code_that_does_not_load_is_a_problem(tmp_path: Path) -> None:
    assert "nosuchmodule" in told(await doctor_code.code(settings(modules="nosuchmodule")), "problem")
    missing = settings(workflows_dir=tmp_path / "gone")
    assert "WORKFLOWS_DIR cannot be read" in told(await doctor_code.code(missing), "problem")


async def test_each_workflow_and_agent_that_cannot_run_is_told_and_the_others_are_not(tmp_path: Path) -> None:
    for name in ("flows", "agents"):
        (tmp_path / name).mkdir()
    (tmp_path / "flows" / "good.json").write_text('{"name": "good", "steps": [{"id": "a", "sleep": "1s"}]}')
    (tmp_path / "flows" / "bad.yaml").write_text("name: bad")
    (tmp_path / "flows" / "api.json").write_text('{"name": "api", "steps": [{"id": "a", "agent": "of-the-api"}]}')
    (tmp_path / "agents" / "x.yaml").write_text("name: x")
    found = await doctor_code.code(settings(workflows_dir=tmp_path / "flows", agents_dir=tmp_path / "agents"))
    problems, warnings = told(found, "problem"), told(found, "warning")
    assert "bad.yaml is not a workflow" in problems
    assert "the agent in x.yaml is refused" in problems
    assert "api.json" in warnings
    assert "good.json" not in problems + warnings


async def test_a_service_that_answers_is_asked_how_its_parts_are(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {"worker": {"status": "ready"}, "breakers": {"status": "degraded", "detail": "open: mail"}}
    document = {"status": "degraded", "durable": True, "parts": parts}
    monkeypatch.setitem(contract.ANSWERS, "/api/health", document)
    found, served = await asked(service.url)
    assert served
    assert "breakers of the service at" in told(found, "warning")
    parts["database"] = {"status": "unavailable", "detail": "gone"}
    assert "is unavailable: gone" in told((await asked(service.url))[0], "problem")
