"""Agents in files: registered, changed and taken away as their files are; what does not hold leaves what was."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.errors import StartupError, Unavailable
from app.engine.agent_folder import AgentFolder
from app.engine.agents import Directory
from app.store.memory_agents import AgentTables, MemoryAgents
from tests.unit.engine.test_agents import ANALYST, Echo

if TYPE_CHECKING:
    from pathlib import Path


class House:
    """A directory, a folder, and the file `a.yaml` in it."""

    def __init__(self, path: Path, tables: AgentTables | None = None) -> None:
        self.path = path
        self.tables = tables or AgentTables()
        self.directory = Directory(MemoryAgents(self.tables), {"echo": Echo()})
        self.folder = AgentFolder(path, self.directory)

    def put(self, file: str, **fields: Any) -> None:
        """Put an agent into a file."""
        self.write(json.dumps({"name": "analyst", "kind": "echo", **fields}), file)

    def write(self, text: str, file: str = "a.yaml") -> None:
        """Put a file there as a whole, as editors do."""
        new = self.path / f".{file}.new"
        new.write_text(text)
        new.rename(self.path / file)

    async def look(self) -> dict[str, tuple[int, Any]]:
        """Look once; the agents that there are then, with version and origin."""
        await self.folder._look()
        return {one.agent.name: (one.agent.version, one.origin) for one in self.directory.records()}


@pytest.fixture
async def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.put("a.yaml", description="first")
    await house.folder.open()
    return house


def problems(house: House) -> dict[str, str]:
    return {name: faults[0].pointer + " " + faults[0].message for name, faults in house.folder.problems()}


async def test_the_files_there_are_registered(house: House) -> None:
    house.put("b.json", name="marketer")
    (house.path / "notes.txt").write_text("nothing")
    house.write("# a comment\nname: on\nkind: echo\nconfig: {n: 3}\ntags: [yes, 'no']\n", "c.yml")
    assert await house.look() == {"analyst": (1, "a.yaml"), "marketer": (1, "b.json"), "on": (1, "c.yml")}
    found = house.directory.find("on")
    assert found is not None
    assert (found.source, found.config, found.tags) == ("file", {"n": 3}, ("yes", "no"))


async def test_a_change_is_the_next_version_and_a_look_without_change_is_none(house: House) -> None:
    assert await house.look() == {"analyst": (1, "a.yaml")}
    house.put("a.yaml", description="second")
    assert await house.look() == {"analyst": (2, "a.yaml")}
    house.put("a.yaml", description="first")
    assert await house.look() == {"analyst": (1, "a.yaml")}


async def test_a_file_that_is_gone_takes_its_agent_away(house: House) -> None:
    (house.path / "a.yaml").unlink()
    assert await house.look() == {}
    assert [event.name for event in house.tables.events] == ["registered", "deleted"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "a.yaml:  not valid"),
        ("- 1", "an agent is an object with name and kind"),
        ("name: analyst", '"kind" is a required property'),
        ("{name: analyst, kind: lllm}", "/kind no kind of agent 'lllm'; known: echo"),
        ("{name: analyst, kind: echo, config: {n: x}}", "/config/n "),
        ("{name: analyst, kind: echo, input: {type: thing}}", "/input/type "),
        ("{name: analyst, kind: echo, config: {api_key: sk-1}}", "/config/api_key looks like a secret"),
        ("{name: analyst, kind: echo, more: 1}", "more"),
    ],
)
async def test_a_file_that_does_not_hold_is_refused_and_what_it_said_before_stays(
    house: House, text: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    house.write(text)
    assert await house.look() == {"analyst": (1, "a.yaml")}
    found = problems(house)["a.yaml"]
    assert told.removeprefix("a.yaml: ") in found
    assert "the file of an agent, a.yaml, is refused" in caplog.text
    house.put("a.yaml", description="mended")
    assert await house.look() == {"analyst": (2, "a.yaml")}
    assert problems(house) == {}


async def test_a_refused_file_keeps_its_agent_over_a_restart(house: House) -> None:
    house.write("{")
    await house.look()
    again = House(house.path, house.tables)
    await again.directory.open()
    await again.folder.open()
    assert again.directory.find("analyst") is not None
    assert list(problems(again)) == ["a.yaml"]
    (house.path / "a.yaml").unlink()
    assert await again.look() == {}


async def test_a_refused_file_is_still_the_home_of_its_agent(house: House) -> None:
    house.write("{")
    await house.look()
    house.put("b.yaml", description="other")
    assert await house.look() == {"analyst": (1, "a.yaml")}
    assert problems(house)["b.yaml"] == "/name agent analyst stands in a.yaml already"


async def test_a_file_that_went_while_no_process_was_there_takes_its_agent_away(house: House) -> None:
    (house.path / "a.yaml").rename(house.path / "a.bak")
    again = House(house.path, house.tables)
    await again.directory.open()
    await again.folder.open()
    assert again.directory.names() == []


async def test_a_file_that_is_renamed_keeps_its_version(house: House) -> None:
    (house.path / "a.yaml").rename(house.path / "b.yaml")
    assert await house.look() == {"analyst": (1, "b.yaml")}
    assert [event.name for event in house.tables.events] == ["registered"]


async def test_a_file_that_names_another_agent_takes_the_first_away(house: House) -> None:
    house.write("{name: marketer, kind: echo}")
    assert await house.look() == {"marketer": (1, "a.yaml")}


async def test_of_two_files_with_one_agent_the_second_waits_until_the_first_is_gone(house: House) -> None:
    house.put("b.yaml", description="other")
    assert await house.look() == {"analyst": (1, "a.yaml")}
    assert problems(house) == {"b.yaml": "/name agent analyst stands in a.yaml already"}
    (house.path / "a.yaml").unlink()
    assert await house.look() == {"analyst": (2, "b.yaml")}
    assert problems(house) == {}


async def test_a_name_of_the_api_is_waited_for(house: House) -> None:
    await house.directory.register(replace(ANALYST, name="marketer"))
    house.put("b.yaml", name="marketer")
    assert (await house.look())["marketer"] == (1, None)
    assert "belongs to the API" in problems(house)["b.yaml"]
    assert await house.directory.delete("marketer") is not None
    assert (await house.look())["marketer"][1] == "b.yaml"
    assert problems(house) == {}


async def test_what_somebody_took_away_comes_back_as_long_as_its_file_is_there(house: House) -> None:
    other = Directory(MemoryAgents(house.tables), {"echo": Echo()})
    await other.delete("analyst")
    await house.directory.refresh()
    assert await house.look() == {"analyst": (1, "a.yaml")}


async def test_a_folder_that_cannot_be_read_takes_nothing_away(house: House) -> None:
    away = house.path.rename(house.path.with_name("away"))
    assert list(await house.look()) == ["analyst"]
    assert problems(house) == {str(house.path): " No such file or directory"}
    away.rename(house.path)
    assert list(await house.look()) == ["analyst"]
    assert problems(house) == {}


async def test_a_folder_that_is_not_there_keeps_the_service_from_starting(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="AGENTS_DIR cannot be read: No such file or directory"):
        await House(tmp_path / "nowhere").folder.open()


async def test_without_the_store_changes_wait(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.put("a.yaml", description="second")
    house.put("b.yaml", name="marketer")

    async def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("away")

    with monkeypatch.context() as outage:
        outage.setattr(house.directory, "_register", away)
        with pytest.raises(Unavailable):
            await house.look()
    assert await house.look() == {"analyst": (2, "a.yaml"), "marketer": (1, "b.yaml")}
    (house.path / "b.yaml").unlink()
    with monkeypatch.context() as outage:
        outage.setattr(house.directory, "drop", away)
        with pytest.raises(Unavailable):
            await house.look()
    assert await house.look() == {"analyst": (2, "a.yaml")}


async def test_a_pipe_in_the_folder_is_passed_over(house: House) -> None:
    os.mkfifo(house.path / "pipe.yaml")
    assert await house.look() == {"analyst": (1, "a.yaml")}
