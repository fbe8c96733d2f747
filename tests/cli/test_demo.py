"""`demo`: the parts that need no product service; the whole is an acceptance test."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.cli.crash import Witness, verdict
from app.cli.demo import report_in
from app.cli.process import Server, ServerError, free_port, is_healthy, is_taken, url_of
from app.cli.start import Demo
from app.client import Backstitch, ClientError, Event
from tests.cli.contract import AT, THREAD, script

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli
    from tests.cli.contract import Service


def record(name: str, status: str = "completed", at: int = 2) -> dict[str, Any]:
    done = AT.format(at) if status == "completed" else None
    return {
        "id": name, "name": name, "status": status, "started_at": AT.format(1), "completed_at": done, "retry_count": 0,
    }  # fmt: skip


def told(events: list[dict[str, Any]]) -> Witness:
    witness = Witness()
    for one in events:
        witness.take(Event(name=one["event"], seq=one["seq"], body=one))
    return witness


PROGRAM = """
import http.server, os, sys

class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/end":
            print("error: told to end", flush=True)
            os._exit(3)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Healthy).serve_forever()
"""
BEFORE = {"analyst": record("analyst"), "marketer": record("marketer", "running")}
AFTER = {"analyst": record("analyst"), "marketer": record("marketer", at=4)}


def test_the_demo_uses_the_service_that_runs_and_says_what_to_try(cli: Cli, service: Service) -> None:
    result = cli("demo", "--port", str(service.port))
    assert result.exit_code == 0
    assert "workflow_complete" in result.stdout
    for command in (
        f" status {THREAD} --url",
        f" rollback {THREAD} --to 2 --url",
        f"curl -N {service.url}/api/invoke/",
    ):
        assert command in result.stdout


def test_the_demo_sends_absolute_paths(cli: Cli, service: Service, tmp_path: Path) -> None:
    cli("demo", "--port", str(service.port), "--input", str(tmp_path), "--json")
    assert service.state.asked[1][1]["input"] == {"paths": [str(tmp_path)]}


def test_the_demo_fails_when_the_workflow_fails(cli: Cli, service: Service) -> None:
    service.state.events = script("workflow_failed")
    result = cli("demo", "--port", str(service.port), "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["status"] == "failed"


@pytest.mark.parametrize("how", ["--serve", "--crash"])
def test_a_taken_port_is_one_line_and_exit_code_2(cli: Cli, service: Service, how: str) -> None:
    result = cli("demo", how, "--port", str(service.port))
    assert result.exit_code == 2
    assert f"error: port {service.port} is taken" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_crash_that_kept_all_finished_steps_is_proven(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict(Demo(), "completed", told(script()), before=BEFORE, after=AFTER) == 0
    assert "1 steps had finished before the crash; none of them ran again" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("after", "more", "fault"),
    [
        (AFTER | {"analyst": record("analyst", at=3)}, [], "analyst ran again"),
        (AFTER, [script()[1] | {"seq": 9}], "analyst ran again"),
        (AFTER, [script()[3] | {"seq": 9}], "analyst ran again"),
        (AFTER, [script()[7] | {"seq": 10}], "without a gap"),
    ],
    ids=["another end", "a second start", "a second completion", "a lost event"],
)
def test_a_crash_that_was_not_survived_is_told(
    capsys: pytest.CaptureFixture[str], after: dict[str, Any], more: list[dict[str, Any]], fault: str
) -> None:
    assert verdict(replace(Demo(), json=True), "completed", told(script() + more), before=BEFORE, after=after) == 1
    assert fault in json.loads(capsys.readouterr().out)["faults"][0]


def test_a_workflow_that_was_never_cut_proves_nothing() -> None:
    assert verdict(Demo(json=True), "completed", told(script()), before={}, after=AFTER) == 1


async def test_a_service_that_cannot_start_is_told_by_its_last_line() -> None:
    server = Server(host="127.0.0.1", port=0, data_dir=None)
    async with Backstitch("http://127.0.0.1:9", retry_for=0) as client:
        await server.start()
        with pytest.raises(ServerError, match="the service ended"):
            await server.ready(client)
    await server.stop()
    server.log.unlink()


async def test_a_service_that_was_killed_is_told_by_the_signal() -> None:
    server = Server(host="127.0.0.1", port=0, data_dir=None)
    await server.start()
    server._running().kill()
    with pytest.raises(ServerError, match="ended by SIGKILL"):
        await server.wait()
    server.log.unlink()


async def test_a_service_that_does_not_stop_in_time_or_at_all_is_no_hang() -> None:
    server = Server(host="127.0.0.1", port=1, data_dir=None)
    await server.stop()
    with pytest.raises(ServerError, match="not started"):
        await server.kill()
    server.log.unlink()


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server whose process is a small program that is healthy at once and stops when told."""
    program = tmp_path / "program"
    program.write_text(f"#!{sys.executable}\n{PROGRAM}")
    program.chmod(0o700)
    monkeypatch.setattr("app.cli.process.sys.executable", str(program))
    return Server(host="127.0.0.1", port=free_port("127.0.0.1"), data_dir=tmp_path)


async def test_a_killed_service_is_started_again_and_stopped_in_order(child: Server) -> None:
    async with Backstitch(child.url) as client:
        await child.start()
        await child.ready(client)
        await child.kill()
        assert not await is_healthy(client)
        await child.start()
        await child.during(child.ready(client))
    await child.stop()
    assert not child.log.exists()


async def test_work_ends_with_the_service_that_it_needs(child: Server) -> None:
    async with Backstitch(child.url) as client:
        await child.start()
        await child.ready(client)
        with pytest.raises(ServerError, match="told to end"):
            await child.during(_end_it_and_wait(client))
    child.log.unlink()


async def _end_it_and_wait(client: Backstitch) -> None:
    with suppress(ClientError):
        await client.request("GET", "/end")
    await asyncio.Event().wait()


def test_a_free_port_is_not_taken(service: Service) -> None:
    assert not is_taken("127.0.0.1", free_port("127.0.0.1"))
    assert is_taken("127.0.0.1", service.port)


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:1"), ("::", "http://[::1]:1"), ("localhost", "http://localhost:1")],  # noqa: S104
)
def test_a_service_on_all_addresses_is_reached_on_this_machine(host: str, url: str) -> None:
    assert url_of(host, 1) == url


def test_the_report_is_the_first_file_that_the_output_names(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    report.touch()
    assert report_in({"score": 3, "made": [{"topic": "x", "path": str(report)}]}) == str(report)
    assert report_in({"path": "/no/such/file"}) is None


def test_serve_with_a_wrong_setting_is_one_line_and_exit_code_2() -> None:
    command = [sys.executable, "-m", "app.cli", "serve", "--log-level", "loud"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 2
    assert "LOG_LEVEL" in ended.stderr
    assert "Traceback" not in ended.stderr
