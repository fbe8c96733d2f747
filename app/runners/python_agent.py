"""The kind `python` of agents: functions of this process that `@agent` or `@function` has registered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain.document_schema import NAME
from app.domain.records import ErrorInfo
from app.domain.retry import CONFIGURATION
from app.domain.runner import Failed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.agents import Agent
    from app.domain.runner import Attempt, Outcome
    from app.runners.python import PythonRunner
    from app.runners.registration import Functions, Registered

_CONFIG: Final = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "function": {
            "description": "The name of a registered function or agent; by default the agent's own.",
            "type": "string",
            "pattern": NAME,
        }
    },
}


class PythonAgents:
    """Calls functions as PythonRunner does, and shares its bounds."""

    def __init__(self, functions: Functions, runner: PythonRunner) -> None:
        self._functions = functions
        self._runner = runner

    def config_schema(self) -> Mapping[str, Any]:
        """See AgentKind."""
        return _CONFIG

    def check(self, agent: Agent) -> list[str]:
        """Whether its function is registered in this process."""
        return [] if self._function(agent) is not None else [self._unknown(agent)]

    async def perform(self, agent: Agent, attempt: Attempt) -> Outcome:
        """Call the function with a copy of the input that it may change."""
        found = self._function(agent)
        if found is None:
            return Failed(error=ErrorInfo(kind=CONFIGURATION, message=self._unknown(agent)))
        return await self._runner.call(found, attempt)

    def _function(self, agent: Agent) -> Registered | None:
        name = agent.config.get("function")
        if name is None:
            return self._functions.find("agent", agent.name)
        return self._functions.find("function", name) or self._functions.find("agent", name)

    def _unknown(self, agent: Agent) -> str:
        name = agent.config.get("function")
        if name is None:
            return f"no function of this process is registered as agent {agent.name!r} (see MODULES)"
        known = ", ".join(sorted({*self._functions.names("function"), *self._functions.names("agent")})[:20])
        return f"no function of this process is registered as {name!r}; known: {known or 'none'} (see MODULES)"
