"""What comes from outside and is big is read in a thread; what is worked out of a config is kept with its agent."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from mcp_types import CallToolResult
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.api import parsing
from app.domain import input_schema, jsontext
from app.domain.agents import Agent
from app.domain.errors import InvalidWorkflow, JsonError
from app.domain.runner import Completed
from app.domain.template import Template
from app.engine.asked import misfits as of_requests
from app.runners.aside import BIG, aside
from app.runners.aside import misfits as of_steps
from app.runners.http import HttpRunner
from app.runners.http_agent import HttpAgentKind
from app.runners.http_agent_config import templates
from app.runners.http_client import HttpClient
from app.runners.mcp_agent import McpAgentKind
from app.runners.mcp_config import ServerConfig
from app.runners.mcp_session import Session
from app.runners.per_agent import PerAgent
from app.runners.secret_values import Secrets
from tests.serving import served
from tests.unit.runners.attempts import Context, attempt, attempt_with

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

VALUE: Any = {"rows": ["x" * 100] * (BIG // 100)}
HERE = threading.get_ident


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The threads in which big JSON texts were read."""
    found: list[int] = []
    loads: Callable[[bytes | str], Any] = jsontext.loads

    def noted(text: bytes | str) -> Any:
        if len(text) > BIG:
            found.append(HERE())
        return loads(text)

    monkeypatch.setattr(jsontext, "loads", noted)
    return found


@pytest.fixture
async def url() -> AsyncGenerator[str]:
    """A server that answers with the value, `/lines` as a stream."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        lines = Response(json.dumps(VALUE) + "\n", media_type="application/x-ndjson")
        await (lines if scope["path"] == "/lines" else JSONResponse(VALUE))(scope, receive, send)

    async with served(app) as found:
        yield found


async def test_what_is_small_is_done_at_once_and_what_is_big_in_a_thread() -> None:
    assert await aside(HERE, BIG) == HERE()
    assert await aside(HERE, BIG + 1) != HERE()
    with pytest.raises(JsonError):
        await aside(lambda: jsontext.loads("{"), BIG + 1)


@pytest.mark.parametrize("misfits", [of_steps, of_requests], ids=["step", "request"])
async def test_a_heavy_value_is_held_against_its_schema_in_a_thread(
    misfits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    monkeypatch.setattr(input_schema, "validate", lambda _schema, _value: threads.append(HERE()) or [])
    for value in (1, VALUE):
        assert await misfits({}, value) == []
    assert threads[0] == HERE()
    assert threads[1] != HERE()


@pytest.mark.parametrize("path", ["/", "/lines"])
async def test_a_big_answer_to_an_agent_is_read_in_a_thread(url: str, path: str, readers: list[int]) -> None:
    kind = HttpAgentKind(HttpClient(), Secrets({}.get), allow_private=True, max_bytes=10**6)
    outcome = await kind.perform(Agent(name="a", kind="http", config={"url": url + path}), attempt_with(Context()))
    await kind.aclose()
    assert outcome == Completed(output=VALUE)
    assert readers
    assert HERE() not in readers


async def test_a_big_answer_to_a_step_is_read_in_a_thread(url: str, readers: list[int]) -> None:
    runner = HttpRunner(allow_private=True, max_bytes=10**6)
    outcome = await runner.perform(attempt({"url": url}))
    await runner.aclose()
    assert isinstance(outcome, Completed)
    assert outcome.output["body"] == VALUE
    assert readers
    assert HERE() not in readers


async def test_a_big_result_of_a_tool_is_read_in_a_thread(readers: list[int]) -> None:
    session = Session(ServerConfig(name="s", command="x"), limit=10**6, unusable=lambda _: None)
    blocks = [{"type": "text", "text": json.dumps(VALUE)}]
    result = await session._result(CallToolResult.model_validate({"content": blocks}))
    assert result.value == VALUE
    assert readers
    assert HERE() not in readers


async def test_a_big_body_of_a_request_is_read_in_a_thread(readers: list[int]) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(VALUE).encode()}

    assert await parsing.read_json(Request({"type": "http"}, receive)) == VALUE
    assert readers
    assert HERE() not in readers


def test_what_is_made_of_an_agent_is_made_once_a_version() -> None:
    made: list[int] = []
    kept = PerAgent(lambda agent: made.append(agent.version) or agent.version)
    first, second = (Agent(name="a", kind="http", version=version) for version in (1, 2))
    assert [kept.of(agent) for agent in (first, first, second, second)] == [1, 1, 2, 2]
    assert made == [1, 2]
    for number in range(1_000):
        kept.of(Agent(name=f"b{number}", kind="http"))
    kept.of(second)
    assert made.count(2) == 2, "only the newest thousand are kept"


async def test_the_templates_of_an_agent_are_compiled_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = HttpAgentKind(HttpClient(), Secrets({}.get), allow_private=True, max_bytes=10**6)
    config = {"url": f"{url}/{{input}}", "headers": {"x-a": "{input}"}, "query": {"q": "{input}"}, "output": "{input}"}
    agent = Agent(name="a", kind="http", config=config)
    assert await kind.perform(agent, attempt_with(Context(), 5)) == Completed(output=5)
    monkeypatch.setattr(Template, "check", None)
    assert await kind.perform(agent, attempt_with(Context(), 6)) == Completed(output=6)
    await kind.aclose()


def test_the_holes_of_an_agent_are_counted_together() -> None:
    kind = HttpAgentKind(HttpClient(), Secrets({}.get), allow_private=True, max_bytes=10**6)
    config = {"url": "https://a.example/{input.a}", "body": ["{input.a}"] * 600, "output": ["{response.status}"] * 500}
    (told,) = kind.check(Agent(name="a", kind="http", config=config, source="api"))
    assert told.startswith("output/399: more than 1,000 holes")
    with pytest.raises(InvalidWorkflow):
        Template.compile("{input.a}" * 1_001)


def test_the_holes_of_what_an_agent_leaves_out_are_counted_where_it_is_registered_too() -> None:
    kind = HttpAgentKind(HttpClient(), Secrets({}.get), allow_private=True, max_bytes=10**6)
    for many, told in [(998, []), (999, ["output: more than 1,000 holes"])]:
        config = {"url": "https://a.example/", "query": {"q": "{input.a}" * many}}
        found = kind.check(Agent(name="a", kind="http", config=config, source="api"))
        assert [word[:29] for word in found] == told


@pytest.mark.parametrize("told", [{"source": "api", "version": 3}, {"source": "code"}, {"source": "file"}])
def test_an_agent_of_many_holes_that_is_stored_or_the_operators_own_works(told: dict[str, Any]) -> None:
    body = ["{input.a}"] * 1_001
    http = Agent(name="a", kind="http", config={"url": "https://a.example/", "body": body}, **told)
    assert HttpAgentKind(HttpClient(), Secrets({}.get), allow_private=True, max_bytes=10**6).check(http) == []
    assert len(templates(http).body.source) == 1_001
    tool = Agent(name="a", kind="mcp_tool", config={"server": "s", "tool": "t", "arguments": body}, **told)
    servers: Any = SimpleNamespace(names=["s"], known_tools=lambda _: None)
    assert McpAgentKind(servers).check(tool) == []
    assert "more than 1,000 holes" in McpAgentKind(servers).check(replace(tool, source="api", version=0))[0]
