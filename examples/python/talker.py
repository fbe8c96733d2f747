"""A step that streams text as a model would, for tokens.py: MODULES=talker PYTHONPATH=examples/python backstitch serve."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from app.runners.registration import agent

if TYPE_CHECKING:
    from app.domain.runner import StepContext


@agent("talker")
async def talk(input: dict[str, Any], ctx: StepContext) -> str:  # noqa: A002 - the name is the agents' contract
    """Says something about the topic, word by word."""
    said = f"A thread about {input['topic']} that is cut never unravels: it goes on from its last stitch."
    for word in said.split(" "):
        ctx.chunk(f"{word} ")
        await asyncio.sleep(input.get("pause", 0.05))
    return said
