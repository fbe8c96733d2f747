"""What the commands send, print and exit with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.contract import ANSWERS, AT, THREAD, problem, script

if TYPE_CHECKING:
    from tests.cli.conftest import Cli
    from tests.cli.contract import Service

PRINTING = [
    ("invoke", "content-strategy"),
    ("status", THREAD),
    ("history", THREAD),
    ("history", THREAD, "--version", "2"),
    ("executions",),
    ("workflows",),
    ("resume", THREAD),
    ("rollback", THREAD, "--to", "2"),
    ("rollback", THREAD, "--to", "2", "--dry-run"),
    ("items", THREAD, "read"),
    ("items", THREAD, "read", "3"),
    ("usage",),
    ("usage", "--by", "agent,day", "--since", "2026-11-01"),
    ("cancel", THREAD),
    ("pause", THREAD),
    ("fork", THREAD, "--version", "2"),
    ("compare", THREAD, "t-b"),
    ("task", "writer"),
    ("task", "writer", "--wait"),
    ("gates",),
    ("gates", THREAD),
    ("answer", THREAD, "approve", "--set", "approved=true"),
    ("invoke", "content-strategy", "--wait"),
]


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_json_is_all_that_stdout_gets(cli: Cli, arguments: tuple[str, ...]) -> None:
    result = cli(*arguments, "--json")
    assert result.exit_code == 0
    assert isinstance(json.loads(result.stdout), dict)


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_json_may_stand_before_the_command(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert json.loads(cli("--json", *arguments).stdout) == json.loads(cli(*arguments, "--json").stdout)


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_people_get_text(cli: Cli, arguments: tuple[str, ...]) -> None:
    result = cli(*arguments)
    assert result.exit_code == 0
    assert result.stdout.strip()
    assert result.stderr == ""


def sent(service: Service, path: str) -> dict[str, Any]:
    return [body for asked, body in service.state.asked if asked == f"POST {path}"][-1]


def test_invoke_sends_the_input_with_the_fields_set(cli: Cli, service: Service) -> None:
    cli("invoke", "w@2", "--input", '{"a": 1, "b": 2}', "--set", "b=[3]", "--set", "c=plain text", "--thread-id", "x")
    body = sent(service, "/api/invoke/async")
    assert body == {
        "workflow": "w@2",
        "input": {"a": 1, "b": [3], "c": "plain text"},
        "thread_id": "x",
        "triggered_by": "cli",
    }


def test_invoke_says_where_and_when_the_thread_waits(cli: Cli, service: Service) -> None:
    cli("invoke", "w", "--queue", "mail", "--priority", "-5", "--delay", "5m")
    body = sent(service, "/api/invoke/async")
    assert (body["queue"], body["priority"], body["delay"]) == ("mail", -5, "5m")


@pytest.mark.parametrize("how", ["@", "file", "-"])
def test_invoke_reads_the_input_from_a_file_or_stdin(cli: Cli, service: Service, tmp_path: Path, how: str) -> None:
    file = tmp_path / "input.json"
    file.write_text('{"topic": "ü"}', "utf-8")
    given = {"@": ["--input", f"@{file}"], "file": ["--input-file", str(file)], "-": ["--input", "-"]}[how]
    assert cli("invoke", "w", *given, stdin=file.read_text("utf-8")).exit_code == 0
    assert sent(service, "/api/invoke/async")["input"] == {"topic": "ü"}


@pytest.mark.parametrize(
    ("name", "text"), [("w.yaml", "name: w\nsteps: []\n"), ("w.json", '{"name": "w", "steps": []}')]
)
def test_invoke_sends_a_document_inline(cli: Cli, service: Service, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    cli("invoke", str(tmp_path / name))
    assert sent(service, "/api/invoke/async")["workflow"] == {"name": "w", "steps": []}


@pytest.mark.parametrize(
    "arguments",
    [
        ("invoke", "w", "--input", "{nope"),
        ("invoke", "w", "--input", "@/no/such/file"),
        ("invoke", "w", "--input", "{}", "--input-file", "x"),
        ("invoke", "w", "--input", "[]", "--set", "a=1"),
        ("invoke", "no-such-file.yaml"),
        ("resume", THREAD, "--skip", "publish"),
        ("rollback", THREAD),
        ("resume", THREAD, "--max-tokens", "-1"),
        ("items", THREAD),
        ("fork", THREAD, "--set", "marketer=v2"),
        ("fork", THREAD, "--set", "marketer.agent"),
        ("fork", THREAD, "--set", ":marketer.agent=v2"),
        ("fork", THREAD, "--set", "marketer.input=5x"),
        ("fork", THREAD, "--set", ".agent=v2"),
        ("compare", THREAD),
        ("task", "writer", "--input", "{nope"),
        ("task", "writer", "--input", "NaN"),
        ("invoke", "w", "--input", '{"a": 1e999}'),
        ("invoke", "w", "--input", '"\\ud800"'),
        ("invoke", "w", "--input", "[" * 5_000 + "]" * 5_000),
        ("invoke", "w", "--idempotency-key", ""),
        ("task", "writer", "--idempotency-key", "\u00e9"),
        ("fork", THREAD, "--idempotency-key", "a\nb"),
        ("watch", THREAD, "--after", str(10**18)),
        ("status", THREAD, "--url", ""),
        ("status", THREAD, "--url", "localhost:8000"),
        ("status", THREAD, "--url", "http://[::1"),
        ("status", THREAD, "--url", "http://127.0.0.1:99999"),
    ],
    ids=lambda arguments: " ".join(arguments)[:60].encode("ascii", "backslashreplace").decode(),
)
def test_wrong_arguments_exit_with_2_and_nothing_is_sent(
    cli: Cli, service: Service, arguments: tuple[str, ...]
) -> None:
    result = cli(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
    assert not service.state.asked


def test_invoke_watch_follows_to_the_end(cli: Cli) -> None:
    result = cli("invoke", "content-strategy", "--watch")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"thread {THREAD}\n")
    assert "workflow_complete" in result.stdout


def test_invoke_wait_prints_the_output(cli: Cli) -> None:
    assert json.loads(cli("invoke", "content-strategy", "--wait").stdout) == {"plan": "ship it"}


def test_invoke_wait_of_a_failing_workflow_exits_with_1_and_says_why(cli: Cli, service: Service) -> None:
    service.state.events = script("workflow_failed")
    service.state.status = "failed"
    service.state.error = {"kind": "http.404", "message": "gone", "step_id": "fetch", "retryable": False}
    result = cli("invoke", "content-strategy", "--wait")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: step fetch: gone [http.404]\n"


def test_resume_sends_what_to_skip_and_to_override(cli: Cli, service: Service) -> None:
    cli("resume", THREAD, "--from-step", "a", "--skip", 'b={"x": 1}', "--override", 'c={"agent": "d"}')
    body = sent(service, f"/api/invoke/resume/{THREAD}")
    assert body == {"from_step": "a", "skip": {"b": {"x": 1}}, "overrides": {"c": {"agent": "d"}}}


def test_rollback_without_resume_says_so(cli: Cli, service: Service) -> None:
    result = cli("rollback", THREAD, "--to", "2", "--no-resume", "--reason", "wrong topic", "--expected-version", "4")
    body = sent(service, f"/api/invoke/rollback/{THREAD}")
    assert body == {"to_version": 2, "resume": False, "reason": "wrong topic", "expected_version": 4}
    assert "rolled back to version 2 from 4" in result.stdout


@pytest.mark.parametrize(
    ("given", "body"), [((), {}), (("--reason", "too late", "--force"), {"reason": "too late", "force": True})]
)
def test_cancel_sends_why_and_whether_to_ask(
    cli: Cli, service: Service, given: tuple[str, ...], body: dict[str, Any]
) -> None:
    cli("cancel", THREAD, *given)
    assert sent(service, f"/api/invoke/cancel/{THREAD}") == body


def test_history_marks_the_timeline_that_a_rollback_left(cli: Cli) -> None:
    lines = cli("history", THREAD).stdout.splitlines()
    assert lines[3].startswith("╎")
    assert lines[4].startswith("│└ *")
    assert "rollback left" in lines[5]


def test_a_refusal_is_one_line_with_its_code(cli: Cli, service: Service) -> None:
    service.state.refusal = problem(409, "thread_running", "Conflict", "the thread\nis running")
    result = cli("resume", THREAD, "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: Conflict: the thread is running [thread_running]\n"


def test_an_invalid_workflow_is_told_with_its_pointers(cli: Cli, service: Service) -> None:
    faults = [{"pointer": "/steps/0/agent", "message": "unknown"}, {"pointer": "/steps/1/id", "message": "twice"}]
    service.state.refusal = problem(422, "invalid_workflow", "Invalid", "/steps/0/agent: unknown", errors=faults)
    result = cli("invoke", "w")
    assert result.stderr == "error: Invalid: /steps/0/agent: unknown; /steps/1/id: twice [invalid_workflow]\n"


def test_an_unreachable_service_is_one_line_that_says_how_to_start_it(cli: Cli, service: Service) -> None:
    service.stop()
    result = cli("status", THREAD)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "backstitch serve" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        pytest.param(
            *("status t-1 > /dev/full", 1, "error: No space left on device"),
            marks=pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here"),
        ),
        ("status t-1 >&-", 0, ""),
        ("invoke w --input - <&-", 2, "--input"),
        ("status $(printf '\\377')", 2, "error: an argument is not UTF-8"),
    ],
)
def test_odd_surroundings_give_no_traceback(service: Service, command: str, code: int, told: str) -> None:
    line = f"{sys.executable} -m app.cli --url {service.url} {command}"
    result = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert result.returncode == code
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def test_what_is_not_json_is_text_for_set(cli: Cli, service: Service) -> None:
    assert cli("invoke", "w", "--set", "a=NaN", "--set", "b=[1]").exit_code == 0
    assert service.state.asked[0][1]["input"] == {"a": "NaN", "b": [1]}


def test_status_shows_steps_and_output(cli: Cli) -> None:
    text = cli("status", THREAD).stdout
    assert "version 4, 100% done" in text
    assert "2.0 s" in text
    assert '"ship it"' in text


def test_executions_are_listed(cli: Cli) -> None:
    assert AT[:10] in cli("executions").stdout


def test_help_loads_neither_http_nor_the_server() -> None:
    code = "import sys, app.cli; print({'httpx', 'asyncpg', 'fastapi', 'pydantic', 'yaml'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize(
    ("given", "variants"),
    [
        ((), [{}]),
        (("marketer.agent=v2",), [{"overrides": {"marketer": {"agent": "v2"}}}]),
        (
            ("m.input.n=3", "m.input.text=so it is", "context.mood=good"),
            [{"overrides": {"m": {"input": {"n": 3, "text": "so it is"}}}, "context": {"mood": "good"}}],
        ),
        (('m.input={"a": {"b": 1}}',), [{"overrides": {"m": {"input": {"a": {"b": 1}}}}}]),
        (
            ("one:m.agent=v1", "two:m.agent=v2", "m.input.n=1"),
            [
                {"name": "one", "overrides": {"m": {"agent": "v1", "input": {"n": 1}}}},
                {"name": "two", "overrides": {"m": {"agent": "v2", "input": {"n": 1}}}},
            ],
        ),
    ],
)
def test_fork_says_what_each_variant_does_otherwise(
    cli: Cli, service: Service, given: tuple[str, ...], variants: list[dict[str, Any]]
) -> None:
    options = [word for pair in given for word in ("--set", pair)]
    assert cli("fork", THREAD, "--version", "2", *options, "--reason", "why").exit_code == 0
    body = sent(service, f"/api/invoke/fork/{THREAD}")
    assert body == {"version": 2, "variants": variants, "reason": "why", "resume": True}


def test_fork_takes_a_variant_as_it_is_beside_others(cli: Cli, service: Service) -> None:
    cli("fork", THREAD, "--variant", "same", "--set", "b:m.agent=v2", "--no-resume")
    body = sent(service, f"/api/invoke/fork/{THREAD}")
    assert body["variants"] == [{"name": "same"}, {"name": "b", "overrides": {"m": {"agent": "v2"}}}]
    assert body["resume"] is False


def test_fork_tells_of_its_threads_and_how_to_compare_them(cli: Cli) -> None:
    text = cli("fork", THREAD).stdout
    assert f"forked {THREAD} at version 2" in text
    assert "compare t-a t-b" in text


def test_fork_exits_with_1_when_a_variant_was_not_made(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = [{"variant": "c", "code": "queue_full", "detail": "the queue mail is full"}]
    monkeypatch.setitem(ANSWERS[f"/api/invoke/fork/{THREAD}"], "failed", failed)
    result = cli("fork", THREAD)
    assert result.exit_code == 1
    assert result.stderr == "variant c was not made: the queue mail is full [queue_full]\n"


def test_compare_shows_both_side_by_side(cli: Cli) -> None:
    lines = cli("compare", THREAD, "t-b").stdout.splitlines()
    assert next(line for line in lines if line.startswith("took")).split() == [
        "took",
        "4.0",
        "s",
        "1.5",
        "s",
        "-2.5",
        "s",
    ]
    [marketer] = [line for line in lines if line.startswith("marketer")]
    assert "marketer | marketer-v2" in marketer
    assert "2.0 s | 900 ms" in marketer
    assert "- | $0.0123" in marketer
    assert marketer.endswith("differs: replace /plan")
    assert "both come from version 2 of t-1" in lines


def test_compare_says_why_a_difference_cannot_be_shown(cli: Cli) -> None:
    text = cli("compare", THREAD, "t-b").stdout
    assert "output: not known (not written)" in text
    assert "differs (too large)" in text
    assert "no such step" in text


def test_task_sends_the_agent_and_its_input(cli: Cli, service: Service) -> None:
    cli("task", "writer", "--input", '{"a": 1}', "--set", "b=text", "--timeout", "5m", "--attempts", "2")
    assert sent(service, "/api/tasks") == {
        "agent": "writer",
        "input": {"a": 1, "b": "text"},
        "timeout": "5m",
        "retry": {"max_attempts": 2},
        "triggered_by": "cli",
    }


def test_task_watch_follows_to_the_end(cli: Cli) -> None:
    result = cli("task", "writer", "--watch")
    assert result.exit_code == 0
    assert "workflow_complete" in result.stdout
