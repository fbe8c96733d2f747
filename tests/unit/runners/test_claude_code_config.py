"""What a config of claude-code comes to, and what is wrong with it; without the library that runs it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema_rs
import pytest

from app.domain.agents import Agent
from app.domain.runner import Failed, Usage
from app.runners.claude_code import ClaudeCodeKind
from app.runners.claude_code_config import SCHEMA, House, Plan, plan, problems
from app.runners.claude_code_reading import Reading
from app.runners.secret_values import Masks, Secrets
from tests.unit.runners.attempts import Context, attempt_with

KEY = "sk-local-0123456789"
GIT: Any = SimpleNamespace(
    command="mcp-server-git",
    args=("-v",),
    env={"TOKEN": "abcd1234"},
    cwd=None,
    url=None,
    headers={},
    secrets=frozenset({"abcd1234"}),
)


def house(*, from_api: bool = False, **variables: str) -> House:
    known = {"ANTHROPIC_API_KEY": KEY, "OTHER_KEY": "sk-other-9876", **variables}
    return House(
        folder=Path("/srv/claude"),
        secrets=Secrets(known.get),
        environment=lambda: {**known, "PATH": "/bin", "LC_ALL": "C", "DATABASE_URL": "postgresql://"},
        mcp_server=lambda name: GIT if name == "git" else None,
        from_api=from_api,
        max_bytes=1_000,
    )


def agent(source: str = "file", schema: Any = None, **config: Any) -> Agent:
    given = {"prompt": "Do {input.what}", **config}
    jsonschema_rs.validate(SCHEMA, given)
    return Agent(name="coder", kind="claude-code", config=given, output_schema=schema, source=source)


def planned(what: Agent, **options: Any) -> Plan:
    return plan(what, attempt_with(Context(), {"what": "this"}), house(**options), Masks())


def test_a_plain_agent_has_no_tools_and_a_folder_of_its_own() -> None:
    found = planned(agent())
    assert (found.prompt, found.cwd, found.options["tools"]) == ("Do this", Path("/srv/claude/work/coder"), [])
    assert (found.options["system_prompt"], found.options["setting_sources"]) == ("", [])
    assert (found.options["verbatim_prompts"], found.options["strict_mcp_config"]) == (True, True)


@pytest.mark.parametrize(
    ("config", "tools"),
    [
        ({"allowed_tools": ["Read", "Bash(git log:*)", "Bash(git diff:*)", "mcp__git__log"]}, ["Read", "Bash"]),
        ({"allowed_tools": ["Read"], "tools": ["Read", "Grep"]}, ["Read", "Grep"]),
        ({"permission_mode": "acceptEdits"}, None),
        ({"permission_mode": "dontAsk"}, []),
    ],
)
def test_the_tools_that_there_are_follow_from_what_is_allowed(config: dict[str, Any], tools: list[str] | None) -> None:
    assert planned(agent(**config)).options["tools"] == tools


def test_the_environment_is_blanked_but_for_what_is_needed() -> None:
    found = planned(agent(api_key_env="OTHER_KEY", env={"A": "b", "C": {"env": "OTHER_KEY"}})).options["env"]
    assert (found["DATABASE_URL"], found["OTHER_KEY"]) == ("", "")
    assert "PATH" not in found
    assert "LC_ALL" not in found
    assert (found["ANTHROPIC_API_KEY"], found["A"], found["C"]) == ("sk-other-9876", "b", "sk-other-9876")
    assert (found["BACKSTITCH_STEP"], found["CLAUDE_CONFIG_DIR"]) == ("t:e:s", "/srv/claude/config")
    assert planned(agent(api_key_env=None)).options["env"]["ANTHROPIC_API_KEY"] == ""


def test_the_address_is_the_agent_s_or_the_service_s() -> None:
    url = "ANTHROPIC_BASE_URL"
    assert url not in planned(agent()).options["env"]
    assert planned(agent(), ANTHROPIC_BASE_URL="http://a.example").options["env"][url] == "http://a.example"
    there = agent(base_url="http://b.example")
    assert planned(there, ANTHROPIC_BASE_URL="http://a.example").options["env"][url] == "http://b.example"


def test_a_named_server_comes_from_the_operator_s_file_and_its_tools_are_allowed() -> None:
    masks = Masks()
    what = agent(mcp_servers=["git"])
    found = plan(what, attempt_with(Context(), {"what": ""}), house(), masks)
    assert found.mcp == {
        "git": {"type": "stdio", "command": "mcp-server-git", "args": ["-v"], "env": {"TOKEN": "abcd1234"}}
    }
    assert found.options["allowed_tools"] == ["mcp__git"]
    assert masks.text("abcd1234") == "***"
    some = planned(agent(mcp_servers=["git"], allowed_tools=["mcp__git__git_log"]))
    assert some.options["allowed_tools"] == ["mcp__git__git_log"]


@pytest.mark.parametrize(
    "config",
    [
        {"cwd": "/"},
        {"allowed_tools": ["Bash"]},
        {"tools": ["Read"]},
        {"permission_mode": "bypassPermissions"},
        {"setting_sources": ["user"]},
        {"mcp_servers": ["git"]},
        {"env": {"A": "b"}},
        {"api_key_env": "OTHER_KEY"},
        {"base_url": "https://elsewhere.example"},
    ],
)
def test_an_agent_of_the_api_may_not_say_what_it_does_to_this_machine(config: dict[str, Any]) -> None:
    what = agent("api", **config)
    assert any("CLAUDE_CODE_FROM_API" in problem for problem in problems(what, house()))
    with pytest.raises(LookupError):
        planned(what)
    assert list(problems(what, house(from_api=True))) == []
    assert planned(agent("api"), from_api=False).options["tools"] == []


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"api_key_env": "NOWHERE"}, "NOWHERE"),
        ({"env": {"A": {"env": "NOWHERE"}}}, "NOWHERE"),
        ({"mcp_servers": ["nobody"]}, "nobody"),
        ({"cwd": "/no/such/folder"}, "/no/such/folder"),
        ({"prompt": "{input.a"}, "prompt"),
        ({"system_prompt": "{context.a}"}, "context"),
    ],
)
def test_what_is_wrong_with_a_config_is_told(config: dict[str, Any], word: str) -> None:
    (problem,) = problems(agent(**config), house())
    assert word in problem


@pytest.mark.parametrize("text", ["x" * 100_001, "a\0b"])
def test_a_system_prompt_that_no_process_can_take_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="system_prompt"):
        planned(agent(system_prompt=text))


@pytest.mark.skipif(importlib.util.find_spec("claude_agent_sdk") is not None, reason="the extra is installed")
async def test_without_the_extra_its_name_is_told() -> None:
    kind = ClaudeCodeKind(house(), processes=1)
    assert kind.check(agent()) == ["Claude Code is not installed: pip install 'backstitch[claude-code]'"]
    found = await kind.perform(agent(), attempt_with(Context(), {"what": ""}))
    assert isinstance(found, Failed)
    assert (found.error.kind, found.error.message) == ("configuration", kind.check(agent())[0])


# ---------------------------------------------------------------------------------------------------------- reading


def message(kind: str, **fields: Any) -> Any:
    """One of the SDK's messages, by the name of its class."""
    return type(kind, (), {})() if not fields else type(kind, (), fields)()


def result(**fields: Any) -> Any:
    usual: dict[str, Any] = {
        "subtype": "success",
        "is_error": True,
        "result": f"no, {KEY}",
        "errors": None,
        "structured_output": None,
        "num_turns": 1,
        "api_error_status": None,
        "terminal_reason": None,
        "permission_denials": None,
        "model_usage": {},
        "total_cost_usd": None,
    }
    return message("ResultMessage", **(usual | fields))


def reading(context: Context | None = None) -> Reading:
    masks = Masks()
    found = plan(agent(), attempt_with(Context(), {"what": ""}), house(), masks)
    return Reading(context or Context(), found, masks)


@pytest.mark.parametrize(
    ("fields", "said", "kind", "retryable"),
    [
        ({"subtype": "error_max_turns"}, None, "claude_code.max_turns", False),
        ({"subtype": "error_max_budget_usd"}, None, "claude_code.max_budget", False),
        ({"subtype": "error_max_structured_output_retries"}, None, "invalid_output", True),
        ({"terminal_reason": "api_error", "api_error_status": 403}, None, "claude_code.auth", False),
        ({"terminal_reason": "api_error"}, "authentication_failed", "claude_code.auth", False),
        ({"terminal_reason": "api_error"}, "billing_error", "claude_code.billing", False),
        ({"terminal_reason": "api_error"}, "rate_limit", "claude_code.rate_limit", True),
        ({"terminal_reason": "api_error", "api_error_status": 404}, "unknown", "claude_code.request", False),
        ({"terminal_reason": "api_error", "api_error_status": 503}, "server_error", "claude_code.api", True),
        ({"terminal_reason": "api_error"}, "unknown", "network", True),
        ({"subtype": "error_during_execution"}, None, "claude_code.failed", True),
    ],
)
def test_a_failed_result_has_a_kind(fields: dict[str, Any], said: str | None, kind: str, retryable: bool) -> None:
    read = reading()
    read.take(message("AssistantMessage", error=said, content=[]))
    read.take(result(**fields))
    found = read.outcome()
    assert isinstance(found, Failed)
    assert (found.error.kind, found.error.retryable) == (kind, retryable)
    assert KEY not in found.error.message


def test_a_run_that_says_no_result_is_tried_again() -> None:
    found = reading().outcome()
    assert isinstance(found, Failed)
    assert (found.error.kind, found.error.retryable) == ("claude_code.process", True)


@pytest.mark.parametrize(
    ("before", "spent"),
    [
        (Usage(), Usage(input_tokens=100, output_tokens=10, cost_usd=0.5)),
        (
            Usage(input_tokens=60, output_tokens=6, cost_usd=0.25),
            Usage(input_tokens=40, output_tokens=4, cost_usd=0.25),
        ),
        (Usage(input_tokens=900, cost_usd=2.0), Usage(input_tokens=100, output_tokens=10, cost_usd=0.5)),
    ],
)
def test_a_session_is_counted_but_once(before: Usage, spent: Usage) -> None:
    read = reading()
    models = {"a": {"inputTokens": 50, "cacheReadInputTokens": 50, "outputTokens": 10}}
    read.take(result(is_error=False, model_usage=models, total_cost_usd=0.5))
    assert read.spent(before)[0] == spent


def test_a_pause_is_asked_for_until_the_limit_is_lifted() -> None:
    read = reading()
    limit = SimpleNamespace(status="rejected", resets_at=4_000_000_000)
    read.take(message("RateLimitEvent", rate_limit_info=limit))
    read.take(result(api_error_status=429))
    found = read.outcome()
    assert isinstance(found, Failed)
    assert found.retry_after is not None
    assert found.retry_after > 1_000_000_000
