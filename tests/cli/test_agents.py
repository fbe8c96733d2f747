"""What the commands of `agents` send, print and exit with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.contract import AGENT, problem

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli
    from tests.cli.contract import Service

PRINTING = [
    ("list",),
    ("list", "--kind", "python", "--disabled"),
    ("show", "analyst"),
    ("health", "analyst", "--window", "1h"),
    ("events", "analyst"),
    ("enable", "analyst"),
    ("disable", "analyst", "--reason", "too dear"),
    ("delete", "analyst"),
]


def asked(service: Service) -> tuple[str, Any]:
    return service.state.asked[-1]


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_json_is_all_that_stdout_gets(cli: Cli, arguments: tuple[str, ...]) -> None:
    result = cli("agents", *arguments, "--json")
    assert result.exit_code == 0
    assert isinstance(json.loads(result.stdout), dict)


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_people_get_text(cli: Cli, arguments: tuple[str, ...]) -> None:
    result = cli("agents", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "analyst" in result.stdout or "version=2" in result.stdout


def test_the_list_tells_states_and_refused_files(cli: Cli) -> None:
    lines = cli("agents", "list").stdout.splitlines()
    assert lines[1].split()[:5] == ["analyst", "2", "python", "api", "disabled:"]
    assert lines[2] == "refused: marketer.yaml: /kind no kind of agent 'lllm'"


def test_health_is_told_in_words(cli: Cli) -> None:
    text = cli("agents", "health", "analyst").stdout
    assert "104 attempts in 15 min 0 s: 99 succeeded, 4 failed, 1 rejected, success rate 96.1%" in text
    assert "p50 12 ms p95 49 ms p99 198 ms" in text
    assert "step a: not done within 5 s [timeout]" in text


def test_why_an_agent_is_disabled_is_sent(cli: Cli, service: Service) -> None:
    cli("agents", "disable", "a/b", "--reason", "too dear")
    assert asked(service) == ("POST /api/agents/a/b/disable", {"reason": "too dear"})


@pytest.mark.parametrize(
    ("name", "text"), [("a.yaml", "name: a\nkind: python\n"), ("a.json", '{"name": "a", "kind": "python"}')]
)
def test_apply_sends_the_document(cli: Cli, service: Service, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    result = cli("agents", "apply", str(tmp_path / name))
    assert (result.exit_code, result.stdout) == (0, "agent analyst is in version 2\n")
    assert asked(service) == ("POST /api/agents", {"name": "a", "kind": "python"})


@pytest.mark.parametrize("text", [None, "- 1", "{"])
def test_a_file_that_is_no_agent_exits_with_2_and_nothing_is_sent(
    cli: Cli, service: Service, tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "a.yaml").write_text(text)
    result = cli("agents", "apply", str(tmp_path / "a.yaml"))
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
    assert not service.state.asked


def test_what_does_not_hold_is_told_with_its_places(cli: Cli, service: Service, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\nkind: lllm\n")
    faults = [{"pointer": "/kind", "message": "no kind of agent 'lllm'"}]
    service.state.refusal = problem(422, "invalid_agent", "Invalid", "/kind: no kind", problems=faults)
    result = cli("agents", "apply", str(tmp_path / "a.yaml"))
    assert result.exit_code == 1
    assert result.stderr == "error: Invalid: /kind: no kind of agent 'lllm' [invalid_agent]\n"


AGENT_FAULTS = {
    "(agent): 'name' is missing": [("", "'name' is missing")],
    "(body): should be an object": [("", "should be an object")],
    "'name' is missing": [("", "'name' is missing")],
    "cursor: not a cursor of this list": [("/query/cursor", "not a cursor")],
    "/config/a: looks like a secret": [("/config/a", "looks like a secret"), ("/config/b", "looks like a secret")],
    "/config: no variable A": [("/config", "no variable A"), ("/config", "no variable A")],
    "a parameter does not hold": [("/limit", "too many"), ("/kind", "too many")],
}


@pytest.mark.parametrize("detail", AGENT_FAULTS)
def test_a_refusal_says_each_sentence_once(cli: Cli, service: Service, detail: str) -> None:
    faults = [{"pointer": pointer, "message": message} for pointer, message in AGENT_FAULTS[detail]]
    service.state.refusal = problem(422, "invalid_agent", "Invalid", detail, problems=faults)
    said = cli("agents", "enable", "analyst").stderr
    for sentence in {message for _, message in AGENT_FAULTS[detail]}:
        assert said.count(sentence) == 1
    assert all(pointer.rpartition("/")[2] in said for pointer, _ in AGENT_FAULTS[detail])
    assert "(document)" not in said
    assert said.count("/config ") + said.count("/config,") + said.count("/config:") <= 1


def test_an_agent_whose_code_is_gone_is_listed_as_such(
    cli: Cli, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(AGENT, "source", "code")
    monkeypatch.setitem(AGENT, "loaded", False)
    assert "its code is gone" in cli("agents", "list").stdout
