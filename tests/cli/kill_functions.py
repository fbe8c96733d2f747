"""Functions for `verify --kill-points`: some keep to what they are given, two keep what they need in the process."""

from __future__ import annotations

from typing import Any

from app.runners.registration import function

_kept: list[str] = []


@function("kill_square")
def square(given: dict[str, Any]) -> int:
    """Of a number."""
    return given["n"] ** 2


@function("kill_note")
def note(given: dict[str, Any]) -> str:
    """Keeps a word where a crash takes it away."""
    _kept.append(given["word"])
    return given["word"]


@function("kill_recall")
def recall(given: Any) -> list[str]:
    """What was kept."""
    del given
    return list(_kept)
