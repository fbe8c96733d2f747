"""A step's context whose memory outlives the attempt, as the engine's does, and what the tests of agents need beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.domain import jsontext
from app.domain.tools import Tool, ToolResult
from tests.unit.runners.attempts import Context, attempt_with

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.domain.runner import Attempt, Usage


class Crash(BaseException):
    """The process dies here."""


class Remembering(Context):
    """Keeps in `memory` what is remembered, as text; dies when `dies_at` is to be remembered, or `dies_after` has been."""

    def __init__(self, memory: dict[str, str] | None = None, *, dies_at: str = "", dies_after: str = "") -> None:
        super().__init__(memory)
        self.told: list[str] = []
        self._dies_at, self._dies_after = dies_at, dies_after

    def progress(self, fraction: float | None, message: str = "") -> None:
        self.told.append(f"progress {message}")

    def spend(self, usage: Usage) -> None:
        super().spend(usage)
        self.told.append("spend")

    async def remembered(self) -> dict[str, Any]:
        return {name: jsontext.loads(value) for name, value in self.memory.items()}

    async def remember(self, name: str, value: Any) -> None:
        if name == self._dies_at:
            raise Crash
        await super().remember(name, jsontext.dumps(value))
        self.told.append(name)
        if name == self._dies_after:
            raise Crash


def attempt(given: Any = None, context: Remembering | None = None) -> Attempt:
    """One try of a step by an agent."""
    return attempt_with(context or Remembering(), given, "writer")


class FakeTools:
    """MCP servers: `servers` are their tools by server, each a function of its arguments; all calls are kept."""

    def __init__(self, **servers: Mapping[str, Callable[[dict[str, Any]], Any]]) -> None:
        self.servers = servers
        self.calls: list[tuple[str, str, dict[str, Any], str]] = []
        self.listed: list[str] = []

    async def list(self, server: str) -> list[Tool]:
        self.listed.append(server)
        schema = {"type": "object", "properties": {"q": {"type": "string"}}}
        return [Tool(name=name, description=f"It can {name}", input_schema=schema) for name in self.servers[server]]

    async def call(
        self, server: str, tool: str, arguments: Mapping[str, Any], *, key: str, progress: Any = None
    ) -> ToolResult:
        self.calls.append((server, tool, dict(arguments), key))
        found = self.servers[server][tool](dict(arguments))
        found = await found if hasattr(found, "__await__") else found
        return found if isinstance(found, ToolResult) else ToolResult(text=str(found), value=found)
