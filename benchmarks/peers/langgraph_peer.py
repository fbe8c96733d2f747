"""LangGraph with its PostgreSQL saver: a graph of K nodes in a row, one saver over a pool as its docs advise.

Every node's result is committed before the next node starts (durability="sync").
"""

# pyright: reportMissingImports=false
# (the extra `bench` need not be installed where the types are checked)

from __future__ import annotations

import operator
from collections.abc import Awaitable, Callable
from typing import Annotated, TypedDict

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from benchmarks.workload import Workload, run, start


class State(TypedDict):
    """What the nodes add up: each one's output."""

    outputs: Annotated[list[dict[str, str]], operator.add]


def build(load: Workload) -> StateGraph[State]:
    """A graph of `load.steps` nodes, one after the other."""

    def node(name: str, index: int) -> Callable[[State], Awaitable[State]]:
        async def step(_state: State) -> State:
            return {"outputs": [{"step": name, "data": load.data(index)}]}

        return step

    graph = StateGraph(State)
    before = START
    for index in range(load.steps):
        name = f"step_{index}"
        graph.add_node(name, node(name, index))
        graph.add_edge(before, name)
        before = name
    graph.add_edge(before, END)
    return graph


async def main(load: Workload) -> None:
    """Set the tables up, compile the graph once and drive it."""
    pool_options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    async with AsyncConnectionPool(load.dsn, min_size=4, max_size=20, open=False, kwargs=pool_options) as pool:
        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        graph = build(load).compile(checkpointer=saver)

        async def drive(workflow_id: str) -> None:
            config = {"configurable": {"thread_id": workflow_id}, "recursion_limit": load.steps + 5}
            state = await graph.ainvoke({"outputs": []}, config, durability="sync")
            assert len(state["outputs"]) == load.steps

        await run(load, drive)


if __name__ == "__main__":
    start(__doc__ or "", main)
