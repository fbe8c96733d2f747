"""The kind `llm` beside a scripted server, for its tests."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.agents import Agent
from app.domain.input_schema import validate
from app.domain.runner import Completed, Failed
from app.runners.llm import LlmKind, llm_kind
from app.runners.llm.config import SCHEMA
from app.runners.secret_values import Secrets
from tests.llm_server import LlmServer, serving
from tests.unit.runners.remembering import FakeTools, Remembering, attempt

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping

    from app.domain.runner import Outcome

both = pytest.mark.parametrize("provider", ["openai", "anthropic"])
KEY = "sk-test-0123456789"
PRICE = {"input_per_million": 1.0, "output_per_million": 2.0}


def agent(
    provider: str = "openai", url: str | None = None, *, source: str = "file", schema: Any = None, **config: Any
) -> Agent:
    """A writer; its config is checked as a registration would."""
    base = {} if url is None else {"base_url": url}
    given = {"provider": provider, "model": "m", "price": PRICE, **base, **config}
    given = {name: value for name, value in given.items() if value is not None or name == "api_key_env"}
    assert validate(SCHEMA, given) == []
    return Agent(name="writer", kind="llm", version=1, config=given, output_schema=schema, source=source)


@dataclass
class House:
    """A server, and a kind that knows its keys."""

    server: LlmServer
    kind: LlmKind
    known: dict[str, str]
    tools: FakeTools | None = None
    contexts: list[Remembering] = field(default_factory=list)

    def url(self, provider: str) -> str:
        """The server, for a provider."""
        return self.server.openai if provider == "openai" else self.server.anthropic

    def is_usual(self, provider: str) -> None:
        """From now on the server is where the provider's requests go."""
        self.known[f"{provider.upper()}_BASE_URL"] = self.url(provider)

    async def perform(
        self, provider: str = "openai", given: Any = "Hi", context: Remembering | None = None, **config: Any
    ) -> Outcome:
        """One attempt of a writer at the server."""
        one = agent(provider, **{"url": self.url(provider), **config})
        return await self.kind.perform(one, attempt(given, context))

    async def completed(self, provider: str = "openai", given: Any = "Hi", **more: Any) -> Any:
        """The output of an attempt that must succeed."""
        outcome = await self.perform(provider, given, **more)
        assert isinstance(outcome, Completed), outcome
        return outcome.output

    async def failed(self, provider: str = "openai", given: Any = "Hi", **more: Any) -> Failed:
        """The failure of an attempt that must fail."""
        outcome = await self.perform(provider, given, **more)
        assert isinstance(outcome, Failed), outcome
        return outcome


def a_kind(
    known: Mapping[str, str],
    tools: FakeTools | None = None,
    *,
    allow_private: bool = False,
    max_bytes: int = 16_000_000,
    for_api: Iterable[str] = (),
) -> LlmKind:
    """The kind, where `known` are the variables and `for_api` those that agents of the API may name."""
    secrets = Secrets(lambda name: known.get(name) or None, frozenset(for_api))
    return llm_kind(secrets, tools, allow_private=allow_private, max_bytes=max_bytes)


@asynccontextmanager
async def house(
    *script: dict[str, Any],
    tools: FakeTools | None = None,
    allow_private: bool = True,
    max_bytes: int = 16_000_000,
    for_api: Iterable[str] = (),
    **secrets: str,
) -> AsyncGenerator[House]:
    """A house with a script; both providers' keys are set unless `secrets` says otherwise."""
    known = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY} | secrets
    kind = a_kind(known, tools, allow_private=allow_private, max_bytes=max_bytes, for_api=for_api)
    async with serving(LlmServer(list(script))) as server:
        try:
            yield House(server, kind, known, tools)
        finally:
            await kind.aclose()
