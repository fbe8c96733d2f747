"""How it starts, and how it says in one line why it cannot: memory, fallback, ports, settings."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.service import chain, free_port, run_cli, running
from tests.acceptance.test_start import ONE

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


def one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 2, and a single line on stderr that says what these words say."""
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0], lines[0]


@pytest.mark.parametrize(
    "setting", [{"CHECKPOINTER": "memory"}, {"USE_POSTGRES_SAVER": "false"}, {"CHECKPOINT_ENABLED": "false"}]
)
def test_memory_says_everywhere_that_it_is_not_durable(tmp_path: Path, setting: dict[str, str]) -> None:
    with running(tmp_path, "empty", **setting) as service:
        assert service.get("/api/health")["durable"] is False
        store = service.get("/api/health/checkpointer")
        assert (store["kind"], store["durable"], store["fallback"]) == ("memory", False, None)
        accepted = service.post("/api/invoke/async", {"workflow": chain("m", 3)})
        assert accepted["durable"] is False
        thread = accepted["thread_id"]
        assert service.until(thread)["status"] == "completed"
        moved = service.post(f"/api/invoke/rollback/{thread}", {"to_version": 2})
        assert moved["durable"] is False
        assert service.until(thread)["version"] == 8
        assert service.calls(thread) == {"s1": 1, "s2": 2, "s3": 2}
        assert not (tmp_path / "data" / "postgres").exists()


def test_an_unreachable_database_degrades_when_it_may(tmp_path: Path) -> None:
    with running(tmp_path, "empty", DATABASE_URL=NOWHERE, PERSISTENCE_FALLBACK="memory") as service:
        health = service.get("/api/health")
        assert (health["status"], health["durable"]) == ("degraded", False)
        store = service.get("/api/health/checkpointer")
        assert (store["kind"], store["durable"]) == ("memory", False)
        assert store["fallback"]
        assert service.post("/api/invoke/async", {"workflow": ONE})["durable"] is False
        assert "warning" in service.log.read_text().lower() or "without a database" in service.log.read_text()


@pytest.mark.parametrize(
    "setting",
    [
        {"DATABASE_URL": NOWHERE},
        {"POSTGRES_CONNECTION_STRING": NOWHERE},
        {"DATABASE_HOST": "127.0.0.1", "DATABASE_PORT": 1},
    ],
)
def test_an_unreachable_database_is_one_line(tmp_path: Path, setting: dict[str, object]) -> None:
    port = str(free_port())
    one_line(run_cli("serve", "--port", port, "--data-dir", "d", cwd=tmp_path, **setting), "PostgreSQL")


def test_the_password_of_the_database_is_never_told(tmp_path: Path) -> None:
    done = run_cli("serve", "--port", str(free_port()), cwd=tmp_path, DATABASE_URL="postgresql://a:hush@127.0.0.1:1/x")
    one_line(done)
    assert "hush" not in done.stderr + done.stdout


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_cli("serve", "--port", str(port), "--data-dir", "d", cwd=tmp_path)
    one_line(done, str(port))
    assert not (tmp_path / "d" / "postgres").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LEASE_SECONDS", "soon"),
        ("LEASE_SECONDS", "0"),
        ("CHECKPOINTER", "redis"),
        ("PERSISTENCE_FALLBACK", "disk"),
        ("DATABASE_URL", "mysql://x"),
        ("POSTGRES_SCHEMA", "Robert'); DROP"),
        ("CHECKPOINT_FREQUENCY", "hourly"),
        ("RETENTION_DAYS", "for ever"),
        ("MAX_CONCURRENT_THREADS", "-1"),
        ("LOG_LEVEL", "loud"),
        ("MODULES", "no.such.module"),
        ("WORKFLOWS_DIR", "/no/such/folder"),
    ],
)
def test_a_setting_that_is_wrong_is_one_line_that_names_it(tmp_path: Path, name: str, value: str) -> None:
    done = run_cli("serve", "--port", str(free_port()), cwd=tmp_path, **{"CHECKPOINTER": "memory", name: value})
    one_line(done, name)


def test_a_workflow_file_that_does_not_hold_is_one_line_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "bad.yaml").write_text("name: bad\nsteps: [{id: a}]\n")
    settings = {"CHECKPOINTER": "memory", "WORKFLOWS_DIR": tmp_path / "flows"}
    one_line(run_cli("serve", "--port", str(free_port()), cwd=tmp_path, **settings), "bad.yaml")


def test_settings_come_from_a_file_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CHECKPOINTER=memory\nMAX_CONCURRENT_THREADS=7\n")
    with running(tmp_path) as service:
        assert service.get("/api/health/checkpointer")["kind"] == "memory"


def test_another_database_and_schema_by_its_url(tmp_path: Path) -> None:
    with running(tmp_path / "owner") as owner:
        url = owner.dsn.replace("postgresql://", "postgresql+asyncpg://")
        with running(tmp_path / "guest", "empty", DATABASE_URL=url, POSTGRES_SCHEMA="elsewhere") as guest:
            thread = guest.run(chain("guest", 2))["thread_id"]
            assert guest.get("/api/health/checkpointer")["kind"] == "postgres"
            assert owner.http.get(f"/api/invoke/status/{thread}").status_code == 404
            assert not (tmp_path / "guest" / "data" / "postgres").exists()
        found = owner.sql("SELECT version FROM elsewhere.workflow_states WHERE workflow_id = $1", thread)
        assert len(found) == 4
