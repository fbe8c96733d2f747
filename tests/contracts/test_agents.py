"""AgentStore: the same content is the same version, a change the next; a name has one owner; what happened is told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from app.domain.agents import Agent
from app.domain.breakers import BreakerPolicy, force_close, force_open, settle_probe, take_probe, trip
from app.domain.errors import Conflict
from app.domain.ids import uuid7
from app.store.agents import PostgresAgents
from app.store.breakers import PostgresBreakers
from app.store.db import open_pool
from app.store.memory_agents import AgentTables, MemoryAgents
from app.store.memory_breakers import MemoryBreakers
from app.store.memory_tables import MemoryTables
from app.store.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.agents import AgentStore
    from app.domain.breakers import BreakerStore

TOKEN = uuid7()
ANALYST = Agent(
    name="analyst",
    kind="llm",
    config={"model": "small", "z": 10**30, "a": "a\x00b \N{SNOWMAN}", "nested": {"y": None, "x": [1.5]}},
    description="Reads",
    input_schema={"type": "object"},
    tags=("text", "slow"),
    source="api",
)


@pytest.fixture
async def stores(store_dsn: str | None) -> AsyncGenerator[tuple[AgentStore, BreakerStore]]:
    """Empty stores of one database."""
    if store_dsn is None:
        tables = AgentTables()
        yield MemoryAgents(tables), MemoryBreakers(MemoryTables(), tables.breaker_moved)
        return
    async with open_pool(store_dsn, size=10) as pool:
        yield PostgresAgents(pool), PostgresBreakers(pool)


@pytest.fixture
def agents(stores: tuple[AgentStore, BreakerStore]) -> AgentStore:
    return stores[0]


@pytest.fixture
def breakers(stores: tuple[AgentStore, BreakerStore]) -> BreakerStore:
    return stores[1]


def but(**changes: Any) -> Agent:
    return replace(ANALYST, **changes)


async def current(agents: AgentStore) -> dict[str, int]:
    return {name: record.agent.version for name, record in (await agents.load({})).items()}


async def test_an_agent_is_kept_as_it_was_registered(agents: AgentStore) -> None:
    record, new = await agents.register(ANALYST, origin="here")
    assert new
    assert record.agent == but(version=1)
    assert list(record.agent.config) == ["model", "z", "a", "nested"]
    assert (record.origin, record.current) == ("here", True)
    assert await agents.load({}) == {"analyst": record}
    assert await agents.version("analyst", 1) == record


async def test_the_same_content_is_the_same_version_and_a_change_the_next(agents: AgentStore) -> None:
    first, _ = await agents.register(ANALYST)
    assert await agents.register(but(version=7)) == (first, False)
    for number, change in enumerate(
        ({"config": {}}, {"description": None}, {"tags": ()}, {"output_schema": {}}, {"kind": "http"}), start=2
    ):
        record, new = await agents.register(but(**change))
        assert (record.agent.version, new) == (number, True)
    assert await current(agents) == {"analyst": 6}
    old = await agents.version("analyst", 1)
    assert old is not None
    assert (old.agent, old.current) == (first.agent, False)


async def test_the_content_of_an_earlier_version_makes_that_the_current_one_again(agents: AgentStore) -> None:
    await agents.register(ANALYST)
    await agents.register(but(config={}))
    record, changed = await agents.register(ANALYST)
    assert (record.agent.version, record.current, changed) == (1, True, True)
    assert await current(agents) == {"analyst": 1}
    assert (await agents.register(but(tags=())))[0].agent.version == 3


async def test_a_name_belongs_to_the_source_that_registered_it_first(agents: AgentStore) -> None:
    await agents.register(but(source="file"), origin="a.yaml")
    for source in ("api", "code"):
        with pytest.raises(Conflict, match=r"belongs to a file \(a.yaml\), in version 1") as refused:
            await agents.register(but(source=source, config={}))
        assert refused.value.code == "agent_taken"
    assert await current(agents) == {"analyst": 1}


async def test_a_name_is_free_again_once_it_is_deleted(agents: AgentStore) -> None:
    await agents.register(but(source="file"), origin="a.yaml")
    gone = await agents.delete("analyst")
    assert gone is not None
    assert await agents.delete("analyst") is None
    assert await agents.load({}) == {}
    record, new = await agents.register(ANALYST)
    assert (record.agent.version, record.agent.source, record.origin, new) == (1, "api", None, True)


async def test_a_file_that_moves_keeps_its_version(agents: AgentStore) -> None:
    await agents.register(but(source="file"), origin="a.yaml")
    record, changed = await agents.register(but(source="file"), origin="b.yaml")
    assert (record.agent.version, record.origin, changed) == (1, "b.yaml", False)
    assert await agents.delete("analyst", source="file", origin="a.yaml") is None
    assert await current(agents) == {"analyst": 1}
    assert await agents.delete("analyst", source="file", origin="b.yaml") is not None


async def test_what_expects_another_version_is_refused(agents: AgentStore) -> None:
    await agents.register(ANALYST)
    for attempt in (agents.register(but(config={}), expected=2), agents.delete("analyst", expected=2)):
        with pytest.raises(Conflict) as refused:
            await attempt
        assert refused.value.code == "version_conflict"
    assert (await agents.register(but(config={}), expected=1))[0].agent.version == 2
    assert await agents.delete("analyst", expected=2) is not None
    with pytest.raises(Conflict):
        await agents.register(ANALYST, expected=2)


async def test_registrations_at_once_number_every_content_once(agents: AgentStore) -> None:
    for name in ("one", "two", "three", "four"):  # one round alone may happen to go well without the lock
        wanted = [but(name=name, config={"n": number % 5}) for number in range(15)]
        made = await asyncio.gather(*(agents.register(agent) for agent in wanted))
        versions = {(record.agent.version, record.agent.config["n"]) for record, _ in made}
        assert {version for version, _ in versions} == {1, 2, 3, 4, 5}
        assert len(versions) == 5


async def test_what_is_known_comes_as_it_was(agents: AgentStore) -> None:
    await agents.register(ANALYST)
    await agents.register(but(name="marketer"))
    known = await agents.load({})
    await agents.register(but(name="marketer", config={}))
    found = await agents.load(known)
    assert found["analyst"] is known["analyst"]
    assert (found["marketer"].agent.version, found["marketer"].agent.config) == (2, {})
    await agents.delete("analyst")
    assert list(await agents.load(found)) == ["marketer"]


async def test_an_owner_that_changes_is_seen(agents: AgentStore) -> None:
    await agents.register(but(source="file"), origin="a.yaml")
    known = await agents.load({})
    await agents.delete("analyst")
    await agents.register(ANALYST)
    found = (await agents.load(known))["analyst"]
    assert (found.agent, found.origin) == (but(version=1), None)


async def test_what_happens_is_told_newest_first(agents: AgentStore) -> None:
    await agents.register(ANALYST)
    await agents.register(ANALYST)
    await agents.register(but(config={}))
    await agents.delete("analyst")
    await agents.register(but(name="another"))
    events = await agents.events("analyst", before=None, limit=10)
    assert [event.name for event in events] == ["deleted", "changed", "registered"]
    assert events[1].data == {"version": 2, "source": "api", "origin": None}
    page = await agents.events("analyst", before=None, limit=2)
    assert await agents.events("analyst", before=(page[-1].at, page[-1].id), limit=3) == events[2:]


async def test_whoever_changes_a_breaker_tells_that_its_agent_is_disabled_or_enabled(
    agents: AgentStore, breakers: BreakerStore
) -> None:
    policy = BreakerPolicy(open_seconds=0, disable_after=1)
    moves = [
        trip(policy, "broken"),
        take_probe(policy, TOKEN),
        settle_probe(policy, TOKEN, "broken again"),
        force_open("disabled: mine", None),
        force_close(),
        force_open("a while", 60),
        force_open("for good", None),
        force_open("a while", 60),
    ]
    for move in moves:
        await breakers.change("analyst", move)
    events = [(event.name, event.data) for event in await agents.events("analyst", before=None, limit=10)]
    reason = "disabled: 1 probes in a row failed, the last so: broken again"
    assert list(reversed(events)) == [
        ("disabled", {"reason": reason, "by_hand": False}),
        ("enabled", {}),
        ("disabled", {"reason": "for good", "by_hand": True}),
        ("enabled", {}),
    ]


async def test_nothing_is_found_under_unknown_names(agents: AgentStore) -> None:
    await agents.register(ANALYST)
    assert await agents.version("analyst", 2) is None
    assert await agents.version("analyst", 2**40) is None
    assert await agents.version("nobody\x00", 1) is None
    assert await agents.events("nobody", before=None, limit=1) == []


async def test_a_row_that_is_changed_by_hand_is_the_next_version(database_url: str) -> None:
    async with open_pool(database_url) as pool:
        agents = PostgresAgents(pool)
        first, _ = await agents.register(ANALYST)
        known = await agents.load({})
        await pool.execute("""UPDATE agents SET config = '{"model": "large"}' WHERE name = 'analyst' AND current""")
        found = (await agents.load(known))["analyst"]
        assert (found.agent.version, found.agent.config) == (2, {"model": "large"})
        before = await agents.version("analyst", 1)
        assert before is not None
        assert (before.agent, before.current, before.hash) == (first.agent, False, first.hash)
        [told, _] = await agents.events("analyst", before=None, limit=2)
        assert (told.name, told.data["version"]) == ("changed", 2)
        assert (await agents.register(ANALYST))[0].agent.version == 1


async def test_history_is_not_changed_by_hand(database_url: str) -> None:
    async with open_pool(database_url) as pool:
        agents = PostgresAgents(pool)
        await agents.register(ANALYST)
        await agents.register(but(config={}))
        with pytest.raises(asyncpg.RaiseError, match="version 1 of agent analyst is history"):
            await pool.execute("UPDATE agents SET kind = 'http' WHERE version = 1")


async def test_an_agent_may_be_registered_by_hand(database_url: str) -> None:
    async with open_pool(database_url) as pool:
        await pool.execute("INSERT INTO agents (name, version, kind) VALUES ('echo', NULL, 'python')")
        agents = PostgresAgents(pool)
        assert (await agents.load({}))["echo"].agent == Agent(name="echo", kind="python", version=1, source="api")
        assert await agents.register(Agent(name="echo", kind="python", source="api")) == (
            (await agents.load({}))["echo"],
            False,
        )


async def test_triggers_find_their_tables_whatever_the_search_path_is(empty_database_url: str) -> None:
    await upgrade(empty_database_url, "stitches")
    async with open_pool(empty_database_url, schema="stitches") as pool:
        await PostgresAgents(pool).register(ANALYST)
    by_hand = await asyncpg.connect(empty_database_url)
    await by_hand.execute("UPDATE stitches.agents SET kind = 'http'")
    await by_hand.execute("INSERT INTO stitches.agent_breakers (agent, state) VALUES ('analyst', 'open')")
    versions = await by_hand.fetch("SELECT version, kind, current FROM stitches.agents ORDER BY version")
    events = await by_hand.fetch("SELECT event FROM stitches.agent_events ORDER BY at")
    await by_hand.close()
    assert [tuple(row) for row in versions] == [(1, "llm", False), (2, "http", True)]
    assert [row["event"] for row in events] == ["registered", "changed", "disabled"]
