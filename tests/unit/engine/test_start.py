"""Starting: keys that start once, ids that exist, inputs that do not fit, and slots."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.domain.commands import StartCommand
from app.domain.errors import Conflict, InvalidInput, InvalidRequest, NotFound
from app.domain.runner import StepFailure
from tests.unit.engine.house import Failing, Gate, House, open_house, step

DOCUMENT = {"name": "sewing", "steps": [step("a")]}


def command(key: str | None = None, body: bytes = b"1", **options: Any) -> StartCommand:
    return StartCommand(**{"workflow": DOCUMENT, "idempotency_key": key, "request_sha256": body} | options)


async def test_starting_twice_with_one_key_starts_once(house: House) -> None:
    first, second = await house.control.start(command("k")), await house.control.start(command("k"))
    assert (first.created, first.replayed) == (True, False)
    assert (second.created, second.replayed) == (False, True)
    assert (second.thread.thread_id, second.execution_id) == (first.thread.thread_id, first.execution_id)
    await house.end(first.thread.thread_id)
    assert (len(house.tables.threads), house.called("a")) == (1, 1)
    await house.until(lambda: house.worker.free == 10)


async def test_one_key_for_two_requests_is_refused(house: House) -> None:
    await house.control.start(command("k"))
    with pytest.raises(InvalidRequest) as caught:
        await house.control.start(command("k", b"2"))
    assert caught.value.code == "idempotency_key_reused"


async def test_a_key_in_flight_is_a_conflict(house: House) -> None:
    write, go = house.journal._journal.start, asyncio.Event()

    async def slow(start: Any) -> Any:
        await go.wait()
        return await write(start)

    house.journal.instead["start"] = slow
    first = asyncio.get_running_loop().create_task(house.control.start(command("k")))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        with pytest.raises(Conflict) as caught:
            await house.control.start(command("k"))
    assert caught.value.code == "idempotency_key_in_flight"
    go.set()
    assert (await first).created


async def test_a_key_on_a_thread_that_runs_again_stands_for_that_execution(house: House) -> None:
    await house.run(step("a"), thread_id="mine")
    again = command("k", thread_id="mine", input=1, has_input=True)
    first = await house.control.start(again)
    await house.end("mine")
    second = await house.control.start(again)
    assert (second.replayed, second.execution_id) == (True, first.execution_id)
    assert house.called("a") == 2


async def test_a_key_on_a_start_that_resumes_is_replayed_too(house: House) -> None:
    gate = Gate()
    house.on("b", Failing(StepFailure("no", retryable=False), times=1))
    house.on("gate", gate)
    document = {"name": "sewing", "steps": [step("b", python="b"), step("c", python="gate")]}
    await house.end((await house.control.start(command(workflow=document, thread_id="mine"))).thread.thread_id)
    first = await house.control.start(command("k", workflow=document, thread_id="mine"))
    second = await house.control.start(command("k", workflow=document, thread_id="mine"))
    assert (second.replayed, second.execution_id) == (True, first.execution_id)
    gate.open()
    await house.end("mine")


async def test_an_id_of_another_workflow_is_a_conflict(house: House) -> None:
    await house.run(step("a"), thread_id="mine")
    with pytest.raises(Conflict):
        await house.control.start(command(workflow={"name": "other", "steps": [step("a")]}, thread_id="mine"))


@pytest.mark.parametrize("given", [{}, {"input": 1, "has_input": True}])
async def test_an_id_that_runs_is_a_conflict(house: House, given: dict[str, Any]) -> None:
    gate = Gate()
    house.on("gate", gate)
    await house.start(step("g", python="gate"), thread_id="mine")
    document = {"name": "sewing", "steps": [step("g", python="gate")]}
    with pytest.raises(Conflict) as caught:
        await house.control.start(command(workflow=document, thread_id="mine", **given))
    assert caught.value.code == "thread_running"
    gate.open()
    await house.end("mine")


async def test_an_id_that_failed_is_resumed_without_input(house: House) -> None:
    house.on("b", Failing(StepFailure("no", retryable=False), times=1))
    document = {"name": "sewing", "steps": [step("a"), step("b", python="b")]}
    await house.end((await house.control.start(command(workflow=document, thread_id="mine"))).thread.thread_id)
    accepted = await house.control.start(command(workflow=document, thread_id="mine"))
    assert (accepted.created, accepted.from_version) == (False, 2)
    await house.end("mine")
    assert (house.called("a"), house.called("b")) == (1, 2)


async def test_an_id_that_completed_has_nothing_to_do_without_input(house: House) -> None:
    await house.run(step("a"), thread_id="mine")
    assert (await house.control.start(command(thread_id="mine"))).nothing_to_do


async def test_two_starts_of_one_new_id_make_one_thread(house: House) -> None:
    outcomes = await asyncio.gather(
        *(house.control.start(command(thread_id="mine", has_input=True)) for _ in range(2)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Accepted", "Conflict"]
    await house.end("mine")
    await house.until(lambda: house.worker.free == 10)


async def test_an_input_that_does_not_match_the_schema_starts_nothing(house: House) -> None:
    with pytest.raises(InvalidInput) as caught:
        await house.start(step("a"), input={"topic": 1}, doc_input={"properties": {"topic": {"type": "string"}}})
    assert caught.value.problems[0].pointer.endswith("/topic")
    assert not house.tables.threads


async def test_an_unknown_workflow_is_not_found(house: House) -> None:
    for name in ("nobody", "nobody@1", "nobody@latest"):
        with pytest.raises(NotFound):
            await house.control.start(command(workflow=name))


async def test_a_name_gives_the_newest_version_and_a_number_that_one(house: House) -> None:
    for text in ("old", "new"):
        await house.control.register({"name": "named", "steps": [step("a", input=text)]})
    newest = await house.control.start(command(workflow="named"))
    first = await house.control.start(command(workflow="named@1"))
    outputs = []
    for accepted in (newest, first):
        await house.end(accepted.thread.thread_id)
        outputs.append((await house.execution(accepted.thread.thread_id)).output)
    assert outputs == ['{"a":"new"}', '{"a":"old"}']


async def test_no_more_threads_run_than_there_are_slots() -> None:
    async with open_house(slots=2) as house:
        gate = Gate()
        house.on("gate", gate)
        threads = [(await house.start(step("g", python="gate"))).thread.thread_id for _ in range(5)]
        await house.until(lambda: gate.entered == 2)
        assert sorted(house.tables.threads[t].status for t in threads) == ["pending"] * 3 + ["running"] * 2
        gate.open()
        for thread_id in threads:
            await house.end(thread_id)
        await house.until(lambda: house.worker.free == 2)


async def test_who_waits_for_a_slot_goes_before_who_starts_later() -> None:
    async with open_house(slots=1) as house:
        gate = Gate()
        house.on("gate", gate)
        await house.start(step("g", python="gate"), thread_id="first")
        await house.until(lambda: gate.entered)
        await house.start(step("a"), thread_id="second")
        gate.open()
        await house.end("first")
        await house.start(step("a"), thread_id="third")
        await house.end("third")
        done = {t: house.tables.threads[t].updated_at for t in ("second", "third")}
        assert done["second"] < done["third"]


async def test_a_thread_that_becomes_due_while_all_slots_are_taken_is_not_starved() -> None:
    async with open_house(slots=1) as house:
        await house.start(step("s", sleep="1h"), thread_id="sleeper")
        await house.until_status("sleeper", "waiting")
        await house.until(lambda: not house.worker._claims.backlog)
        gate = Gate()
        house.on("gate", gate)
        await house.start(step("g", python="gate"), thread_id="busy")
        await house.until(lambda: gate.entered)
        house.later(3601)
        await house.until(lambda: house.worker._claims.backlog)
        assert not house.worker.reserve("newcomer")
        gate.open()
        await house.end("sleeper")
        assert (await house.thread("sleeper")).status == "completed"


async def test_a_start_that_is_cancelled_in_flight_is_driven_all_the_same(house: House) -> None:
    write, go = house.journal._journal.start, asyncio.Event()

    async def slow(start: Any) -> Any:
        outcome = await write(start)
        await go.wait()
        return outcome

    house.journal.instead["start"] = slow
    started = asyncio.get_running_loop().create_task(house.control.start(command(thread_id="mine")))
    await house.until(lambda: "mine" in house.tables.threads)
    started.cancel()
    await asyncio.wait([started])
    house.worker.hint()
    await house.end("mine")
    await house.until(lambda: house.worker.free == 10)


OBJECT = {"type": "object", "properties": {"n": {"type": "integer"}}}


def without_input(schema: dict[str, Any], **more: Any) -> StartCommand:
    document = {"name": "sewing", "input": schema, "steps": [step("a")]}
    return StartCommand(workflow=document, **{"omits_input": True, **more})


async def test_a_start_without_any_input_begins_with_an_empty_object_where_that_fits(house: House) -> None:
    accepted = await house.control.start(without_input(OBJECT))
    thread_id = await house.end(accepted.thread.thread_id)
    assert (await house.execution(thread_id)).output == '{"a":{}}'


async def test_a_start_without_any_input_tells_what_the_empty_object_lacks(house: House) -> None:
    with pytest.raises(InvalidInput, match='"n" is a required property'):
        await house.control.start(without_input({**OBJECT, "required": ["n"]}))


@pytest.mark.parametrize("schema", [{}, {"type": ["null", "object"]}])
async def test_where_null_fits_it_stays_null(house: House, schema: dict[str, Any]) -> None:
    accepted = await house.control.start(without_input(schema))
    thread_id = await house.end(accepted.thread.thread_id)
    assert (await house.execution(thread_id)).output == '{"a":null}'


async def test_a_null_that_was_sent_is_not_taken_for_an_empty_object(house: House) -> None:
    with pytest.raises(InvalidInput, match="null"):
        await house.control.start(without_input(OBJECT, omits_input=False))


async def test_an_ended_thread_that_is_started_without_input_is_resumed_all_the_same(house: House) -> None:
    first = await house.control.start(without_input(OBJECT, thread_id="mine"))
    await house.end("mine")
    again = await house.control.start(without_input(OBJECT, thread_id="mine"))
    assert (again.nothing_to_do, again.execution_id) == (True, first.execution_id)
