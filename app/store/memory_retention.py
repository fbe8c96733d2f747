"""Retention in memory: the same rules on plain dicts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from app.domain.retention import (
    DELETABLE,
    UNUSED,
    Deleted,
    EndedThread,
    Place,
    RetentionRun,
    RetentionStore,
    Scan,
    WorkflowRetention,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from app.domain.records import ExecutionRecord, ThreadRecord
    from app.store.memory_agents import AgentTables
    from app.store.memory_tables import MemoryTables

    _Kin = dict[str, list[ThreadRecord]]

_RUNS: Final = 200


class MemoryRetention(RetentionStore):
    """See domain.retention.RetentionStore."""

    def __init__(self, tables: MemoryTables, agents: AgentTables) -> None:
        self._tables = tables
        self._agents = agents
        self._policies: dict[str, WorkflowRetention] = {}
        self._runs: dict[str, RetentionRun] = {}
        self._owner: tuple[str, datetime] | None = None
        self._ran_at: datetime | None = None

    async def scan(self, before: Place | None, limit: int) -> Scan:
        """See RetentionStore."""
        found = sorted(self._tables.executions.values(), key=_place, reverse=True)
        if before is not None:
            found = [each for each in found if _place(each) < (before.at, before.execution_id)]
        page = found[:limit]
        kin = self._kin()
        ended = [self._ended(each, kin) for each in page]
        last = Place(page[-1].created_at, page[-1].id) if len(page) == limit else None
        return Scan(ended=[each for each in ended if each is not None], looked_at=len(page), last=last)

    async def delete(self, threads: Sequence[EndedThread]) -> Deleted:
        """See RetentionStore."""
        roots: list[str] = []
        gone: dict[str, None] = {}
        kin = self._kin()
        for one in threads:
            root = self._tables.threads.get(one.thread_id)
            family = self._family(one.thread_id, kin)
            unchanged = root is not None and (root.epoch, root.rev) == (one.epoch, one.rev)
            if unchanged and all(self._deletable(member) for member in family):
                roots.append(one.thread_id)
                gone.update(dict.fromkeys(member.thread_id for member in family))
        now = self._tables.clock()
        for thread_id in gone:
            self._tables.used_at[self._tables.threads[thread_id].definition_id] = now
        return Deleted(roots, list(gone), self._tables.forget(gone.keys()))

    async def tidy(self, agent_days: float, limit: int) -> tuple[int, int]:
        """See RetentionStore."""
        events, oldest = self._agents.events, self._agents.clock() - timedelta(days=agent_days)
        old = [each for each in events if each.at < oldest][:limit]
        self._agents.events[:] = [each for each in events if each not in old]
        tables, since = self._tables, self._tables.clock() - UNUSED
        used = {thread.definition_id for thread in tables.threads.values()}
        unused = [
            known.id
            for known in tables.workflows.values()
            if known.version is None and known.id not in used and tables.used_at.get(known.id, known.created_at) < since
        ][:limit]
        for definition_id in unused:
            del tables.workflows[definition_id]
        return len(old), len(unused)

    async def sizes(self) -> Mapping[str, int]:
        """See RetentionStore; what is in memory has no size that can be told."""
        return {}

    async def policies(self) -> list[WorkflowRetention]:
        """See RetentionStore."""
        return [self._policies[name] for name in sorted(self._policies)]

    async def set_policy(self, policy: WorkflowRetention) -> None:
        """See RetentionStore."""
        self._policies[policy.workflow] = policy

    async def drop_policy(self, workflow: str) -> bool:
        """See RetentionStore."""
        return self._policies.pop(workflow, None) is not None

    async def take(self, owner: str, seconds: float, *, every: float | None = None) -> bool:
        """See RetentionStore."""
        now = self._tables.clock()
        held = self._owner is not None and self._owner[1] >= now and self._owner[0] != owner
        recent = every is not None and self._ran_at is not None and self._ran_at > now - timedelta(seconds=every)
        if held or recent:
            return False
        self._owner = (owner, now + timedelta(seconds=seconds))
        return True

    async def release(self, owner: str) -> None:
        """See RetentionStore."""
        if self._owner is not None and self._owner[0] == owner:
            self._owner, self._ran_at = None, self._tables.clock()

    async def note(self, run: RetentionRun) -> None:
        """See RetentionStore."""
        self._runs[run.id] = _copy(run)
        for other in self._runs.values():
            if other.ended_at is None and other.id != run.id and other.started_at <= run.started_at:
                other.ended_at, other.error = self._tables.clock(), "the process that did it has ended"
        if run.ended_at is not None:
            for old in (await self.runs(len(self._runs)))[_RUNS:]:
                del self._runs[old.id]

    async def runs(self, limit: int) -> list[RetentionRun]:
        """See RetentionStore."""
        found = sorted(self._runs.values(), key=lambda run: run.started_at, reverse=True)
        return [_copy(run) for run in found[:limit]]

    def _ended(self, execution: ExecutionRecord, kin: _Kin) -> EndedThread | None:
        thread = self._tables.threads.get(execution.thread_id)
        if thread is None or thread.execution_id != execution.id or thread.status not in DELETABLE:
            return None
        if thread.parent_thread_id in self._tables.threads:
            return None
        family = self._family(thread.thread_id, kin)
        if any(each.status not in DELETABLE or each.incarnation_id is not None for each in family):
            return None
        return EndedThread(
            thread_id=thread.thread_id,
            workflow=execution.workflow_name,
            status=thread.status,
            ended_at=max(each.updated_at for each in family),
            epoch=thread.epoch,
            rev=thread.rev,
            size=sum(map(self._size, family)),
            members=len(family),
        )

    def _size(self, thread: ThreadRecord) -> int:
        checkpoints = self._tables.checkpoints.get(thread.thread_id, [])
        size = next((each.size_bytes for each in checkpoints if each.version == thread.head_version), 0)
        return size + 2_000 + 1_500 * thread.last_version + 350 * thread.last_seq

    def _deletable(self, thread: ThreadRecord) -> bool:
        held = thread.thread_id in self._tables.locks
        return thread.status in DELETABLE and thread.incarnation_id is None and not held

    def _kin(self) -> _Kin:
        kin: _Kin = {}
        for each in self._tables.threads.values():
            if each.parent_thread_id is not None:
                kin.setdefault(each.parent_thread_id, []).append(each)
        return kin

    def _family(self, root: str, kin: _Kin) -> list[ThreadRecord]:
        """A thread with all that come from it; none where it is gone."""
        found = [self._tables.threads[root]] if root in self._tables.threads else []
        for member in found:  # which grows as it goes
            found += kin.get(member.thread_id, ())
        return found


def _place(execution: ExecutionRecord) -> tuple[datetime, str]:
    return execution.created_at, execution.id


def _copy(run: RetentionRun) -> RetentionRun:
    return replace(run, reasons=dict(run.reasons), workflows=dict(run.workflows))
