"""The zombie: a driver whose thread was taken over in mid-run stops at its next write, which is refused."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import asyncpg

from app.bootstrap import open_services
from app.domain.commands import StartCommand
from app.domain.ids import uuid7
from app.runners.registration import function
from app.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import pytest

TABLES = ("workflow_events", "checkpoints", "workflow_steps", "workflow_executions")


class Held:
    """A step that waits until the test lets it go."""

    def __init__(self) -> None:
        self.entered, self.go = asyncio.Event(), asyncio.Event()
        self.calls = 0
        module = ModuleType("held_steps")
        module.held = self.function()  # pyright: ignore[reportAttributeAccessIssue]
        self.module = module

    def function(self) -> Any:
        @function("held")
        async def held(_: Any, __: Any) -> str:
            self.calls += 1
            self.entered.set()
            await self.go.wait()
            return "from the zombie"

        return held


@asynccontextmanager
async def psql(dsn: str) -> AsyncGenerator[Any]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def all_rows(connection: Any) -> dict[str, list[Any]]:
    return {
        table: [tuple(row) for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY 1, 2")]
        for table in (*TABLES, "threads")
    }


async def test_a_driver_whose_lease_was_taken_over_stops_with_nothing_written(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held()
    monkeypatch.setitem(__import__("sys").modules, "held_steps", held.module)
    settings = load_settings(database_url=database_url, modules=("held_steps",))
    async with open_services(settings) as services, psql(database_url) as other:
        document = {"name": "zombie", "steps": [{"id": "a", "python": "held"}, {"id": "b", "python": "held"}]}
        accepted = await services.control.start(StartCommand(workflow=document))
        await held.entered.wait()
        await other.execute(
            "UPDATE threads SET epoch = epoch + 1, incarnation_id = $2 WHERE thread_id = $1",
            accepted.thread.thread_id,
            uuid7(),
        )
        before = await all_rows(other)
        held.go.set()
        async with asyncio.timeout(60):
            while services.worker.running:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert await all_rows(other) == before
        assert held.calls == 1


async def test_a_process_that_was_taken_for_dead_loses_its_threads_and_takes_new_ones(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held()
    monkeypatch.setitem(__import__("sys").modules, "held_steps", held.module)
    settings = load_settings(database_url=database_url, modules=("held_steps",))
    async with open_services(settings) as services, psql(database_url) as other:
        document = {"name": "zombie", "steps": [{"id": "a", "python": "held"}]}
        thread_id = (await services.control.start(StartCommand(workflow=document))).thread.thread_id
        await held.entered.wait()
        await services.worker._stores.journal.close_incarnation(services.worker.incarnation_id)
        services.worker.hint()
        async with asyncio.timeout(60):
            while held.calls < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        held.go.set()
        assert await services.control.wait(thread_id, 60)
        assert await other.fetchval("SELECT count(*) FROM workflow_events WHERE name = 'step_complete'") == 1
        assert await other.fetchval("SELECT max(seq) = count(*) FROM workflow_events")
