"""A thread whose step waits, with the moves that the contracts of gates and of waits need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from app.domain.ids import uuid7
from app.domain.records import StepRecord, StepUpdate
from app.domain.status import Status, StepStatus
from app.domain.times import utc_now
from app.domain.waiting import WaitKey
from tests.builders import incarnation

if TYPE_CHECKING:
    from typing import Self

    from tests.builders import Driver
    from tests.contracts.conftest import Store


class AtStep:
    """A thread that is driven, and whose step has begun."""

    STEP: ClassVar = "wait"

    def __init__(self, store: Store, driver: Driver) -> None:
        self.store = store
        self.driver = driver
        self.run_id = uuid7()
        row = driver.thread
        self.key = WaitKey(thread_id=row.thread_id, key_execution_id=row.execution_id, step_id=self.STEP)

    @classmethod
    async def there(cls, store: Store) -> Self:
        """One more."""
        process = incarnation()
        await store.journal.open_incarnation(process)
        found = cls(store, await store.drive(incarnation_id=process.id))
        await found.begin()
        return found

    @property
    def thread_id(self) -> str:
        return self.driver.thread.thread_id

    async def begin(self) -> None:
        """Its step run begins."""
        run = StepRecord(
            id=self.run_id,
            thread_id=self.thread_id,
            execution_id=self.driver.thread.execution_id,
            key_execution_id=self.key.key_execution_id,
            step_id=self.STEP,
            step_index=0,
            status=StepStatus.RUNNING,
            started_at=utc_now(),
        )
        await self.commit(steps=[run])

    async def commit(self, **changes: Any) -> str | None:
        return await self.driver.commit(self.store.journal, self.driver.move(**changes))

    async def park(self, **changes: Any) -> str | None:
        """It waits without a driver until it is woken."""
        return await self.commit(**{"status": Status.WAITING, "incarnation_id": None, "wake_at": None} | changes)

    async def close_step(self) -> None:
        update = StepUpdate(
            id=self.run_id, status=StepStatus.CANCELLED, attempt=1, retry_count=0, completed_at=utc_now()
        )
        await self.commit(step_updates=[update])

    async def claimed(self) -> list[str]:
        taken = await self.store.journal.claim(self.driver.thread.incarnation_id or uuid7(), 10)
        return [thread.thread_id for thread in taken]
