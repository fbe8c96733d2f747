"""Moving threads to another version of their workflow: who can, who cannot and why, and that nothing done is done again."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from app.domain import jsontext
from app.domain.commands import ForkCommand, RollbackCommand, StartCommand, Variant
from app.domain.errors import Conflict, NotFound
from app.domain.gates import Answer
from app.domain.moving import MoveCommand
from app.domain.status import Status
from tests.unit.engine.house import QUICK, Failing, Gate, House, open_house, step

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from app.domain.moving import Outcome

A, B = step("a", input={"n": "{input.n}"}, assign="x"), step("b", input="{a.output}")
HOLD = step("hold", python="hold", input={"x": "{context.x}"})
END = step("end", input="{hold.output}")
END_OF_ALL = step("last", input=1)


async def begin(house: House, *steps: dict[str, Any], **options: Any) -> str:
    """Register the first version and start a thread of it."""
    await house.control.register({"name": "sewing", "steps": list(steps)})
    command = StartCommand(workflow="sewing", input={"n": 1}, has_input=True, **options)
    return (await house.control.start(command)).thread.thread_id


async def second(house: House, *steps: dict[str, Any], **parts: Any) -> None:
    """Register the next version."""
    await house.control.register({"name": "sewing", "steps": list(steps), **parts})


async def move(house: House, **options: Any) -> list[Outcome]:
    return list((await house.mover.move(MoveCommand(workflow="sewing", **options))).outcomes)


@asynccontextmanager
async def held(*steps: dict[str, Any]) -> AsyncGenerator[tuple[House, str, Gate]]:
    """A house in which a thread runs its step `hold`."""
    async with open_house() as house:
        gate = Gate("held")
        house.on("hold", gate)
        thread_id = await begin(house, *(steps or (A, B, HOLD, END)))
        await house.until(lambda: gate.entered == 1)
        try:
            yield house, thread_id, gate
        finally:
            gate.open()


async def waiting(house: House, *steps: dict[str, Any]) -> str:
    """A thread that waits in its step `nap` or `ask`."""
    thread_id = await begin(house, *steps)
    await house.until_status(thread_id, "waiting")
    await house.until(lambda: house.tables.threads[thread_id].incarnation_id is None)
    return thread_id


def overtaken(house: House, act: Callable[[], Awaitable[Any]]) -> list[Any]:
    """Before the next lock of a thread is taken, somebody else acts; the list gets what came of it."""
    done: list[Any] = []

    async def steer(*arguments: Any, **more: Any) -> Any:
        house.journal.instead.clear()
        done.append(await act())
        return await house.journal.steer(*arguments, **more)

    house.journal.instead["steer"] = steer
    return done


async def version_of(house: House, thread_id: str) -> int | None:
    definition = await house.catalog._registry.definition((await house.thread(thread_id)).definition_id)
    assert definition is not None
    return definition.version


async def test_a_running_thread_goes_on_in_the_new_version_without_doing_anything_twice() -> None:
    async with held() as (house, thread_id, gate):
        old = await house.execution(thread_id)
        await second(house, A, B, HOLD, step("extra", input="{b.output}"), END)
        [outcome] = await move(house)
        await house.until(lambda: gate.entered == 2)
        gate.open()
        await house.end(thread_id)
        execution = await house.execution(thread_id)
        assert (execution.status, execution.kind, execution.workflow_version) == (Status.COMPLETED, "migrate", 2)
        assert (outcome.execution_id, outcome.from_version) == (execution.id, 1)
        assert [house.called(one) for one in ("a", "b", "extra", "end")] == [1, 1, 1, 1]
        before = await house.reads.execution(old.id)
        assert before is not None
        assert (before.status, jsontext.loads(before.error or "")["kind"]) == (Status.CANCELLED, "superseded")
        assert len(set(house.keys("hold"))) == 1  # the same step run goes on: its effect happens once
        assert [one.version for one in await house.versions(thread_id)] == list(range(1, 8))


async def test_the_event_tells_from_where_to_where() -> None:
    async with held() as (house, thread_id, _):
        await second(house, A, B, HOLD, END, step("more"))
        await move(house)
        [event] = await house.events(thread_id, "workflow_migrated")
        assert event.execution_id == (await house.thread(thread_id)).execution_id
        assert jsontext.loads(event.data) == {
            "status": "pending",
            "progress": 0.4,
            "from_workflow_version": 1,
            "to_workflow_version": 2,
        }


@pytest.mark.parametrize(
    ("steps", "code", "named"),
    [
        (
            (step("a", input={"n": 2}, assign="x"), B, HOLD, END),
            "step_differs",
            "a has completed, and in version 2 it differs in input",
        ),
        ((A, step("b", python="hold", input="{a.output}"), HOLD, END), "step_differs", "python"),
        ((step("a", input={"n": "{input.n}"}), B, step("hold", python="hold"), END), "step_differs", "assign"),
        ((A, step("b", input="{a.output}", when="true"), HOLD, END), "step_differs", "when"),
        ((A, HOLD, END), "step_gone", "b has completed, and version 2 has no such step"),
        (
            (A, B, step("hold", python="hold"), END),
            "open_step_differs",
            "hold is running, and in version 2 it differs in input",
        ),
        ((A, B, step("end")), "open_step_gone", "hold is running"),
    ],
)
async def test_what_was_done_or_runs_and_is_not_the_same_keeps_a_thread_where_it_is(
    steps: Any, code: str, named: str
) -> None:
    async with held() as (house, thread_id, gate):
        before = await house.thread(thread_id)
        await second(house, *steps)
        [outcome] = await move(house)
        assert (outcome.reasons[0].code, outcome.execution_id) == (code, None)
        assert named in outcome.reasons[0].message
        assert await house.thread(thread_id) == before
        gate.open()
        await house.end(thread_id)
        assert await version_of(house, thread_id) == 1


async def test_what_says_only_when_and_how_patiently_may_differ() -> None:
    async with held() as (house, thread_id, _):
        patient = {"timeout": "9m", "retry": {"max_attempts": 9}, "description": "x", "effect": "none"}
        await second(house, {**A, **patient}, {**B, **patient, "needs": ["a"]}, {**HOLD, **patient}, END)
        [outcome] = await move(house)
        assert list(outcome.reasons) == []
        assert await version_of(house, thread_id) == 2


async def test_every_reason_is_told_not_the_first_alone() -> None:
    async with held() as (house, _, _gate):
        await second(house, step("a"), step("hold"), END)
        [outcome] = await move(house)
        assert [(one.code, one.step_id) for one in outcome.reasons] == [
            ("step_differs", "a"),
            ("step_gone", "b"),
            ("open_step_differs", "hold"),
        ]


async def test_a_dry_run_tells_the_same_and_changes_nothing() -> None:
    async with held() as (house, thread_id, _):
        before = await house.thread(thread_id)
        await second(house, A, B, HOLD, END, step("more"))
        [outcome] = await move(house, dry_run=True)
        assert (list(outcome.reasons), outcome.execution_id, outcome.status) == ([], None, Status.RUNNING)
        assert await house.thread(thread_id) == before


async def test_a_sleeping_thread_wakes_when_it_would_have() -> None:
    async with open_house() as house:
        steps = [A, step("nap", sleep="1h"), step("end")]
        thread_id = await waiting(house, *steps)
        house.later(3_000)
        await second(house, A, step("nap", sleep="1h"), step("end"), step("more"))
        await move(house)
        await house.until_status(thread_id, "waiting")
        house.later(700)
        await house.end(thread_id)
        assert (await house.thread(thread_id)).status is Status.COMPLETED
        assert house.called("a") == 1


async def test_a_gate_that_was_asked_before_is_not_asked_again() -> None:
    async with open_house() as house:
        gate = {"id": "ask", "gate": {"title": "Well?"}}
        thread_id = await waiting(house, A, gate, step("end", input="{ask.output}"))
        await second(house, A, gate, step("end", input={"said": "{ask.output}"}))
        await move(house)
        await house.until_status(thread_id, "waiting")
        await house.gates.answer(thread_id, "ask", Answer(answer_json='"yes"'))
        await house.end(thread_id)
        assert (await house.steps(thread_id))["end"].output == '{"said":"yes"}'
        assert (await house.names(thread_id)).count("gate_waiting") == 1


async def test_attempts_that_were_spent_stay_spent() -> None:
    async with open_house() as house:
        house.on("fails", Failing(RuntimeError("no"), times=9))
        retry = {"max_attempts": 3, "initial_interval": 60, "jitter": False}
        bad = step("bad", python="fails", retry=retry)
        thread_id = await waiting(house, A, bad)
        await second(house, A, bad, step("more"))
        await move(house)
        await house.until_status(thread_id, "waiting")
        house.later(61)
        await house.until(lambda: house.called("bad") == 2)
        await house.until_status(thread_id, "waiting")
        house.later(121)
        await house.end(thread_id)
        assert [each[2] for each in house.calls if each[0] == "bad"] == [1, 2, 3]


async def test_items_that_are_done_are_not_done_again() -> None:
    async with open_house() as house:
        gate = Gate("held")

        async def one(value: Any, ctx: Any) -> Any:
            return await gate(value, ctx) if value == 3 else value

        house.on("one", one)
        each = step("each", python="one", for_each=[1, 2, 3], concurrency=1, input="{item}")
        thread_id = await begin(house, each)
        await house.until(lambda: gate.entered == 1)
        await second(house, {**each, "concurrency": 3}, step("more"))
        await move(house)
        await house.until(lambda: gate.entered == 2)
        gate.open()
        await house.end(thread_id)
        assert house.called("each") == 4


async def test_a_sub_workflow_goes_on_untouched_while_its_parent_is_moved() -> None:
    async with open_house() as house:
        await house.control.register({"name": "inner", "steps": [step("x"), step("nap", sleep="1h")]})
        child = step("child", workflow="inner", input=1)
        thread_id = await begin(house, A, child)
        await house.until_status(thread_id, "waiting")
        [inner] = await house.reads.children(thread_id)
        await house.until_status(inner.thread_id, "waiting")
        await second(house, A, child, step("more"))
        await move(house)
        await house.until_status(thread_id, "waiting")
        assert (await house.thread(inner.thread_id)).execution_id == inner.execution_id
        house.later(3_700)
        await house.end(thread_id)
        assert (house.called("x"), len(await house.reads.children(thread_id))) == (1, 1)
        assert (await house.thread(thread_id)).status is Status.COMPLETED


async def test_a_paused_thread_stays_paused_and_resumes_in_the_new_version() -> None:
    async with open_house() as house:
        thread_id = await waiting(house, A, step("nap", sleep="1h"), step("end"))
        await house.control.pause(thread_id)
        await second(house, A, step("nap", sleep="1h"), step("end"), step("more"))
        await move(house)
        thread, execution = await house.thread(thread_id), await house.execution(thread_id)
        assert (thread.status, execution.status, execution.workflow_version) == (Status.PAUSED, Status.PAUSED, 2)
        await house.resume(thread_id)
        await house.until_status(thread_id, "waiting")
        house.later(3_700)
        await house.end(thread_id)
        assert house.called("more") == 1


async def test_a_failed_thread_stays_failed_and_a_resume_does_the_mended_step() -> None:
    async with open_house() as house:
        house.on("fails", Failing(RuntimeError("no")))
        once = {"max_attempts": 1}
        thread_id = await begin(house, A, step("bad", python="fails", retry=once), step("end"))
        await house.end(thread_id)
        await second(house, A, step("bad", input=7), step("end", input="{bad.output}"))
        [outcome] = await move(house)
        failed, before = await house.execution(thread_id), await house.thread(thread_id)
        assert (before.status, failed.status, failed.workflow_version) == (Status.FAILED, Status.FAILED, 2)
        assert jsontext.loads(failed.error or "")["message"] == "RuntimeError: no"
        assert (outcome.status, (await house.names(thread_id))[-1]) == (Status.FAILED, "workflow_migrated")
        await house.resume(thread_id)
        await house.end(thread_id)
        assert (await house.steps(thread_id))["end"].output == "7"
        first, again = house.keys("bad")
        assert first != again  # another input under the old key might be answered with the old result
        assert house.called("a") == 1


async def test_a_failed_step_that_is_the_same_keeps_its_key() -> None:
    async with open_house() as house:
        house.on("fails", Failing(RuntimeError("no"), times=1))
        bad = step("bad", python="fails", retry={"max_attempts": 1})
        thread_id = await begin(house, A, bad)
        await house.end(thread_id)
        await second(house, A, bad, step("more"))
        await move(house, resume=True)
        await house.end(thread_id)
        assert (await house.execution(thread_id)).kind == "migrate"
        assert len(set(house.keys("bad"))) == 1


async def test_a_step_that_has_failed_while_others_run_is_waited_for() -> None:
    async with open_house() as house:
        gate = Gate()
        house.on("hold", gate)
        house.on("fails", Failing(RuntimeError("no")))
        bad = step("bad", python="fails", needs=[], retry={"max_attempts": 1})
        thread_id = await begin(house, step("hold", python="hold"), bad)
        await house.until(lambda: "step_failed" in [e.name for e in house.tables.events[thread_id]])
        await second(house, step("hold", python="hold"), {**bad, "timeout": "1m"})
        [outcome] = await move(house)
        assert [one.code for one in outcome.reasons] == ["step_failing"]
        gate.open()
        await house.end(thread_id)


async def test_completed_threads_and_those_of_other_versions_are_not_looked_at() -> None:
    async with open_house() as house:
        done = await begin(house, A)
        await house.end(done)
        await second(house, A, B)
        assert await move(house) == []
        [named] = await move(house, thread_ids=[done], statuses=[Status.FAILED])
        assert named.reasons[0].code == "another_status"
        [gone] = await move(house, thread_ids=["nobody"])
        assert (gone.status, gone.reasons[0].code) == (None, "thread_not_found")


async def test_a_thread_of_a_document_or_of_another_workflow_is_refused_by_name() -> None:
    async with open_house() as house:
        await second(house, A)
        sleepy = [step("nap", sleep="1h")]
        ad_hoc = (await house.start(*sleepy)).thread.thread_id
        other = (await house.start(*sleepy, doc_name="other")).thread.thread_id
        found = await move(house, thread_ids=[ad_hoc, other])
        assert [one.reasons[0].code for one in found] == ["ad_hoc", "another_workflow"]


async def test_an_unknown_version_is_not_found() -> None:
    async with open_house() as house:
        await second(house, A)
        for wrong in ({"to_version": 9}, {"from_version": 9}):
            with pytest.raises(NotFound) as caught:
                await move(house, **wrong)
            assert caught.value.code == "workflow_not_found"


async def test_a_page_ends_at_its_limit_and_the_next_begins_after_it() -> None:
    async with open_house() as house:
        nap = step("nap", sleep="1h")
        ids = [await begin(house, nap, thread_id=f"t{number}") for number in range(5)]
        for thread_id in ids:
            await house.until_status(thread_id, "waiting")
        await second(house, nap, step("more"))
        first = await house.mover.move(MoveCommand(workflow="sewing", limit=3))
        assert ([one.thread_id for one in first.outcomes], first.more) == (["t0", "t1", "t2"], True)
        rest = await house.mover.move(MoveCommand(workflow="sewing", limit=3, after="t2"))
        assert ([one.thread_id for one in rest.outcomes], rest.more) == (["t3", "t4"], False)


async def test_two_migrations_at_once_move_a_thread_once() -> None:
    async with held() as (house, thread_id, _):
        await second(house, A, B, HOLD, END, step("more"))
        first = overtaken(house, lambda: move(house))
        [outcome] = await move(house, thread_ids=[thread_id])
        assert outcome.reasons[0].code == "already_there"
        assert [one.execution_id is not None for [one] in first] == [True]
        assert len(await house.events(thread_id, "workflow_migrated")) == 1


async def test_a_step_that_ends_in_between_counts_as_done_and_must_fit() -> None:
    async with held() as (house, thread_id, gate):
        await second(house, A, B, HOLD, step("end", input="{hold.output}", python="hold"))

        async def steer(*arguments: Any, **more: Any) -> Any:
            gate.open()
            await house.end(thread_id)
            return await house.journal._journal.steer(*arguments, **more)

        house.journal.instead["steer"] = steer
        [outcome] = await move(house)
        assert (outcome.reasons[0].code, outcome.execution_id) == ("another_status", None)
        assert await version_of(house, thread_id) == 1


async def test_a_wish_to_pause_outlives_the_move() -> None:
    async with held() as (house, thread_id, gate):
        house.worker.heed = lambda *_: None  # type: ignore[method-assign]  # its driver has not seen it yet
        await house.journal.signal(thread_id, "pause")
        await second(house, A, B, HOLD, END, step("more"))
        await move(house)
        await house.until(lambda: gate.entered == 2)
        gate.open()
        await house.until_status(thread_id, "paused")
        assert (await house.execution(thread_id)).workflow_version == 2
        assert house.called("end") == 0


async def test_a_crash_right_after_the_commit_loses_nothing() -> None:
    async with held() as (house, thread_id, gate):
        await second(house, A, B, HOLD, END, step("more"))
        steer = house.journal._journal.steer

        async def and_die(*arguments: Any, **more: Any) -> Any:
            answer = await steer(*arguments, **more)
            await house.die()
            return answer

        house.journal.instead["steer"] = and_die
        moving = asyncio.create_task(move(house))
        await house.until(lambda: house.journal.cut)
        gate.open()
        async with open_house(house) as after:
            await after.end(thread_id)
            execution = await after.execution(thread_id)
            assert (execution.status, execution.workflow_version) == (Status.COMPLETED, 2)
            assert (after.called("a"), after.called("more")) == (1, 1)
        moving.cancel()


async def test_a_resume_that_read_the_old_version_is_decided_anew() -> None:
    async with open_house() as house:
        house.on("fails", Failing(RuntimeError("no"), times=1))
        bad = step("bad", python="fails", retry={"max_attempts": 1})
        thread_id = await begin(house, A, bad)
        await house.end(thread_id)
        await second(house, A, bad, step("more"))
        overtaken(house, lambda: move(house))
        await house.resume(thread_id, skip={"more": "given"})
        await house.end(thread_id)
        assert (await house.execution(thread_id)).workflow_version == 2
        assert (await house.steps(thread_id))["more"].output == '"given"'


async def test_a_rollback_behind_the_move_stays_in_the_new_version_where_the_state_fits() -> None:
    async with held() as (house, thread_id, gate):
        await second(house, A, step("b", input="{a.output}"), HOLD, END, step("more"))
        await move(house)
        gate.open()
        await house.end(thread_id)
        await house.rollback(thread_id, 2)
        await house.end(thread_id)
        execution = await house.execution(thread_id)
        assert (execution.kind, execution.workflow_version) == ("rollback", 2)
        assert (house.called("a"), house.called("b"), house.called("more")) == (1, 2, 2)


async def test_a_rollback_or_fork_to_a_state_that_does_not_fit_is_refused() -> None:
    async with held() as (house, thread_id, gate):
        gate.open()
        await house.end(thread_id)
        await house.rollback(thread_id, 1, resume=False)
        await second(house, A, step("b", input={"other": 1}), HOLD, END)
        [outcome] = await move(house)
        assert list(outcome.reasons) == []
        for refused in (
            house.rollback(thread_id, 3),
            house.control.ahead.rollback(RollbackCommand(thread_id=thread_id, to_version=3)),
        ):
            with pytest.raises(Conflict) as caught:
                await refused
            assert (caught.value.code, caught.value.details["reasons"][0]["step_id"]) == ("workflow_mismatch", "b")
        with pytest.raises(Conflict):
            await house.control.fork(ForkCommand(thread_id=thread_id, version=3, variants=[Variant(name="a")]))
        await house.rollback(thread_id, 2)
        await house.end(thread_id)
        assert (await house.thread(thread_id)).status is Status.COMPLETED


async def test_a_workflow_in_python_is_refused_with_its_reason() -> None:
    async with open_house() as house:
        source = {"function": "tests.flow", "sha256": "0" * 64, "source": "one"}
        thread_id = await waiting(house, step("nap", sleep="1h"))
        await house.control.register_code({"name": "sewing", "code": source})
        [outcome] = await move(house)
        assert (outcome.thread_id, outcome.reasons[0].code) == (thread_id, "python_workflow")


async def test_damage_keeps_a_thread_where_it_is_and_hurts_no_other() -> None:
    async with open_house() as house:
        nap = step("nap", sleep="1h")
        ids = [await begin(house, A, nap, thread_id=f"t{number}") for number in range(2)]
        for thread_id in ids:
            await house.until_status(thread_id, "waiting")
        house.tables.checkpoints["t0"][-1].manifest = "{}"
        await second(house, A, nap, step("more"))
        first, other = await move(house)
        assert (first.reasons[0].code, list(other.reasons)) == ("state_corrupt", [])


async def test_an_override_for_a_step_that_differs_keeps_the_thread_where_it_is() -> None:
    async with open_house() as house:
        nap = step("nap", sleep="1h")
        later = step("later", retry=QUICK)
        thread_id = await begin(house, A, nap, later)
        await house.until_status(thread_id, "waiting")
        await house.control.cancel(thread_id)
        await house.resume(thread_id, skip={"later": 1})
        await house.until_status(thread_id, "waiting")
        await second(house, A, nap, step("later", input=2))
        [outcome] = await move(house)
        assert [(one.code, one.step_id) for one in outcome.reasons] == [("asked_step_differs", "later")]


async def test_a_start_with_a_delay_begins_when_it_would_have(house: House) -> None:
    thread_id = await begin(house, A, delay=3_600)
    due = house.tables.threads[thread_id].wake_at
    await second(house, A, END_OF_ALL)
    [found] = await move(house)
    assert found.execution_id is not None
    assert house.tables.threads[thread_id].wake_at == due
