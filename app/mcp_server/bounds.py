"""How much of a document a model is given: long values are told by their size and a preview, as events do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import jsontext

if TYPE_CHECKING:
    from app.mcp_server.calling import Document

MOST: Final = 256 * 1024
"""Characters of one value."""
_PREVIEW: Final = 1024


async def fitting_status(status: Document) -> Document:
    """A status document, its output if that is not too long."""
    return {**status, "output": await asyncio.to_thread(fit, status.get("output"))}


async def fitting_state(version: Document) -> Document:
    """A version with its state: each variable and each step's output, those that are not too long."""
    return {**version, "state": await asyncio.to_thread(_fit_state, version["state"])}


def fit(value: Any) -> Any:
    """The value, or what stands for it."""
    text = jsontext.dumps(value)
    if len(text) <= MOST:
        return value
    return {"truncated": True, "size_bytes": len(text.encode()), "preview": text[:_PREVIEW]}


def _fit_state(state: Document) -> Document:
    steps = cast("dict[str, Document]", state.get("steps") or {})
    context = cast("Document", state.get("context") or {})
    return {
        **state,
        "input": fit(state.get("input")),
        "context": {name: fit(value) for name, value in context.items()},
        "steps": {name: {each: fit(value) for each, value in step.items()} for name, step in steps.items()},
    }
