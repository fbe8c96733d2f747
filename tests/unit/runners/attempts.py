"""Attempts for runners, without an engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from app.domain.runner import Attempt


class Told:
    """A step's context that remembers what it was told."""

    thread_id, execution_id, step_id, run_id, attempt = "t", "e", "s", "r", 1
    idempotency_key = "t:e:s"
    cancelled = False

    def __init__(self) -> None:
        self.said: list[Any] = []

    def progress(self, fraction: float | None, message: str = "") -> None:
        self.said.append((fraction, message))

    def chunk(self, text: str) -> None:
        self.said.append(text)


def attempt(target: Any, given: Any = None, *, waited: float = 0.0) -> Attempt:
    """One try of a step of whatever kind."""
    spec: Any = SimpleNamespace(id="s", agent=target, kind="python", timeout=None)
    return Attempt(step=spec, target=target, input=given, context=Told(), waited=waited)
