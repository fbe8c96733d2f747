"""Checkpoint policies on an engine: what history shows, what a rollback reaches, and that a crash loses nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from app.domain.checkpoints import CheckpointPolicy, Frequency
from app.domain.commands import ForkCommand, RollbackCommand, StartCommand, Variant
from app.domain.document_code import document_of
from app.domain.errors import NotFound
from app.domain.gates import Answer
from app.domain.runner import StepFailure
from app.runners.registration import workflow
from tests.unit.engine.house import Failing, Gate, open_house, step

if TYPE_CHECKING:
    from tests.unit.engine.house import House

MANUAL = {"frequency": "manual"}
SIX = [step(f"s{number}") for number in range(1, 7)]


def every(interval: float) -> dict[str, Any]:
    return {"frequency": "every_n_steps", "interval": interval}


async def shown(house: House, thread_id: str) -> list[int]:
    return [each.version for each in await house.versions(thread_id) if not each.hidden]


async def test_every_n_steps_shows_the_start_each_nth_and_the_end(house: House) -> None:
    thread_id = await house.run(*SIX, doc_checkpoint=every(4))
    assert [each.version for each in await house.versions(thread_id)] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert await shown(house, thread_id) == [1, 5, 8]


async def test_the_policy_of_the_service_holds_where_the_workflow_says_none_from_the_next_version_on(
    house: House,
) -> None:
    house.checkpoints = CheckpointPolicy(Frequency.MANUAL)

    async def change(value: Any, ctx: Any) -> None:
        house.checkpoints = CheckpointPolicy()

    house.on("change", change)
    thread_id = await house.run(step("a"), step("b", python="change"), step("c"))
    own = await house.run(step("a"), doc_checkpoint=MANUAL)
    assert (await shown(house, thread_id), await shown(house, own)) == ([1, 3, 4, 5], [1, 3])


async def test_time_based_shows_the_first_version_of_each_interval(house: House) -> None:
    async def wait(value: Any, ctx: Any) -> None:
        house.later(value)

    house.on("wait", wait)
    steps = [step(f"s{place}", python="wait", input=value) for place, value in enumerate((20, 20, 30, 0, 70))]
    thread_id = await house.run(*steps, doc_checkpoint={"frequency": "time_based", "interval": "1m"})
    assert await shown(house, thread_id) == [1, 4, 6, 7]


async def test_on_gates_shows_where_a_gate_asks_and_its_answer(house: House) -> None:
    steps = (step("a"), step("b"), step("ask", gate={"show": 1}), step("c"))
    thread_id = (await house.start(*steps, doc_checkpoint={"frequency": "on_gates"})).thread.thread_id
    await house.until_status(thread_id, "waiting")
    await house.gates.answer(thread_id, "ask", Answer(answer_json="true", by="me", via="api"))
    await house.end(thread_id)
    assert await shown(house, thread_id) == [1, 3, 4, 6]


async def test_a_step_can_ask_for_its_version_to_be_shown(house: House) -> None:
    thread_id = await house.run(step("a"), step("b", checkpoint=True), step("c"), doc_checkpoint=MANUAL)
    assert await shown(house, thread_id) == [1, 3, 5]


async def test_a_workflow_in_python_has_a_policy_and_asks_by_the_call(house: House) -> None:
    @workflow("coded", checkpoint=MANUAL)
    async def coded(ctx: Any, given: Any) -> None:
        await ctx.step("a", python="echo")
        await ctx.step("b", python="echo", checkpoint=True)

    house.functions.add(coded)
    await house.control.register_code(document_of("coded", coded, checkpoint=MANUAL))
    accepted = await house.control.start(StartCommand(workflow="coded"))
    thread_id = await house.end(accepted.thread.thread_id)
    assert await shown(house, thread_id) == [1, 3, 4]


async def test_a_person_asks_for_the_head_to_be_shown_while_it_runs(house: House) -> None:
    gate = Gate()
    house.on("held", gate)
    thread_id = (await house.start(step("a"), step("b", python="held"), doc_checkpoint=MANUAL)).thread.thread_id
    await house.until(lambda: gate.entered)
    assert await house.control.checkpoint(thread_id) == 2
    gate.open()
    await house.end(thread_id)
    assert await shown(house, thread_id) == [1, 2, 4]
    with pytest.raises(NotFound):
        await house.control.checkpoint("nobody")


async def test_a_hidden_version_cannot_be_rolled_back_to_nor_forked_and_the_nearest_are_named(house: House) -> None:
    thread_id = await house.run(*SIX, doc_checkpoint=every(4))
    for refused in (
        house.rollback(thread_id, 3),
        house.control.ahead.rollback(RollbackCommand(thread_id=thread_id, to_version=3)),
        house.control.fork(ForkCommand(thread_id=thread_id, version=3, variants=[Variant(name="a")])),
    ):
        with pytest.raises(NotFound, match="nearest that are: 1 and 5") as caught:
            await refused
        assert caught.value.code == "version_not_found"
    assert (await house.rollback(thread_id, 5)).thread.head_version == 5


async def test_the_version_that_a_thread_failed_at_stays_in_sight_once_it_is_resumed(house: House) -> None:
    house.on("once", Failing(StepFailure("not yet", retryable=False), times=1))
    thread_id = await house.run(step("a"), step("b", python="once"), step("c"), doc_checkpoint=MANUAL)
    assert await shown(house, thread_id) == [1]
    await house.resume(thread_id)
    await house.end(thread_id)
    assert await shown(house, thread_id) == [1, 2, 5]


async def test_a_hidden_head_can_be_rolled_back_to_and_returned_to(house: House) -> None:
    gate = Gate()
    house.on("held", gate)
    thread_id = (await house.start(step("a"), step("b", python="held"), doc_checkpoint=MANUAL)).thread.thread_id
    await house.until(lambda: gate.entered)
    assert (await house.rollback(thread_id, 2, resume=False)).thread.head_version == 2
    assert (await house.rollback(thread_id, 1, resume=False)).thread.head_version == 1
    assert (await house.rollback(thread_id, 2, resume=False)).thread.head_version == 2


@pytest.mark.parametrize("checkpoint", [every(100), MANUAL, {"frequency": "time_based", "interval": "1h"}])
async def test_a_crash_loses_nothing_under_any_policy(checkpoint: dict[str, Any]) -> None:
    async with open_house() as first:
        gate = Gate()
        first.on("held", gate)
        steps = (step("a"), step("b"), step("c", python="held"), step("d"))
        thread_id = (await first.start(*steps, doc_checkpoint=checkpoint)).thread.thread_id
        await first.until(lambda: gate.entered)
        await first.die()
        async with open_house(first, share=False) as second:
            second.on("held", Gate.opened)
            await second.end(thread_id)
            assert (await second.thread(thread_id)).status == "completed"
            assert second.called("c") == 1
            assert not second.called("a")
            assert [each.version for each in await second.versions(thread_id)] == [1, 2, 3, 4, 5, 6]
            assert await shown(second, thread_id) == [1, 6]


async def test_the_workflow_of_the_docs_shows_what_the_docs_say(house: House) -> None:
    page = (Path(__file__).parents[3] / "docs/checkpoints.md").read_text(encoding="utf-8")
    document = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    for name in ("fetch", "extract", "store"):
        house.on(name, Gate.opened)
    accepted = await house.control.start(StartCommand(workflow=document))
    thread_id = await house.end(accepted.thread.thread_id)
    told = [[one.version, one.step_id] for one in await house.versions(thread_id) if not one.hidden]
    assert json.dumps(told, separators=(",", ":")) in page
