"""The agent kind claude-code: the real SDK and the program it brings, against a local server that speaks Anthropic's wire."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.agents import Agent
from app.domain.runner import Completed, Failed, Usage
from app.runners.claude_code import ClaudeCodeKind
from app.runners.claude_code_config import House
from app.runners.processes import marked
from app.runners.secret_values import Secrets
from tests.llm_server import LlmServer, serving
from tests.unit.runners.attempts import Context, attempt_with

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("claude_agent_sdk") is None,
    reason="the extra claude-code is not installed: pip install 'backstitch[claude-code]'",
)
KEY = "sk-local-0123456789"
MODEL = "claude-sonnet-4-5"
STEP = f"t:e:{os.getpid()}"
"""Of this process alone: an attempt ends whatever runs under its key."""
PATIENCE = 60.0


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shells that are killed leave nothing behind in the home of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
async def server() -> AsyncGenerator[LlmServer]:
    async with serving(LlmServer()) as server:
        yield server


def kind(server: LlmServer, folder: Path, **variables: str | None) -> ClaudeCodeKind:
    known = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server.anthropic, **variables}
    house = House(
        folder=folder,
        secrets=Secrets(known.get),
        environment=lambda: {**os.environ, "DATABASE_PASSWORD": "not-for-children"},
        mcp_server=lambda _: None,
        from_api=False,
        max_bytes=1_000_000,
    )
    return ClaudeCodeKind(house, processes=2)


def agent(prompt: str = "Do {input.what}", schema: dict[str, Any] | None = None, **config: Any) -> Agent:
    given = {"prompt": prompt, "model": MODEL, **config}
    return Agent(name="coder", kind="claude-code", config=given, output_schema=schema, source="file")


async def run(
    server: LlmServer, folder: Path, what: Agent | None = None, context: Context | None = None, **variables: str | None
) -> tuple[Completed | Failed, Context]:
    context = context or Context(idempotency_key=STEP)
    async with asyncio.timeout(PATIENCE):
        found = await kind(server, folder, **variables).perform(
            what or agent(), attempt_with(context, {"what": "@/etc/hostname"})
        )
    assert isinstance(found, Completed | Failed)
    return found, context


async def error(server: LlmServer, folder: Path, *script: dict[str, Any], **more: Any) -> tuple[str, bool, str]:
    server.script = list(script)
    found, _ = await run(server, folder, **more)
    assert isinstance(found, Failed), found
    return found.error.kind, found.error.retryable, found.error.message


def said(body: dict[str, Any]) -> str:
    return json.dumps(body["messages"])


def bash(command: str) -> dict[str, Any]:
    return {"text": "Let me see. ", "tools": [{"name": "Bash", "id": "toolu_1", "arguments": {"command": command}}]}


async def until_asked(server: LlmServer, times: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(server.requests) < times:  # noqa: ASYNC110 - another process asks
            await asyncio.sleep(0.02)


async def test_the_answer_streams_and_its_usage_is_spent(server: LlmServer, tmp_path: Path) -> None:
    server.script = [{"text": "All is well.", "usage": {"input": 100, "output": 20}}]
    found, context = await run(server, tmp_path)
    assert isinstance(found, Completed)
    session = context.sessions[0]
    assert found.output == {"result": "All is well.", "session_id": session, "turns": 1, "denied": []}
    assert (found.session_id, "".join(context.chunks), len(context.chunks) > 1) == (session, "All is well.", True)
    assert (context.usage.input_tokens, context.usage.output_tokens) == (100, 20)
    assert 0 < context.usage.cost_usd < 0.01
    (request,) = server.requests
    assert (request["headers"]["x-api-key"], request["body"]["model"]) == (KEY, MODEL)


async def test_what_is_in_the_input_is_text_and_no_command_or_file(server: LlmServer, tmp_path: Path) -> None:
    server.script = [{"text": "ok"}, {"text": "ok"}]
    await run(server, tmp_path)
    await run(server, tmp_path, agent("/help {input.what}"), Context(idempotency_key=f"{STEP}:u"))
    assert len(server.requests) == 2
    assert "Do @/etc/hostname" in said(server.bodies[0])
    assert "/help @/etc/hostname" in said(server.bodies[1])
    assert not any("Called the Read tool" in said(body) for body in server.bodies)


async def test_tools_are_told_and_see_nothing_of_the_service_s_environment(server: LlmServer, tmp_path: Path) -> None:
    server.script = [bash("env; echo done-$GREETING"), {"text": "Done."}]
    what = agent(allowed_tools=["Bash"], env={"GREETING": "hello"}, cwd=str(tmp_path))
    found, context = await run(server, tmp_path / "house", what)
    assert isinstance(found, Completed), found
    assert (found.output["result"], found.output["turns"]) == ("Done.", 2)
    assert (None, "Bash: env; echo done-$GREETING") in context.said
    told = said(server.bodies[1])
    assert "done-hello" in told
    assert "not-for-children" not in told


async def test_what_is_not_allowed_is_not_there(server: LlmServer, tmp_path: Path) -> None:
    server.script = [bash("touch made"), {"text": "I could not."}]
    found, _ = await run(server, tmp_path / "house", agent(allowed_tools=["Bash(ls:*)"], cwd=str(tmp_path)))
    assert isinstance(found, Completed), found
    assert (found.output["denied"], (tmp_path / "made").exists()) == (["Bash"], False)
    assert [tool["name"] for tool in server.bodies[0]["tools"]] == ["Bash"]


async def test_an_output_schema_gives_structured_output(server: LlmServer, tmp_path: Path) -> None:
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    server.script = [{"tools": [{"name": "StructuredOutput", "id": "toolu_1", "arguments": {"n": 7}}]}]
    found, context = await run(server, tmp_path, agent(schema=schema))
    assert isinstance(found, Completed), found
    assert (found.output, found.session_id) == ({"n": 7}, context.sessions[0])


async def test_the_next_attempt_resumes_the_session_and_counts_only_its_own(server: LlmServer, tmp_path: Path) -> None:
    what = agent(allowed_tools=["Bash"], max_turns=1)
    context = Context(idempotency_key=STEP)
    kind_, retryable, _ = await error(server, tmp_path, bash("echo first"), what=what, context=context)
    assert (kind_, retryable) == ("claude_code.max_turns", False)
    first, server.script = context.usage, [{"text": "Finished."}]
    context.session_id = context.sessions[0]
    found, _ = await run(server, tmp_path, what, context)
    assert isinstance(found, Completed), found
    assert set(context.sessions) == {context.session_id}
    assert "first" in said(server.bodies[-1])
    assert "You were interrupted" in said(server.bodies[-1])
    assert (first.input_tokens, context.usage.input_tokens) == (10, 20)
    assert context.usage.cost_usd == pytest.approx(2 * first.cost_usd)


async def test_a_session_that_is_gone_begins_anew(server: LlmServer, tmp_path: Path) -> None:
    server.script = [{"text": "Hello."}]
    context = Context(idempotency_key=STEP, session_id="5f77e6c2-07d6-428d-ad8b-b48e61fad3f3")
    found, _ = await run(server, tmp_path, context=context)
    assert isinstance(found, Completed), found
    assert "Do @/etc/hostname" in said(server.bodies[0])
    assert context.sessions == [found.session_id]


async def test_cancelling_ends_the_process_and_what_it_started(server: LlmServer, tmp_path: Path) -> None:
    server.script = [bash("trap '' TERM; sleep 1000")]
    context = Context(idempotency_key=f"{STEP}:cancel")
    what = agent(allowed_tools=["Bash"])
    task = asyncio.create_task(
        kind(server, tmp_path).perform(what, attempt_with(context, {"what": ""})),
    )
    async with asyncio.timeout(PATIENCE):
        while not any("sleep" in each.name() for each in marked(f"{STEP}:cancel")):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    task.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait([task])
    assert task.cancelled()
    assert marked(f"{STEP}:cancel") == []
    assert context.usage == Usage(input_tokens=10, output_tokens=4)


async def test_a_process_that_dies_is_tried_again_and_leaves_a_session(server: LlmServer, tmp_path: Path) -> None:
    server.script = [{"text": "a", "hold": "on"}]
    context = Context(idempotency_key=f"{STEP}:dies")
    task = asyncio.create_task(run(server, tmp_path, context=context))
    await until_asked(server, 1)
    for process in marked(f"{STEP}:dies"):
        process.kill()
    found, _ = await task
    server.hold("on").set()
    assert isinstance(found, Failed)
    assert (found.error.kind, found.error.retryable) == ("claude_code.process", True)
    assert len(context.sessions) == 1


async def test_an_attempt_begins_by_ending_what_an_earlier_life_left(server: LlmServer, tmp_path: Path) -> None:
    left = await asyncio.create_subprocess_exec("sleep", "1000", env={"BACKSTITCH_STEP": STEP, "PATH": os.defpath})
    other = await asyncio.create_subprocess_exec(
        "sleep", "1000", env={"BACKSTITCH_STEP": f"{STEP}t", "PATH": os.defpath}
    )
    server.script = [{"text": "ok"}]
    await run(server, tmp_path)
    assert (await left.wait(), other.returncode) == (-9, None)
    other.kill()
    await other.wait()


@pytest.mark.parametrize(
    ("status", "kind_", "retryable"),
    [(429, "claude_code.rate_limit", True), (529, "claude_code.api", True), (400, "claude_code.request", False)],
)
async def test_what_the_provider_refuses_has_a_kind(
    server: LlmServer, tmp_path: Path, status: int, kind_: str, retryable: bool
) -> None:
    answer = {"status": status, "error": {"type": "x_error", "message": "why"}, "headers": {"retry-after": "0"}}
    what = agent(env={"CLAUDE_CODE_MAX_RETRIES": "0"})
    found = await error(server, tmp_path, *[answer] * 4, what=what)
    assert found[:2] == (kind_, retryable)


async def test_a_key_that_is_refused_is_final_at_once_and_names_its_variable(server: LlmServer, tmp_path: Path) -> None:
    answer = {"status": 401, "error": {"type": "authentication_error", "message": "invalid x-api-key"}}
    found = await error(server, tmp_path, *[answer] * 20)
    assert found[:2] == ("claude_code.auth", False)
    assert "ANTHROPIC_API_KEY" in found[2]
    assert len(server.requests) < 3


async def test_without_a_login_the_failure_says_so(server: LlmServer, tmp_path: Path) -> None:
    found = await error(server, tmp_path, what=agent(api_key_env=None))
    assert found[:2] == ("claude_code.auth", False)
    assert (len(server.requests), "claude login" in found[2]) == (0, True)


async def test_a_provider_that_is_not_there_is_tried_again(server: LlmServer, tmp_path: Path) -> None:
    what = agent(base_url="http://127.0.0.1:9", env={"CLAUDE_CODE_MAX_RETRIES": "0"})
    assert (await error(server, tmp_path, what=what))[:2] == ("network", True)


async def test_a_budget_ends_the_run(server: LlmServer, tmp_path: Path) -> None:
    what = agent(allowed_tools=["Bash"], max_budget_usd=0.000001)
    found = await error(server, tmp_path, bash("echo a"), {"text": "b"}, what=what)
    assert found[:2] == ("claude_code.max_budget", False)


async def test_the_session_s_files_are_the_service_s_own(server: LlmServer, tmp_path: Path) -> None:
    server.script = [{"text": "ok"}]
    _, context = await run(server, tmp_path)
    kept = list((tmp_path / "config").rglob(f"{context.sessions[0]}.jsonl"))
    assert (len(kept), (tmp_path / "work" / "coder").is_dir()) == (1, True)
    assert tmp_path.joinpath("config").stat().st_mode & 0o077 == 0
