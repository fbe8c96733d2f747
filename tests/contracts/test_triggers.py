"""TriggerStore: triggers by name, firings that happen once, keys that one message holds, and what waits."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.errors import Conflict
from app.domain.ids import derived_id, uuid7
from app.domain.parameters import Parameters
from app.domain.times import utc_now
from app.domain.triggers import Firing, Outcome, Trigger
from app.store.db import open_pool
from app.store.memory import MemoryJournal
from app.store.memory_triggers import MemoryTriggers
from app.store.triggers import PostgresTriggers
from tests.builders import new_start

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.triggers import TriggerStore
    from tests.contracts.conftest import Store

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
async def triggers(store: Store, store_dsn: str | None) -> AsyncGenerator[TriggerStore]:
    if store_dsn is None:
        assert isinstance(store.journal, MemoryJournal)
        yield MemoryTriggers(store.journal._tables)
        return
    async with open_pool(store_dsn) as pool:
        yield PostgresTriggers(pool)


def trigger(name: str = "t", **more: Any) -> Trigger:
    fields = {"topic": "orders.*", "workflow": "sewing", **more}
    return Trigger(id=uuid7(), name=name, created_at=utc_now(), updated_at=utc_now(), **fields)


def firing(of: Trigger, name: str = "m", outcome: Outcome = Outcome.STARTED, **more: Any) -> Firing:
    fields = {"source": "/s", "message_id": name, "topic": "orders.new", "outcome": outcome, **more}
    return Firing(id=derived_id(of.id, "/s", name), trigger_id=of.id, **fields)


async def test_a_trigger_is_kept_as_it_was_given(triggers: TriggerStore) -> None:
    given = trigger(
        condition="true", input={"a": ["{message.data}", None, 10**30]}, key="{message.id}", window=3.5, enabled=False,
        queue="mail", priority=-3, delay=1.5, description="d",
    )  # fmt: skip
    made = await triggers.create(given)
    times = {"since": made.since, "created_at": made.created_at, "updated_at": made.updated_at}
    assert made == await triggers.find("t") == replace(given, **times)
    assert await triggers.find("other") is None


async def test_a_name_is_taken_once_and_free_again_when_it_is_deleted(triggers: TriggerStore) -> None:
    await triggers.create(trigger())
    with pytest.raises(Conflict, match="there is a trigger t"):
        await triggers.create(trigger())
    assert await triggers.delete("t")
    assert not await triggers.delete("t")
    await triggers.create(trigger())


async def test_there_are_only_so_many(triggers: TriggerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("app.store.triggers", "app.store.memory_triggers"):
        monkeypatch.setattr(f"{module}.MAX_TRIGGERS", 1)
    await triggers.create(trigger())
    with pytest.raises(Conflict) as refused:
        await triggers.create(trigger("u"))
    assert refused.value.code == "too_many_triggers"


async def test_a_change_names_the_one_before(triggers: TriggerStore) -> None:
    made = await triggers.create(trigger())
    changed = await triggers.change(replace(made, topic="x"))
    assert changed is not None
    assert (changed.topic, changed.rev, changed.since) == ("x", made.rev + 1, made.since)
    assert await triggers.change(replace(made, topic="y")) is None


async def test_one_that_is_enabled_again_holds_from_then_on(triggers: TriggerStore) -> None:
    made = await triggers.create(trigger())
    off = await triggers.change(replace(made, enabled=False))
    assert off is not None
    assert off.since == made.since
    await triggers.create(trigger("between"))
    on = await triggers.change(replace(off, enabled=True))
    assert on is not None
    assert on.since >= made.since


async def test_what_is_known_is_not_loaded_again(triggers: TriggerStore) -> None:
    one, two = await triggers.create(trigger("a")), await triggers.create(trigger("b"))
    await triggers.create(trigger("c", enabled=False))
    present, changed = await triggers.load({})
    assert (present, {each.name for each in changed}) == ({one.id, two.id}, {"a", "b"})
    assert await triggers.load({one.id: one.rev, two.id: two.rev}) == (present, [])
    await triggers.change(replace(two, topic="x"))
    _, changed = await triggers.load({one.id: one.rev, two.id: two.rev})
    assert [each.topic for each in changed] == ["x"]


async def test_the_list_is_by_name(triggers: TriggerStore) -> None:
    for name in ("b", "a", "C"):
        await triggers.create(trigger(name))
    assert [one.name for one in await triggers.listed()] == ["C", "a", "b"]
    assert [one.name for one in await triggers.listed(after="C", limit=1)] == ["a"]


async def test_a_firing_is_written_once(triggers: TriggerStore) -> None:
    made = await triggers.create(trigger())
    first, second = firing(made), firing(made, "n", Outcome.FAILED, error={"kind": "k", "message": "m"})
    await triggers.record([first])
    await triggers.record([replace(first, outcome=Outcome.FAILED), second])
    found = {one.message_id: one for one in await triggers.firings(made.id)}
    assert found["m"].outcome is Outcome.STARTED
    assert found["n"].error == {"kind": "k", "message": "m"}
    assert await triggers.acted([first.id, uuid7()]) == {first.id}


async def test_firings_are_listed_newest_first_in_pages(triggers: TriggerStore) -> None:
    made, other = await triggers.create(trigger()), await triggers.create(trigger("u"))
    for number in range(3):
        await triggers.record([firing(made, str(number), Outcome.FAILED if number == 1 else Outcome.STARTED)])
    await triggers.record([firing(other)])
    page = await triggers.firings(made.id, limit=2)
    assert [one.message_id for one in page] == ["2", "1"]
    last = page[-1]
    assert last.at is not None
    assert [one.message_id for one in await triggers.firings(made.id, before=(last.at, last.id))] == ["0"]
    assert [one.message_id for one in await triggers.firings(made.id, outcome=Outcome.FAILED)] == ["1"]


async def test_a_key_is_held_by_one_firing_until_its_window_is_over(triggers: TriggerStore) -> None:
    made = await triggers.create(trigger())
    first, second = uuid7(), uuid7()
    assert (await triggers.claim(made.id, "k", first, NOON, NOON + HOUR)).mine
    late = await triggers.claim(made.id, "k", second, NOON + HOUR / 2, NOON + 2 * HOUR)
    assert (late.mine, late.until) == (False, NOON + HOUR)
    assert (await triggers.claim(made.id, "k", first, NOON, NOON + HOUR)).mine  # again, after a crash
    assert (await triggers.claim(made.id, "other", second, NOON, NOON + HOUR)).mine
    assert (await triggers.claim(made.id, "k", second, NOON + HOUR, NOON + 2 * HOUR)).mine


async def test_of_many_that_want_one_key_at_once_one_gets_it(triggers: TriggerStore) -> None:
    made = await triggers.create(trigger())
    claims = await asyncio.gather(*(triggers.claim(made.id, "k", uuid7(), NOON, NOON + HOUR) for _ in range(20)))
    assert sum(claim.mine for claim in claims) == 1


async def test_a_key_of_which_nothing_came_is_given_back(triggers: TriggerStore) -> None:
    made = await triggers.create(trigger())
    first = uuid7()
    await triggers.claim(made.id, "k", first, NOON, NOON + HOUR)
    await triggers.forgo([first])
    assert (await triggers.claim(made.id, "k", uuid7(), NOON, NOON + HOUR)).mine


def waiting(of: Trigger, name: str = "m", **more: Any) -> Firing:
    return firing(of, name, Outcome.WAITING, start='{"n": 1}', error={"kind": "queue_full", "message": "m"}, **more)


async def test_what_waits_is_got_by_one_when_it_may_be_tried_again(triggers: TriggerStore) -> None:
    made = await triggers.create(trigger())
    await triggers.record([waiting(made, "now", pause=0), waiting(made, "later", pause=60), firing(made, "done")])
    assert await triggers.waiting() == 2
    [(of, due)] = await triggers.due(10, 60)
    assert (of.name, due.message_id, due.start, due.trigger_id) == ("t", "now", '{"n": 1}', made.id)
    assert await triggers.due(10, 60) == []


async def test_one_trigger_of_which_many_wait_leaves_the_others_their_chance(triggers: TriggerStore) -> None:
    many, few = await triggers.create(trigger("many")), await triggers.create(trigger("few"))
    await triggers.record([waiting(many, str(number), pause=-60) for number in range(9)])
    await triggers.record([waiting(few, "one", pause=0)])
    assert sorted(of.name for of, _ in await triggers.due(3, 60)) == ["few", "many", "many"]
    assert len(await triggers.due(10, 60)) == 7


async def test_what_came_of_one_that_waited_is_written_and_what_waits_on_keeps_its_start(
    triggers: TriggerStore,
) -> None:
    made = await triggers.create(trigger())
    await triggers.record([waiting(made, "a", pause=0), waiting(made, "b", pause=0)])
    one, two = (due for _, due in await triggers.due(10, 60))
    await triggers.settle(
        [replace(one, outcome=Outcome.STARTED, error=None, start=None), replace(two, attempts=2, pause=0)]
    )
    [(_, left)] = await triggers.due(10, 60)
    assert (left.id, left.attempts, left.start) == (two.id, 2, '{"n": 1}')
    assert await triggers.waiting() == 1


async def test_what_waits_of_a_disabled_trigger_waits_on_and_of_a_deleted_one_is_gone(triggers: TriggerStore) -> None:
    made = await triggers.create(trigger())
    await triggers.record([waiting(made, pause=0)])
    assert await triggers.change(replace(made, enabled=False))
    assert await triggers.due(10, 60) == []
    assert await triggers.delete("t")
    assert await triggers.waiting() == 0


async def test_what_was_left_of_a_deleted_trigger_waits_for_nothing_and_goes_with_time(triggers: TriggerStore) -> None:
    made = await triggers.create(trigger())
    assert await triggers.delete("t")
    await triggers.record([waiting(made, pause=0)])  # by who had begun to act on a message
    assert (await triggers.due(10, 60), await triggers.waiting()) == ([], 0)
    assert await triggers.prune(0, 10) == 1


async def test_the_chain_of_a_thread_is_that_of_its_family(triggers: TriggerStore, store: Store) -> None:
    start = new_start(store.workflow, thread_id="parent")
    start.execution.parameters = Parameters(chain=("one", "two")).text()
    await store.journal.start(start)
    await store.drive(thread_id="child", parent_thread_id="parent")
    await store.drive(thread_id="grandchild", parent_thread_id="child")
    await store.drive(thread_id="stranger")
    found = await triggers.chains(["grandchild", "parent", "stranger", "nobody"])
    assert found == {"grandchild": ("one", "two"), "parent": ("one", "two")}


async def test_old_firings_and_keys_are_deleted_and_what_waits_is_not(triggers: TriggerStore) -> None:
    made = await triggers.create(trigger())
    await triggers.record([firing(made, "old"), waiting(made, "waits")])
    await triggers.claim(made.id, "k", uuid7(), utc_now() - 99 * HOUR, utc_now() - 98 * HOUR)
    await triggers.claim(made.id, "held", uuid7(), utc_now(), utc_now() + HOUR)
    assert await triggers.prune(1, 10) == 1
    assert await triggers.prune(0, 10) == 1
    assert [one.message_id for one in await triggers.firings(made.id)] == ["waits"]
