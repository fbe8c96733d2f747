"""Forks: new threads that begin with the state of another one, and nothing of it runs again."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from app.domain import jsontext
from app.domain.commands import ForkCommand, StepOverride, Variant
from app.domain.errors import Conflict, Corrupt, InvalidRequest, NotFound
from app.domain.parameters import Origin, parse
from app.domain.status import Status
from app.domain.views.status import kept_runs
from app.engine import fork as forking
from app.store.memory import MemoryJournal
from tests.unit.engine.house import Gate, open_house, step
from tests.unit.engine.test_corruption import damage_output, damage_version, inspector

if TYPE_CHECKING:
    from app.domain.commands import Forked
    from tests.unit.engine.house import House

STEPS = (
    step("a", input={"n": "{input.n}"}, assign="x"),
    step("b", agent="one", input={"of": "{context.x.n}", "mood": "{context.mood}"}),
    step("c", input="{b.output}"),
)


async def with_agents(house: House) -> None:
    for name in ("one", "two"):

        async def call(value: Any, ctx: Any, name: str = name) -> Any:
            return {"by": name, **value}

        house.on(name, call, agent=True)


async def source(house: House, **options: Any) -> str:
    await with_agents(house)
    return await house.run(*STEPS, input={"n": 7}, context={"mood": "good", "nul": "\x00"}, **options)


async def fork(house: House, thread_id: str, version: int | None = 2, *variants: Variant, **more: Any) -> Forked:
    asked = variants or (Variant(name="a"),)
    return await house.control.fork(ForkCommand(thread_id=thread_id, version=version, variants=asked, **more))


async def forked(house: House, source_id: str, version: int | None = 2, **variant: Any) -> str:
    """The thread of a fork with one variant, once it has ended."""
    made = (await fork(house, source_id, version, Variant(name="a", **variant))).forks[0].accepted
    assert made is not None
    return await house.end(made.thread.thread_id)


def by(agent: str | None = None, **given: Any) -> dict[str, StepOverride]:
    return {"b": StepOverride(agent=agent, input=given)}


async def output(house: House, thread_id: str) -> Any:
    return json.loads((await house.execution(thread_id)).output or "null")


async def test_two_variants_over_one_version_run_on_side_by_side(house: House) -> None:
    thread_id = await source(house)
    made = await fork(house, thread_id, 2, Variant(name="a"), Variant(name="b", overrides=by("two", extra=1)))
    threads = [one.accepted.thread.thread_id for one in made.forks if one.accepted]
    assert [await output(house, await house.end(one)) for one in threads] == [
        {"c": {"by": "one", "of": 7, "mood": "good"}},
        {"c": {"by": "two", "of": 7, "mood": "good", "extra": 1}},
    ]
    assert [house.called(name) for name in "abc"] == [1, 3, 3]
    assert len(set(house.keys("b"))) == 3


async def test_its_first_version_holds_all_that_the_source_held(house: House) -> None:
    thread_id = await source(house)
    copy = await forked(house, thread_id, 3)
    before, after = await house.control.load_state(thread_id, 3), await house.control.load_state(copy, 1)
    assert after.scope == before.scope
    assert after.refs.steps.keys() == before.refs.steps.keys() == {"a", "b"}
    assert not {run for run, _ in after.refs.steps.values()} & {run for run, _ in before.refs.steps.values()}
    first, third = (await house.versions(copy))[0], (await house.versions(thread_id))[2]
    assert (first.step_id, first.trigger, first.parent_version) == ("START", "fork", None)
    assert (first.progress, first.size_bytes) == (third.progress, third.size_bytes)


async def test_it_begins_with_event_one_which_says_where_it_comes_from(house: House) -> None:
    thread_id = await source(house)
    made = await fork(house, thread_id, 2, reason="another wording")
    assert made.forks[0].accepted is not None
    copy = await house.end(made.forks[0].accepted.thread.thread_id)
    told = await house.events(copy)
    assert [event.seq for event in told] == list(range(1, len(told) + 1))
    data = json.loads(told[0].data)
    assert (told[0].name, data["forked_from"]) == ("workflow_start", {"thread_id": thread_id, "version": 2})
    assert (data["variant"], data["reason"], data["progress"]) == ("a", "another wording", 0.3333)
    assert [event.step_id for event in told if event.name == "step_start"] == ["b", "c"]


async def test_its_execution_is_a_fork_that_knows_its_origin_and_the_source_does_not_change(house: House) -> None:
    thread_id = await source(house)
    before = (await house.thread(thread_id), await house.events(thread_id))
    copy = await forked(house, thread_id, 2, overrides=by("two"))
    execution = await house.execution(copy)
    asked = parse(execution.parameters)
    assert (execution.kind, asked.forked_from) == ("fork", Origin(thread_id=thread_id, version=2, variant="a"))
    assert asked.overrides["b"].agent == "two"
    assert (await house.thread(thread_id), await house.events(thread_id)) == before


async def test_what_it_took_over_is_told_as_kept_from_before(house: House) -> None:
    thread_id = await source(house)
    made = (await fork(house, thread_id, 2, resume=False)).forks[0].accepted
    assert made is not None
    refs = await house.control.head_refs(made.thread)
    own = await house.reads.steps(made.thread.thread_id, execution_id=made.execution_id)
    assert own == []
    [run] = await house.reads.steps(made.thread.thread_id, ids=kept_runs(refs, own))
    assert (run.step_id, run.output, run.execution_id) == ("a", '{"n":7}', (await house.execution(thread_id)).id)


async def test_without_a_version_it_is_the_head(house: House) -> None:
    thread_id = await source(house)
    await house.rollback(thread_id, 3, resume=False)
    made = await fork(house, thread_id, None)
    assert made.version == 3


async def test_a_thread_is_forked_while_it_runs(house: House) -> None:
    gate = Gate("late")
    house.on("b", gate)
    accepted = await house.start(step("a"), step("b", python="b"))
    await house.until(lambda: gate.entered == 1)
    made = await fork(house, accepted.thread.thread_id, None)
    await house.until(lambda: gate.entered == 2)
    gate.open()
    assert made.forks[0].accepted is not None
    for thread_id in (accepted.thread.thread_id, made.forks[0].accepted.thread.thread_id):
        assert (await house.thread(await house.end(thread_id))).status is Status.COMPLETED
    assert house.called("a") == 1


async def test_a_crash_in_the_middle_of_a_fork_keeps_its_overrides() -> None:
    async with open_house() as house:
        thread_id = await source(house)
        gate = Gate({"by": "late"})
        house.on("three", gate, agent=True)
        made = (await fork(house, thread_id, 2, Variant(name="a", overrides=by("three")))).forks[0].accepted
        assert made is not None
        await house.until(lambda: gate.entered == 1)
        await house.die()
        async with open_house(house) as after:
            gate.open()
            copy = await after.end(made.thread.thread_id)
            assert await output(after, copy) == {"c": {"by": "late"}}
            assert (await after.steps(copy))["b"].agent == "three"
            assert (await after.execution(copy)).id == made.execution_id


async def test_a_fork_that_is_not_resumed_stays_paused_until_it_is(house: House) -> None:
    thread_id = await source(house)
    made = (await fork(house, thread_id, 2, Variant(name="a", overrides=by("two")), resume=False)).forks[0].accepted
    assert made is not None
    copy = made.thread.thread_id
    assert ((await house.thread(copy)).status, (await house.execution(copy)).status) == ("paused", "paused")
    assert house.worker.free == 10
    await house.resume(copy)
    assert (await output(house, await house.end(copy)))["c"]["by"] == "two"


async def test_variables_can_be_set(house: House) -> None:
    thread_id = await source(house)
    copy = await forked(house, thread_id, 2, context={"mood": "bad", "new": [1]})
    assert (await output(house, copy))["c"]["mood"] == "bad"
    assert (await house.control.load_state(copy, 1)).context["new"] == [1]


async def test_at_the_end_nothing_runs_and_nothing_can_be_changed(house: House) -> None:
    thread_id = await source(house)
    copy = await forked(house, thread_id, 5)
    assert await output(house, copy) == await output(house, thread_id)
    assert [version.step_id for version in await house.versions(copy)] == ["START", "END"]
    assert [house.called(name) for name in "abc"] == [1, 1, 1]
    for change in ({"context": {"mood": 1}}, {"overrides": by("two")}):
        with pytest.raises(InvalidRequest) as refused:
            await forked(house, thread_id, 5, **change)
        assert refused.value.code == "nothing_to_run"


async def test_what_would_change_nothing_or_cannot_be_done_is_refused_and_nothing_is_made(house: House) -> None:
    thread_id = await source(house)
    wrong: list[tuple[int, dict[str, StepOverride], str]] = [
        (3, by("two"), "nothing_to_run"),
        (2, {"zz": StepOverride(agent="two")}, "step_not_found"),
        (2, by("nobody"), "invalid_request"),
    ]
    for version, overrides, code in wrong:
        with pytest.raises(InvalidRequest) as refused:
            await fork(house, thread_id, version, Variant(name="a"), Variant(name="b", overrides=overrides))
        assert refused.value.code == code
    assert len(house.tables.threads) == 1


async def test_no_such_thread_and_no_such_version_are_told(house: House) -> None:
    thread_id = await source(house)
    for name, version, code in ((thread_id, 9, "version_not_found"), ("nobody", 1, "thread_not_found")):
        with pytest.raises(NotFound) as missing:
            await fork(house, name, version)
        assert missing.value.code == code


async def test_an_id_of_its_own_is_taken_and_one_that_exists_refused(house: House) -> None:
    thread_id = await source(house)
    assert await forked(house, thread_id, 2, thread_id="mine") == "mine"
    with pytest.raises(Conflict) as taken:
        await fork(house, thread_id, 2, Variant(name="a"), Variant(name="b", thread_id="mine"))
    assert taken.value.code == "thread_exists"
    assert len(house.tables.threads) == 2


async def test_what_could_not_be_made_is_told_beside_what_was(house: House) -> None:
    thread_id = await source(house)
    twice = [Variant(name=name, thread_id="mine") for name in "ab"]
    made = await fork(house, thread_id, 2, *twice)
    assert [(one.accepted is None, one.error and one.error.code) for one in made.forks] == [
        (False, None),
        (True, "thread_exists"),
    ]


@pytest.mark.parametrize("damage", [damage_version, damage_output])
async def test_a_damaged_version_is_not_forked(house: House, damage: Any) -> None:
    thread_id = await source(house)
    damage(house, thread_id, 2 if damage is damage_version else "a")
    with pytest.raises(Corrupt):
        await fork(house, thread_id, 2)
    assert len(house.tables.threads) == 1


async def test_a_state_that_is_too_large_is_not_forked(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forking, "MAX_BYTES", 10)
    thread_id = await source(house)
    with pytest.raises(InvalidRequest) as refused:
        await fork(house, thread_id, 2)
    assert refused.value.code == "state_too_large"


def keyed(body: str = "body") -> dict[str, Any]:
    return {"idempotency_key": "once", "request_sha256": jsontext.sha256(body)}


async def test_one_key_forks_once_all_its_variants(house: House) -> None:
    thread_id = await source(house)
    variants = [Variant(name=name) for name in "abc"]
    first, second = [await fork(house, thread_id, None, *variants, **keyed()) for _ in range(2)]
    threads = [[one.accepted.thread.thread_id for one in made.forks if one.accepted] for made in (first, second)]
    assert threads[0] == threads[1]
    assert [one.accepted.replayed for one in second.forks if one.accepted] == [True] * 3
    assert len(house.tables.threads) == 4
    with pytest.raises(InvalidRequest) as reused:
        await fork(house, thread_id, None, *variants, **keyed("another"))
    assert reused.value.code == "idempotency_key_reused"


async def test_a_key_that_made_some_variants_makes_the_others_from_the_same_version(house: House) -> None:
    thread_id = await source(house)
    await house.rollback(thread_id, 2, resume=False)
    await fork(house, thread_id, None, Variant(name="a"), **keyed())
    await house.rollback(thread_id, 3, resume=False)
    again = await fork(house, thread_id, None, Variant(name="a"), Variant(name="b"), **keyed())
    assert again.version == 2
    made = again.forks[1].accepted
    assert made is not None
    asked = parse((await house.execution(made.thread.thread_id)).parameters)
    assert asked.forked_from == Origin(thread_id=thread_id, version=2, variant="b")


async def test_a_key_in_flight_is_a_conflict(house: House) -> None:
    thread_id = await source(house)
    gate, write = Gate(), MemoryJournal(house.tables).start

    async def slowly(start: Any) -> Any:
        await gate(None, None)
        return await write(start)

    house.journal.instead["start"] = slowly
    first = asyncio.create_task(fork(house, thread_id, 2, **keyed()))
    await house.until(lambda: gate.entered)
    with pytest.raises(Conflict) as refused:
        await fork(house, thread_id, 2, **keyed())
    assert refused.value.code == "idempotency_key_in_flight"
    gate.open()
    house.journal.instead.clear()
    assert (await first).forks[0].accepted


async def test_what_runs_again_in_a_fork_does_not_see_what_it_had_set_before(house: House) -> None:
    await with_agents(house)
    steps = (step("a", input="{has(context.x)}", assign="x"), step("b"))
    thread_id = await house.run(*steps)
    copy = await forked(house, thread_id, 3)
    await house.resume(copy, from_step="a")
    await house.end(copy)
    assert (await house.steps(copy))["a"].output == "false"


async def test_variables_of_an_earlier_run_of_the_source_come_along(house: House) -> None:
    steps = (step("a", input="{input}", assign="x"), step("b", needs=["a"], when="input == 1", assign="y"), step("c"))
    thread_id = await house.run(*steps, input=1)
    await house.start(*steps, input=2, thread_id=thread_id)
    await house.end(thread_id)
    last = (await house.thread(thread_id)).head_version
    copy = await forked(house, thread_id, last - 1)
    assert (await house.control.load_state(copy, 1)).context == {"x": 2, "y": 1}
    report = await inspector(house).verify(copy)
    assert report.findings == []


async def test_a_fork_is_verified_rolled_back_and_forked_like_any_thread(house: House) -> None:
    thread_id = await source(house)
    copy = await forked(house, thread_id, 2, overrides=by("two"))
    assert (await inspector(house).verify(copy)).sound == [1, 2, 3, 4]
    await house.rollback(copy, 1)
    await house.end(copy)
    assert (await output(house, copy))["c"]["by"] == "one"
    grandchild = await forked(house, copy, 2)
    assert (await output(house, grandchild))["c"]["by"] == "two"


async def test_a_lost_value_that_a_fork_took_over_is_made_again_in_the_fork(house: House) -> None:
    thread_id = await source(house)
    made = (await fork(house, thread_id, 2, resume=False)).forks[0].accepted
    assert made is not None
    copy = made.thread.thread_id
    damage_output(house, copy, "a")
    await house.resume(copy)
    await house.end(copy)
    assert (await house.thread(copy)).status is Status.COMPLETED
    assert house.called("a") == 2


async def test_an_input_that_a_fork_has_lost_is_found(house: House) -> None:
    thread_id = await source(house)
    copy = await forked(house, thread_id, 2)
    house.tables.executions[(await house.execution(copy)).id].input = None
    report = await inspector(house).verify(copy)
    assert [one.kind for one in report.findings] == ["missing"]


async def test_it_waits_in_the_queue_of_its_source_at_its_priority(house: House) -> None:
    thread_id = await source(house, queue="mail", priority=3)
    copy = await forked(house, thread_id, 2)
    thread = await house.thread(copy)
    assert (thread.queue, thread.priority) == ("mail", 3)
