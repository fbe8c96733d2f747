"""Reads what is stored of a thread and of those that it started, straight from the database, for `verify --kill-points`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from app.cli.kill_verdict import Seen, Told
from app.domain.ports import ExecutionFilter
from app.domain.status import StepStatus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from app.domain.ports import Reads
    from app.domain.records import StepRecord, ThreadRecord

_OVER = frozenset({StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.SKIPPED})
_PAGE = 1000


async def look(reads: Reads, thread_id: str) -> Seen:
    """All that there is of the thread and those below it; nothing when it does not exist."""
    root = await reads.thread(thread_id)
    if root is None:
        return Seen()
    seen = Seen(status=str(root.status), head=root.head_version)
    found: list[ThreadRecord] = [root]
    while found:
        one = found.pop()
        await _read(reads, one.thread_id, seen)
        found += await reads.children(one.thread_id)
    return seen


async def _read(reads: Reads, thread: str, seen: Seen) -> None:
    seen.versions[thread] = [one.version for one in await reads.checkpoints(thread)]
    seen.events[thread] = await _events(reads, thread)
    seen.executions[thread] = len(await reads.executions(ExecutionFilter(thread_id=thread, limit=_PAGE)))
    for run in await reads.steps(thread, values=False):
        key = f"{thread}:{run.key_execution_id}:{run.step_id}"
        if run.status in _OVER:
            seen.ended[key] = _record(run)
        marks = await reads.part_marks(thread, (run.key_execution_id, run.step_id))
        seen.parts |= {f"{key}:{place}" for place in marks.completed}


def _record(run: StepRecord) -> tuple[Any, ...]:
    return (run.id, str(run.status), run.attempt, run.retry_count, run.started_at, run.completed_at, run.duration_ms)


async def _events(reads: Reads, thread: str) -> list[Told]:
    found: list[Told] = []
    while True:
        page = await reads.events(thread, after=found[-1].seq if found else 0, limit=_PAGE)
        found += [Told(seq=one.seq, name=one.name, step=one.step_id, text=one.json()) for one in page]
        if len(page) < _PAGE:
            return found


def entries(ledger: Path) -> Iterator[dict[str, Any]]:
    """What the processes noted, in that order; a line that a crash cut short is left out."""
    if not ledger.exists():
        return
    for line in ledger.read_text("utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue
