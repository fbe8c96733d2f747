"""Moving threads on PostgreSQL: the statements, the rows afterwards, and what another process makes of them."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from app.bootstrap import open_services
from app.domain.commands import StartCommand
from app.domain.moving import MoveCommand
from app.domain.status import Status
from app.runners.registration import function
from app.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

A = {"id": "a", "python": "note", "assign": "x"}
NAP = {"id": "nap", "sleep": "1h"}
BAD = {"id": "bad", "python": "fails", "retry": {"max_attempts": 1}}
MORE = {"id": "more", "python": "note", "input": "{context.x}"}


class House:
    """Services on one database, as many processes as are opened."""

    def __init__(self, services: Any, sql: Any) -> None:
        self.services, self.sql = services, sql

    async def register(self, *steps: dict[str, Any]) -> None:
        await self.services.control.register({"name": "sewing", "steps": list(steps)})

    async def start(self, thread_id: str, until: Status) -> None:
        await self.services.control.start(StartCommand(workflow="sewing", input=1, has_input=True, thread_id=thread_id))
        await self.until(thread_id, until)

    async def until(self, thread_id: str, status: Status) -> Any:
        query = "SELECT * FROM threads WHERE thread_id = $1 AND status = $2 AND incarnation_id IS NULL"
        async with asyncio.timeout(60):
            while (row := await self.sql.fetchrow(query, thread_id, status)) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return row

    async def move(self, **options: Any) -> Any:
        return await self.services.mover.move(MoveCommand(workflow="sewing", **options))

    async def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.sql.fetch(query, *arguments)]


@asynccontextmanager
async def opened(dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[House]:
    @function("note")
    async def note(value: Any, ctx: Any) -> Any:
        return {"of": ctx.step_id, "value": value}

    @function("fails")
    async def fails(value: Any, ctx: Any) -> Any:
        raise ValueError("never")

    module = ModuleType("moving_steps")
    module.note, module.fails = note, fails  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "moving_steps", module)
    async with (
        asyncpg.create_pool(dsn, min_size=1, max_size=3) as sql,
        open_services(load_settings(database_url=dsn, modules=("moving_steps",))) as services,
    ):
        yield House(services, sql)


EXECUTIONS = (
    """SELECT kind, status, workflow_version FROM workflow_executions WHERE thread_id = $1 ORDER BY created_at"""
)


async def test_a_waiting_thread_goes_on_with_its_step_runs_in_a_new_execution(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(database_url, monkeypatch) as house:
        await house.register(A, NAP)
        await house.start("t", Status.WAITING)
        runs = await house.rows("SELECT id, started_at FROM workflow_steps WHERE thread_id = 't' ORDER BY id")
        await house.register(MORE | {"needs": ["nap"]}, A | {"needs": []}, NAP)
        moves = await house.move()
        assert [(one.thread_id, list(one.reasons), one.from_version) for one in moves.outcomes] == [("t", [], 1)]
        row = await house.until("t", Status.WAITING)
        assert await house.rows(EXECUTIONS, "t") == [("invoke", "cancelled", 1), ("migrate", "waiting", 2)]
        assert await house.rows("SELECT id, started_at FROM workflow_steps WHERE thread_id = 't' ORDER BY id") == runs
        held = "SELECT step_name, step_index, status, execution_id = $1 FROM workflow_steps WHERE thread_id = 't' ORDER BY id"
        assert await house.rows(held, row["execution_id"]) == [
            ("a", 0, "completed", False),
            ("nap", 2, "waiting", True),
        ]
        slept = "UPDATE workflow_steps SET started_at = now() - interval '2h' WHERE step_name = 'nap'"
        await house.sql.execute(f"{slept}; UPDATE threads SET wake_at = now()")
        house.services.worker.hint()
        await house.until("t", Status.COMPLETED)
        output = await house.rows("SELECT output ->> 'value' FROM workflow_steps WHERE step_name = 'more'")
        assert output == [('{"of":"a","value":1}',)]
        assert (await house.services.inspector.verify("t")).findings == []


async def test_a_failed_thread_stays_failed_with_its_error_in_the_new_version(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(database_url, monkeypatch) as house:
        await house.register(A, BAD)
        await house.start("t", Status.FAILED)
        await house.register(A, BAD | {"python": "note"}, MORE)
        await house.move()
        assert await house.rows(EXECUTIONS, "t") == [("invoke", "failed", 1), ("migrate", "failed", 2)]
        errors = await house.rows(
            "SELECT error ->> 'message', context::text FROM workflow_executions WHERE thread_id = 't'"
        )
        assert errors[0] == errors[1]
        definition = "SELECT w.version FROM threads AS t JOIN workflows AS w ON w.id = t.definition_id"
        assert await house.rows(definition) == [(2,)]
        await house.move(to_version=1, resume=True)
        assert (await house.until("t", Status.FAILED))["status"] == "failed"
        assert (await house.rows(EXECUTIONS, "t"))[-1] == ("migrate", "failed", 1)


async def test_two_processes_that_move_the_same_threads_move_each_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(database_url, monkeypatch) as one, opened(database_url, monkeypatch) as other:
        await one.register(A, NAP)
        for number in range(4):
            await one.start(f"t{number}", Status.WAITING)
        await one.register(A, NAP, MORE)
        both = await asyncio.gather(one.move(), other.move())
        moved = sorted(each.thread_id for moves in both for each in moves.outcomes if each.execution_id is not None)
        assert moved == ["t0", "t1", "t2", "t3"]
        for number in range(4):
            await one.until(f"t{number}", Status.WAITING)
        told = "SELECT thread_id, count(*) FROM workflow_events WHERE name = 'workflow_migrated' GROUP BY 1 ORDER BY 1"
        assert await one.rows(told) == [(f"t{number}", 1) for number in range(4)]
