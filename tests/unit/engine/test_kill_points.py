"""A kill point ends the process at the commit that it names, before or after it, and notes what was done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.errors import StartupError
from app.engine import kill_points
from app.engine.kill_points import KillPoint, armed
from app.store.memory import MemoryJournal
from app.store.memory_reads import MemoryReads
from app.store.memory_registry import MemoryRegistry
from app.store.memory_tables import MemoryTables
from tests.builders import Driver, new_start
from tests.unit.engine.house import step

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.engine.house import House

OTHER = "another"


class Killed(BaseException):
    """In place of the end of this process."""


@pytest.fixture(autouse=True)
def _survive(monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(pid: int, number: int) -> None:
        assert number == 9
        raise Killed

    monkeypatch.setattr(kill_points.os, "kill", kill)


@pytest.fixture
def tables() -> MemoryTables:
    """An empty store."""
    return MemoryTables()


async def versions_at_the_kill(tables: MemoryTables, folder: Path, **point: Any) -> list[int]:
    """What is stored of a thread of two steps when its process would have died."""
    workflow = await MemoryRegistry(tables).register(name="w", document="{}", hash="h")
    start = new_start(workflow, thread_id="t")
    journal, _ = armed(MemoryJournal(tables), KillPoint(thread="t", ledger=str(folder / "ledger"), **point))
    driver = Driver(start)
    try:
        await journal.start(start)
        await journal.start(new_start(workflow, thread_id=OTHER))
        await driver.commit(journal, driver.event("step_start"))
        for name in ("a", "b"):
            await driver.commit(journal, driver.end_step(name, 1))
    except Killed:
        pass
    return [one.version for one in await MemoryReads(tables).checkpoints("t")]


@pytest.mark.parametrize(
    ("point", "left"),
    [
        ({"number": 1, "moment": "before"}, []),
        ({"number": 1, "moment": "after"}, [1]),
        ({"number": 3, "moment": "before"}, [1]),
        ({"number": 3, "moment": "after"}, [1, 2]),
        ({"number": 9, "moment": "before"}, [1, 2, 3]),
        ({"number": 3, "moment": "after", "at": "commits"}, [1]),
        ({"number": 4, "moment": "after", "at": "commits"}, [1, 2]),
        ({"number": 0}, [1, 2, 3]),
    ],
)
async def test_the_process_dies_at_its_commit_and_nowhere_else(
    tables: MemoryTables, tmp_path: Path, point: dict[str, Any], left: list[int]
) -> None:
    assert await versions_at_the_kill(tables, tmp_path, **point) == left


async def test_nothing_is_counted_before_the_thread_is_born(tables: MemoryTables, tmp_path: Path) -> None:
    workflow = await MemoryRegistry(tables).register(name="w", document="{}", hash="h")
    point = KillPoint(thread="t", ledger=str(tmp_path / "ledger"), number=1)
    journal, _ = armed(MemoryJournal(tables), point)
    assert (await journal.start(new_start(workflow, thread_id=OTHER))).created
    with pytest.raises(Killed):
        await journal.start(new_start(workflow, thread_id="t"))


async def test_the_ledger_has_what_was_committed_and_that_it_died(tables: MemoryTables, tmp_path: Path) -> None:
    await versions_at_the_kill(tables, tmp_path, number=3, moment="after")
    noted = [json.loads(line) for line in (tmp_path / "ledger").read_text().splitlines()]
    assert [(one["what"], [held["step"] for held in one.get("versions", [])]) for one in noted] == [
        ("commit", ["START"]),
        ("commit", ["START"]),
        ("commit", []),
        ("commit", ["a"]),
        ("killed", []),
    ]


async def test_the_ledger_has_every_attempt_with_its_key(house: House, tables: MemoryTables, tmp_path: Path) -> None:
    point = KillPoint(thread="-", ledger=str(tmp_path / "ledger"), number=0)
    house.bus.watchers.all.append(armed(MemoryJournal(tables), point)[1])
    thread_id = await house.run(step("a", input=1))
    [noted] = [json.loads(line) for line in (tmp_path / "ledger").read_text().splitlines()]
    assert (noted["what"], noted["attempt"]) == ("attempt", 1)
    assert noted["key"].startswith(f"{thread_id}:")
    assert noted["key"].endswith(":a")


@pytest.mark.parametrize(
    "text", ["7", "{}", '{"thread": "t"}', "{", '{"thread": "t", "number": 1, "ledger": "", "x": 1}']
)
def test_a_setting_that_is_no_kill_point_keeps_the_service_from_starting(text: str) -> None:
    with pytest.raises(StartupError, match="leave it empty"):
        KillPoint.parse(text)
