"""A LangGraph graph as the agent of a step: MODULES=sketch_graph PYTHONPATH=examples/langgraph backstitch serve."""

from __future__ import annotations

from typing import Any, TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from app.runners.graphs import graph


class Sketch(TypedDict):
    """The state of the graph; its first value is the step's input."""

    topic: str
    text: str
    verdict: dict[str, Any]


def write(state: Sketch) -> dict[str, Any]:
    """The slow node: it does not run again when the answer comes, nor after a crash."""
    text = f"All about {state['topic']}."
    get_stream_writer()(text)  # readers of the thread see it at once
    return {"text": text}


def review(state: Sketch) -> dict[str, Any]:
    """An interrupt is a gate: the thread waits for an answer, without a slot, for as long as it takes."""
    return {"verdict": interrupt({"text": state["text"]})}


@graph("sketcher")
def build() -> Any:
    """Called once, when the graph is first needed."""
    builder = StateGraph(Sketch)
    builder.add_node("write", write).add_node("review", review)
    builder.add_edge(START, "write").add_edge("write", "review")
    return builder
