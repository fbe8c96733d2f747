"""What the tests of circuit breakers share: a step of an agent, an agent that trips, a thread that waits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from app.domain.runner import StepFailure
from tests.unit.engine.house import step

if TYPE_CHECKING:
    from app.domain.breakers import BreakerRecord
    from tests.unit.engine.house import House

ONCE = {"max_attempts": 1}
BROKEN = StepFailure("overloaded", kind="http.503")


class Deaf:
    """A function that takes no cancellation for an answer, until the block ends."""

    def __init__(self) -> None:
        self.entered = 0
        self._free = asyncio.Event()

    async def __call__(self, value: Any, ctx: Any) -> None:
        self.entered += 1
        while not self._free.is_set():
            try:
                await self._free.wait()
            except asyncio.CancelledError:
                continue

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._free.set()


def ask(agent: str = "analyst", **parts: Any) -> dict[str, Any]:
    return step("a", agent=agent, **{"retry": ONCE, **parts})


def breaker(house: House, agent: str = "analyst") -> BreakerRecord:
    found = house.tables.breakers.get(agent)
    assert found is not None
    return found


async def trip(house: House, behaviour: Any = None) -> None:
    """Let the agent fail five times, and behave like this afterwards."""

    async def call(value: Any, ctx: Any) -> Any:
        if house.called("a") <= 5:
            raise BROKEN
        return "done" if behaviour is None else await behaviour(value, ctx)

    house.on("analyst", call, agent=True)
    for _ in range(5):
        await house.run(ask())
    await house.until(lambda: "analyst" in house.tables.breakers)


async def parked(house: House, *steps: dict[str, Any], **options: Any) -> str:
    """A thread that waits for the breaker."""
    thread_id = (await house.start(*(steps or (ask(),)), **options)).thread.thread_id
    await house.until_status(thread_id, "waiting")
    return thread_id


async def in_vain(house: House, thread_id: str, seconds: float) -> None:
    """Time goes by, the thread asks again and is sent away again."""
    epoch = house.tables.threads[thread_id].epoch
    house.later(seconds)
    await house.until(lambda: house.tables.threads[thread_id].epoch > epoch)
    await house.until_status(thread_id, "waiting")


def status(runs: Any, thread_id: str) -> str:
    return next((row.status for row in runs[thread_id].values()), "none")
