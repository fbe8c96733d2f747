"""Beginning a run: what a client asks of a thread, as the one thing that control is to do for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.api import idempotency
from app.api.answers import known_form, no_thread
from app.api.langgraph.asking import answer
from app.api.langgraph.lookup import assistant_of, storable, version_in
from app.api.langgraph.replies import not_supported, wrong
from app.api.langgraph.states import variables
from app.api.langgraph.views import MOVED_BY, TRIGGERED_BY
from app.api.langgraph.wanting import checkpoint_in, context_of, refuse
from app.api.langgraph.yielding import Overtaken, cancel_run, cancel_standing, undo_run
from app.api.start_webhook import hook_of
from app.api.trace_context import traceparent_of
from app.domain.commands import Accepted, ResumeCommand, RollbackCommand, StartCommand
from app.domain.errors import Conflict
from app.domain.ids import uuid7
from app.domain.sdk_threads import SdkRun, SdkStatus
from app.domain.status import ACTIVE, ENDED, Status

if TYPE_CHECKING:
    from starlette.requests import Request

    from app.api.langgraph.bodies import RunAsked
    from app.api.langgraph.lookup import Assistant
    from app.api.services import Services
    from app.domain.records import ThreadRecord

_TRIES: Final = 5
_TAKES_OVER: Final = ("interrupt", "rollback")
_OVERTAKEN: Final = frozenset({"thread_ended", "thread_running", "version_conflict"})
"""What a run is told that would take another's place, and finds that this one has ended or given way meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A run that is durable; its events come after `after` on its thread."""

    thread_id: str
    run_id: str
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What the headers of a request say: its Idempotency-Key with what that stands for, and the span that asks."""

    key: str | None = None
    digest: bytes = b""
    traceparent: str | None = None


def caller_of(services: Services, request: Request, value: Any) -> Caller:
    """The request's.  Raises BadRequest."""
    key = idempotency.key_of(request)
    digest = idempotency.digest(key, request.url.path, value)
    return Caller(key=key, digest=digest, traceparent=traceparent_of(services, request))


async def begin(services: Services, thread_id: str | None, wanted: RunAsked, caller: Caller) -> Begun:
    """Do what a run asks for.  Raises NotFound, Conflict, InvalidRequest, NotSupported and what control raises."""
    refuse(wanted, stateless=thread_id is None)
    assistant = await assistant_of(services, wanted.assistant_id)
    metadata = storable(wanted.metadata)
    known = caller.key is not None and await services.reads.idempotency("default", caller.key) is not None
    if thread_id is None or known:
        begun = await _start(services, thread_id or uuid7(), assistant, wanted, caller)
    else:
        before = await services.reads.thread(known_form(thread_id))
        if before is None:
            begun = await _first(services, thread_id, assistant, wanted, caller)
        else:
            await _check_assistant(services, before, assistant)
            begun = await _Again(services, before, assistant, wanted, caller).begin()
    if thread_id is not None:
        own = {"graph_id": assistant.record.name, "assistant_id": assistant.assistant_id}
        await services.sdk_threads.merge(begun.thread_id, own, ran=True)
    note = SdkRun(run_id=begun.run_id, thread_id=begun.thread_id, metadata=metadata, strategy=wanted.multitask_strategy)
    if metadata or note.strategy is not None:
        await services.sdk_threads.note_run(note)
    return begun


async def _first(services: Services, thread_id: str, assistant: Assistant, wanted: RunAsked, caller: Caller) -> Begun:
    """The first run of a thread."""
    if wanted.if_not_exists != "create" and await services.sdk_threads.get(thread_id) is None:
        raise no_thread(thread_id)
    if wanted.command is not None:
        raise Conflict(f"thread {thread_id} has had no run yet: there is nothing to command", code="thread_not_started")
    if version_in(*checkpoint_in(wanted), thread_id) is not None:
        raise Conflict(f"thread {thread_id} has had no run yet: it has no checkpoint", code="thread_not_started")
    return await _start(services, thread_id, assistant, wanted, caller)


async def _start(
    services: Services, thread_id: str, assistant: Assistant, wanted: RunAsked, caller: Caller, after: int = 0
) -> Begun:
    command = StartCommand(
        workflow=assistant.reference,
        input=wanted.input,
        has_input=wanted.input is not None,
        omits_input=wanted.input is None,
        thread_id=thread_id,
        context=context_of(wanted),
        triggered_by=TRIGGERED_BY,
        delay=wanted.after_seconds or 0.0,
        idempotency_key=caller.key,
        request_sha256=caller.digest,
        traceparent=caller.traceparent,
        webhook=None if wanted.webhook is None else await hook_of(services, wanted.webhook),
    )
    accepted = await services.control.start(command)
    # One that an Idempotency-Key stands for may be another thread, and is told from its beginning.
    same = accepted.thread.thread_id == thread_id and not accepted.replayed
    return Begun(thread_id=accepted.thread.thread_id, run_id=accepted.execution_id, after=after if same else 0)


async def _check_assistant(services: Services, thread: ThreadRecord, assistant: Assistant) -> None:
    record = await services.registry.definition(thread.definition_id)
    if record is not None and record.name != assistant.record.name:
        message = f"thread {thread.thread_id} is of the assistant {record.name}: another one needs a thread of its own"
        raise Conflict(message, code="thread_exists")


class _Again:
    """A run on a thread that has had one."""

    def __init__(
        self, services: Services, thread: ThreadRecord, assistant: Assistant, wanted: RunAsked, caller: Caller
    ) -> None:
        self._services, self._control = services, services.control
        self._thread, self._assistant = thread, assistant
        self._wanted, self._caller = wanted, caller
        self._after = thread.last_seq
        self._id = thread.thread_id

    async def begin(self) -> Begun:
        """Do it.  Raises as `begin`."""
        for _ in range(_TRIES):
            try:
                return await self._begin()
            except Overtaken:
                pass
            except Conflict as error:
                if self._wanted.multitask_strategy not in _TAKES_OVER or error.code not in _OVERTAKEN:
                    raise
            self._thread = await self._now()
        return await self._begin()

    async def _begin(self) -> Begun:
        wanted, command = self._wanted, self._wanted.command
        if wanted.after_seconds:
            raise wrong("after_seconds", "only the first run of a thread can be delayed")
        if command is not None and "resume" in command.model_fields_set:
            return await self._answer()
        version = version_in(*checkpoint_in(wanted), self._id)
        status = (await self._services.sdk_threads.statuses([self._id])).get(self._id)
        if status is SdkStatus.BUSY:
            await self._make_way()
        if command is not None:
            return await self._command(version)
        if wanted.input is not None:
            return await self._anew(version)
        return await self._go_on(version)

    async def _answer(self) -> Begun:
        command = self._wanted.command
        if command is not None and (command.update or command.goto or context_of(self._wanted)):
            raise wrong("command", "an answer goes alone: change variables with threads.update_state")
        if version_in(*checkpoint_in(self._wanted), self._id) is not None:
            raise wrong("checkpoint", "an answer is to the question that is open, at the head")
        self._check_plain()
        thread = await answer(self._services, self._id, None if command is None else command.resume)
        return self._begun(thread)

    async def _make_way(self) -> None:
        """What runs gives way, if that is wanted.  Raises Conflict (thread_running), NotSupported."""
        strategy = self._wanted.multitask_strategy or "reject"
        if strategy == "enqueue":
            raise not_supported(
                "multitask_strategy", "runs do not queue up behind each other: wait for the one that runs"
            )
        if strategy == "reject":
            message = f"thread {self._id} is busy: wait for its run, cancel it, or choose a multitask_strategy"
            raise Conflict(message, code="thread_running")
        if strategy == "interrupt":
            await cancel_run(self._services, self._id, self._thread.execution_id, "another run interrupted it")
        else:
            await undo_run(self._services, self._id, self._thread.execution_id)

    async def _command(self, version: int | None) -> Begun:
        command = self._wanted.command
        assert command is not None
        if command.goto is None:
            return await self._roll_back(version, self._update(command.update))
        self._check_plain()
        if context_of(self._wanted):
            raise wrong("context", "goto takes the variables as they are: change them with threads.update_state before")
        goto: Any = command.goto
        match goto:
            case str(step) | [str(step)] if version is None and not command.update:
                pass
            case _:
                raise not_supported("command/goto", "it names one step, alone, from which the head goes on")
        await self._stand_still()
        resume = ResumeCommand(thread_id=self._id, from_step=step, triggered_by=TRIGGERED_BY)
        return self._accepted(await self._control.resume(resume))

    def _update(self, given: Any) -> Any:
        if not given:
            raise wrong("command", "should have resume, update or goto")
        return given

    async def _anew(self, version: int | None) -> Begun:
        """A new input: the steps begin anew, with the variables of the head or of an earlier version."""
        if version is not None:
            await self._control.rollback(
                RollbackCommand(thread_id=self._id, to_version=version, resume=False, triggered_by=MOVED_BY)
            )
        await self._stand_still()
        return await _start(self._services, self._id, self._assistant, self._wanted, self._caller, self._after)

    async def _go_on(self, version: int | None) -> Begun:
        """No input: from where the thread stands, or from an earlier version."""
        thread = await self._now()
        if version is not None or context_of(self._wanted):
            return await self._roll_back(version)
        if thread.status is Status.COMPLETED or thread.status in ACTIVE:  # nothing can happen, but by answers
            self._check_plain()
            return self._begun(thread)
        if self._caller.key is not None or self._wanted.webhook is not None:
            return await _start(self._services, self._id, self._assistant, self._wanted, self._caller, self._after)
        return self._accepted(await self._control.resume(ResumeCommand(thread_id=self._id, triggered_by=TRIGGERED_BY)))

    async def _roll_back(self, version: int | None, update: Any = None) -> Begun:
        """Run from a version, the head if None, with other variables."""
        self._check_plain()
        thread = await self._now()
        spec = await self._control.spec(thread.definition_id)
        command = RollbackCommand(
            thread_id=self._id,
            to_version=thread.head_version if version is None else version,
            context=variables(spec, context_of(self._wanted), "context") | variables(spec, update, "command/update"),
            triggered_by=TRIGGERED_BY,
        )
        return self._accepted(await self._control.rollback(command))

    async def _stand_still(self) -> None:
        """A thread that is paused, or asks, is not asked any more."""
        seen = await self._now()
        if seen.status in ENDED:
            return
        statuses = await self._services.sdk_threads.statuses([self._id])
        if statuses.get(self._id) is SdkStatus.BUSY:
            raise Overtaken(f"thread {self._id} has just gone on", code="thread_running")
        await cancel_standing(self._services, seen, "a new run was asked for")

    def _check_plain(self) -> None:
        """What belongs to a start has no place in what goes on otherwise.  Raises InvalidRequest."""
        if self._wanted.webhook is not None:
            raise wrong("webhook", "only a run with an input brings one, which is told of the thread from then on")
        if self._caller.key is not None:
            raise wrong("Idempotency-Key", "it begins runs with an input once, and those that go on after an end")

    async def _now(self) -> ThreadRecord:
        thread = await self._services.reads.thread(self._id)
        if thread is None:
            raise no_thread(self._id)
        return thread

    def _accepted(self, accepted: Accepted) -> Begun:
        return self._begun(accepted.thread)

    def _begun(self, thread: ThreadRecord) -> Begun:
        return Begun(thread_id=self._id, run_id=thread.execution_id, after=self._after)
