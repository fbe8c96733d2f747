"""The agent kind `mcp`: an agent that is a tool of a configured MCP server; its arguments are a template over `{input}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain.document_schema import NAME, TOOL
from app.domain.errors import InvalidWorkflow
from app.domain.template import Template
from app.runners.mcp import check_call, perform_call
from app.runners.per_agent import PerAgent, holes_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.agents import Agent
    from app.domain.runner import Attempt, Outcome
    from app.runners.mcp import KnownTools

_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["server", "tool"],
    "additionalProperties": False,
    "properties": {
        "server": {"description": "A server of MCP_SERVERS.", "type": "string", "pattern": NAME},
        "tool": {"description": "One of its tools.", "type": "string", "pattern": TOOL},
        "arguments": {
            "description": "What the tool is given, with templates over {input}; the whole input when left out.",
            "type": ["object", "string"],
        },
    },
}


class McpAgentKind:
    """Performs the steps of agents that are tools."""

    def __init__(self, servers: KnownTools) -> None:
        self._servers = servers
        self._templates = PerAgent(_arguments)

    def config_schema(self) -> Mapping[str, Any]:
        """See AgentKind."""
        return _SCHEMA

    def check(self, agent: Agent) -> list[str]:
        """The server must be configured; the tool and the arguments are checked once the server has told its tools."""
        config = agent.config
        try:
            template = self._templates.of(agent)
        except InvalidWorkflow as error:
            return [f"arguments{problem.pointer}: {problem.message}" for problem in error.problems]
        wrong = sorted(template.references - {"input"})
        if wrong:
            return [f"arguments: {wrong[0]!r} is not known here, only input"]
        return check_call(self._servers, str(config["server"]), str(config["tool"]), template.source)

    async def perform(self, agent: Agent, attempt: Attempt) -> Outcome:
        """Call the tool.  Raises StepFailure, ExpressionError."""
        config = agent.config
        arguments = self._templates.of(agent).render({"input": attempt.input})
        return await perform_call(self._servers, str(config["server"]), str(config["tool"]), arguments, attempt)


def _arguments(agent: Agent) -> Template:
    """Raises InvalidWorkflow."""
    return Template.compile(agent.config.get("arguments", "{input}"), holes=holes_of(agent))
