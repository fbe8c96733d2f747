"""The workflow of docs/python-workflows.md, with the agents that do its steps."""

from __future__ import annotations

from typing import Any

from app.domain.flow import StepFailed, WorkflowContext
from app.runners.registration import agent, workflow

FORM = {"type": "object", "required": ["approved"], "properties": {"approved": {"type": "boolean"}}}


@agent("planner")
def planner(given: dict[str, Any]) -> list[str]:
    """Two questions about a topic."""
    return [f"what is {given['topic']}", f"who uses {given['topic']}"]


@agent("searcher")
def searcher(given: str) -> dict[str, Any]:
    """What is found on a question."""
    return {"question": given, "hits": len(given.split())}


@agent("author")
def author(given: dict[str, Any]) -> dict[str, Any]:
    """A report."""
    return {"topic": given["topic"], "hits": sum(one["hits"] for one in given["found"])}


@workflow(
    "research",
    input={"type": "object", "required": ["topic"], "properties": {"topic": {"type": "string"}}},
    limits={"max_cost_usd": 2, "deadline": "2d"},
)
async def research(ctx: WorkflowContext, given: dict[str, Any]) -> dict[str, Any]:
    """Questions, answers side by side, a person's word, a report."""
    questions = await ctx.step("plan", agent="planner", input=given)
    found = await ctx.gather(*(ctx.step("search", agent="searcher", input=question) for question in questions))
    best = [one for one in found if one["hits"]]
    try:
        said = await ctx.wait_for("approve", title=f"Write about {given['topic']}?", show=best, form=FORM, timeout="1d")
    except StepFailed as failed:
        if failed.kind != "timeout":
            raise
        said = {"approved": True}
    if not said["approved"]:
        return {"written": False}
    await ctx.sleep("10ms")
    report = await ctx.step("write", agent="author", input={"topic": given["topic"], "found": best}, assign="report")
    return {"written": True, **report}
