"""What an agent of the kind `llm` is configured with: its JSON Schema, the parsed form, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx

from app.domain import jsontext, times
from app.domain.template import Template
from app.runners.addresses import written_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.domain.agents import Agent

    Secret = Callable[[str], str | None]

OWN_URLS: Final = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}
"""Where the providers themselves are."""
TIMEOUT: Final = 600.0
MAX_TURNS: Final = 10
_KEY_VARIABLES: Final = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
_URL_VARIABLES: Final = {"openai": "OPENAI_BASE_URL", "anthropic": "ANTHROPIC_BASE_URL"}
_OURS: Final = ["messages", "model", "stream", "stream_options", "tools", "n"]
"""Fields of the request that `params` may not set."""

_TEXT: Final = {"type": "string", "minLength": 1}
_AMOUNT: Final = {"type": "number", "minimum": 0}
SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["provider", "model"],
    "additionalProperties": False,
    "properties": {
        "provider": {"enum": ["openai", "anthropic"]},
        "model": _TEXT,
        "base_url": _TEXT,
        "api_key_env": {"type": ["string", "null"], "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
        "system": {"type": "string"},
        "prompt": _TEXT,
        "temperature": _AMOUNT,
        "max_output_tokens": {"type": "integer", "minimum": 1},
        "timeout": {"type": ["number", "string"]},
        "tools": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["mcp"],
                "additionalProperties": False,
                "properties": {"mcp": _TEXT, "allow": {"type": "array", "items": _TEXT}},
            },
        },
        "structured": {"enum": ["auto", "schema", "tool", "prompt"]},
        "max_turns": {"type": "integer", "minimum": 1, "maximum": 1000},
        "price": {
            "type": "object",
            "required": ["input_per_million", "output_per_million"],
            "additionalProperties": False,
            "properties": {"input_per_million": _AMOUNT, "output_per_million": _AMOUNT},
        },
        "params": {"type": "object", "propertyNames": {"not": {"enum": _OURS}}},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSource:
    """The tools of one MCP server; `allow` None: all of them."""

    server: str
    allow: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One agent's configuration, parsed.

    `url` is where its requests go, `key_env` the variable of its key (None: it needs none); `own_url`: whether `url` is a place
    of its own and neither the provider's nor the one that the operator's environment names; `chosen_url`: whether it was chosen
    by a client of the API, and is not where requests go without it.  `timeout` is in seconds, `price` in US dollars for a
    million tokens (in, out).
    """

    name: str
    provider: str
    model: str
    url: str
    own_url: bool
    chosen_url: bool
    key_env: str | None
    system: Template | None
    prompt: Template | None
    temperature: float | None
    max_output_tokens: int | None
    timeout: float
    tools: tuple[ToolSource, ...]
    structured: str
    max_turns: int
    price: tuple[float, float] | None
    params: Mapping[str, Any]
    schema: Mapping[str, Any] | None

    @classmethod
    def of(cls, agent: Agent, secret: Secret) -> Config:
        """Of an agent whose config matches SCHEMA.  Raises InvalidWorkflow for a faulty template, ValueError for a duration."""
        given = agent.config
        provider: str = given["provider"]
        usual = (secret(_URL_VARIABLES[provider]) or OWN_URLS[provider]).rstrip("/")
        url = str(given.get("base_url") or usual).rstrip("/")
        price: Mapping[str, float] | None = given.get("price")
        return cls(
            name=agent.name,
            provider=provider,
            model=given["model"],
            url=url,
            own_url=url not in {usual, OWN_URLS[provider]},
            chosen_url=agent.source == "api" and url != usual,
            key_env=given.get("api_key_env", _KEY_VARIABLES[provider]),
            system=_compiled(given, "system"),
            prompt=_compiled(given, "prompt"),
            temperature=given.get("temperature"),
            max_output_tokens=given.get("max_output_tokens"),
            timeout=times.seconds(given.get("timeout", TIMEOUT)),
            tools=tuple(_source(tool) for tool in given.get("tools", ())),
            structured=given.get("structured", "auto"),
            max_turns=given.get("max_turns", MAX_TURNS),
            price=None if price is None else (price["input_per_million"], price["output_per_million"]),
            params=given.get("params", {}),
            schema=agent.output_schema,
        )

    @property
    def who(self) -> str:
        """Who answers, in words for messages: the provider, and where unless it is the usual place."""
        return f"{self.provider} at {urlsplit(self.url).netloc.rpartition('@')[2]}" if self.own_url else self.provider

    def faults(self, *, allow_private: bool) -> list[str]:
        """What is wrong with it in itself, where agents of the API may call private addresses or not."""
        found: list[str] = []
        for name, template in (("system", self.system), ("prompt", self.prompt)):
            unknown = sorted(template.references - {"input"}) if template is not None else []
            found += (
                [f"{name}: {', '.join(unknown)} is not known here: an agent sees {{input}} only"] if unknown else []
            )
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in {"http", "https"} and bool(httpx.URL(self.url).host) and (parts.port or 1) > 0
        except (ValueError, httpx.InvalidURL):
            usable = False
        if not usable:
            found.append(f"base_url: {self.url!r} is no http(s) address")
        elif self.chosen_url and not allow_private:
            private = written_fault(httpx.URL(self.url).host)
            found += [f"base_url: {private}"] if private is not None else []
        if self.timeout <= 0:
            found.append("timeout: must be more than nothing")
        if self.structured == "tool" and self.provider == "openai":
            found.append("structured: a tool for the answer is for anthropic only")
        return found

    def key_fault(self, closed: str | None) -> str | None:
        """Why its key may not be used, where `closed` says why the agent may not name the variable.

        Without more, agents of the API may use the provider's key, but only where it goes anyway: who registers them must not
        be able to send keys where they like.
        """
        if closed is None:
            return None
        if self.key_env != _KEY_VARIABLES[self.provider]:
            return f"api_key_env: {closed}"
        if self.chosen_url:
            return (
                f"base_url: an agent registered by the API may not have {self.key_env} sent to {self.url}, unless "
                "API_AGENT_SECRETS lists it: register it by a file or in code, or set api_key_env to null"
            )
        return None

    def messages(self, given: Any) -> tuple[str | None, str]:
        """The system text, if any, and the user's for an input.  Raises ExpressionError."""
        scope = {"input": given}
        system = None if self.system is None else _as_text(self.system.render(scope))
        return system or None, _as_text(given if self.prompt is None else self.prompt.render(scope))


@lru_cache(maxsize=512)
def _compile(text: str, name: str) -> Template:
    return Template.compile(text, f"/{name}")


def _compiled(given: Mapping[str, Any], name: str) -> Template | None:
    return None if name not in given else _compile(given[name], name)


def _source(tool: Mapping[str, Any]) -> ToolSource:
    allow = tool.get("allow")
    return ToolSource(server=tool["mcp"], allow=None if allow is None else frozenset(allow))


def _as_text(value: Any) -> str:
    return jsontext.clean(value if isinstance(value, str) else jsontext.dumps(value))
