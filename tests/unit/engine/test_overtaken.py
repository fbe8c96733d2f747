"""What a process does with a thread that was steered, taken or deleted under it; a new drive beside an old one."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.hints import Hint
from app.domain.ids import uuid7
from app.domain.records import ErrorInfo
from app.domain.times import utc_now
from app.engine.hearing import Hearing
from app.engine.steering import interrupt
from tests.unit.engine.breakers import Deaf
from tests.unit.engine.house import Failing, Gate, House, open_house, step

if TYPE_CHECKING:
    from app.domain.records import ThreadRecord
    from app.domain.transition import Transition


class Stubborn:
    """A function that notes being cancelled, and stops when the test lets it."""

    def __init__(self) -> None:
        self.cancelled, self.entered, self.let = 0, 0, asyncio.Event()

    async def __call__(self, value: Any, ctx: Any) -> str:
        self.entered += 1
        if self.entered > 1:
            return "new"
        while not self.let.is_set():
            try:
                await self.let.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
        return "old"


async def held(house: House) -> tuple[str, Gate]:
    """A thread whose step runs until its gate is opened."""
    gate = Gate()
    house.on("b", gate)
    thread_id = (await house.start(step("b", python="b"))).thread.thread_id
    await house.until(lambda: gate.entered)
    return thread_id, gate


def taken(house: House, thread_id: str) -> None:
    """Another process has taken the thread."""
    row = house.tables.threads[thread_id]
    row.epoch, row.incarnation_id = row.epoch + 1, uuid7()


def hearing(house: House) -> Hearing:
    """Its ear; no look at the store makes good for what it does not hear."""
    house.worker._claims._look_for_orphans = inf
    return Hearing(house.worker, house.bus, house.reads, lambda: None)


async def hint_at(house: House, thread_id: str) -> None:
    """Another process says that it has steered the thread, or wishes something of it."""
    ear = hearing(house)
    ear.heard(Hint(sender="other", steered=(thread_id,)))
    await ear._look()


async def test_a_run_that_another_process_took_is_stopped_at_the_next_look(house: House) -> None:
    thread_id, gate = await held(house)
    taken(house, thread_id)
    house.worker.adopt_later()
    await house.worker._claims._adopt()
    await house.until(lambda: house.worker.free == 10)
    assert gate.left == 0


async def test_a_run_that_was_steered_elsewhere_stops_at_the_hint(house: House) -> None:
    thread_id, gate = await held(house)
    taken(house, thread_id)
    await hint_at(house, thread_id)
    await house.until(lambda: house.worker.free == 10)
    assert gate.left == 0


async def test_a_run_whose_thread_was_deleted_stops_at_the_hint(house: House) -> None:
    thread_id, gate = await held(house)
    del house.tables.threads[thread_id]
    await hint_at(house, thread_id)
    await house.until(lambda: house.worker.free == 10)
    assert gate.left == 0


async def test_a_wish_is_heeded_at_the_hint(house: House) -> None:
    thread_id, gate = await held(house)
    await house.journal.signal(thread_id, "cancel:enough")
    await hint_at(house, thread_id)
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "cancelled"
    assert gate.left == 0


async def test_a_thread_that_is_just_being_steered_is_not_adopted(house: House) -> None:
    thread_id, gate = await held(house)
    write, begun = house.journal._journal.steer, list[str]()
    begin = house.worker.begin

    async def steer_and_look(*arguments: Any) -> Any:
        answer = await write(*arguments)
        house.worker._claims._look_for_orphans = 0.0
        await house.worker._claims._adopt()
        return answer

    def noted(thread: ThreadRecord, loaded: Any = None) -> None:
        begun.append(thread.thread_id)
        begin(thread, loaded)

    house.journal.instead["steer"] = steer_and_look
    house.worker.begin = noted
    await house.rollback(thread_id, 1)
    assert begun == [thread_id]
    gate.open()
    await house.end(thread_id)


async def test_a_new_drive_waits_until_the_old_one_let_go() -> None:
    async with open_house(grace=30) as house:
        stubborn = Stubborn()
        house.on("b", stubborn)
        thread_id = (await house.start(step("b", python="b"))).thread.thread_id
        await house.until(lambda: stubborn.entered)
        await house.rollback(thread_id, 1)
        await house.until(lambda: stubborn.cancelled)
        for _ in range(20):
            await asyncio.sleep(0)
        calls = stubborn.entered
        stubborn.let.set()
        assert calls == 1
        await house.end(thread_id)
        assert (await house.steps(thread_id))["b"].output == '"new"'


async def test_an_old_drive_that_does_not_let_go_holds_the_new_one_up_for_the_grace_only() -> None:
    async with open_house(grace=0.05) as house:
        stubborn = Stubborn()
        house.on("b", stubborn)
        thread_id = (await house.start(step("b", python="b"))).thread.thread_id
        await house.until(lambda: stubborn.entered)
        await house.rollback(thread_id, 1)
        asyncio.get_running_loop().call_later(5, stubborn.let.set)
        async with asyncio.timeout(4):
            await house.end(thread_id)
        assert (await house.steps(thread_id))["b"].output == '"new"'
        stubborn.let.set()


async def test_every_steering_raises_the_epoch(house: House) -> None:
    house.on("b", Failing(ValueError("x"), times=1))
    thread_id = await house.run(step("b", python="b", retry={"max_attempts": 1}))
    raised: list[int] = []
    steer = house.journal._journal.steer

    async def watched(steered: str, decide: Any, *more: Any) -> Any:
        async def decided(*seen: Any) -> Transition:
            transition = await decide(*seen)
            raised.append(transition.new_epoch - transition.epoch)
            return transition

        return await steer(steered, decided, *more)

    house.journal.instead["steer"] = watched
    await house.resume(thread_id)
    await house.end(thread_id)
    await house.rollback(thread_id, 1, resume=False)
    await house.control.cancel(thread_id)
    assert raised == [1, 1, 1]


async def test_a_thread_that_has_moved_on_is_not_interrupted(house: House) -> None:
    thread_id, gate = await held(house)
    seen = await house.thread(thread_id)
    seen.rev -= 1
    error = ErrorInfo(kind="internal", message="seen too late")
    assert await interrupt(house.journal, seen, error, utc_now()) is None  # pyright: ignore[reportArgumentType]
    gate.open()
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"


class Noting(dict[str, int]):
    """Remembers all that is put into it."""

    def __init__(self, begun: dict[str, int]) -> None:
        super().__init__(begun)
        self.noted: list[int] = []

    def __setitem__(self, thread_id: str, epoch: int) -> None:
        self.noted.append(epoch)
        super().__setitem__(thread_id, epoch)


async def test_a_load_that_was_overtaken_does_not_count_as_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = Deaf()
    async with open_house(grace=0.05) as house, deaf:
        house.on("a", deaf)
        thread_id = (await house.start(step("a", python="a"))).thread.thread_id
        await house.until(lambda: deaf.entered)
        take_up, first, go_on = house.worker._take_up, asyncio.Event(), asyncio.Event()
        assert take_up is not None
        real = take_up.load

        async def slow(thread: Any) -> Any:
            if not first.is_set():
                first.set()
                await go_on.wait()
            return await real(thread)

        monkeypatch.setattr(take_up, "load", slow)
        await house.rollback(thread_id, 1)
        await first.wait()
        await house.rollback(thread_id, 1)
        epoch, begun = (await house.thread(thread_id)).epoch, Noting(house.worker._begun)
        house.worker._begun = begun
        go_on.set()
        await house.until(lambda: deaf.entered >= 2)
        assert set(begun.noted) == {epoch}
