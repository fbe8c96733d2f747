"""Attempts without an engine: a step's context that keeps what it was told, remembered and handed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from app.domain.runner import NO_USAGE, Attempt, ModelCall, Usage


class Context:
    """See StepContext.  `memory` may outlive the attempt; what `more` names is another than here."""

    thread_id, execution_id, step_id, run_id, attempt = "t", "e", "s", "r", 1
    idempotency_key = "t:e:s"
    cancelled = False
    index: int | None = None
    session_id: str | None = None
    agent_version: int | None = None
    traceparent: str | None = None
    epoch = 1

    def __init__(self, memory: dict[str, Any] | None = None, **more: Any) -> None:
        self.said: list[Any] = []
        self.chunks: list[str] = []
        self.usage: Usage = NO_USAGE
        self.sessions: list[str] = []
        self.model_calls: list[ModelCall] = []
        self.memory: dict[str, Any] = {} if memory is None else memory
        for name, value in more.items():
            assert hasattr(self, name), name
            setattr(self, name, value)

    def progress(self, fraction: float | None, message: str = "") -> None:
        self.said.append((fraction, message))

    def chunk(self, text: str) -> None:
        self.chunks.append(text)

    def spend(self, usage: Usage) -> None:
        self.usage += usage

    def called_model(self, call: ModelCall) -> None:
        self.model_calls.append(call)

    def keep_session(self, session_id: str) -> None:
        self.sessions.append(session_id)

    def log(self, level: str, message: str, **context: Any) -> None:
        self.said.append((level, message, context))

    async def remembered(self) -> dict[str, Any]:
        return dict(self.memory)

    async def remember(self, name: str, value: Any) -> None:
        if name in self.memory:
            raise ValueError(f"{name} is taken")
        self.memory[name] = value


def attempt(target: Any, given: Any = None, *, waited: float = 0.0) -> Attempt:
    """One try of a step of whatever kind."""
    spec: Any = SimpleNamespace(id="s", agent=target, kind="python", timeout=None)
    return Attempt(step=spec, target=target, input=given, context=Context(), waited=waited)


def attempt_with(context: Context, given: Any = None, agent: str = "a") -> Attempt:
    """One try of a step by an agent."""
    spec: Any = SimpleNamespace(id="s", agent=agent, kind="agent", timeout=None)
    return Attempt(step=spec, target=agent, input=given, context=context)
