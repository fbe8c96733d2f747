"""A workflow in Python for the acceptance tests, beside their steps: FLOW_CHANGED in the environment is another state of it."""

from __future__ import annotations

import os
from typing import Any

from app.domain.flow import StepFailed, WorkflowContext
from app.runners.registration import workflow

FORM = {"type": "object", "required": ["approved"], "properties": {"approved": {"type": "boolean"}}}


@workflow("flow", input={"type": "object", "required": ["until"]}, limits={"max_tokens": 1_000_000})
async def flow(ctx: WorkflowContext, given: dict[str, Any]) -> Any:
    """One step, two side by side, one that waits for a file, a gate, one that fails and is caught, a last one."""
    first = await ctx.step("first", agent="worker", input={"give": 1})
    pair = await ctx.gather(*(ctx.step("each", agent="worker", input={"give": n}) for n in (1, 2)))
    name = "held-no-more" if os.environ.get("FLOW_CHANGED") else "held"
    held = await ctx.step(name.replace("-", "_"), agent="worker", input={"until": given["until"], "give": pair})
    said = await ctx.wait_for(
        "approve", title="Go on?", show=held, form=FORM, timeout="1h", on_timeout={"approved": False}, assignees=["ana"]
    )
    try:
        await ctx.step("refused", agent="worker", input={"unless": "/nowhere/at/all"})
    except StepFailed as failed:
        last = await ctx.step("last", agent="worker", input={"give": failed.kind})
    else:
        last = None
    return [first, held, said, last]


@workflow("late")
async def late(ctx: WorkflowContext, given: Any) -> Any:
    """A gate that nobody answers in time, one with a value in its stead and one without."""
    said = await ctx.wait_for("polite", timeout="10ms", on_timeout={"approved": False})
    try:
        await ctx.wait_for("strict", timeout="10ms")
    except StepFailed as failed:
        return [said, failed.kind, failed.step_id]
