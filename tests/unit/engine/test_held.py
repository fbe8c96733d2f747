"""Past its lease by its own clock, or while the store is away, a process starts nothing, keeps what runs and holds results."""

from __future__ import annotations

from tests.unit.engine.house import Gate, House, step


async def test_what_runs_goes_on_and_what_comes_after_it_waits(house: House) -> None:
    gate = Gate("kept")
    house.on("a", gate)
    thread_id = (await house.start(step("a", python="a"), step("b"))).thread.thread_id
    await house.until(lambda: gate.entered)
    house.may_start = False
    gate.open()
    await house.until(lambda: house.tables.threads[thread_id].head_version == 2)
    assert (await house.steps(thread_id))["a"].output == '"kept"'
    assert house.called("b") == 0
    house.may_start = True
    house.worker.go_on()
    await house.end(thread_id)
    assert house.called("b") == 1


async def test_nothing_is_taken_up_and_a_new_thread_waits_in_the_store(house: House) -> None:
    house.may_start = False
    thread_id = (await house.start(step("a"))).thread.thread_id
    assert house.tables.threads[thread_id].incarnation_id is None
    house.worker.hint()
    await house.until(lambda: not house.worker._claims._due.is_set())
    assert house.tables.threads[thread_id].status == "pending"
    house.may_start = True
    house.worker.go_on()
    await house.end(thread_id)


async def test_a_process_that_froze_between_launch_and_start_does_not_start(house: House) -> None:
    asked: list[bool] = []

    def may_start() -> bool:
        asked.append(True)
        return len(asked) != 2  # launched, and then frozen for longer than the lease

    house.worker._deps.may_start = may_start  # type: ignore[union-attr]
    thread_id = (await house.start(step("a", timeout="5s"))).thread.thread_id
    await house.until(lambda: len(asked) >= 2 and house.worker._runs[thread_id]._held)
    assert house.called("a") == 0
    house.worker.go_on()
    await house.end(thread_id)
    assert (house.called("a"), (await house.steps(thread_id))["a"].attempt) == (1, 1)


async def test_a_retry_that_comes_due_meanwhile_spends_no_attempt(house: House) -> None:
    gate = Gate()

    async def failing(value: object, ctx: object) -> str:
        if house.called("a") == 1:
            house.may_start = False
            raise RuntimeError("once")
        return "done"

    house.on("a", failing)
    retry = {"max_attempts": 2, "initial_interval": 0.01, "jitter": False}
    thread_id = (await house.start(step("a", python="a", retry=retry))).thread.thread_id
    await house.until(lambda: thread_id in house.worker._runs and house.worker._runs[thread_id]._held)
    assert house.called("a") == 1
    house.may_start = True
    house.worker.go_on()
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"
    assert gate.entered == 0
