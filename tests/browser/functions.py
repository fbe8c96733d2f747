"""The agents of the worlds that the page is looked at in: they stream, think for a while, fail, cost money.

`pace` (seconds a piece of text, 0 without it) stands in each input, so that tests are quick and a person sees something happen.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, cast

from app.domain.flow import WorkflowContext
from app.domain.runner import StepContext, StepFailure, Usage
from app.runners.graphs import graph
from app.runners.registration import agent, function, workflow

_TEXT = (
    "Schools that begin with **what teachers already do** get further than those that begin with a tool. Three findings hold "
    "across the sources: feedback within a day doubles what is revised; a draft that a machine has marked is read more "
    "closely, not less; and nobody keeps using what needs a second login.\n\n"
    "1. Start with feedback on drafts.\n2. Let teachers switch it off.\n3. Measure what is revised, not what is written.\n"
)


def _switch(given: dict[str, Any], name: str) -> bool:
    """Whether the file that the input names is there: how a test lets a step go on, or succeed."""
    return name not in given or Path(given[name]).exists()


async def _until(given: dict[str, Any]) -> None:
    while not _switch(given, "until"):  # noqa: ASYNC110 - nothing tells of a file
        await asyncio.sleep(0.02)


@agent("analyst", description="Reads the brief and names audience, angle and questions.")
async def analyst(given: dict[str, Any], ctx: StepContext) -> Any:
    """Names an angle and some questions."""
    ctx.log("info", "reading the brief", words=len(str(given.get("topic", "")).split()))
    await asyncio.sleep(given.get("pace", 0) * 8)
    ctx.spend(Usage(input_tokens=812, output_tokens=164, cost_usd=0.0041))
    return {
        "topic": given.get("topic"),
        "audience": "heads of secondary schools",
        "angle": "what changes for a teacher on Monday morning",
        "score": 0.82,
        "queries": ["AI feedback on drafts", "teacher workload studies", "single sign-on adoption"],
    }


@agent("researcher", description="Looks one question up and keeps what can be cited.")
async def researcher(given: dict[str, Any], ctx: StepContext) -> Any:
    """Finds two sources for a question."""
    await asyncio.sleep(given.get("pace", 0) * (4 + 3 * (ctx.index or 0)))
    ctx.spend(Usage(input_tokens=420, output_tokens=210, cost_usd=0.0019))
    question = given.get("question", "")
    return {"question": question, "sources": [f"Review of {question.lower()} (2025)", f"A year of {question.lower()}"]}


@agent("marketer", description="Writes the piece, and streams it as it comes.")
async def marketer(given: dict[str, Any], ctx: StepContext) -> Any:
    """Streams a text word by word; waits for the file `until`; fails unless the file `unless` is there."""
    words = (given.get("text") or _TEXT).split(" ")
    for index, word in enumerate(words):
        ctx.chunk(word + " ")
        if index % 12 == 0:
            ctx.progress(index / len(words), f"{index} of {len(words)} words")
        if given.get("pace"):
            await asyncio.sleep(given["pace"])
    await _until(given)
    if not _switch(given, "unless"):
        raise StepFailure(
            "the model is overloaded, ask again later", kind="overloaded", retryable=given.get("retryable", False)
        )
    ctx.spend(Usage(input_tokens=2_410, output_tokens=640, cost_usd=0.0167))
    ctx.log("info", "written", words=len(words))
    return {
        "title": f"{given.get('topic', 'Untitled')}: begin with Monday",
        "text": " ".join(words),
        "words": len(words),
    }


@agent("marketer-bold", description="As marketer, with shorter sentences.")
async def marketer_bold(given: dict[str, Any], ctx: StepContext) -> Any:
    """Says it louder."""
    ctx.spend(Usage(input_tokens=2_410, output_tokens=320, cost_usd=0.0102))
    return {"title": f"{given.get('topic', 'Untitled')}. Now.", "text": "Feedback first. Logins last.", "words": 4}


@agent("publisher", description="Sends the mail to all subscribers.")
async def publisher(given: dict[str, Any], ctx: StepContext) -> Any:
    """Pretends nothing: writes a file where it is told to, else says what it would have sent."""
    if "file" in given:
        await asyncio.to_thread(Path(given["file"]).write_text, str(given), encoding="utf-8")
    return {"sent": 214, "to": "subscribers", "by": ctx.step_id}


@agent("speaker", description="Says what it is told to, by all the ways that it has.")
async def speaker(given: dict[str, Any], ctx: StepContext) -> Any:
    """Streams, logs and tells its progress as given; waits for the file `until`."""
    ctx.log("warning", given["log"], **given["context"])
    ctx.progress(0.5, given["progress"])
    ctx.chunk(given["chunk"])
    await _until(given)
    return given["output"]


@function("collect")
def collect(given: Any) -> Any:
    """Gives what it is given."""
    return given


@function("fail")
def fail(given: dict[str, Any]) -> Any:
    """Fails for good, unless the file `unless` is there."""
    if "unless" in given and Path(given["unless"]).exists():
        return {"mended": True}
    raise StepFailure(
        given.get("message", "the printer is on fire"), kind=given.get("kind", "printer"), retryable=False
    )


@function("bulk")
def bulk(given: dict[str, Any]) -> Any:
    """An output of about so many bytes."""
    line = "x" * 96
    return {"rows": [{"index": index, "text": line} for index in range(given["bytes"] // 128)]}


@function("slow")
async def slow(given: dict[str, Any]) -> Any:
    """Waits for the file `until`."""
    await _until(given)
    return {"pid": os.getpid()}


@workflow("asking")
async def asking(ctx: WorkflowContext, given: dict[str, Any]) -> Any:
    """A workflow in Python that asks."""
    await ctx.step("begin", python="collect", input=given)
    return await ctx.wait_for("approve", title="Go on?", form={"type": "object", "properties": {"why": {}}})


@graph("asker")
def asker() -> Any:
    """A graph that asks; LangGraph is imported when it is first used."""
    from langgraph.graph import START, StateGraph  # noqa: PLC0415
    from langgraph.types import interrupt  # noqa: PLC0415

    form = {"type": "object", "properties": {"why": {}}}
    made = StateGraph[Any, Any, Any, Any](cast("Any", dict))
    made.add_node("ask", lambda state: {"said": interrupt("Why?", response_schema=form)})
    return made.add_edge(START, "ask")
