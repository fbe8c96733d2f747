"""Control: what people may ask of threads (start, fork, resume, roll back, cancel, pause, wait), whatever asks it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from app.domain import wishes
from app.domain.commands import Accepted
from app.domain.errors import BackstitchError, Conflict, Corrupt, NotFound, Unavailable
from app.domain.status import ACTIVE, ENDED, RESUMABLE, Status
from app.domain.times import utc_now
from app.engine.ahead import Foresight
from app.engine.asked import check_input, check_place, fitting, going_on, key_of
from app.engine.birth import give_birth, plain
from app.engine.bus import Lagged
from app.engine.definite import Definite
from app.engine.fork import Forks
from app.engine.load import asked_of, begun, damaged_manifests, load_state, salvaged
from app.engine.starts import Starts
from app.engine.steering import Steering

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from app.domain.commands import Check, ForkCommand, Forked, ResumeCommand, RollbackCommand, StartCommand
    from app.domain.ports import Reads
    from app.domain.records import IdempotencyRecord, ThreadRecord, WorkflowRecord
    from app.domain.spec import WorkflowSpec
    from app.domain.state import Refs, State
    from app.domain.transition import Transition
    from app.engine.admission import Admission
    from app.engine.bus import Bus, Subscription
    from app.engine.catalog import Catalog
    from app.engine.deps import Stores
    from app.engine.worker import Worker

    Decide = Callable[[Steering], Awaitable[Transition | None]]

_LOOK_AGAIN: Final = 1.0
"""Seconds after which a waiter asks the table, in case that another process drives the thread."""


class Control:
    """The engine's front: every call returns once what it did is durable."""

    def __init__(self, stores: Stores, catalog: Catalog, worker: Worker, bus: Bus, admission: Admission) -> None:
        self._stores = stores
        self._catalog = catalog
        self._worker = worker
        self._admission = admission
        self._bus = bus
        self._starts = Starts(stores, worker, bus, admission)
        self._forks = Forks(stores, catalog, self._starts)
        self._definite = Definite(stores, catalog, self._steer)
        self.ahead = Foresight(stores, catalog, self._definite)

    @property
    def starts(self) -> Starts:
        """How new threads come into the world."""
        return self._starts

    async def start(self, command: StartCommand) -> Accepted:
        """Start a new thread, or go on with the one that the command names.

        Raises NotFound, InvalidWorkflow, InvalidInput, InvalidRequest (a key reused), Conflict, Unavailable (QueueFull).
        """
        with self._starts.once(command.tenant, command.idempotency_key):
            return await self._start(command)

    async def start_once(self, command: StartCommand) -> Accepted:
        """Start the thread that the command names by an id derived from its cause, unless that has been done.

        An existing thread is left as it is, whatever became of it (`created` is False).  Raises as `start`.
        """
        assert command.thread_id is not None
        refusal: BackstitchError = NotFound(f"thread {command.thread_id} has been deleted", code="thread_not_found")
        try:  # most often it is new
            accepted = await self._bear(command, *await self._definition(command))
        except BackstitchError as error:
            accepted, refusal = None, error
        if accepted is not None:
            return accepted
        existing = await self._stores.reads.thread(command.thread_id)
        if existing is None:
            raise refusal
        return Accepted(thread=existing, execution_id=existing.execution_id)

    async def fork(self, command: ForkCommand) -> Forked:
        """See Forks.fork."""
        return await self._forks.fork(command)

    async def resume(self, command: ResumeCommand, *, check: Check | None = None) -> Accepted:
        """Go on from the head; `check` sees the row under its lock, and raises where that is not what was meant.

        Raises NotFound, Conflict (thread_running, version_conflict), InvalidRequest.
        """
        return await self._resume(command, check=check)

    async def _resume(
        self, command: ResumeCommand, key: IdempotencyRecord | None = None, check: Check | None = None
    ) -> Accepted:
        left: list[int] = []

        async def decide(steering: Steering, spec: WorkflowSpec) -> Transition | None:
            if check is not None:
                check(steering.thread)
            left.append(steering.thread.head_version)
            return await steering.resume(command, spec)

        thread, moved = await self._definite.steer(command.thread_id, decide, key=key)
        return Accepted(thread=thread, execution_id=thread.execution_id, nothing_to_do=not moved, from_version=left[-1])

    async def rollback(self, command: RollbackCommand) -> Accepted:
        """Move the head to an earlier version, also while the thread runs.  Raises NotFound, Conflict, InvalidRequest."""
        left: list[int] = []

        async def decide(steering: Steering, spec: WorkflowSpec) -> Transition | None:
            left.append(steering.thread.head_version)
            return await steering.rollback(command, spec)

        thread, _ = await self._definite.steer(
            command.thread_id, decide, to_version=command.to_version, drive=command.resume
        )
        return Accepted(thread=thread, execution_id=thread.execution_id, from_version=left[-1])

    async def cancel(
        self, thread_id: str, reason: str | None = None, *, force: bool = False, check: Check | None = None
    ) -> ThreadRecord:
        """See Family.cancel."""
        return await self._worker.family.cancel(thread_id, reason, force=force, check=check)

    async def pause(self, thread_id: str) -> ThreadRecord:
        """Pause a thread once its running steps have ended.  Raises NotFound, Conflict (thread_ended)."""
        while True:
            thread, moved = await self._steer(thread_id, lambda steering: steering.pause())
            if moved or thread.status is Status.PAUSED:
                return thread
            thread = await self._stores.journal.signal(thread_id, wishes.PAUSE)
            run = self._worker.find(thread_id)
            if run is not None:
                run.pause()
            if thread.incarnation_id is not None or thread.status not in ACTIVE:
                return thread  # else its driver let go between the two: nobody would see the wish

    async def checkpoint(self, thread_id: str) -> int:
        """Show the thread's present head from now on, whatever its checkpoint policy; its version.  Raises NotFound."""
        version = await self._stores.versions.show_head(thread_id)
        if version is None:
            raise NotFound(f"there is no thread {thread_id}", code="thread_not_found")
        return version

    async def wait(self, thread_id: str, timeout: float) -> bool:  # noqa: ASYNC109 - an answer, not a cut
        """Wait until the thread has ended or is paused; False when `timeout` seconds went by.  Raises NotFound."""
        deadline = monotonic() + timeout
        while True:
            with contextlib.suppress(Lagged), self._bus.subscribe(thread_id) as subscription:
                return await self._wait(thread_id, deadline, subscription)

    async def _wait(self, thread_id: str, deadline: float, subscription: Subscription) -> bool:
        while True:
            thread = await self._stores.reads.thread(thread_id)
            if thread is None:
                raise NotFound(f"there is no thread {thread_id}", code="thread_not_found")
            if thread.status in ENDED or thread.status is Status.PAUSED:
                return True
            left = deadline - monotonic()
            if left <= 0:
                return False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, _LOOK_AGAIN)):
                    await subscription.next()

    async def register(self, source: str | Mapping[str, Any]) -> tuple[WorkflowRecord, bool]:
        """See Catalog.register."""
        return await self._catalog.register(source)

    async def register_code(self, document: Mapping[str, Any]) -> tuple[WorkflowRecord, bool]:
        """See Catalog.register_code."""
        return await self._catalog.register_code(document)

    async def is_registered(self, source: str) -> bool:
        """See Catalog.is_registered."""
        return await self._catalog.is_registered(source)

    async def validate(self, source: str | Mapping[str, Any]) -> WorkflowSpec:
        """See Catalog.validate."""
        return await self._catalog.validate(source)

    async def spec(self, definition_id: str) -> WorkflowSpec:
        """See Catalog.spec."""
        return await self._catalog.spec(definition_id)

    async def load_refs(self, thread_id: str, version: int) -> Refs:
        """Where the values of a version are, as far as its manifests are sound: for showing."""
        return await salvaged(await damaged_manifests(self._stores.reads, thread_id, version), version)

    async def head_refs(self, thread: ThreadRecord) -> Refs:
        """As `load_refs` for the head, without the steps that its execution is about to run again."""
        chain = await damaged_manifests(self._stores.reads, thread.thread_id, thread.head_version)
        refs = await salvaged(chain, thread.head_version)
        if not begun(thread, chain, thread.execution_id):
            execution = await self._stores.reads.execution(thread.execution_id)
            with contextlib.suppress(Corrupt):  # what it was asked for cannot be told
                for step_id in asked_of(thread, execution).reset:
                    refs.steps.pop(step_id, None)
        return refs

    async def load_state(self, thread_id: str, version: int) -> State:
        """The whole state at a version.  Raises NotFound, Corrupt."""
        return await load_state(self._stores.reads, thread_id, version)

    async def _start(self, command: StartCommand) -> Accepted:
        record, spec = await self._definition(command)
        if command.thread_id is not None:
            existing = await self._stores.reads.thread(command.thread_id)
            if existing is not None:
                try:
                    return await self._again(command, record, spec, existing)
                except NotFound:
                    if await self._stores.reads.thread(command.thread_id) is not None:
                        raise
                # It has been deleted in between: this one is new.
        return await self._bear(command, record, spec) or await self._start(command)

    async def _bear(self, command: StartCommand, record: WorkflowRecord, spec: WorkflowSpec) -> Accepted | None:
        """A new thread; None when there is one of that id."""
        command = await fitting(spec, command)
        self._catalog.check(record.id, spec)
        start, loaded = give_birth(command, record, spec, at=utc_now(), incarnation_id=None)
        return await self._starts.bear(command, start, loaded)

    async def _again(
        self, command: StartCommand, record: WorkflowRecord, spec: WorkflowSpec, thread: ThreadRecord
    ) -> Accepted:
        """A start that names an existing thread."""
        owner = await self._starts.owner(command)
        if owner is not None:
            return await self._starts.replay(command, owner)
        own = await self._catalog.spec(thread.definition_id)
        pinned = not isinstance(command.workflow, str) or "@" in command.workflow
        if own.name != spec.name or (pinned and record.id != thread.definition_id):
            raise Conflict(f"thread {thread.thread_id} is of the workflow {own.name}", code="thread_exists")
        check_place(command, thread)
        key = key_of(command, thread)
        if not command.has_input:
            if thread.status not in RESUMABLE and thread.status is not Status.COMPLETED:
                raise Conflict(f"thread {thread.thread_id} is {thread.status}", code="thread_running")
            return await self._resume(going_on(command, thread), key)
        await check_input(own, command)
        plain(command.input)
        now, _ = await self._definite.steer(
            thread.thread_id, lambda steering, spec: steering.run_again(command, spec), key=key
        )
        return Accepted(thread=now, execution_id=now.execution_id, from_version=thread.head_version)

    async def _definition(self, command: StartCommand) -> tuple[WorkflowRecord, WorkflowSpec]:
        if isinstance(command.workflow, str):
            return await self._catalog.named(command.workflow)
        return await self._catalog.ad_hoc(command.workflow)

    async def _steer(
        self, thread_id: str, decide: Decide, *, drive: str | None = None, key: IdempotencyRecord | None = None
    ) -> tuple[ThreadRecord, bool]:
        """Decide under the lock, write, publish; then the old run here stops and, with the queue to `drive` it in, a new
        one begins.
        """
        mine = drive is not None and await self._admission.reserve(thread_id, drive)
        driver = self._worker.incarnation_id if mine else None
        written: list[Transition] = []

        async def under_lock(thread: ThreadRecord, reads: Reads) -> Transition | None:
            transition = await decide(Steering(thread, reads, at=utc_now(), driver=driver))
            written.extend([transition] if transition is not None else [])
            return transition

        launched = False
        try:
            thread = await self._stores.journal.steer(thread_id, under_lock, key)
            if not written:
                return thread, False
            self._worker.stop_run(thread_id)
            self._bus.moved(written[-1])
            accepted = dataclasses.replace(thread)
            if mine and thread.incarnation_id is not None:
                self._worker.launch(thread)
                launched = True
            else:
                self._worker.hint()
            await self._worker.family.cancel_children(written[-1])
        except (Unavailable, asyncio.CancelledError):
            self._worker.adopt_later()  # it may be written all the same
            raise
        finally:
            if mine and not launched:
                self._worker.unreserve(thread_id)
        return accepted, True
