"""The kind `llm`: checks such agents and performs their steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain import retry
from app.domain.errors import InvalidWorkflow
from app.domain.records import ErrorInfo
from app.domain.runner import Failed, StepFailure
from app.domain.template import ExpressionError
from app.runners.llm.anthropic import AnthropicModel
from app.runners.llm.clients import Clients, installed
from app.runners.llm.config import SCHEMA, Config
from app.runners.llm.loop import Loop, Party
from app.runners.llm.openai import OpenAIModel
from app.runners.llm.prices import Prices
from app.runners.llm.structured import Shape
from app.runners.llm.talk import recall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.agents import Agent
    from app.domain.runner import Attempt, Outcome
    from app.domain.tools import McpTools
    from app.runners.secret_values import Secrets

_MODELS: Final = {"openai": OpenAIModel, "anthropic": AnthropicModel}


def llm_kind(secrets: Secrets, tools: McpTools | None, *, allow_private: bool, max_bytes: int) -> LlmKind:
    """The kind `llm`.

    `tools` are what MCP servers have (None: there are none), `allow_private` says whether agents that were registered by the
    API may call private addresses, and `max_bytes` is how long an answer may be.
    """
    return LlmKind(secrets, tools, allow_private=allow_private, max_bytes=max_bytes)


class LlmKind:
    """Performs the steps of all agents of the kind over pooled connections; close them with `aclose`."""

    def __init__(self, secrets: Secrets, tools: McpTools | None, *, allow_private: bool, max_bytes: int) -> None:
        self._secrets = secrets
        self._tools = tools
        self._max_bytes = max_bytes
        self._allow_private = allow_private
        self._clients = Clients(allow_private=allow_private, max_bytes=max_bytes)
        self._prices = Prices()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._clients.aclose()

    def config_schema(self) -> Mapping[str, Any]:
        """See AgentKind."""
        return SCHEMA

    def check(self, agent: Agent) -> list[str]:
        """A template that is none, a library or a key that is not there, an address that may not be called, ..."""
        try:
            config = Config.of(agent, self._secrets.read)
        except InvalidWorkflow as error:
            return [f"{problem.pointer[1:]}: {problem.message}" for problem in error.problems]
        except ValueError as error:
            return [f"timeout: {error}"]
        return [*config.faults(allow_private=self._allow_private), *self._missing(agent, config)]

    async def perform(self, agent: Agent, attempt: Attempt) -> Outcome:
        """One attempt: it goes on after the last turn that an earlier one has remembered."""
        faults = self.check(agent)
        if faults:
            return Failed(error=ErrorInfo(kind=retry.CONFIGURATION, message="; ".join(faults)))
        config = Config.of(agent, self._secrets.read)
        try:
            system, prompt = config.messages(attempt.input)
        except ExpressionError as error:
            return Failed(error=ErrorInfo(kind=retry.EXPRESSION, message=f"prompt: {error}"))
        if not prompt.strip():
            return Failed(
                error=ErrorInfo(kind=retry.VALIDATION, message="the prompt is empty: there is nothing to ask")
            )
        shape = None if config.schema is None else Shape.of(config.schema)
        turns = recall(await attempt.context.remembered())
        try:
            return await Loop(config, shape, await self._party(config), attempt.context, turns).run(system, prompt)
        except StepFailure as error:
            info = ErrorInfo(kind=error.kind, message=str(error), retryable=error.retryable)
            return Failed(error=info, retry_after=error.retry_after)

    async def _party(self, config: Config) -> Party:
        key = self._key(config)
        client = await self._clients.get(config, key)
        return Party(
            model=_MODELS[config.provider](client),
            sdk=client.sdk,
            key=key,
            tools=self._tools,
            prices=self._prices,
            limit=self._max_bytes,
        )

    def _key(self, config: Config) -> str | None:
        return None if config.key_env is None else self._secrets.key(config.key_env)

    def _missing(self, agent: Agent, config: Config) -> list[str]:
        found: list[str] = []
        if not installed(config.provider):
            found.append(
                f"the library for {config.provider} is not installed: pip install 'backstitch[{config.provider}]'"
            )
        closed = None if config.key_env is None else self._secrets.closed(config.key_env, agent)
        forbidden = config.key_fault(closed)
        if forbidden is not None:
            found.append(forbidden)
        elif config.key_env is not None and self._key(config) is None:
            found.append(
                f"{config.key_env} is not set: agent {config.name} (llm, {config.provider}) needs it; "
                "set it in the environment or .env, or set api_key_env"
            )
        if config.tools and self._tools is None:
            found.append("tools: no MCP servers are configured")
        return found
