"""The directory: a copy that answers without asking, what brings it up to date, and who owns a name."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.agents import Agent
from app.domain.errors import Conflict, InvalidAgent, StartupError, Unavailable
from app.engine.agents import Directory
from app.store.memory_agents import AgentTables, MemoryAgents
from tests.unit.engine.house import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ANALYST = Agent(name="analyst", kind="echo", config={"n": 1}, source="api")


class Echo:
    """A kind that wants a number, and has a say in whether it can work."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def config_schema(self) -> Mapping[str, Any]:
        return {"type": "object", "properties": {"n": {"type": "integer"}}}

    def check(self, agent: Agent) -> list[str]:
        return self.faults

    async def perform(self, agent: Agent, attempt: Any) -> Any:
        raise NotImplementedError


class Store(MemoryAgents):
    """Counts its reads, and can be away or slow."""

    def __init__(self, tables: AgentTables) -> None:
        super().__init__(tables)
        self.loads = 0
        self.away = False
        self.before_load: Callable[[], Any] | None = None

    async def load(self, known: Any) -> Any:
        self.loads += 1
        if self.away:
            raise Unavailable("the database cannot be reached")
        found = await super().load(known)
        await asyncio.sleep(0)
        if self.before_load is not None:
            before, self.before_load = self.before_load, None
            await before()
        return found


@pytest.fixture
def tables() -> AgentTables:
    return AgentTables()


def process(tables: AgentTables, *code: str, kind: Echo | None = None) -> tuple[Directory, Store]:
    store = Store(tables)
    agents = [(Agent(name=name, kind="echo"), f"module:{name}") for name in code]
    return Directory(store, {"echo": kind or Echo()}, agents), store


async def test_a_change_in_one_process_is_seen_by_the_others_when_they_look(tables: AgentTables) -> None:
    (one, _), (two, _) = process(tables), process(tables)
    await one.register(ANALYST)
    assert two.find("analyst") is None
    await two.refresh()
    held = two.find("analyst")
    await one.register(replace(ANALYST, config={"n": 2}))
    await two.refresh()
    found = two.find("analyst")
    assert held is not None
    assert found is not None
    assert (held.version, held.config, found.version, found.config) == (1, {"n": 1}, 2, {"n": 2})


async def test_steps_ask_nobody(tables: AgentTables) -> None:
    directory, store = process(tables, "coded")
    await directory.open()
    loads = store.loads
    assert all(directory.find("coded") is not None for _ in range(100))
    assert await directory.seek("coded") == directory.find("coded")
    assert store.loads == loads


async def test_an_agent_that_is_not_known_yet_is_looked_for(tables: AgentTables) -> None:
    (one, _), (two, store) = process(tables), process(tables)
    await one.register(ANALYST)
    found = await asyncio.gather(*(two.seek("analyst") for _ in range(100)))
    assert {agent.version for agent in found if agent is not None} == {1}
    assert len(found) == 100
    assert await two.seek("nobody") is None
    assert store.loads <= 4


async def test_while_the_store_is_away_the_copy_stays_and_the_unknown_stays_open(tables: AgentTables) -> None:
    directory, store = process(tables)
    await directory.register(ANALYST)
    store.away = True
    await directory.refresh()
    assert directory.find("analyst") is not None
    found = await asyncio.gather(*(directory.seek("nobody") for _ in range(5)), return_exceptions=True)
    assert [type(one) for one in found] == [Unavailable] * 5


async def test_what_was_read_before_a_change_here_does_not_undo_it(tables: AgentTables) -> None:
    directory, store = process(tables)
    await directory.register(ANALYST)
    store.before_load = lambda: directory.register(replace(ANALYST, config={"n": 2}))
    await directory.refresh()
    found = directory.find("analyst")
    assert found is not None
    assert found.version == 2


async def test_hints_and_time_bring_the_copy_up_to_date(tables: AgentTables) -> None:
    (one, _), (two, store) = process(tables), process(tables)
    watching = asyncio.create_task(two.run())
    one.changed = _called(two.hint)
    await until(lambda: store.loads > 0)
    await one.register(ANALYST)
    await until(lambda: two.find("analyst") is not None)
    await one.delete("analyst")
    await until(lambda: two.find("analyst") is None)
    watching.cancel()
    await asyncio.wait([watching])


async def test_the_same_code_in_several_processes_is_one_version(tables: AgentTables) -> None:
    processes = [process(tables, "coded")[0] for _ in range(5)]
    await asyncio.gather(*(each.open() for each in processes))
    assert all(each.find("coded") == processes[0].find("coded") for each in processes)
    assert len(tables.versions["coded"]) == 1


async def test_a_name_that_another_has_keeps_code_from_starting(tables: AgentTables) -> None:
    await process(tables)[0].register(replace(ANALYST, name="coded"))
    with pytest.raises(StartupError, match=r"agent coded belongs to the API, in version 1: code cannot register it"):
        await process(tables, "coded")[0].open()


async def test_an_agent_of_the_code_comes_back(tables: AgentTables) -> None:
    with_code, _ = process(tables, "coded")
    without, _ = process(tables)
    await with_code.open()
    with pytest.raises(Conflict, match=r"belongs to code \(module:coded\): take it out of that code"):
        await with_code.delete("coded")
    assert await without.delete("coded") is not None
    await with_code._turn()
    assert with_code.find("coded") is not None


@pytest.mark.parametrize(
    ("source", "here", "way"),
    [
        ("code", True, "change it in that code and start the service again"),
        ("code", False, "not here any more: delete it first (`backstitch agents delete coded`)"),
        ("file", True, "change that file, or"),
        ("file", False, "not here any more: delete it first"),
    ],
)
async def test_who_may_not_change_an_agent_is_told_what_can_be_done(
    tables: AgentTables, source: str, here: bool, way: str
) -> None:
    directory, _ = process(tables, *(["coded"] if here and source == "code" else []))
    directory.in_files = lambda _: here
    await directory._register(replace(ANALYST, name="coded", source=source), "there", None)
    with pytest.raises(Conflict) as refused:
        await directory.register(replace(ANALYST, name="coded", config={"n": 2}))
    assert way in refused.value.message
    if here:
        with pytest.raises(Conflict, match=r"take it out of that code|remove that file") as refused:
            await directory.delete("coded")
        assert "agents delete" not in refused.value.message
    else:
        assert await directory.delete("coded") is not None
        await directory.register(replace(ANALYST, name="coded", config={"n": 2}))


async def test_an_agent_whose_code_or_file_is_gone_is_known_as_such(tables: AgentTables) -> None:
    await process(tables, "coded")[0].open()
    directory, _ = process(tables, "other")
    await directory.open()
    await directory._register(replace(ANALYST, name="filed", source="file"), "filed.yaml", None)
    await directory.register(ANALYST)
    here = {record.agent.name: directory.is_here(record) for record in directory.records()}
    assert here == {"analyst": True, "coded": False, "filed": False, "other": True}
    directory.in_files = lambda name: name == "filed"
    assert directory.is_here(directory._records["filed"])


async def test_the_agents_of_our_examples_give_way_and_come_back(tables: AgentTables) -> None:
    example = [(Agent(name="analyst", kind="echo"), "app.examples.some:analyse")]
    directory = Directory(Store(tables), {"echo": Echo()}, example)
    await directory.open()
    record, _ = await directory.register(ANALYST)
    assert (record.agent.source, record.origin) == ("api", None)
    again = Directory(Store(tables), {"echo": Echo()}, example)
    await again.open()
    assert again.find("analyst") == record.agent
    await again.delete("analyst")
    await again._turn()
    found = again.record("analyst")
    assert found is not None
    assert found.gives_way


async def test_what_does_not_hold_is_refused_and_stores_nothing(tables: AgentTables) -> None:
    kind = Echo()
    directory, _ = process(tables, kind=kind)
    with pytest.raises(InvalidAgent, match="/config/n"):
        await directory.register(replace(ANALYST, config={"n": "one"}))
    kind.faults = ["the variable ECHO_KEY is not set"]
    with pytest.raises(InvalidAgent, match="ECHO_KEY"):
        await directory.register(ANALYST)
    assert tables.versions == {}


def _called(hint: Callable[[], None]) -> Callable[[], Any]:
    async def tell() -> None:
        hint()

    return tell


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what it waits for is no event of ours
            await asyncio.sleep(0.001)
