"""Corruption in PostgreSQL: rows damaged and deleted by SQL are found, put aside and survived."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from app.bootstrap import open_services
from app.domain.commands import RollbackCommand, StartCommand
from app.domain.errors import Corrupt
from app.domain.status import Status
from app.runners.registration import function
from app.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

DOCUMENT = {
    "name": "fragile",
    "steps": [
        {"id": "a", "python": "note", "assign": "x"},
        {"id": "b", "python": "note", "input": "{a.output}"},
        {"id": "c", "python": "note", "input": "{b.output}"},
        {"id": "nap", "sleep": "1h"},
    ],
}


@dataclass
class House:
    """A service whose thread sleeps in its last step, at version 4."""

    services: Any
    sql: Any
    thread_id: str = ""
    calls: list[str] = field(default_factory=list)

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(60):
            while not await condition():  # noqa: ASYNC110 - what it waits for is in the database
                await asyncio.sleep(0.01)

    async def asleep(self) -> bool:
        thread = await self.services.reads.thread(self.thread_id)
        return thread.status in (Status.WAITING, Status.INTERRUPTED) and thread.incarnation_id is None

    async def wake(self) -> None:
        """Its time comes; it is driven, and sleeps again."""
        self.calls.clear()
        seq = (await self.services.reads.thread(self.thread_id)).rev
        await self.sql.execute("UPDATE threads SET wake_at = now() WHERE thread_id = $1", self.thread_id)
        self.services.worker.hint()

        async def moved() -> bool:
            return (await self.services.reads.thread(self.thread_id)).rev > seq and await self.asleep()

        await self.until(moved)

    async def damage(self, statement: str) -> None:
        assert (await self.sql.execute(statement, self.thread_id)).split()[-1] == "1"

    async def row(self, query: str) -> Any:
        return await self.sql.fetchrow(query, self.thread_id)


@asynccontextmanager
async def opened(dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[House]:
    calls: list[str] = []

    @function("note")
    async def note(value: Any, ctx: Any) -> Any:
        calls.append(ctx.step_id)
        return {"of": ctx.step_id, "zero": "\u0000"}

    module = ModuleType("noting_steps")
    module.note = note  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "noting_steps", module)
    settings = load_settings(database_url=dsn, modules=("noting_steps",))
    sql = await asyncpg.connect(dsn)
    async with open_services(settings) as services:
        house = House(services, sql, calls=calls)
        accepted = await services.control.start(StartCommand(workflow=DOCUMENT, input={"n": 1}, has_input=True))
        house.thread_id = accepted.thread.thread_id
        await house.until(house.asleep)
        yield house
    await sql.close()


VERSION = "checkpoints WHERE thread_id = $1 AND version = "
RUN = "workflow_steps WHERE thread_id = $1 AND step_name = "
SWAPPED = """UPDATE checkpoints AS c SET manifest = o.manifest, sha256 = o.sha256 FROM checkpoints AS o
    WHERE o.thread_id = c.thread_id AND o.version = 3 AND c.thread_id = $1 AND c.version ="""
MANIFEST = """UPDATE checkpoints SET manifest = '{"steps": {}}' WHERE thread_id = $1 AND version = """


@pytest.mark.parametrize(
    ("damage", "target", "called"),
    [
        (f"{MANIFEST} 4", 3, ["c"]),
        (f"{MANIFEST} 3", 2, ["b", "c"]),
        (f"DELETE FROM {VERSION} 4", 3, ["c"]),
        (f"DELETE FROM {VERSION} 2", 1, ["a", "b", "c"]),
        ("UPDATE checkpoints SET sha256 = '\\x00' WHERE thread_id = $1 AND version = 4", 3, ["c"]),
        ("UPDATE checkpoints SET parent_version = 4 WHERE thread_id = $1 AND version = 4", 3, ["c"]),
        ("UPDATE checkpoints SET parent_version = 1 WHERE thread_id = $1 AND version = 4", 3, ["c"]),
        ("UPDATE checkpoints SET step_name = 'START' WHERE thread_id = $1 AND version = 4", 3, ["c"]),
        ("UPDATE checkpoints SET trigger = 'end' WHERE thread_id = $1 AND version = 4", 3, ["c"]),
        ("UPDATE checkpoints SET execution_id = gen_random_uuid() WHERE thread_id = $1 AND version = 4", 3, ["c"]),
        (f"{SWAPPED} 4", 3, ["c"]),
        ("UPDATE workflow_steps SET output = '7' WHERE thread_id = $1 AND step_name = 'b'", 4, ["b"]),
        ("UPDATE workflow_steps SET output = NULL WHERE thread_id = $1 AND step_name = 'b'", 4, ["b"]),
        (f"DELETE FROM {RUN} 'a'", 4, ["a"]),
    ],
)
async def test_the_thread_goes_on_from_what_is_sound(
    database_url: str, monkeypatch: pytest.MonkeyPatch, damage: str, target: int, called: list[str]
) -> None:
    async with opened(database_url, monkeypatch) as house:
        await house.damage(damage)
        await house.wake()
        assert house.calls == called
        event = await house.row("SELECT * FROM workflow_events WHERE thread_id = $1 AND name = 'state_quarantined'")
        assert f'"to_version":{target},' in event["data"]
        thread = await house.services.reads.thread(house.thread_id)
        state = await house.services.control.load_state(house.thread_id, thread.head_version)
        assert {step: state.scope[step]["output"]["of"] for step in "abc"} == {"a": "a", "b": "b", "c": "c"}


async def test_the_bad_text_is_kept_in_the_table(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(database_url, monkeypatch) as house:
        expected = await house.row("SELECT output_sha256 FROM workflow_steps WHERE thread_id = $1 AND step_name = 'b'")
        await house.damage("UPDATE workflow_steps SET output = '[7, 8]' WHERE thread_id = $1 AND step_name = 'b'")
        await house.wake()
        row = await house.row("SELECT * FROM quarantine WHERE thread_id = $1")
        assert (row["kind"], row["step_name"], row["stored"]) == ("output", "b", "[7, 8]")
        assert row["expected"] == expected[0]
        [item] = await house.services.reads.quarantined(house.thread_id)
        assert item.id == item.finding.id == str(row["id"])


async def test_an_input_that_is_lost_interrupts_and_one_that_has_a_copy_comes_back(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage = "UPDATE workflow_executions SET input = '{}' WHERE thread_id = $1 AND kind = 'invoke'"
    async with opened(database_url, monkeypatch) as house:
        await house.services.control.rollback(RollbackCommand(thread_id=house.thread_id, to_version=4))
        await house.until(house.asleep)
        await house.damage(damage)
        await house.wake()
        row = await house.row("SELECT input FROM workflow_executions WHERE thread_id = $1 AND kind = 'invoke'")
        assert (row["input"], house.calls) == ('{"n":1}', [])
        await house.damage(damage)
        await house.sql.execute("UPDATE workflow_executions SET input = '{}' WHERE thread_id = $1", house.thread_id)
        await house.wake()
        thread = await house.row("SELECT status FROM threads WHERE thread_id = $1")
        assert thread["status"] == "interrupted"


async def test_verify_and_repair_on_the_database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(database_url, monkeypatch) as house:
        inspector = house.services.inspector
        assert (await inspector.verify(house.thread_id)).findings == []
        await house.services.control.cancel(house.thread_id)
        await house.damage(f"{MANIFEST} 4")
        await house.damage("UPDATE workflow_steps SET output = '7' WHERE thread_id = $1 AND step_name = 'a'")
        report = await inspector.verify(house.thread_id)
        assert sorted(one.kind for one in report.findings) == ["checkpoint", "output"]
        with pytest.raises(Corrupt):
            await house.services.control.load_state(house.thread_id, 4)
        thread, written = await inspector.repair(house.thread_id)
        assert (thread.status, thread.head_version, written is not None) == (Status.CANCELLED, 3, True)
        assert (await inspector.repair(house.thread_id))[1] is None
        assert len(await house.services.reads.quarantined(house.thread_id)) == 2


async def test_an_execution_row_that_is_gone_interrupts_and_a_rollback_goes_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(database_url, monkeypatch) as house:
        control, inspector = house.services.control, house.services.inspector
        await control.rollback(RollbackCommand(thread_id=house.thread_id, to_version=4))
        await house.until(house.asleep)
        await house.damage("DELETE FROM workflow_executions WHERE thread_id = $1 AND kind = 'rollback'")
        report = await inspector.verify(house.thread_id)
        assert [(one.kind, one.problem) for one in report.findings] == [("missing", "the row of the execution is gone")]
        assert report.fit is False
        await house.wake()
        row = await house.row("SELECT status FROM threads WHERE thread_id = $1")
        names = "SELECT array_agg(name ORDER BY seq DESC) AS names FROM workflow_events WHERE thread_id = $1"
        assert (row["status"], (await house.row(names))["names"][:2]) == (
            "interrupted",
            ["workflow_interrupted", "state_quarantined"],
        )
        await control.rollback(RollbackCommand(thread_id=house.thread_id, to_version=3))
        await house.until(house.asleep)
        thread = await house.services.reads.thread(house.thread_id)
        assert (thread.status, house.calls) == (Status.WAITING, ["c"])


async def test_the_row_of_an_old_execution_that_is_gone_is_told_and_needed_by_nobody(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(database_url, monkeypatch) as house:
        for _ in range(2):
            await house.services.control.rollback(RollbackCommand(thread_id=house.thread_id, to_version=3))
            await house.until(house.asleep)
        old = "(SELECT id FROM workflow_executions WHERE thread_id = $1 AND kind = 'rollback' ORDER BY created_at LIMIT 1)"
        await house.damage(f"DELETE FROM workflow_executions WHERE thread_id = $1 AND id = {old}")
        report = await house.services.inspector.verify(house.thread_id)
        assert ([one.kind for one in report.findings], report.fit) == (["missing"], True)
        await house.wake()
        assert house.calls == []


async def test_events_that_are_gone_are_told_and_the_thread_goes_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(database_url, monkeypatch) as house:
        inspector = house.services.inspector
        await house.damage("DELETE FROM workflow_events WHERE thread_id = $1 AND seq = 3")
        await house.damage("DELETE FROM workflow_events WHERE thread_id = $1 AND seq = 4")
        report = await inspector.verify(house.thread_id)
        assert [(one.kind, one.problem) for one in report.findings] == [("event", "events 3 to 4 are gone")]
        assert (report.fit, len(report.sound)) == (True, 4)
        await house.wake()
        assert house.calls == []
        await house.services.control.pause(house.thread_id)
        _, written = await inspector.repair(house.thread_id)
        assert written is not None
        row = await house.row("SELECT kind, problem FROM quarantine WHERE thread_id = $1")
        assert tuple(row) == ("event", "events 3 to 4 are gone")
        assert (await inspector.repair(house.thread_id))[1] is None
