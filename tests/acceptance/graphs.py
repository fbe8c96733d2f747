"""The graphs of the acceptance tests, which the services load by MODULES.  Each node leaves a line in a file."""

from __future__ import annotations

import asyncio
import os
from operator import add
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from app.runners.graphs import graph


class State(TypedDict):
    """What the nodes hand on; `until` is a file that the second waits for."""

    topic: str
    until: str
    done: Annotated[list[str], add]
    verdict: Any


Update = dict[str, Any]


def _note(node: str) -> None:
    """One write of one line: whole or not at all, whatever kills the process."""
    file = os.open(os.environ["ACCEPTANCE_CALLS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, f"graph {node}\n".encode())
    finally:
        os.close(file)


async def first(state: State) -> Update:
    """Streams, and is done at once."""
    _note("first")
    get_stream_writer()("streamed by the first")
    return {"done": ["first"]}


async def second(state: State) -> Update:
    """Waits for a file: the test that makes it is in another process."""
    _note("second")
    while not Path(state["until"]).exists():  # noqa: ASYNC110, ASYNC240 - nothing tells of a file
        await asyncio.sleep(0.01)
    return {"done": ["second"]}


async def third(state: State) -> Update:
    """Asks."""
    verdict = interrupt({"publish": state["topic"]}, response_schema={"type": "object", "required": ["approved"]})
    _note("third")
    return {"done": ["third"], "verdict": verdict}


def _line(*nodes: Any) -> Any:
    builder = StateGraph(State)
    for before, node in zip((START, *(node.__name__ for node in nodes)), nodes, strict=False):
        builder.add_node(node).add_edge(before, node.__name__)
    return builder


working = graph("working")(_line(first, second).compile())
asking = graph("asking")(_line(first, third))
