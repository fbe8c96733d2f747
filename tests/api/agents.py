"""The agents of the tests that have a whole engine behind the routes."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from app.domain.runner import StepContext, StepFailure, Usage
from app.runners.registration import agent


@agent("writer")
async def writer(given: Any, ctx: StepContext) -> Any:
    """Says what it was given."""
    ctx.chunk("so ")
    return {"by": "writer", "of": given}


@agent("writer-v2")
async def writer_v2(given: Any) -> Any:
    """Says it otherwise."""
    return {"by": "writer-v2", "of": given}


@agent("hanging")
async def hanging(given: Any) -> None:
    """Never ends by itself."""
    await asyncio.Event().wait()


@agent("failing")
async def failing(given: Any) -> None:
    """Cannot."""
    raise StepFailure("no", kind="refused", retryable=False)


@agent("spender")
async def spender(given: Any, ctx: StepContext) -> Any:
    """Costs a dollar, and refuses what is no number."""
    ctx.spend(Usage(input_tokens=100, output_tokens=50, cost_usd=1.0))
    if not isinstance(given, int):
        raise StepFailure("not a number", kind="refused", retryable=False)
    return given


@agent("talker")
def talker(given: str) -> None:
    """Says it in a log."""
    logging.getLogger("agents.talker").info("said %s", given, extra={"words": len(given.split())})


@agent("unreliable")
async def unreliable(given: Any) -> None:
    """Might work another time."""
    raise StepFailure("not now", kind="flaky", retryable=True)
