"""Queues as the engine keeps them: nobody gets past a limit, and a full queue turns starts away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.errors import Conflict, InvalidRequest, QueueFull, Unavailable
from app.domain.queues import QueueSettings
from app.engine import admission
from tests.unit.engine.house import Gate, open_house, step

if TYPE_CHECKING:
    from app.domain.commands import Accepted
    from tests.unit.engine.house import House


class Gauge:
    """A function that notes how many threads of a queue have a driver whenever it is called."""

    def __init__(self, house: House, queue: str) -> None:
        self._house = house
        self._queue = queue
        self.most = 0

    async def __call__(self, value: Any, ctx: Any) -> Any:
        await asyncio.sleep(0)
        threads = self._house.tables.threads.values()
        running = sum(each.queue == self._queue and each.incarnation_id is not None for each in threads)
        self.most = max(self.most, running)


async def tell(house: House, name: str = "mail", **settings: Any) -> None:
    await house.admission.configure(QueueSettings(name=name, **settings))


async def accepted(house: House, count: int, **options: Any) -> list[Accepted]:
    """Of so many starts at once, those that were not turned away."""
    starts = [house.start(step("a", python="gate"), **options) for _ in range(count)]
    found = await asyncio.gather(*starts, return_exceptions=True)
    assert all(isinstance(one, QueueFull) or not isinstance(one, BaseException) for one in found), found
    return [one for one in found if not isinstance(one, BaseException)]


async def test_no_start_resume_or_rollback_gets_past_the_limit(house: House) -> None:
    gauge = Gauge(house, "mail")
    house.on("gauge", gauge)
    steps = [step("a", python="gauge"), step("b", python="gauge", needs=["a"])]
    started = await asyncio.gather(*(house.start(*steps, queue="mail") for _ in range(15)))
    threads = [one.thread.thread_id for one in started]
    await asyncio.gather(*(house.rollback(thread, 1) for thread in threads[:8]))
    for thread in threads[8:]:
        await house.end(thread)
    await asyncio.gather(*(house.resume(thread, from_step="a") for thread in threads[8:]))
    for thread in threads:
        await house.end(thread)
    assert {house.tables.threads[thread].status.value for thread in threads} == {"completed"}
    assert gauge.most == 5


async def test_a_thread_of_a_named_queue_is_never_launched_by_its_start(house: House) -> None:
    start = await house.start(step("a"), queue="mail")
    assert start.thread.incarnation_id is None
    await house.end(start.thread.thread_id)


async def test_the_end_of_one_makes_way_for_the_next(house: House) -> None:
    await tell(house, max_running=1)
    for _ in range(20):
        await house.start(step("a"), queue="mail")
    await house.until(lambda: all(each.status == "completed" for each in house.tables.threads.values()))
    assert house.called("a") == 20


async def test_a_limit_on_the_default_queue_holds_from_when_it_is_given(house: House) -> None:
    gate = Gate()
    house.on("gate", gate)
    await tell(house, "default", max_running=2)
    await accepted(house, 6)
    await house.until(lambda: gate.entered == 2)
    assert (await house.admission.report("default"))[0].depth == 4
    gate.open()
    await house.until(lambda: gate.left == 6)


async def test_a_paused_queue_goes_on_as_soon_as_it_is_told_to(house: House) -> None:
    await tell(house, max_running=0)
    start = await house.start(step("a"), queue="mail")
    assert await house.journal.claim(house.worker.incarnation_id, 1) == []
    await tell(house, max_running=1)
    await house.end(start.thread.thread_id)


async def test_a_sleeping_thread_holds_no_slot(house: House) -> None:
    await tell(house, max_running=1)
    sleeper = await house.start({"id": "nap", "sleep": 3600}, queue="mail")
    await house.until_status(sleeper.thread.thread_id, "waiting")
    await house.run(step("a"), queue="mail")
    assert (await house.thread(sleeper.thread.thread_id)).status == "waiting"


async def test_a_delayed_start_runs_when_its_time_has_come(house: House) -> None:
    start = await house.start(step("a"), delay=60)
    assert start.thread.incarnation_id is None
    assert await house.journal.claim(house.worker.incarnation_id, 1) == []
    house.later(61)
    await house.end(start.thread.thread_id)


async def test_the_slots_of_a_dead_process_come_back(house: House) -> None:
    gate = Gate()
    house.on("gate", gate)
    threads = [one.thread.thread_id for one in await accepted(house, 8, queue="mail")]
    await house.until(lambda: gate.entered == 5)
    await house.die()
    gate.open()
    async with open_house(house) as other:
        for thread in threads:
            await other.end(thread)
        assert {thread.status for thread in other.tables.threads.values()} == {"completed"}


async def test_as_many_wait_as_may_and_the_next_is_turned_away(house: House) -> None:
    gate = Gate()
    house.on("gate", gate)

    async def slow_start(start: Any) -> Any:  # so that others come while one is being written
        await asyncio.sleep(0.001)
        return await house.journal._journal.start(start)

    house.journal.instead["start"] = slow_start
    await tell(house, max_running=2, max_depth=3)
    assert len(await accepted(house, 12, queue="mail")) == 5
    await house.until(lambda: gate.entered == 2)
    assert await accepted(house, 1, queue="mail") == []
    gate.open()
    await house.until(lambda: gate.left == 5)
    assert len(await accepted(house, 1, queue="mail")) == 1


async def test_the_default_queue_has_a_bound_beyond_the_slots_of_the_process() -> None:
    async with open_house(slots=2) as house:
        house.on("gate", gate := Gate())
        await house.until(lambda: house.worker.reserve("warm"))  # nothing is taken for a backlog any more
        house.worker.unreserve("warm")
        await tell(house, "default", max_depth=3)
        assert len(await accepted(house, 9)) == 5
        gate.open()


async def test_a_big_bound_is_kept_by_an_estimate(house: House) -> None:
    house.on("gate", gate := Gate())
    await tell(house, max_running=0, max_depth=1001)
    given = await accepted(house, 1003, queue="mail")
    assert len(given) == 1001
    gate.open()


async def test_a_key_that_was_used_is_replayed_although_the_queue_is_full(house: House) -> None:
    await tell(house, max_running=0, max_depth=1)
    options = {"queue": "mail", "idempotency_key": "once", "request_sha256": b"x"}
    first = await house.start(step("a"), **options)
    again = await house.start(step("a"), **options)
    assert (again.replayed, again.thread.thread_id) == (True, first.thread.thread_id)


async def test_children_and_resumes_are_never_turned_away() -> None:
    async with open_house(slots=1) as house:
        await house.control.register({"name": "child", "steps": [step("c")]})
        await tell(house, "default", max_depth=0)
        await house.until(lambda: house.worker.reserve("warm"))
        house.worker.unreserve("warm")
        thread = await house.run({"id": "sub", "workflow": "child"}, priority=7)
        assert (await house.thread(thread)).status == "completed"
        [child] = await house.reads.children(thread)
        assert (child.queue, child.priority, child.status) == ("default", 7, "completed")
        await house.resume(thread, from_step="sub")
        await house.end(thread)


@pytest.mark.parametrize("place", [{"queue": "other"}, {"priority": 4}])
async def test_an_existing_thread_stays_in_its_place(house: House, place: dict[str, Any]) -> None:
    await house.run(step("a"), thread_id="one", queue="mail", priority=3)
    with pytest.raises(Conflict) as refused:
        await house.start(step("a"), thread_id="one", **place)
    assert refused.value.code == "thread_exists"
    await house.run(step("a"), thread_id="one", queue="mail", priority=3)
    await house.run(step("a"), thread_id="one")


async def test_only_a_new_thread_can_be_delayed(house: House) -> None:
    await house.run(step("a"), thread_id="one")
    with pytest.raises(InvalidRequest):
        await house.start(step("a"), thread_id="one", delay=5)


async def test_another_process_learns_of_a_limit(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.run(step("a"))
    async with open_house(house) as other:
        await tell(other, "default", max_running=0)
    monkeypatch.setattr("app.engine.admission.REFRESH", 0.0)
    start = await house.start(step("a"))
    assert start.thread.incarnation_id is None


async def test_who_waits_for_a_turn_in_vain_is_told_to_come_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "_TURN", 0.05)
    answer = asyncio.Event()

    async def silent(_: Any) -> Any:
        await answer.wait()
        raise Unavailable("the database does not answer")

    house.journal.instead["start"] = silent
    await tell(house, max_depth=50)
    first = asyncio.create_task(house.start(step("a"), queue="mail"))
    async with asyncio.timeout(5):
        late = [house.start(step("a"), queue="mail") for _ in range(5)]
        refused = await asyncio.gather(*late, return_exceptions=True)
    assert all(isinstance(one, Unavailable) and "nobody has got a turn" in str(one) for one in refused)
    answer.set()
    with pytest.raises(Unavailable, match="does not answer"):
        await first
    del house.journal.instead["start"]
    await house.run(step("a"), queue="mail")


async def test_who_waits_for_a_turn_in_a_line_that_moves_gets_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_TURN", 1.0)
    write = house.journal._journal.start

    async def slow(start: Any) -> Any:
        await asyncio.sleep(0.12)  # ten of them take longer than a turn may
        return await write(start)

    house.journal.instead["start"] = slow
    await tell(house, max_depth=50)
    born = await asyncio.gather(*(house.start(step("a"), queue="mail") for _ in range(10)))
    assert len({one.thread.thread_id for one in born}) == 10
