"""Performs `agent:` steps: finds the agent, checks what goes in and comes out, and leaves the work to the agent's kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain import agent_document, input_schema
from app.domain.errors import Unavailable
from app.domain.records import ErrorInfo
from app.domain.retry import CONFIGURATION, INVALID_OUTPUT, VALIDATION
from app.domain.runner import Asleep, Completed, Failed
from app.runners.aside import misfits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.agents import Agent, AgentKind, Agents
    from app.domain.runner import Attempt, Outcome
    from app.domain.spec import StepSpec

_OUTAGE_PAUSE: Final = 2.0
_KEPT: Final = 10_000
_TOLD: Final = 5
"""Faults of a value that a message tells of."""


class AgentRunner:
    """The kind `agent` of steps.  An attempt goes by the agent as it is when the attempt begins."""

    def __init__(self, agents: Agents, kinds: Mapping[str, AgentKind]) -> None:
        self._agents = agents
        self._kinds = kinds
        self._checked: dict[str, tuple[Agent, str]] = {}

    async def perform(self, attempt: Attempt) -> Outcome:
        """Have the agent that the step names do it; the version that does goes into the context."""
        name = str(attempt.target)
        agent = self._agents.find(name)
        if agent is None:
            try:
                agent = await self._agents.seek(name)
            except Unavailable:  # an outage of the store spends no attempt
                return Asleep(seconds=_OUTAGE_PAUSE)
        if agent is None:
            return _failed(CONFIGURATION, agent_document.no_agent(name, self._agents.names()))
        attempt.context.agent_version = agent.version
        wrong = self._config_fault(agent)
        if wrong:
            return _failed(CONFIGURATION, wrong)
        wrong = await _misfit(agent.input_schema, attempt.input)
        if wrong:
            return _failed(VALIDATION, f"the input is not as agent {name} wants it: {wrong}")
        outcome = await self._kinds[agent.kind].perform(agent, attempt)
        if isinstance(outcome, Completed):
            wrong = await _misfit(agent.output_schema, outcome.output)
            if wrong:
                told = f"what agent {name} gave is not as its output schema wants it: {wrong}"
                return Failed(error=ErrorInfo(kind=INVALID_OUTPUT, message=told, retryable=True))
        return outcome

    def check(self, step: StepSpec) -> list[str]:
        """Whether there is such an agent, and whether it can work here and now."""
        name = step.agent
        if name is None:
            return []
        agent = self._agents.find(name)
        if agent is None:
            return [agent_document.no_agent(name, self._agents.names())]
        wrong = self._config_fault(agent)
        return [wrong] if wrong else [f"agent {name}: {message}" for message in self._kinds[agent.kind].check(agent)]

    def _config_fault(self, agent: Agent) -> str:
        """Why an agent cannot be performed, which somebody may have written by hand; "" if it can."""
        known = self._checked.get(agent.name)
        if known is not None and known[0] is agent:
            return known[1]
        kind = self._kinds.get(agent.kind)
        if kind is None:
            fault = f"agent {agent.name}: {agent_document.no_kind(agent.kind, self._kinds)}"
        else:
            found = agent_document.config_problems(agent, kind)
            for pointer, schema in (("/input", agent.input_schema), ("/output", agent.output_schema)):
                found += [] if schema is None else input_schema.check_schema(schema, pointer)
            fault = f"agent {agent.name}: {found[0].pointer}: {found[0].message}" if found else ""
        if len(self._checked) >= _KEPT:
            self._checked.clear()
        self._checked[agent.name] = (agent, fault)
        return fault


async def _misfit(schema: Mapping[str, Any] | None, value: Any) -> str:
    """Where a value is not as the schema wants it, "" for nowhere."""
    if schema is None:
        return ""
    found = await misfits(schema, value)
    more = f" and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    return "; ".join(f"{one.pointer or '(whole)'}: {one.message}" for one in found[:_TOLD]) + more


def _failed(kind: str, message: str) -> Failed:
    return Failed(error=ErrorInfo(kind=kind, message=message))
