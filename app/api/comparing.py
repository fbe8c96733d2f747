"""Gathers two executions for a comparison: what they came to, where they come from, and their last common version."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from app.api import cursors
from app.api.documents import chunks_of, origin_of, version_of
from app.domain.errors import Corrupt, NotFound
from app.domain.ids import THREAD_ID
from app.domain.state import Refs
from app.domain.views.compare import DAMAGED, NOT_WRITTEN, TOO_LARGE, Side, compare, junction
from app.domain.views.status import kept_runs

if TYPE_CHECKING:
    from app.api.services import Services
    from app.domain.records import ExecutionRecord, ThreadRecord
    from app.domain.state import State
    from app.domain.views.common import Document

_MOST: Final = 8 * 1024 * 1024
"""Bytes of a state that is compared by its values; larger ones by their digests."""
_BIG: Final = 50_000
"""Bytes of values that are compared in a thread: it takes too long for the loop."""
_GENERATIONS: Final = 100


async def comparison_of(services: Services, a: str, b: str) -> Document:
    """The comparison of two executions, or of what two threads are at.  Raises NotFound."""
    executions = [await _execution(services, reference) for reference in (a, b)]
    sides = [await _side(services, execution) for execution in executions]
    ancestor = await _ancestor(services, sides[0], sides[1])
    size = sum(side.state.size_bytes if side.state is not None else 0 for side in sides)
    size += sum(len(execution.output or "") for execution in executions)
    if size > _BIG:
        return await asyncio.to_thread(compare, sides[0], sides[1], ancestor)
    return compare(sides[0], sides[1], ancestor)


async def _execution(services: Services, reference: str) -> ExecutionRecord:
    found = None
    if cursors.is_uuid(reference):
        found = await services.reads.execution(reference.lower())
    if found is None and THREAD_ID.match(reference):
        thread = await services.reads.thread(reference)
        found = await services.reads.execution(thread.execution_id) if thread is not None else None
    if found is None:
        raise NotFound(f"no execution and no thread {reference[:128]!r}", code="execution_not_found")
    return found


async def _side(services: Services, execution: ExecutionRecord) -> Side:
    reads, name = services.reads, execution.thread_id
    thread = await reads.thread(name)
    if thread is None:
        raise NotFound(f"no execution {execution.id}", code="execution_not_found")
    spec, runs, origin, version = await asyncio.gather(
        services.control.spec(execution.workflow_id or thread.definition_id),
        reads.steps(name, execution_id=execution.id, values=False),
        origin_of(services, name),
        version_of(services, thread, execution.id),
    )
    refs = await _refs(services, thread, execution, version)
    kept = kept_runs(refs, runs)
    if kept:
        runs = runs + await reads.steps(name, ids=kept, values=False)
    state, without = await _state(services, name, version)
    return Side(
        execution=execution,
        version=version or None,
        origin=origin,
        steps=[step.id for step in spec.steps],
        runs=runs,
        state=state,
        without=without,
    )


async def _refs(services: Services, thread: ThreadRecord, execution: ExecutionRecord, version: int) -> Refs:
    if thread.execution_id == execution.id:
        return await services.control.head_refs(thread)
    return await services.control.load_refs(thread.thread_id, version) if version else Refs()


async def _state(services: Services, thread_id: str, version: int) -> tuple[State | None, str | None]:
    """The state at a version, or why there is none to look into."""
    found = await services.reads.checkpoints(thread_id, first=version, last=version) if version else []
    if not found:
        return None, NOT_WRITTEN
    if found[0].size_bytes > _MOST:
        return None, TOO_LARGE
    try:
        return await services.control.load_state(thread_id, version), None
    except Corrupt:
        return None, DAMAGED


async def _ancestor(services: Services, a: Side, b: Side) -> tuple[str, int] | None:
    """The newest version that both came from, over any number of forks."""
    if a.version is None or b.version is None:
        return None
    known = dict(await _lineage(services, a, a.version))
    for thread_id, version in await _lineage(services, b, b.version):
        if thread_id in known:
            at = await _junction(services, thread_id, known[thread_id], version)
            return None if at is None else (thread_id, at)
    return None


async def _lineage(services: Services, side: Side, version: int) -> list[tuple[str, int]]:
    """The side itself, and what it was forked from, and what that was."""
    found = [(side.execution.thread_id, version)]
    origin = side.origin
    while origin is not None and len(found) < _GENERATIONS:
        found.append((origin.thread_id, origin.version))
        origin = await origin_of(services, origin.thread_id)
    return found


async def _junction(services: Services, thread_id: str, one: int, other: int) -> int | None:
    if one == other:
        return one
    parents: dict[int, int | None] = {}
    async for chunk in chunks_of(services, thread_id, 1, max(one, other)):
        parents.update((each.version, each.parent_version) for each in chunk)
    return junction(parents, one, other)
