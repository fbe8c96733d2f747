"""The command line against a real service, and the demo as a newcomer runs it."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.acceptance import sse
from tests.acceptance.service import chain, environment, free_port, run_cli, running, waiting
from tests.acceptance.test_steer import failing, held

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service


def cli(service: Service, *arguments: str, expect: int = 0) -> str:
    """What a command prints; it must exit with `expect`."""
    done = run_cli(*arguments, "--url", service.url, cwd=service.folder)
    assert done.returncode == expect, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


def cli_json(service: Service, *arguments: str, expect: int = 0) -> Any:
    """The one JSON document that a command prints with --json."""
    return json.loads(cli(service, *arguments, "--json", expect=expect))


def test_invoke_answers_with_the_thread(service: Service) -> None:
    service.register(chain("by-cli", 2))
    accepted = cli_json(service, "invoke", "by-cli", "--set", "topic=AI", "--thread-id", f"cli-{uuid.uuid4()}")
    assert accepted["durable"] is True
    done = service.until(accepted["thread_id"])
    assert done["status"] == "completed"
    found = service.get(f"/api/workflow/execution/{done['execution_id']}")
    assert found["execution"]["input"] == {"topic": "AI"}


def test_invoke_of_a_file_watches_it_to_its_end(service: Service, tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(yaml.safe_dump(chain("from-file", 2)))
    printed = cli(service, "invoke", str(tmp_path / "w.yaml"), "--watch")
    assert all(step in printed for step in ("s1", "s2"))
    assert "completed" in printed or "complete" in printed


def test_invoke_that_waits_prints_the_output(service: Service) -> None:
    service.register({"name": "answers", "steps": [{"id": "a", "python": "echo", "input": "{input}"}]})
    printed = cli(service, "invoke", "answers", "--input", '{"x": [1, 2]}', "--wait")
    assert json.loads(printed) == {"a": {"x": [1, 2]}}


def test_a_watched_workflow_that_fails_exits_with_1(service: Service, tmp_path: Path) -> None:
    service.register(failing(tmp_path, "fails-in-cli"))
    lines = cli(service, "invoke", "fails-in-cli", "--watch", "--json", expect=1).splitlines()
    events = [json.loads(line) for line in lines]
    assert events[-1]["event"] == "workflow_failed"
    thread = events[-1]["thread_id"]
    (tmp_path / "go").touch()
    assert cli_json(service, "resume", thread)["resumed_from_version"] == 3
    service.until(thread)
    cli(service, "watch", thread)
    assert service.calls(thread) == {"a": 1, "b": 2, "c": 1, "d": 1}


def test_status_history_rollback_and_cancel(service: Service, tmp_path: Path) -> None:
    thread = service.run(chain("looked-at", 2))["thread_id"]
    assert cli_json(service, "status", thread) == service.status(thread)
    assert "s2" in cli(service, "status", thread)
    history = cli_json(service, "history", thread)
    assert [one["version"] for one in history["history"]] == [1, 2, 3, 4]
    assert "START" in cli(service, "history", thread)
    moved = cli_json(service, "rollback", thread, "--to", "2")
    assert (moved["rolled_back_to_version"], moved["rolled_back_from_version"]) == (2, 4)
    assert service.until(thread)["version"] == 6
    running_one = service.start_thread(held(tmp_path, "cancelled-by-cli"))
    assert cli_json(service, "cancel", running_one)["status"] == "cancelled"
    cli(service, "cancel", running_one, expect=1)
    assert service.status(running_one)["status"] == "cancelled"


def test_what_is_not_there_is_one_line(service: Service) -> None:
    for command in (
        ["status", "nobody"],
        ["watch", "nobody"],
        ["cancel", "nobody"],
        ["rollback", "nobody", "--to", "1"],
    ):
        done = run_cli(*command, "--url", service.url, cwd=service.folder)
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    done = run_cli("status", "x", "--url", f"http://127.0.0.1:{free_port()}", cwd=service.folder)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (3, 1)


def test_watch_goes_on_across_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        thread = service.start_thread(chain("watched", 3, until=str(tmp_path / "go")))
        watching = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "watch", thread, "--json", "--url", service.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(),
            cwd=tmp_path,
        )
        assert watching.stdout is not None
        first = json.loads(watching.stdout.readline())
        service.kill()
        (tmp_path / "go").touch()
        service.start().ready()
        rest = [json.loads(line) for line in watching.stdout]
        watching.stdout.close()
        assert watching.wait(60) == 0
        sse.without_gap([first, *rest])
        assert rest[-1]["event"] == "workflow_complete"


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A small folder to work on."""
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(3):
        text = f"# Page {number}\n\nDurable workflows keep their state. See [next](page{number + 1}.md).\n" * 5
        (folder / f"page{number}.md").write_text(text)
    return folder


def test_the_demo_with_a_crash_proves_that_nothing_ran_twice(documents: Path, tmp_path: Path) -> None:
    done = run_cli(
        "demo", "--crash", "--json", "--data-dir", str(tmp_path / "data"), "--input", str(documents), cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["proven"], found["faults"]) == (True, [])
    assert any(step["cut"] for step in found["steps"])


def test_the_demo_makes_its_report_and_stays_up_until_told(documents: Path, tmp_path: Path) -> None:
    port = free_port()
    command = ["demo", "--serve", "--port", str(port), "--data-dir", str(tmp_path / "data"), "--input", str(documents)]
    with (tmp_path / "out").open("w") as out:
        demo = subprocess.Popen(
            [sys.executable, "-m", "app.cli", *command], stdout=out, stderr=out, cwd=tmp_path, env=environment()
        )
    for _ in waiting("the demo to stay up"):
        printed = (tmp_path / "out").read_text()
        assert demo.poll() is None, printed
        if "stays up" in printed:
            break
    demo.terminate()
    assert demo.wait(60) == 0, (tmp_path / "out").read_text()
    assert list((tmp_path / "data" / "reports").iterdir())
    assert all(word in printed for word in ("status", "rollback", "stream"))
