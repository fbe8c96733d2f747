"""A step's context whose memory outlives the attempt, as the engine's does, and what the tests of agents need beside it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from app.domain import jsontext
from app.domain.runner import NO_USAGE, Attempt, Usage
from app.domain.tools import Tool, ToolResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Crash(BaseException):
    """The process dies here."""


class Remembering:
    """Keeps what is remembered in `memory`; dies when `dies_at` is about to be remembered, or `dies_after` has been."""

    thread_id, execution_id, step_id, run_id, attempt = "t", "e", "s", "r", 1
    idempotency_key = "t:e:s"
    cancelled = False
    index: int | None = None
    session_id: str | None = None
    agent_version: int | None = None
    epoch = 1

    def __init__(self, memory: dict[str, str] | None = None, *, dies_at: str = "", dies_after: str = "") -> None:
        self.memory = {} if memory is None else memory
        self.chunks: list[str] = []
        self.spent: list[Usage] = []
        self.told: list[str] = []
        self._dies_at, self._dies_after = dies_at, dies_after

    @property
    def usage(self) -> Usage:
        """All that was spent."""
        return sum(self.spent, NO_USAGE)

    def progress(self, fraction: float | None, message: str = "") -> None:
        self.told.append(f"progress {message}")

    def chunk(self, text: str) -> None:
        self.chunks.append(text)

    def spend(self, usage: Usage) -> None:
        self.spent.append(usage)
        self.told.append("spend")

    def keep_session(self, session_id: str) -> None:
        self.session_id = session_id

    async def remembered(self) -> dict[str, Any]:
        return {name: jsontext.loads(value) for name, value in self.memory.items()}

    async def remember(self, name: str, value: Any) -> None:
        if name == self._dies_at:
            raise Crash
        if name in self.memory:
            raise ValueError(f"{name} is taken")
        self.memory[name] = jsontext.dumps(value)
        self.told.append(name)
        if name == self._dies_after:
            raise Crash


def attempt(given: Any = None, context: Remembering | None = None) -> Attempt:
    """One try of a step by an agent."""
    spec: Any = SimpleNamespace(id="s", agent="writer", kind="agent", timeout=None)
    return Attempt(step=spec, target="writer", input=given, context=context or Remembering())


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
