"""Functions for the test of the canary: they say whatever they should not, in every way that a step has."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

from app.domain.runner import StepContext
from app.runners.registration import function

log = logging.getLogger("somebody.s.library")
VARIABLES = ("CANARY_HTTP", "CANARY_LLM", "CANARY_MCP")


def secrets() -> str:
    """All of them, as they are."""
    return " ".join(os.environ[name] for name in VARIABLES)


@function("tell-all")
async def tell_all(value: Any, ctx: StepContext) -> Any:
    """By every way out."""
    ctx.progress(0.5, f"half way with {secrets()}")
    for place in range(0, len(secrets()), 7):
        ctx.chunk(secrets()[place : place + 7])
        await asyncio.sleep(0)
    ctx.keep_session(f"s {secrets()}"[:900])
    ctx.log("error", secrets(), of=secrets())
    log.warning("header: %s", secrets(), extra={"header": secrets()})
    await ctx.remember("all", {"said": [secrets()]})
    return {"all": secrets(), secrets(): 1}


@function("fail-with-all")
def fail_with_all(value: Any) -> None:
    """In an exception, with a traceback in the log."""
    try:
        connect()
    except ConnectionError:
        log.exception("it broke")
        raise


def connect() -> None:
    """As a library would complain."""
    raise ConnectionError(f"cannot connect with {secrets()}")


@function("far-away", run_in="process")
def far_away(value: Any) -> str:
    """In another process."""
    logging.getLogger("far").error("%s", secrets())
    return secrets()
