"""Agents of functions that a test registers as it goes, for engines that are wired without a directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.agents import Agent, Agents
from app.runners.agents import AgentRunner
from app.runners.python_agent import PythonAgents

if TYPE_CHECKING:
    from app.runners.python import PythonRunner
    from app.runners.registration import Functions


class FunctionAgents(Agents):
    """Each registered function of an agent is one, in version 1."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    def find(self, name: str) -> Agent | None:
        known = self._functions.find("agent", name) is not None
        return Agent(name=name, kind="python", version=1) if known else None

    def names(self) -> list[str]:
        return self._functions.names("agent")

    async def seek(self, name: str) -> Agent | None:
        return self.find(name)


def agent_runner(functions: Functions, python: PythonRunner) -> AgentRunner:
    """The runner of `agent` steps over these functions."""
    return AgentRunner(FunctionAgents(functions), {"python": PythonAgents(functions, python)})
