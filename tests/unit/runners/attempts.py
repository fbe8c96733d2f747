"""Attempts for runners, without an engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from app.domain.runner import Attempt

if TYPE_CHECKING:
    from app.domain.runner import Usage


class Told:
    """A step's context that remembers what it was told."""

    thread_id, execution_id, step_id, run_id, attempt = "t", "e", "s", "r", 1
    idempotency_key = "t:e:s"
    cancelled = False
    epoch = 1
    index: int | None = None
    session_id: str | None = None
    agent_version: int | None = None

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.memory: dict[str, Any] = {}

    def progress(self, fraction: float | None, message: str = "") -> None:
        self.said.append((fraction, message))

    def chunk(self, text: str) -> None:
        self.said.append(text)

    def spend(self, usage: Usage) -> None:
        self.said.append(usage)

    def keep_session(self, session_id: str) -> None:
        self.session_id = session_id

    async def remembered(self) -> dict[str, Any]:
        return dict(self.memory)

    async def remember(self, name: str, value: Any) -> None:
        if name in self.memory:
            raise ValueError(name)
        self.memory[name] = value


def attempt(target: Any, given: Any = None, *, waited: float = 0.0) -> Attempt:
    """One try of a step of whatever kind."""
    spec: Any = SimpleNamespace(id="s", agent=target, kind="python", timeout=None)
    return Attempt(step=spec, target=target, input=given, context=Told(), waited=waited)
