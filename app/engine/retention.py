"""Retention at work: in one process at a time, in small batches, with pauses in proportion to the time that they took.

What runs is not hurt by it: rows of threads that somebody holds are passed over, and most of the time it rests.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from app.domain.errors import Conflict, NotFound, Unavailable
from app.domain.ids import uuid7
from app.domain.retention import DELETABLE, EndedThread, RetentionPolicy, RetentionRun
from app.domain.times import utc_now
from app.engine.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from app.domain.ports import Reads
    from app.domain.records import ThreadRecord
    from app.domain.retention import Deleted, RetentionStore, WorkflowRetention
    from app.domain.status import Status

POLL: Final = 15.0
"""Seconds between two looks whether the next run is due."""
LEASE: Final = 60.0
"""Seconds after which another process may take the work over from one that does not go on."""
_TRIES: Final = 5
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one run is told beyond the policy: of a workflow or a status only, other numbers; `by`: who asks."""

    days: float | None = None
    max_per_workflow: int | None = None
    workflow: str | None = None
    status: Status | None = None
    by: str | None = None

    def value(self, *, dry_run: bool) -> dict[str, Any]:
        """As it is stored."""
        told = {**dataclasses.asdict(self), "status": None if self.status is None else self.status.value}
        return {"dry_run": dry_run, **{name: value for name, value in told.items() if value is not None}}


class Retention:
    """One for the process.  `usual` gives the policy of the service, `agent_days` and `every` (seconds) what goes with it;
    `told` is called with the threads that are gone.
    """

    def __init__(
        self,
        store: RetentionStore,
        reads: Reads,
        *,
        usual: Callable[[], RetentionPolicy],
        agent_days: Callable[[], float],
        every: Callable[[], float],
    ) -> None:
        self.store = store
        self._reads = reads
        self.usual, self._agent_days, self.every = usual, agent_days, every
        self.told: Callable[[Sequence[str]], Awaitable[None]] = _tell_nobody
        self._owner = uuid7()
        self._wanted: tuple[RetentionPolicy, RetentionRun] | None = None
        self._wake = asyncio.Event()
        self._held_at = 0.0
        self._busy = False
        """A run is about to begin, is wanted or goes on: set before anything is awaited, for the lease is the process's."""

    # ---- for people
    async def policy(self) -> RetentionPolicy:
        """What holds now.  Raises Unavailable."""
        own = await self.store.policies()
        return dataclasses.replace(self.usual(), workflows={each.workflow: each for each in own})

    async def set_policy(self, policy: WorkflowRetention) -> None:
        """Tell a workflow how long its threads are kept.  Raises Unavailable."""
        await self.store.set_policy(policy)
        _log.info("retention of workflow %s: %s", policy.workflow, policy)

    async def drop_policy(self, workflow: str) -> None:
        """Tell it nothing any more.  Raises NotFound, Unavailable."""
        if not await self.store.drop_policy(workflow):
            raise NotFound(f"workflow {workflow} has no retention of its own", code="policy_not_found")
        _log.info("retention of workflow %s: as all others", workflow)

    async def preview(self, asked: Asked) -> RetentionRun:
        """What a run would delete; nothing changes.  Raises Unavailable."""
        run = self._new_run(asked, dry_run=True)
        sweep = Sweep(self.store, await self._policy(asked), run, hold=self._hold, told=self.told)
        await sweep.look()
        run.ended_at = utc_now()
        return run

    async def begin(self, asked: Asked) -> RetentionRun:
        """Begin a run, which goes on by itself.  Raises Conflict (retention_running), Unavailable."""
        if self._busy:
            raise _under_way()
        self._busy = True
        try:
            policy = await self._policy(asked)
            if not await self.store.take(self._owner, LEASE):
                raise _under_way()
            self._held_at = monotonic()
            run = self._new_run(asked, dry_run=False)
            await self.store.note(run)
            self._wanted = (policy, run)
        finally:
            self._busy = self._wanted is not None
        self._wake.set()
        return run

    async def delete(self, thread_id: str) -> Deleted:
        """Delete one thread with its sub-workflows.

        Raises NotFound, Conflict (thread_running, also for a sub-workflow of it; thread_has_parent), Unavailable.
        """
        for attempt in range(_TRIES):
            thread = await self._root(thread_id)
            seen = EndedThread(
                thread_id=thread_id,
                workflow="",
                status=thread.status,
                ended_at=thread.updated_at,
                epoch=thread.epoch,
                rev=thread.rev,
            )
            deleted = await self.store.delete([seen])
            if deleted.threads:
                _log.info("thread %s was deleted on request, with %d threads in all", thread_id, len(deleted.threads))
                await self.told(deleted.threads)
                return deleted
            await self._check_family(thread)
            await asyncio.sleep(0.05 * (attempt + 1))  # somebody holds one of its rows
        raise Unavailable(f"a row of thread {thread_id} is held by somebody", retry_after=1)

    async def _root(self, thread_id: str) -> ThreadRecord:
        thread = await self._reads.thread(thread_id)
        if thread is None:
            raise NotFound(f"there is no thread {thread_id}", code="thread_not_found")
        parent = thread.parent_thread_id
        if parent is not None and await self._reads.thread(parent) is not None:
            raise Conflict(f"thread {thread_id} belongs to {parent}: delete that one", code="thread_has_parent")
        _check_ended(thread)
        return thread

    async def _check_family(self, thread: ThreadRecord) -> None:
        """Whether it is a sub-workflow that keeps it from being deleted; a family may be large, so it is not asked before."""
        family = [thread]
        for member in family:  # which grows as it goes
            _check_ended(member)
            family += await self._reads.children(member.thread_id)

    # ---- the work
    async def run(self) -> None:
        """Do what is due, and what was asked for, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(POLL):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self._turn()
            except Unavailable as error:
                _log.debug("retention waits for the store: %s", error)
            except Exception:  # noqa: BLE001 - a fault here must not take the service down
                _log.exception("retention broke off")

    async def _turn(self) -> None:
        if self._busy and self._wanted is None:
            return  # one by hand is about to begin
        self._busy = True
        try:
            wanted = self._wanted or await self._due()
            self._wanted = None
            if wanted is not None:
                await self._work(*wanted)
        finally:
            self._busy = False

    async def _due(self) -> tuple[RetentionPolicy, RetentionRun] | None:
        if not await self.store.take(self._owner, LEASE, every=self.every()):
            return None
        self._held_at = monotonic()
        return await self.policy(), self._new_run(Asked(), dry_run=False)

    async def _work(self, policy: RetentionPolicy, run: RetentionRun) -> None:
        sweep = Sweep(self.store, policy, run, hold=self._hold, told=self.told)
        error: BaseException | None = None
        try:
            await self._hold()
            await sweep.delete()
            await sweep.tidy(self._agent_days())
        except BaseException as caught:
            error = caught
            raise
        finally:
            run.ended_at = utc_now()
            run.error = None if error is None else f"broke off: {str(error) or type(error).__name__}"[:500]
            if run.threads or run.error:
                _log.info("retention: %d threads, %d rows deleted, %s", run.threads, run.rows, run.error or run.reasons)
            try:
                await self.store.note(run)
            finally:
                await self.store.release(self._owner)

    async def _hold(self) -> None:
        """Renew the lease in time.  Raises Unavailable when another process has taken it."""
        if monotonic() - self._held_at > LEASE / 3:
            if not await self.store.take(self._owner, LEASE):
                raise Unavailable("another process goes on with the retention")
            self._held_at = monotonic()

    async def _policy(self, asked: Asked) -> RetentionPolicy:
        """The policy as one run is told: numbers of its own go before all others, but for what is to be kept."""
        policy = await self.policy()
        own = dict(policy.workflows)
        if asked.days is not None:
            own = {name: dataclasses.replace(each, days=None, status_days={}) for name, each in own.items()}
            policy = dataclasses.replace(policy, days=asked.days, status_days={})
        if asked.max_per_workflow is not None:
            own = {name: dataclasses.replace(each, max_threads=None) for name, each in own.items()}
            policy = dataclasses.replace(policy, max_per_workflow=asked.max_per_workflow)
        return dataclasses.replace(policy, workflows=own, only_workflow=asked.workflow, only_status=asked.status)

    @staticmethod
    def _new_run(asked: Asked, *, dry_run: bool) -> RetentionRun:
        return RetentionRun(id=uuid7(), asked=asked.value(dry_run=dry_run), started_at=utc_now())


def _check_ended(thread: ThreadRecord) -> None:
    if thread.status not in DELETABLE or thread.incarnation_id is not None:
        told = f"thread {thread.thread_id} is {thread.status}: only what has ended can be deleted"
        raise Conflict(told, code="thread_running")


def _under_way() -> Conflict:
    return Conflict("a retention run is under way: wait for its end", code="retention_running")


async def _tell_nobody(_: Sequence[str]) -> None:
    """For who has nobody to tell."""
