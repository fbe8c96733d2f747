"""Forks: new threads that begin with the state of another thread at one of its versions.

A version never changes, so a thread can be forked while it runs.  What a fork needs is copied: it owes its source nothing
afterwards.  Nothing of what was done before is done, or counted as a cost, again.
"""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.domain import events
from app.domain.commands import Fork, Forked, StartCommand
from app.domain.errors import BackstitchError, Conflict, Corrupt, InvalidRequest, JsonError, NotFound, Problem
from app.domain.ids import uuid7
from app.domain.integrity import refuse
from app.domain.parameters import Origin, Parameters, parse
from app.domain.state import END, START, ManifestWriter, Refs, State
from app.domain.status import Status
from app.domain.times import utc_now
from app.domain.transition import Start
from app.engine.asked import key_of
from app.engine.birth import new_execution, new_thread, plain
from app.engine.draft import Draft
from app.engine.load import manifests, resolved, set_literals
from app.engine.moving import check_version
from app.engine.values import read_values
from app.engine.versions import check_shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.domain.commands import Accepted, ForkCommand, Variant
    from app.domain.records import CheckpointRecord, StepRecord, ThreadRecord, WorkflowRecord
    from app.domain.spec import WorkflowSpec
    from app.engine.catalog import Catalog
    from app.engine.deps import Stores
    from app.engine.starts import Starts

MAX_BYTES: Final = 64 * 1024 * 1024
"""What the values of a version that is forked may weigh together: they pass through memory, once for each new thread."""
_LARGE: Final = 1024 * 1024
_SEPARATOR: Final = "\x1f"
"""Between an Idempotency-Key and a variant's place: no client can send it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A version with all its values, checked; `runs` are the step runs that its steps and its variables refer to."""

    thread: ThreadRecord
    checkpoint: CheckpointRecord
    refs: Refs
    runs: Sequence[StepRecord]
    input: str
    record: WorkflowRecord
    spec: WorkflowSpec


class Forks:
    """One for the engine."""

    def __init__(self, stores: Stores, catalog: Catalog, starts: Starts) -> None:
        self._stores = stores
        self._reads = stores.reads
        self._registry = stores.registry
        self._catalog = catalog
        self._starts = starts
        self._large = asyncio.Lock()

    async def fork(self, command: ForkCommand) -> Forked:
        """Make the variants one by one; those that an Idempotency-Key has made before are not made again.

        Nothing is made where any of them is wrong; what else comes in between is told of the variant that it hit.  Raises
        what became of the first where none was made: NotFound (thread, version), Corrupt, InvalidRequest, Conflict,
        Unavailable.
        """
        with self._starts.once("default", command.idempotency_key):
            known = [await self._replayed(each) for each in self._commands(command)]
            version = await self._version(command, known)
            if all(known):
                pairs = zip(command.variants, known, strict=True)
                forks = [Fork(variant=variant, accepted=before) for variant, before in pairs]
            else:
                forks = await self._fork_living(command, version, known)
        if all(fork.accepted is None for fork in forks):
            raise next(fork.error for fork in forks if fork.error is not None)
        return Forked(thread_id=command.thread_id, version=version, forks=forks)

    async def _fork_living(self, command: ForkCommand, version: int, known: Sequence[Accepted | None]) -> list[Fork]:
        """A thread that is deleted while it is read is gone, and not damaged."""
        try:
            return await self._fork(command, version, known)
        except (Corrupt, NotFound):
            await self._thread(command.thread_id)
            raise

    async def _fork(self, command: ForkCommand, version: int, known: Sequence[Accepted | None]) -> list[Fork]:
        """Make those that are not known yet; of the large states only one is in memory at a time."""
        thread = await self._thread(command.thread_id)
        chain = await manifests(self._reads, thread.thread_id, version)
        if command.version is not None:  # a head that was shown when it was chosen may be one no more
            await check_shown(self._reads, thread, chain[-1])
        await check_version(self._stores, self._catalog, thread, version, runs_on=True)
        size = chain[-1].size_bytes
        if size > MAX_BYTES:
            told = f"version {version} holds {size:,} bytes; at most {MAX_BYTES:,} can be forked"
            raise InvalidRequest(told, code="state_too_large")
        async with self._large if size > _LARGE else nullcontext():
            source = await self._source(thread, chain)
            await self._check(command, source, known)
            return [
                Fork(variant=variant, accepted=before) if before else await self._make(source, command, place)
                for place, (variant, before) in enumerate(zip(command.variants, known, strict=True))
            ]

    def _commands(self, command: ForkCommand) -> list[StartCommand]:
        """Each variant as the start that it is; the first has the client's own key."""
        key = command.idempotency_key
        return [
            StartCommand(
                workflow="",
                thread_id=variant.thread_id,
                context=variant.context,
                triggered_by=command.triggered_by,
                idempotency_key=key if key is None or place == 0 else f"{key}{_SEPARATOR}{place}",
                request_sha256=command.request_sha256,
            )
            for place, variant in enumerate(command.variants)
        ]

    async def _replayed(self, start: StartCommand) -> Accepted | None:
        owner = await self._starts.owner(start)
        return None if owner is None else await self._starts.replay(start, owner)

    async def _version(self, command: ForkCommand, known: Sequence[Accepted | None]) -> int:
        """Which to fork; where some variants have been made before, the one that those come from."""
        before = next((each for each in known if each is not None), None)
        if before is not None:
            execution = await self._reads.execution(before.execution_id)
            origin = None
            with suppress(KeyError, ValueError, JsonError):  # damaged: it cannot be told
                origin = parse(execution.parameters).forked_from if execution is not None else None
            if origin is not None:
                return origin.version
        if command.version is not None:
            return command.version
        return (await self._thread(command.thread_id)).head_version

    async def _thread(self, thread_id: str) -> ThreadRecord:
        thread = await self._reads.thread(thread_id)
        if thread is None:
            raise NotFound(f"there is no thread {thread_id}", code="thread_not_found")
        return thread

    async def _source(self, thread: ThreadRecord, chain: list[CheckpointRecord]) -> Source:
        record = await self._registry.definition(thread.definition_id)
        if record is None:
            raise NotFound(f"definition {thread.definition_id} is gone", code="workflow_not_found")
        refs = await resolved(chain, chain[-1].version)
        values = await read_values(self._reads, thread.thread_id, refs)
        refuse(thread.thread_id, values.findings)
        assert values.execution is not None
        return Source(
            thread=thread,
            checkpoint=chain[-1],
            refs=refs,
            runs=list(values.rows.values()),
            input=values.execution.input or "null",
            record=record,
            spec=await self._catalog.spec(thread.definition_id),
        )

    async def _check(self, command: ForkCommand, source: Source, known: Sequence[Accepted | None]) -> None:
        """Raises InvalidRequest (step_not_found, nothing_to_run, what an agent cannot do), Conflict (thread_exists)."""
        problems: list[Problem] = []
        for place, variant in enumerate(command.variants):
            _check_known(variant, source.spec)
            _check_runs(variant, source)
            for step_id, override in variant.overrides.items():
                if override.agent is not None:
                    pointer = f"/variants/{place}/overrides/{step_id}/agent"
                    found = self._catalog.objections(source.spec.by_id[step_id], override.agent)
                    problems += [Problem(pointer, message) for message in found]
        if problems:
            raise InvalidRequest(f"{problems[0].pointer}: {problems[0].message}", problems=problems)
        new = [variant.thread_id for variant, before in zip(command.variants, known, strict=True) if before is None]
        taken = await self._reads.threads([thread_id for thread_id in new if thread_id is not None])
        if taken:
            raise _exists(taken[0].thread_id)

    async def _make(self, source: Source, command: ForkCommand, place: int) -> Fork:
        variant, start_command = command.variants[place], self._commands(command)[place]
        placed = dataclasses.replace(start_command, queue=source.thread.queue, priority=source.thread.priority)
        try:
            accepted = await self._starts.bear(placed, begin(source, command, variant, placed))
        except BackstitchError as error:
            return Fork(variant=variant, error=error)
        if accepted is None:
            return Fork(variant=variant, error=_exists(variant.thread_id or ""))
        return Fork(variant=variant, accepted=accepted)


def begin(source: Source, command: ForkCommand, variant: Variant, placed: StartCommand) -> Start:
    """The birth of one fork: its version START holds, in full, all that the source's version held.

    Raises JsonError when its context is not JSON.
    """
    at, thread_id, execution_id = utc_now(), placed.thread_id or uuid7(), uuid7()
    thread = new_thread(placed, source.record, thread_id, execution_id, at=at, incarnation_id=None)
    execution = new_execution(source.record, thread_id, execution_id, "fork", source.input, at=at)
    execution.triggered_by = command.triggered_by
    origin = Origin(thread_id=source.thread.thread_id, version=source.checkpoint.version, variant=variant.name)
    execution.parameters = Parameters(overrides=dict(variant.overrides), forked_from=origin).text()
    if not command.resume:
        thread.status = execution.status = Status.PAUSED
        thread.wake_at = None
    state, writer, steps = _taken_over(source, thread_id, execution_id)
    set_literals(plain(variant.context), state, writer)
    draft = Draft(thread, at)
    draft.checkpoint(state, writer, START, trigger="fork", progress=source.checkpoint.progress, full=True)
    data = {
        "status": thread.status.value,
        "progress": source.checkpoint.progress,
        "workflow": source.record.name,
        "forked_from": {"thread_id": origin.thread_id, "version": origin.version},
        "variant": variant.name,
        "reason": command.reason,
    }
    event = draft.event(events.WORKFLOW_START, data)
    draft.transition.apply_to(thread)
    thread.rev = 0
    return Start(
        thread=thread,
        execution=execution,
        checkpoint=draft.transition.checkpoints[0],
        event=event,
        idempotency=key_of(placed, thread),
        steps=steps,
    )


def _taken_over(source: Source, thread_id: str, execution_id: str) -> tuple[State, ManifestWriter, list[StepRecord]]:
    """The source's state as another thread's: new runs for its runs, the literals of all its versions in one.

    A run keeps the execution that did it, which is not one of the new thread's: so it counts as kept from before.
    """
    runs = {run.id: uuid7() for run in source.runs}
    steps = [dataclasses.replace(run, id=runs[run.id], thread_id=thread_id, usage=None) for run in source.runs]
    old = source.refs
    refs = Refs(
        input=execution_id,
        steps={step_id: (runs[run], status) for step_id, (run, status) in old.steps.items()},
        context={name: (kind, runs[ref] if kind == "run" else 1) for name, (kind, ref) in old.context.items()},
    )
    state = State(refs, {"input": None, "context": {}})
    writer = ManifestWriter(refs, base_version=1, since_base=0, base_entries=0)
    given = {name: old.literals[ref, name] for name, (kind, ref) in old.context.items() if kind == "at"}
    set_literals(given, state, writer)
    state.size_bytes = source.checkpoint.size_bytes
    return state, writer, steps


def _check_known(variant: Variant, spec: WorkflowSpec) -> None:
    unknown = [step_id for step_id in variant.overrides if step_id not in spec.by_id]
    if unknown:
        raise InvalidRequest(f"the workflow {spec.name} has no step {', '.join(unknown)}", code="step_not_found")


def _check_runs(variant: Variant, source: Source) -> None:
    """An override of what has been done, and anything at the end, would change nothing: it is refused."""
    version = source.checkpoint.version
    if source.checkpoint.step_id == END and (variant.context or variant.overrides):
        told = f"version {version} is the end: nothing runs after it that could see the changes, fork an earlier one"
        raise InvalidRequest(told, code="nothing_to_run")
    done = [step_id for step_id in variant.overrides if step_id in source.refs.steps]
    if done:
        told = f"at version {version} {', '.join(done)} has ended and does not run again: fork an earlier version"
        raise InvalidRequest(told, code="nothing_to_run")


def _exists(thread_id: str) -> Conflict:
    return Conflict(f"thread {thread_id} exists: a fork is always a new one", code="thread_exists")
