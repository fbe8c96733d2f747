"""Attempts for kinds of agents, without an engine: what a context was told, remembered and handed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from app.domain.runner import NO_USAGE, Attempt, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping


class Context:
    """A step's context that keeps what it was told."""

    thread_id, execution_id, step_id, run_id, attempt = "t", "e", "s", "r", 1
    cancelled = False
    index: int | None = None
    agent_version: int | None = None
    epoch = 1

    def __init__(self, *, key: str = "t:e:s", session_id: str | None = None) -> None:
        self.idempotency_key = key
        self.session_id = session_id
        self.said: list[tuple[float | None, str]] = []
        self.chunks: list[str] = []
        self.usage: Usage = NO_USAGE
        self.sessions: list[str] = []
        self.memory: dict[str, Any] = {}

    def progress(self, fraction: float | None, message: str = "") -> None:
        self.said.append((fraction, message))

    def chunk(self, text: str) -> None:
        self.chunks.append(text)

    def spend(self, usage: Usage) -> None:
        self.usage += usage

    def keep_session(self, session_id: str) -> None:
        self.sessions.append(session_id)

    async def remembered(self) -> Mapping[str, Any]:
        return dict(self.memory)

    async def remember(self, name: str, value: Any) -> None:
        if name in self.memory:
            raise ValueError(name)
        self.memory[name] = value


def attempt_with(context: Context, given: Any = None) -> Attempt:
    """One try of a step by an agent."""
    spec: Any = SimpleNamespace(id="s", agent="a", kind="agent", timeout=None)
    return Attempt(step=spec, target="a", input=given, context=context)
