"""Corruption: a damaged value is never used, the thread goes on from what is sound, and nothing else runs again."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from app.domain import jsontext
from app.domain.errors import Conflict, Corrupt, UnknownFormat
from app.domain.status import Status
from app.engine import load, values
from app.engine.inspection import Inspector
from app.engine.load import load_state
from tests.unit.engine.house import Failing, Gate, House, open_house, step

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.events import Event

STEPS = [
    step("a", input={"n": "{input.n}"}, assign="x"),
    step("b", input="{a.output}"),
    step("c", input="{b.output}"),
    step("hold", python="hold", input={"x": "{context.x}", "b": "{b.output}"}),
]


async def held(house: House, gate: Gate, *steps: dict[str, Any], until: int = 1, **options: Any) -> str:
    """A thread whose step `hold` is running for the `until`-th time."""
    house.on("hold", gate)
    accepted = await house.start(*steps, **options)
    await house.until(lambda: gate.entered == until)
    return accepted.thread.thread_id


async def die(house: House, gate: Gate) -> None:
    """The process is gone; in the next one the gate is open."""
    gate.open()
    await house.die()
    house.calls.clear()


@asynccontextmanager
async def cut(*steps: dict[str, Any], until: int = 1, **options: Any) -> AsyncGenerator[tuple[House, str]]:
    """A house that died while the step `hold` of a thread was running for the `until`-th time."""
    async with open_house() as house:
        gate = Gate("held")
        thread_id = await held(house, gate, *(steps or STEPS), until=until, **({"input": {"n": 1}} | options))
        await die(house, gate)
        yield house, thread_id


def damage_version(house: House, thread_id: str, version: int) -> None:
    next(one for one in house.tables.checkpoints[thread_id] if one.version == version).manifest = '{"steps":{}}'


def damage_output(house: House, thread_id: str, step_id: str) -> None:
    next(one for one in house.tables.runs[thread_id].values() if one.step_id == step_id).output = '"a lie"'


def drop_version(house: House, thread_id: str, version: int) -> None:
    kept = [one for one in house.tables.checkpoints[thread_id] if one.version != version]
    house.tables.checkpoints[thread_id] = kept


def drop_output(house: House, thread_id: str, step_id: str) -> None:
    runs = house.tables.runs[thread_id]
    del runs[next(one.id for one in runs.values() if one.step_id == step_id)]


async def told(house: House, thread_id: str) -> dict[str, Any]:
    events: list[Event] = await house.events(thread_id, "state_quarantined")
    assert len(events) == 1
    return jsontext.loads(events[0].data)


def called(house: House) -> list[str]:
    return sorted(one[0] for one in house.calls)


async def completed(before: House, thread_id: str) -> House:
    """Another house takes the thread over and finishes it."""
    async with open_house(before) as house:
        await house.end(thread_id)
        assert (await house.thread(thread_id)).status is Status.COMPLETED, await house.execution(thread_id)
    return house


@pytest.mark.parametrize("damage", [damage_version, drop_version])
async def test_a_bad_head_gives_way_to_the_version_before_it(damage: Any) -> None:
    async with cut() as (house, thread_id):
        damage(house, thread_id, 4)
        after = await completed(house, thread_id)
        assert called(after) == ["c", "hold"]
        event = await told(after, thread_id)
        assert (event["from_version"], event["to_version"], event["reruns"]) == (4, 3, ["c"])
        assert [one["version"] for one in event["findings"]] == [4]


@pytest.mark.parametrize("damage", [damage_version, drop_version])
async def test_a_bad_version_in_the_middle_takes_those_on_top_of_it_with_it(damage: Any) -> None:
    async with cut() as (house, thread_id):
        damage(house, thread_id, 3)
        after = await completed(house, thread_id)
        assert called(after) == ["b", "c", "hold"]
        assert (await told(after, thread_id))["to_version"] == 2
        versions = {one.version: one.parent_version for one in await after.versions(thread_id)}
        assert versions[5] == 2  # and none was used again


@pytest.mark.parametrize("damage", [damage_version, drop_version])
async def test_a_bad_full_manifest_takes_all_that_are_based_on_it_with_it(damage: Any) -> None:
    steps = [step(f"s{number}") for number in range(2, 15)] + [step("hold", python="hold")]
    async with cut(*steps) as (house, thread_id):
        full = [one.version for one in house.tables.checkpoints[thread_id] if one.version == one.base_version]
        assert full == [1, 10]
        damage(house, thread_id, 10)
        after = await completed(house, thread_id)
        assert called(after) == sorted(["hold", *(f"s{number}" for number in range(10, 15))])
        assert (await told(after, thread_id))["to_version"] == 9


async def test_damage_below_the_full_manifest_that_the_head_stands_on_disturbs_nobody() -> None:
    steps = [step(f"s{number}") for number in range(2, 15)] + [step("hold", python="hold")]
    async with cut(*steps) as (house, thread_id):
        damage_version(house, thread_id, 5)
        after = await completed(house, thread_id)
        assert called(after) == ["hold"]
        assert "state_quarantined" not in await after.names(thread_id)


@pytest.mark.parametrize("damage", [damage_output, drop_output])
async def test_a_lost_output_is_made_anew_and_nothing_else_runs_again(damage: Any) -> None:
    async with cut() as (house, thread_id):
        old = (await house.thread(thread_id)).execution_id
        damage(house, thread_id, "b")
        after = await completed(house, thread_id)
        assert called(after) == ["b", "hold"]
        event = await told(after, thread_id)
        assert (event["from_version"], event["to_version"], event["reruns"]) == (4, 4, ["b"])
        assert event["findings"][0]["step_id"] == "b"
        execution = await after.execution(thread_id)
        assert execution.kind == "resume"
        assert old not in after.keys("b")[0]  # the step runs anew: an effect that was seen may differ
        state = await load_state(after.reads, thread_id, (await after.thread(thread_id)).head_version)
        assert state.scope["b"]["output"] == {"n": 1}


async def test_a_lost_value_of_a_variable_is_set_again() -> None:
    async with cut() as (house, thread_id):
        damage_output(house, thread_id, "a")
        after = await completed(house, thread_id)
        assert called(after) == ["a", "hold"]
        hold = (await after.steps(thread_id))["hold"]
        assert jsontext.loads(hold.input or "")["x"] == {"n": 1}


async def test_a_step_that_runs_again_does_not_set_a_variable_that_was_set_since() -> None:
    steps = [
        step("a", input={"v": 1}, assign="x"),
        step("b", input={"v": 2}, needs=["a"], assign="x"),
        step("hold", python="hold", input="{context.x}"),
    ]
    async with cut(*steps) as (house, thread_id):
        damage_output(house, thread_id, "a")
        after = await completed(house, thread_id)
        assert called(after) == ["a", "hold"]
        assert (await after.steps(thread_id))["hold"].input == '{"v":2}'


async def test_a_bad_value_that_the_head_does_not_use_any_more_disturbs_nobody() -> None:
    async with open_house() as house:
        gate = Gate("held")
        thread_id = await held(house, gate, *STEPS, input={"n": 1})
        await house.control.cancel(thread_id)
        await house.resume(thread_id, from_step="b")
        await house.until(lambda: gate.entered == 2)
        damage_output(house, thread_id, "b")  # its first run
        await die(house, gate)
        after = await completed(house, thread_id)
        assert called(after) == ["hold"]
        assert "state_quarantined" not in await after.names(thread_id)


async def test_several_damages_at_once_are_all_healed() -> None:
    async with cut() as (house, thread_id):
        damage_version(house, thread_id, 4)
        damage_output(house, thread_id, "a")
        damage_output(house, thread_id, "c")
        after = await completed(house, thread_id)
        assert called(after) == ["a", "c", "hold"]
        event = await told(after, thread_id)
        assert event["to_version"] == 3
        assert set(event["reruns"]) == {"a", "c"}


async def test_a_step_that_was_running_keeps_its_key_unless_its_input_may_differ() -> None:
    steps = [step("a"), step("b", needs=[]), step("hold", python="hold", needs=["b"])]
    async with cut(*steps) as (house, thread_id):
        execution = (await house.thread(thread_id)).execution_id
        damage_output(house, thread_id, "a")
        after = await completed(house, thread_id)
        assert called(after) == ["a", "hold"]
        assert execution in after.keys("hold")[0]


async def test_a_sub_workflow_that_was_running_beside_the_damage_goes_on_where_it_was() -> None:
    async with open_house() as house:
        gate = Gate("held")
        house.on("hold", gate)
        await house.control.register({"name": "inner", "steps": [step("x"), step("hold", python="hold")]})
        steps = [step("a"), step("child", workflow="inner", needs=[], input=1), step("end", needs=["a", "child"])]
        thread_id = (await house.start(*steps, input={"n": 1})).thread.thread_id
        await house.until(lambda: gate.entered == 1)
        await house.until(lambda: house.tables.threads[thread_id].head_version == 2)
        damage_output(house, thread_id, "a")
        await die(house, gate)
        after = await completed(house, thread_id)
        assert (after.called("a"), after.called("x"), after.called("end")) == (1, 0, 1)
        assert len(await after.reads.children(thread_id)) == 1


async def test_a_bad_input_is_put_back_from_the_copy_of_a_resumed_execution() -> None:
    async with open_house() as house:
        gate = Gate()
        first_fails = Failing(RuntimeError("no"), times=1)

        async def bad(value: Any, ctx: Any) -> Any:
            await first_fails(value, ctx)
            return await gate(value, ctx)

        house.on("fails", bad)
        thread_id = await house.run(step("a"), step("bad", python="fails", retry={"max_attempts": 1}), input={"n": 1})
        first = (await house.execution(thread_id)).id
        await house.resume(thread_id)
        await house.until(lambda: gate.entered == 1)
        house.tables.executions[first].input = '{"n":2}'
        await die(house, gate)
        after = await completed(house, thread_id)
        assert house.tables.executions[first].input == '{"n":1}'
        assert called(after) == ["bad"]
        assert (await told(after, thread_id))["reruns"] == []
        assert [item.finding.stored for item in await after.reads.quarantined(thread_id)] == ['{"n":2}']


async def test_a_bad_input_without_a_copy_interrupts_the_thread_and_names_it() -> None:
    async with cut() as (house, thread_id):
        execution = await house.execution(thread_id)
        house.tables.executions[execution.id].input = '{"n":2}'
        async with open_house(house) as after:
            await after.end(thread_id)
            assert called(after) == []
            ended = await after.execution(thread_id)
            assert ended.status is Status.INTERRUPTED
            error = jsontext.loads(ended.error or "")
            assert error["kind"] == "corrupt"
            assert execution.id in error["message"]
            assert (await after.names(thread_id))[-2:] == ["state_quarantined", "workflow_interrupted"]


@pytest.mark.parametrize("damage", [damage_version, drop_version])
async def test_without_a_sound_version_the_thread_is_interrupted(damage: Any) -> None:
    async with cut() as (house, thread_id):
        damage(house, thread_id, 1)
        async with open_house(house) as after:
            await after.end(thread_id)
            assert called(after) == []
            assert jsontext.loads((await after.execution(thread_id)).error or "")["kind"] == "corrupt"


async def test_a_rolled_back_branch_is_not_returned_to_when_the_version_after_it_is_gone() -> None:
    async with open_house() as house:
        gate = Gate("held")
        thread_id = await held(house, gate, *STEPS, input={"n": 1})
        await house.rollback(thread_id, 2)
        await house.until(lambda: gate.entered == 2)
        drop_version(house, thread_id, 5)  # whose parent was 2, not 4
        await die(house, gate)
        after = await completed(house, thread_id)
        assert (await told(after, thread_id))["to_version"] == 2
        assert called(after) == ["b", "c", "hold"]


async def test_a_rollback_whose_first_version_is_bad_does_again_what_it_was_asked_for() -> None:
    async with open_house() as house:
        gate = Gate("held")
        thread_id = await held(house, gate, *STEPS, input={"n": 1})
        await house.rollback(thread_id, 3, context={"x": "from outside"})
        await house.until(lambda: gate.entered == 2)
        damage_version(house, thread_id, 5)
        await die(house, gate)
        after = await completed(house, thread_id)
        assert called(after) == ["c", "hold"]
        assert jsontext.loads((await after.steps(thread_id))["hold"].input or "")["x"] == "from outside"


async def test_a_lost_variable_that_a_rollback_sets_is_not_missed() -> None:
    async with cut() as (house, thread_id), open_house(house) as after:
        await after.end(thread_id)
        damage_output(after, thread_id, "a")
        after.calls.clear()
        await after.rollback(thread_id, 1, context={"x": 5})
        await after.end(thread_id)
        assert called(after) == ["a", "b", "c", "hold"]
        assert "state_quarantined" not in await after.names(thread_id)


async def test_the_bad_text_is_kept_and_the_rows_stay_as_they_are() -> None:
    async with cut() as (house, thread_id):
        damage_version(house, thread_id, 4)
        after = await completed(house, thread_id)
        [item] = await after.reads.quarantined(thread_id)
        assert (item.finding.kind, item.finding.version, item.finding.stored) == ("checkpoint", 4, '{"steps":{}}')
        assert item.finding.expected is not None
        assert [one.version for one in await after.versions(thread_id)] == [1, 2, 3, 4, 5, 6, 7]


async def test_the_thread_that_healed_can_be_damaged_and_healed_again() -> None:
    gate, entered = Gate("held"), 0

    async def hold(value: Any, ctx: Any) -> Any:
        nonlocal entered
        entered += 1
        return await gate(value, ctx)

    async with open_house() as house:
        house.on("hold", hold)
        thread_id = (await house.start(*STEPS, input={"n": 1})).thread.thread_id
        await house.until(lambda: entered == 1)
        await house.die()
        house.calls.clear()
        damage_output(house, thread_id, "b")
        async with open_house(house) as second:
            await second.until(lambda: entered == 2)
            newest = max(house.tables.runs[thread_id].values(), key=lambda one: (one.step_id == "b", one.id))
            newest.output = "7"
            gate.open()
            await second.die()
        after = await completed(second, thread_id)
        assert after.called("b") == 2
        assert len(await after.events(thread_id, "state_quarantined")) == 2


async def test_a_state_that_is_damaged_is_never_given_out() -> None:
    async with open_house() as house:
        thread_id = await house.run(*STEPS[:3], input={"n": 1})
        damage_output(house, thread_id, "b")
        await house.control.load_state(thread_id, 2)
        with pytest.raises(Corrupt) as caught:
            await house.control.load_state(thread_id, 3)
        assert [one.step_id for one in caught.value.findings] == ["b"]


async def test_a_damaged_thread_can_be_cancelled_and_paused() -> None:
    async with open_house() as house:
        for steer in (house.control.pause, house.control.cancel):
            accepted = await house.start(step("a"), step("nap", sleep="1h"), input=1)
            thread_id = accepted.thread.thread_id
            await house.until_status(thread_id, "waiting")
            damage_version(house, thread_id, 1)
            thread = await steer(thread_id)
            assert thread.status in (Status.PAUSED, Status.CANCELLED)


async def test_a_head_that_is_gone_is_damage_and_not_an_unknown_version() -> None:
    async with open_house() as house:
        house.on("fails", Failing(RuntimeError("no"), times=1))
        thread_id = await house.run(step("a"), step("bad", python="fails", retry={"max_attempts": 1}), input=1)
        drop_version(house, thread_id, 2)
        with pytest.raises(Corrupt):
            await house.resume(thread_id)
        assert (await house.control.head_refs(await house.thread(thread_id))).done() == []


async def test_what_is_big_is_hashed_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Any] = []

    async def to_thread(check: Any) -> Any:
        hashed.append(check)
        return check()

    async with open_house() as house:
        thread_id = await house.run(step("a"), input="x" * 500)
        await house.control.load_state(thread_id, 2)
        assert hashed == []
        monkeypatch.setattr(values, "BIG", 1000)
        monkeypatch.setattr(values.asyncio, "to_thread", to_thread)
        await house.control.load_state(thread_id, 2)
        assert len(hashed) == 1


async def test_a_big_state_is_parsed_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []

    async def off_loop(work: Any, size: int, big: int) -> Any:
        parsed.extend([size] if size > big else [])
        return work()

    async with open_house() as house:
        thread_id = await house.run(step("a"), input="x" * 500)
        monkeypatch.setattr(load, "off_loop", off_loop)
        await house.control.load_state(thread_id, 2)
        assert parsed == []
        monkeypatch.setattr(load, "BIG_JSON", 500)
        await house.control.load_state(thread_id, 2)
        assert len(parsed) == 1


async def test_big_variables_from_outside_are_parsed_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []

    async def off_loop(work: Any, size: int, big: int) -> Any:
        parsed.extend([size] if size > big else [])
        return work()

    async with open_house() as house:
        thread_id = await house.run(step("a"), context={"m": "x" * 2_000})
        thread = await house.thread(thread_id)
        monkeypatch.setattr(load, "off_loop", off_loop)
        monkeypatch.setattr(load, "BIG_JSON", 1_000)
        await load.load_refs(house.reads, thread_id, 2)
        assert len(parsed) == 2
        await house.control.head_refs(thread)
        assert len(parsed) == 3


def inspector(house: House) -> Inspector:
    return Inspector(house.worker._stores, house.catalog, house.worker, house.bus)


async def test_verifying_names_every_damage_and_the_versions_that_are_sound() -> None:
    async with open_house() as house:
        thread_id = await house.run(*STEPS[:3], input={"n": 1})
        report = await inspector(house).verify(thread_id)
        assert (report.findings, report.sound, report.checked) == ([], [1, 2, 3, 4, 5], 5)
        damage_version(house, thread_id, 4)
        damage_output(house, thread_id, "b")
        report = await inspector(house).verify(thread_id)
        assert sorted(one.kind for one in report.findings) == ["checkpoint", "output"]
        assert report.sound == [1, 2]


async def test_verifying_follows_a_timeline_that_branches() -> None:
    async with open_house() as house:
        thread_id = await house.run(*STEPS[:3], input={"n": 1})
        await house.rollback(thread_id, 2)
        await house.end(thread_id)
        damage_version(house, thread_id, 3)
        assert (await inspector(house).verify(thread_id)).sound == [1, 2, 6, 7, 8]


async def test_repairing_a_paused_thread_leaves_it_paused_and_fit_to_resume() -> None:
    async with open_house() as house:
        accepted = await house.start(step("a", input={"n": 1}), step("nap", sleep="1h"), step("b", input="{a.output}"))
        thread_id = accepted.thread.thread_id
        await house.until_status(thread_id, "waiting")
        await house.control.pause(thread_id)
        damage_output(house, thread_id, "a")
        thread, written = await inspector(house).repair(thread_id)
        assert thread.status is Status.PAUSED
        assert written is not None
        assert await inspector(house).repair(thread_id) == (thread, None)
        await house.resume(thread_id)
        await house.until(lambda: house.called("a") == 2)
        await house.until_status(thread_id, "waiting")
        assert (await house.execution(thread_id)).kind == "resume"


async def test_repairing_a_waiting_thread_makes_it_go_on_by_itself() -> None:
    async with open_house() as house:
        accepted = await house.start(step("a"), step("nap", sleep="1h"), input=1)
        thread_id = accepted.thread.thread_id
        await house.until_status(thread_id, "waiting")
        damage_version(house, thread_id, 2)
        await inspector(house).repair(thread_id)
        await house.until(lambda: house.called("a") == 2)
        await house.until_status(thread_id, "waiting")


async def test_repairing_a_failed_thread_keeps_it_failed_and_a_resume_does_the_rest() -> None:
    async with open_house() as house:
        house.on("fails", Failing(RuntimeError("no"), times=1))
        thread_id = await house.run(*STEPS[:3], step("bad", python="fails", retry={"max_attempts": 1}), input={"n": 1})
        damage_version(house, thread_id, 4)
        damage_output(house, thread_id, "a")
        with pytest.raises(Corrupt):
            await house.resume(thread_id)
        thread, _ = await inspector(house).repair(thread_id)
        assert (thread.status, thread.head_version) == (Status.FAILED, 3)
        house.calls.clear()
        await house.resume(thread_id)
        await house.end(thread_id)
        assert (await house.thread(thread_id)).status is Status.COMPLETED
        assert called(house) == ["a", "bad", "c"]


async def test_repairing_a_completed_thread_puts_aside_and_moves_nothing_but_a_bad_head() -> None:
    async with open_house() as house:
        thread_id = await house.run(*STEPS[:3], input={"n": 1})
        damage_output(house, thread_id, "a")
        thread, _ = await inspector(house).repair(thread_id)
        assert (thread.status, thread.head_version) == (Status.COMPLETED, 5)
        assert len(await house.reads.quarantined(thread_id)) == 1
        damage_version(house, thread_id, 5)
        thread, _ = await inspector(house).repair(thread_id)
        assert (thread.status, thread.head_version) == (Status.COMPLETED, 4)


async def test_a_thread_that_runs_is_not_repaired_by_hand() -> None:
    async with open_house() as house:
        gate = Gate()
        house.on("hold", gate)
        accepted = await house.start(step("hold", python="hold"))
        await house.until(lambda: gate.entered == 1)
        with pytest.raises(Conflict) as caught:
            await inspector(house).repair(accepted.thread.thread_id)
        assert caught.value.code == "thread_running"
        gate.open()


async def test_a_new_run_of_an_old_thread_needs_none_of_its_lost_outputs() -> None:
    async with open_house() as house:
        thread_id = await house.run(*STEPS[:3], input={"n": 1}, thread_id="again")
        damage_output(house, thread_id, "b")
        await house.start(*STEPS[:3], input={"n": 2}, thread_id="again")
        await house.end(thread_id)
        assert (await house.thread(thread_id)).status is Status.COMPLETED


async def test_a_head_whose_columns_lie_gives_way_to_the_parent_that_its_text_names() -> None:
    async with cut() as (house, thread_id):
        head = house.tables.checkpoints[thread_id][3]
        head.parent_version, head.step_id = 1, "hold"
        after = await completed(house, thread_id)
        assert called(after) == ["c", "hold"]  # and not b too, as from version 1
        event = await told(after, thread_id)
        assert (event["to_version"], event["reruns"]) == (3, ["c"])
        assert "parent_version, step_name" in event["findings"][0]["problem"]


async def test_a_manifest_in_the_row_of_another_version_is_not_taken_for_its_own() -> None:
    async with cut() as (house, thread_id):
        rows = house.tables.checkpoints[thread_id]
        rows[3].manifest, rows[3].sha256 = rows[2].manifest, rows[2].sha256
        after = await completed(house, thread_id)
        assert called(after) == ["c", "hold"]
        assert (await told(after, thread_id))["findings"][0]["problem"] == "its text is that of version 3"


async def test_what_a_later_release_has_written_is_left_to_it_and_not_put_aside() -> None:
    async with cut() as (house, thread_id):
        house.tables.checkpoints[thread_id][3].format = 9
        row = house.tables.threads[thread_id]
        claimed_and_left = row.epoch + 2
        async with open_house(house) as after:
            await after.until(lambda: row.epoch == claimed_and_left)
            assert (row.incarnation_id, row.wake_at is not None) == (None, True)
            assert (called(after), row.status, row.head_version) == ([], Status.RUNNING, 4)
            assert await after.reads.quarantined(thread_id) == []
            assert "state_quarantined" not in await after.names(thread_id)
            house.tables.checkpoints[thread_id][3].format = 2  # a process of the later release, so to speak
            after.later(6)
            await after.end(thread_id)
            assert (await after.thread(thread_id)).status is Status.COMPLETED


async def test_a_later_format_beside_damage_keeps_both_from_being_touched() -> None:
    async with open_house() as house:
        thread_id = await house.run(*STEPS[:3], input={"n": 1})
        house.tables.checkpoints[thread_id][1].format = 9
        damage_version(house, thread_id, 4)
        with pytest.raises(UnknownFormat):
            await inspector(house).repair(thread_id)
        assert await house.reads.quarantined(thread_id) == []


async def test_a_later_format_off_the_timeline_keeps_nothing_from_being_repaired() -> None:
    async with open_house() as house:
        thread_id = await house.run(*STEPS[:3], input={"n": 1})
        await house.rollback(thread_id, 2)
        await house.end(thread_id)
        house.tables.checkpoints[thread_id][2].format = 9
        damage_output(house, thread_id, "a")
        report = await inspector(house).verify(thread_id)
        assert sorted(one.kind for one in report.findings) == ["format", "output"]
        await inspector(house).repair(thread_id)
        assert [one.finding.kind for one in await house.reads.quarantined(thread_id)] == ["output"]


async def test_a_thread_whose_execution_row_is_gone_still_tells_and_is_rolled_back() -> None:
    async with cut() as (house, thread_id), open_house(house) as after:
        await after.end(thread_id)
        await after.rollback(thread_id, 4)
        await after.end(thread_id)
        del after.tables.executions[(await after.thread(thread_id)).execution_id]
        with pytest.raises(Corrupt):
            await after.resume(thread_id, from_step="c")
        after.calls.clear()
        await after.rollback(thread_id, 3)
        await after.end(thread_id)
        execution = await after.execution(thread_id)
        assert (execution.kind, execution.status, execution.workflow_name) == ("rollback", Status.COMPLETED, "sewing")
        assert called(after) == ["c", "hold"]
