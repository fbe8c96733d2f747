"""The agents of docs/forks.md and docs/tasks.md: one that finds an angle, two that write."""

from __future__ import annotations

from typing import Any

from app.runners.registration import agent


@agent("scout")
def scout(given: dict[str, Any]) -> dict[str, Any]:
    """An angle on a topic."""
    return {"angle": f"why {given['topic']} matters"}


@agent("blogger")
def blogger(given: dict[str, Any]) -> dict[str, Any]:
    """A sober text."""
    return {"title": given["angle"].capitalize(), "words": len(given["angle"].split())}


@agent("blogger-bold")
def blogger_bold(given: dict[str, Any]) -> dict[str, Any]:
    """The same, louder."""
    return {"title": given["angle"].upper() + "!", "words": len(given["angle"].split())}
