"""What `doctor` finds: one line each, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at; `advice` says what to do, for what is not ok."""

    part: str
    level: Level
    message: str
    advice: str | None = None


def ok(part: str, message: str) -> Finding:
    """It is as it should be."""
    return Finding(part=part, level="ok", message=message)


def warning(part: str, message: str, advice: str) -> Finding:
    """It works, and may not be meant so."""
    return Finding(part=part, level="warning", message=message, advice=advice)


def problem(part: str, message: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(part=part, level="problem", message=message, advice=advice)


def skipped(part: str, message: str) -> Finding:
    """It could not be looked at."""
    return Finding(part=part, level="skipped", message=message)
