"""Time travel on the command line: differences, timelines, replays, files of threads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.contract import THREAD, problem

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli
    from tests.cli.contract import Service


def sent(service: Service, path: str) -> Any:
    return [body for asked, body in service.state.asked if asked == f"POST {path}"][-1]


def test_a_difference_is_a_line_for_each_operation(cli: Cli) -> None:
    out = cli("diff", THREAD, "2", "5").stdout.splitlines()
    assert out[0].startswith("add     /steps/marketer {")
    assert out[1] == "replace /metadata/progress 1.0"
    assert json.loads(cli("diff", THREAD, "2", "5", "--json").stdout)["changed"]["steps"] == ["marketer"]


def test_a_tree_shows_what_was_left_and_why(cli: Cli) -> None:
    out = cli("tree", THREAD).stdout
    lines = [line.split(" ✓")[0].rstrip() for line in out.splitlines()]
    assert "forked from version 2 of 01993c5e-7c1f-7d3a-9a55-000000000000" in out
    assert "* 1-4 start up to 2" in lines
    assert "*   └ 5-6 rollback from 2: another wording" in lines
    assert "fork at version 2: post-2" in out
    assert "sub-workflow of step mail: sub:1f" in out


def test_a_replay_is_waited_for_and_compared(cli: Cli, service: Service) -> None:
    done = cli("replay", THREAD, "marketer", "--agent", "marketer-v2", "--set", "mood=loud", "--allow-effects")
    assert sent(service, f"/api/invoke/replay/{THREAD}/marketer") == {
        "agent": "marketer-v2", "input": {"mood": "loud"}, "allow_effects": True
    }  # fmt: skip
    assert done.exit_code == 0
    assert "marketer@1" in done.stdout
    assert done.stdout.splitlines()[-1] == 'replace /plan "long"'


def test_a_replay_that_nobody_waits_for_tells_its_thread(cli: Cli) -> None:
    assert cli("replay", THREAD, "marketer", "--no-wait").stdout.strip() == f"replay: thread {THREAD}"


def test_a_thread_is_written_to_a_file_and_taken_in_from_it(cli: Cli, service: Service, tmp_path: Path) -> None:
    file = tmp_path / "post.ndjson"
    told = cli("workflow", "state", "export", THREAD, "-o", str(file))
    assert (told.exit_code, file.read_text("utf-8")) == (0, '{"row":"end"}\n')
    assert cli("workflow", "state", "export", THREAD).stdout == '{"row":"end"}\n'
    out = cli("workflow", "state", "import", str(file), "--rename").stdout
    assert "is ‖ paused" in out or "paused" in out
    assert f"resume {THREAD}" in out
    assert service.state.taken_in == b'{"row":"end"}\n'


def test_an_export_that_breaks_off_leaves_the_file_that_stood_there(cli: Cli, service: Service, tmp_path: Path) -> None:
    file = tmp_path / "post.ndjson"
    file.write_text("whole", "utf-8")
    service.state.refusal = problem(404, "thread_not_found", "Not found", "no such thread")
    assert cli("workflow", "state", "export", "nobody", "-o", str(file)).exit_code == 1
    assert (file.read_text("utf-8"), list(tmp_path.iterdir())) == ("whole", [file])


def test_a_file_that_cannot_be_read_is_told(cli: Cli, tmp_path: Path) -> None:
    done = cli("workflow", "state", "import", str(tmp_path / "nothing"))
    assert done.exit_code == 2
    assert "cannot read" in done.stderr


@pytest.mark.parametrize("given", [["--left", "--on-timeline"], ["--version", "2", "--step", "marketer"]])
def test_filters_of_a_history_that_do_not_go_together_are_refused(cli: Cli, given: list[str]) -> None:
    done = cli("history", THREAD, *given)
    assert (done.exit_code, done.stdout) == (2, "")


def test_a_history_is_filtered_and_a_rollback_sets_variables(cli: Cli, service: Service) -> None:
    assert cli("history", THREAD, "--step", "marketer", "--left").exit_code == 0
    cli("rollback", THREAD, "--to", "2", "--set", "mood=bad", "--override", 'b={"agent":"x"}')
    body = sent(service, f"/api/invoke/rollback/{THREAD}")
    assert (body["context"], body["overrides"]) == ({"mood": "bad"}, {"b": {"agent": "x"}})


@pytest.mark.parametrize("command", ["diff", "tree", "replay"])
def test_what_the_service_refuses_is_told_in_a_line(cli: Cli, service: Service, command: str) -> None:
    service.state.refusal = problem(404, "thread_not_found", "Not Found", "no thread 't-1'")
    done = cli(command, THREAD, *{"diff": ("1", "2"), "replay": ("a",)}.get(command, ()))
    assert (done.exit_code, done.stderr) == (1, "error: Not Found: no thread 't-1' [thread_not_found]\n")
