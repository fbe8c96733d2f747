"""LangGraph's own conformance suite on our saver, with every capability that there is, on both stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import ALL_CAPABILITIES, Capability

from app.runners.langgraph_saver import StoreSaver
from app.store.db import open_pool
from app.store.langgraph import PostgresGraphCheckpoints
from app.store.memory_langgraph import MemoryGraphCheckpoints
from app.store.memory_tables import MemoryTables
from tests.graph_stores import add_thread, memory_thread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.graph_checkpoints import GraphCheckpoints


async def passed(store: GraphCheckpoints, capability: Capability) -> None:
    """Run the suite's tests of one capability on a saver of the thread "home"."""

    @checkpointer_test(name=f"backstitch {capability}")
    async def ours() -> AsyncGenerator[StoreSaver]:
        yield StoreSaver(store, "home", epoch=1)

    result = (await validate(ours, capabilities={capability.value})).results[capability.value]
    assert result.detected
    assert result.tests_passed > 0
    assert not result.failures


each_capability = pytest.mark.parametrize("capability", sorted(ALL_CAPABILITIES), ids=lambda each: each.value)


@each_capability
async def test_the_saver_conforms_on_postgresql(database_url: str, capability: Capability) -> None:
    async with open_pool(database_url) as pool:
        await add_thread(pool, "home")
        await passed(PostgresGraphCheckpoints(pool), capability)


@each_capability
async def test_the_saver_conforms_in_memory(capability: Capability) -> None:
    tables = MemoryTables()
    memory_thread(tables, "home")
    await passed(MemoryGraphCheckpoints(tables), capability)
