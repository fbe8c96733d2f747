"""`watch` and the reconnecting reader: every event exactly once, across cuts and restarts."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from app.client import ApiError, Backstitch, SseParser, UnreachableError
from tests.cli.contract import THREAD, event, script

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Spawn
    from tests.cli.contract import Service

ALL = list(range(1, 9))


def seqs(stdout: str) -> list[int]:
    return [json.loads(line)["seq"] for line in stdout.splitlines()]


def test_watch_prints_each_event_once_as_json(cli: Cli) -> None:
    result = cli("watch", THREAD, "--json")
    assert seqs(result.stdout) == ALL
    assert result.exit_code == 0


def test_watch_after_a_number_prints_only_later_events(cli: Cli) -> None:
    assert seqs(cli("watch", THREAD, "--after", "5", "--json").stdout) == [6, 7, 8]


def test_watch_of_an_ended_thread_at_its_end_takes_the_status_for_the_exit_code(cli: Cli, service: Service) -> None:
    service.state.status = "failed"
    result = cli("watch", THREAD, "--after", "8")
    assert (result.stdout, result.exit_code) == ("", 1)


def test_watch_survives_cuts_in_the_middle_of_frames(cli: Cli, service: Service) -> None:
    service.state.events = [event(n, "step_progress", "a", message=f"{n} ü") for n in range(1, 100)]
    service.state.events.append(event(100, "workflow_complete"))
    service.state.cuts = 30
    result = cli("watch", THREAD, "--json")
    assert seqs(result.stdout) == list(range(1, 101))
    assert service.state.cuts == 0
    assert "reconnecting" in result.stderr


def test_an_event_that_comes_again_is_not_shown_again(cli: Cli, service: Service) -> None:
    service.state.deaf = True
    service.state.cuts = 3
    assert seqs(cli("watch", THREAD, "--json").stdout) == ALL


def test_watch_survives_a_restart_of_the_service(spawn: Spawn, service: Service) -> None:
    service.state.released = 5
    watching = spawn("watch", THREAD, "--json")
    assert service.state.reached.wait(60)
    service.restart()
    service.state.released = 8
    stdout, stderr = watching.communicate(timeout=60)
    assert seqs(stdout) == ALL
    assert watching.returncode == 0
    assert stderr.startswith("reconnecting")


@pytest.mark.parametrize("ending", ["workflow_failed", "workflow_cancelled", "workflow_interrupted"])
def test_watch_exits_with_1_when_the_workflow_did_not_complete(cli: Cli, service: Service, ending: str) -> None:
    service.state.events = script(ending)
    assert cli("watch", THREAD).exit_code == 1


def test_watch_goes_on_after_a_failure_that_was_resumed(cli: Cli, service: Service) -> None:
    first = script("workflow_failed")
    service.state.events = [*first, event(9, "workflow_resumed"), event(10, "workflow_complete")]
    result = cli("watch", THREAD)
    assert result.exit_code == 0
    assert "workflow_resumed" in result.stdout


def test_ctrl_c_leaves_with_130_and_says_how_to_watch_again(spawn: Spawn, service: Service) -> None:
    service.state.released = 5
    watching = spawn("watch", THREAD)
    assert service.state.reached.wait(60)
    watching.send_signal(signal.SIGINT)
    _, stderr = watching.communicate(timeout=60)
    assert watching.returncode == 130
    assert f"watch {THREAD} --url {service.url}" in stderr
    assert not [asked for asked, _ in service.state.asked if "cancel" in asked]


def test_watch_into_a_pipe_prints_one_plain_line_an_event(cli: Cli) -> None:
    lines = cli("watch", THREAD).stdout.split("\n")
    assert len(lines) == 9
    assert "\x1b" not in "".join(lines)
    assert "analyst (llm)" in lines[1]
    assert "50% half way" in lines[2]
    assert "too slow [timeout]" in lines[5]


def test_watch_of_an_unknown_thread_is_one_line(cli: Cli) -> None:
    result = cli("watch", "nope")
    assert result.exit_code == 1
    assert result.stderr == "error: Not found: no thread 'nope' [thread_not_found]\n"


def test_a_reader_of_the_pipe_that_leaves_early_is_no_traceback(spawn: Spawn) -> None:
    watching = spawn("watch", THREAD)
    assert watching.stdout is not None
    assert watching.stderr is not None
    watching.stdout.close()
    watching.wait(60)
    assert "Traceback" not in watching.stderr.read()


async def test_the_first_connection_raises_when_nothing_answers(service: Service) -> None:
    service.stop()
    async with Backstitch(service.url, retry_for=0) as client:
        with pytest.raises(UnreachableError):
            await anext(client.stream(THREAD))


async def test_a_refused_stream_raises_the_problem(service: Service) -> None:
    async with Backstitch(service.url) as client:
        with pytest.raises(ApiError, match="no thread") as refused:
            await anext(client.stream("nope"))
    assert (refused.value.status, refused.value.code) == (404, "thread_not_found")


def test_the_parser_takes_bytes_one_at_a_time() -> None:
    raw = ':c\r\nid: 7\r\nevent: x\r\ndata: {"a":\r\ndata: "\u2028"}\r\n\r\nid: 8\ndata: {}\n\ndata: {"cut"'.encode()
    parser = SseParser()
    found = [event for byte in raw for event in parser.feed(bytes([byte]))]
    assert [(one.seq, one.name, one.body) for one in found] == [(7, "x", {"a": "\u2028"}), (8, "message", {})]
