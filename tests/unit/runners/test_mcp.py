"""The kind mcp and the agent kind mcp, over servers that are only pretended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from app.domain.agents import Agent
from app.domain.document import parse
from app.domain.runner import Completed, Failed, StepFailure
from app.domain.tools import Tool, ToolResult
from app.runners.mcp import McpRunner
from app.runners.mcp_agent import McpAgentKind
from tests.unit.runners.attempts import Context, attempt

PATH: dict[str, Any] = {"type": "object", "required": ["path"], "properties": {"path": {"type": "string"}}}


class Servers:
    """One server, `files`, with one tool, `look`; it keeps what it was asked."""

    names = ("files",)

    def __init__(self, result: ToolResult | Exception, *, known: bool = True) -> None:
        self.result, self.known = result, known
        self.asked: list[Any] = []

    def known_tools(self, server: str) -> list[Tool] | None:
        return [Tool(name="look", description="", input_schema=PATH)] if self.known else None

    def unknown(self, server: str) -> str:
        return f"no server {server}"

    async def list(self, server: str) -> Any:
        raise NotImplementedError

    async def call(
        self, server: str, tool: str, arguments: Mapping[str, Any], *, key: str, progress: Any = None
    ) -> ToolResult:
        self.asked.append((server, tool, arguments, key))
        if isinstance(self.result, Exception):
            raise self.result
        progress(0.5, "half")
        return self.result


GOOD = ToolResult(text="seen", value={"seen": True})
CALL = {"server": "files", "tool": "look", "arguments": {"path": "."}}


async def test_the_output_of_a_step_is_the_value_of_the_call_and_its_key_goes_along() -> None:
    servers, tried = Servers(GOOD), attempt(CALL)
    assert await McpRunner(servers).perform(tried) == Completed(output={"seen": True})
    assert servers.asked == [("files", "look", {"path": "."}, "t:e:s")]
    assert isinstance(tried.context, Context)
    assert tried.context.said == [(0.5, "half")]


async def test_what_the_tool_complains_of_is_a_failure_that_may_be_tried_again() -> None:
    outcome = await McpRunner(Servers(ToolResult(text="no such file", value=None, is_error=True))).perform(
        attempt(CALL)
    )
    assert isinstance(outcome, Failed)
    error = outcome.error
    assert (error.kind, error.message, error.retryable) == ("mcp.tool_error", "no such file", True)


async def test_a_failure_of_the_server_comes_through() -> None:
    with pytest.raises(StepFailure, match="lost"):
        await McpRunner(Servers(StepFailure("lost", kind="mcp.disconnected"))).perform(attempt(CALL))


async def test_arguments_that_are_no_object_are_final() -> None:
    outcome = await McpRunner(Servers(GOOD)).perform(attempt({**CALL, "arguments": [1]}))
    assert isinstance(outcome, Failed)
    assert (outcome.error.kind, outcome.error.retryable) == ("validation", False)


def checked(call: dict[str, Any], *, known: bool = True) -> list[str]:
    (step,) = parse({"name": "w", "steps": [{"id": "a", "mcp": call}]}).steps
    return McpRunner(Servers(GOOD, known=known)).check(step)


def test_a_step_is_checked_as_far_as_its_server_is_known() -> None:
    assert checked(CALL) == []
    assert checked({"server": "other", "tool": "look"}) == ["no server other"]
    assert checked({"server": "files", "tool": "find"}) == ["the MCP server 'files' has no tool 'find'; it has: look"]
    assert checked({"server": "files", "tool": "look"}) == [
        "the arguments of 'look': (arguments): \"path\" is a required property"
    ]
    assert checked({**CALL, "arguments": "path"}) == [
        "the arguments of a tool are an object, or a template that gives one"
    ]
    assert checked({"server": "files", "tool": "find"}, known=False) == []


async def test_an_agent_calls_its_tool_with_its_template_over_the_input() -> None:
    servers = Servers(GOOD)
    agent = Agent(name="looker", kind="mcp", config={**CALL, "arguments": {"path": "{input.where}"}})
    assert await McpAgentKind(servers).perform(agent, attempt("looker", {"where": "/srv"})) == Completed(
        output=GOOD.value
    )
    assert servers.asked[0][2] == {"path": "/srv"}


async def test_an_agent_without_arguments_gives_the_whole_input() -> None:
    servers = Servers(GOOD)
    agent = Agent(name="looker", kind="mcp", config={"server": "files", "tool": "look"})
    await McpAgentKind(servers).perform(agent, attempt("looker", {"path": "/srv"}))
    assert servers.asked[0][2] == {"path": "/srv"}


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (CALL, []),
        ({"server": "files", "tool": "look"}, []),
        ({**CALL, "server": "other"}, ["no server other"]),
        ({**CALL, "arguments": {"path": "{context.x}"}}, ["arguments: 'context' is not known here, only input"]),
        ({**CALL, "arguments": {"path": "{"}}, None),
    ],
)
def test_an_agent_is_checked_when_it_is_registered(config: dict[str, Any], told: list[str] | None) -> None:
    found = McpAgentKind(Servers(GOOD)).check(Agent(name="looker", kind="mcp", config=config))
    assert found == told if told is not None else found[0].startswith("arguments/path: ")
