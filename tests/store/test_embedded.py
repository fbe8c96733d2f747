"""The embedded PostgreSQL: made once, shared, found again after a crash, and safe to run as root."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import psutil
import pytest

from app.domain.errors import StartupError
from app.store import embedded
from app.store.embedded import EmbeddedPostgres, embedded_postgres
from app.store.postgres_process import binaries, find_postmaster

if TYPE_CHECKING:
    from collections.abc import Generator

_START_AND_DIE = """
import os, pathlib, signal, sys
from app.store.embedded import EmbeddedPostgres
EmbeddedPostgres(pathlib.Path(sys.argv[1])).start()
os.kill(os.getpid(), signal.SIGKILL)
"""
_LAUNCHER = Path(embedded.__file__).with_name("unprivileged.py")


@contextmanager
def running(folder: Path) -> Generator[tuple[EmbeddedPostgres, str]]:
    server = EmbeddedPostgres(folder)
    try:
        yield server, server.start()
    finally:
        server.stop()


def pid_of(folder: Path) -> int | None:
    server = find_postmaster(folder / "postgres")
    return server.pid if server is not None else None


async def ask(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_it_answers_while_it_is_used_and_is_gone_afterwards(tmp_path: Path) -> None:
    async with embedded_postgres(tmp_path) as dsn:
        assert await ask(dsn, "SELECT current_setting('fsync') || current_setting('synchronous_commit')") == "onon"
        assert pid_of(tmp_path) is not None
    assert pid_of(tmp_path) is None


def test_it_is_shared_and_the_last_user_stops_it(tmp_path: Path) -> None:
    with running(tmp_path) as (first, first_dsn):
        with running(tmp_path) as (_, second_dsn):
            assert first_dsn == second_dsn
            assert not first.lock.is_alone()
        assert pid_of(tmp_path) is not None
        assert first.lock.is_alone()
    assert pid_of(tmp_path) is None


def test_a_server_that_outlived_its_service_is_taken_over(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", _START_AND_DIE, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    survivor = pid_of(tmp_path)
    assert survivor is not None
    with running(tmp_path):
        assert pid_of(tmp_path) == survivor
    assert pid_of(tmp_path) is None


async def test_what_was_committed_survives_the_death_of_the_server(tmp_path: Path) -> None:
    with running(tmp_path) as (_, dsn):
        await ask(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
        server = psutil.Process(pid_of(tmp_path))
        server.kill()
        server.wait(10)
        with running(tmp_path) as (_, again):  # a second process while the first still has its lock
            assert await ask(again, "SELECT answer FROM kept") == 42


async def test_a_server_that_dies_under_its_service_is_started_again_at_the_same_place(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90)
    async with embedded_postgres(deep) as dsn:
        server = find_postmaster(deep / "postgres")
        assert server is not None
        os.kill(server.pid, signal.SIGKILL)
        async with asyncio.timeout(30):
            while not await _answers(dsn):  # noqa: ASYNC110 - it is another process that answers
                await asyncio.sleep(0.1)
        revived = find_postmaster(deep / "postgres")
        assert revived is not None
        assert revived.pid != server.pid


async def _answers(dsn: str) -> bool:
    try:
        connection = await asyncpg.connect(dsn)
    except (OSError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True


def test_a_stale_pid_that_another_program_has_by_now_is_no_server(tmp_path: Path) -> None:
    with running(tmp_path):
        pass
    (tmp_path / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{tmp_path}/postgres\n0\n5432\n\n\n\nready\n")
    with running(tmp_path):
        assert pid_of(tmp_path) not in {None, os.getpid()}


def test_a_server_in_another_container_is_not_taken_for_a_dead_one(tmp_path: Path) -> None:
    with running(tmp_path) as (server, _):
        killed = psutil.Process(pid_of(tmp_path))
        killed.kill()
        killed.wait(10)
        (tmp_path / "server.place").write_text("elsewhere", encoding="utf-8")
        with pytest.raises(StartupError, match="another container"), running(tmp_path):
            pass
        assert server.lock.is_alone()


def test_a_first_start_that_was_cut_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "postgres.unfinished").mkdir()
    (tmp_path / "postgres.unfinished" / "PG_VERSION").write_text("18\n", encoding="ascii")
    with running(tmp_path):
        assert pid_of(tmp_path) is not None
    assert not (tmp_path / "postgres.unfinished").exists()


def test_a_path_too_long_for_a_socket_is_no_hindrance(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    with running(folder) as (_, dsn):
        assert asyncio.run(ask(dsn, "SELECT 1")) == 1
        server = find_postmaster(folder / "postgres")
    assert server is not None
    assert not Path(server.socket_dir).exists()


def test_a_server_that_cannot_start_says_why_in_one_line(tmp_path: Path) -> None:
    with running(tmp_path):
        pass
    (tmp_path / "postgres" / "PG_VERSION").write_text("9.6\n", encoding="ascii")
    with pytest.raises(StartupError, match="database files are incompatible") as caught, running(tmp_path):
        pass
    assert "\n" not in str(caught.value)


def test_a_long_recovery_is_waited_for_with_news(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(embedded, "_NEWS_SECONDS", 0.0)
    with caplog.at_level(logging.WARNING), running(tmp_path):
        assert "is not ready yet" in caplog.text


async def test_a_start_that_is_cancelled_leaves_no_server_behind(tmp_path: Path) -> None:
    async def use() -> None:
        async with embedded_postgres(tmp_path):
            raise AssertionError

    async with asyncio.TaskGroup() as tasks:
        starting = tasks.create_task(use())
        await asyncio.sleep(0)
        starting.cancel()
    async with asyncio.timeout(30):  # the server that was told to stop is on its way
        while pid_of(tmp_path) is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def test_no_folder_outside_the_data_folder_changes_its_mode_or_owner(tmp_path: Path) -> None:
    data = tmp_path / "closed" / "data"
    data.parent.mkdir(mode=0o700)
    foreign = [*data.parents, binaries() / "postgres", *binaries().parents]

    def looks() -> list[tuple[int, int, int]]:
        return [(path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in foreign]

    before = looks()
    with running(data):
        assert looks() == before
    assert looks() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become another user")
@pytest.mark.parametrize("way", ["drop", "capability", "namespace"])
def test_a_way_out_of_root_reaches_a_closed_folder_or_says_that_it_cannot(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "cluster"
    folder.mkdir(mode=0o700)
    if way != "namespace":
        os.chown(folder, 65534, 65534)
    command = [sys.executable, "-I", "-S", str(_LAUNCHER), way, "65534", "65534", str(folder), "/usr/bin/id", "-u"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) in {(0, "65534\n"), (125, "")}
    assert way != "drop" or done.returncode == 125
