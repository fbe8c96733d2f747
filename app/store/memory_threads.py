"""The list of threads on the tables in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.domain import jsontext, parameters
from app.domain.records import NO_USAGE, WITH_INPUT
from app.domain.replay import REPLAY
from app.domain.status import STEP_OPEN, Status, StepStatus
from app.domain.thread_list import (
    COUNTED,
    HEAD,
    SHOWN,
    Footing,
    ListedThread,
    OpenRun,
    ThreadCounts,
    ThreadList,
    ThreadPage,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.domain.records import ExecutionRecord, StepRecord
    from app.domain.thread_list import Place, ThreadFilter
    from app.domain.waiting import WaitKey, WaitRecord
    from app.store.memory_tables import MemoryTables


class MemoryThreads(ThreadList):
    """See domain.thread_list.ThreadList."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def page(self, where: ThreadFilter) -> ThreadPage:
        """See ThreadList."""
        found, more = await self.ids(where)
        return ThreadPage(threads=await self.entries([name for name, _ in found]), next=more)

    async def ids(self, where: ThreadFilter) -> tuple[list[tuple[str, Place]], Place | None]:
        """See ThreadList."""
        every = [each for each in self._tables.executions.values() if _seems(each, where)]
        every.sort(key=lambda each: (each.created_at, each.id), reverse=True)
        looked = [each for each in every if where.before is None or (each.created_at, each.id) < where.before]
        within = looked[: where.bound]
        found = [each for each in within if self._wanted(each, where)]
        ends = found[where.limit - 1 : where.limit] if len(found) > where.limit else within[-1:]
        more = [(each.created_at, each.id) for each in ends if len(found) > where.limit or len(looked) > len(within)]
        return [(each.thread_id, (each.created_at, each.id)) for each in found[: where.limit]], next(iter(more), None)

    async def entries(self, ids: Sequence[str]) -> list[ListedThread]:
        """See ThreadList."""
        return [self._listed(name) for name in ids if name in self._tables.threads]

    async def counts(self, where: ThreadFilter) -> ThreadCounts:
        """See ThreadList."""
        where = replace(where, text=None)
        counts = dict.fromkeys(Status, 0)
        for each in self._tables.executions.values():
            if _seems(each, where) and self._wanted(each, where):
                counts[each.status] = min(COUNTED, counts[each.status] + 1)
        return ThreadCounts(counts=counts)

    def _wanted(self, execution: ExecutionRecord, where: ThreadFilter) -> bool:
        thread = self._tables.threads.get(execution.thread_id)
        if thread is None or thread.execution_id != execution.id:
            return False
        if not where.children and (thread.parent_thread_id is not None or self._is_replay(execution)):
            return False
        return where.text is None or self._says(execution, where.text)

    def _is_replay(self, execution: ExecutionRecord) -> bool:
        if execution.workflow_name != REPLAY or execution.workflow_version is not None:
            return False
        own = [each for each in self._tables.executions.values() if each.thread_id == execution.thread_id]
        return any(parameters.parse(each.parameters).replay_of is not None for each in own)

    def _says(self, execution: ExecutionRecord, text: str) -> bool:
        told = (execution.thread_id, execution.workflow_name, execution.triggered_by, execution.external_run_id)
        quoted = jsontext.dumps(text)[1:-1].lower()
        return text.lower() in "\n".join(filter(None, told)).lower() or quoted in (self._input(execution) or "").lower()

    def _input(self, execution: ExecutionRecord) -> str | None:
        if execution.input is not None or execution.kind in WITH_INPUT:
            return execution.input
        own = [
            each
            for each in self._tables.executions.values()
            if each.thread_id == execution.thread_id and each.kind in WITH_INPUT
        ]
        return max(own, key=lambda each: each.id).input if own else None

    def _listed(self, thread_id: str) -> ListedThread:
        tables, thread = self._tables, self._tables.threads[thread_id]
        execution, runs = tables.executions[thread.execution_id], list(tables.runs[thread_id].values())
        head = next((c for c in tables.checkpoints[thread_id] if c.version == thread.head_version), None)
        usage = sum((run.usage for run in runs if run.usage is not None), start=NO_USAGE)
        open_runs = [run for run in runs if run.execution_id == execution.id and run.status in STEP_OPEN]
        open_runs.sort(key=lambda run: (run.status is not StepStatus.RUNNING, run.id))
        given = self._input(execution)
        document = jsontext.loads(tables.workflows[thread.definition_id].document)
        return ListedThread(
            thread=replace(thread),
            execution=replace(execution, input=None, input_sha256=None, output=None, context=None),
            head=None if given is None else given[:HEAD],
            footing=Footing(
                total=len(document["steps"]) if "steps" in document else None,
                progress=0.0 if head is None else head.progress,
                execution_id=None if head is None else head.execution_id,
                ended=len({run.step_id for run in runs if run.status in {StepStatus.COMPLETED, StepStatus.SKIPPED}}),
            ),
            open=[self._open(run) for run in open_runs[:SHOWN]],
            open_more=max(0, len(open_runs) - SHOWN),
            usage=usage if any(run.usage is not None for run in runs) else None,
        )

    def _open(self, run: StepRecord) -> OpenRun:
        return OpenRun(
            step_id=run.step_id,
            status=run.status,
            agent=run.agent,
            attempt=run.attempt,
            started_at=run.started_at,
            next_attempt_at=run.next_attempt_at,
            waits=self._waits(run) if run.status is StepStatus.WAITING else None,
        )

    def _waits(self, run: StepRecord) -> str | None:
        if any(_is_of(run, gate.key, gate) for gate in self._tables.gates.values()):
            return "gate"
        for wait in self._tables.waits.values():
            if _is_of(run, wait.key, wait):
                return "message" if wait.signal is None else "signal"
        if (run.session_id or "").startswith("sub:"):
            return "child"
        return "sleep" if run.next_attempt_at is not None and run.agent is None else None


def _is_of(run: StepRecord, key: WaitKey, record: WaitRecord) -> bool:
    own = (key.thread_id, key.key_execution_id, key.step_id) == (run.thread_id, run.key_execution_id, run.step_id)
    return own and record.answered_at is None


def _seems(execution: ExecutionRecord, where: ThreadFilter) -> bool:
    """Whether it is one of those that are looked at."""
    return (
        (not where.statuses or execution.status in where.statuses)
        and where.workflow in (None, execution.workflow_name)
        and where.triggered_by in (None, execution.triggered_by)
        and (where.since is None or execution.created_at >= where.since)
        and (where.until is None or execution.created_at < where.until)
    )
