"""Threads for the inner checkpoints of graphs to belong to, without an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.ids import uuid7
from app.domain.records import ThreadRecord
from app.domain.status import Status
from app.domain.times import utc_now

if TYPE_CHECKING:
    from app.store.memory_tables import MemoryTables
    from app.store.pool import Pool

_INSERT = """
INSERT INTO threads (thread_id, definition_id, execution_id, status, epoch, rev, head_version, last_version, last_seq,
    created_at, updated_at)
VALUES ($1, gen_random_uuid(), gen_random_uuid(), 'running', $2, 1, 1, 1, 1, now(), now())
"""


async def add_thread(pool: Pool, thread_id: str, epoch: int = 1) -> None:
    """A thread's row in PostgreSQL."""
    await pool.execute(_INSERT, thread_id, epoch)


def memory_thread(tables: MemoryTables, thread_id: str, epoch: int = 1) -> None:
    """A thread's row in memory."""
    tables.threads[thread_id] = ThreadRecord(
        thread_id=thread_id,
        definition_id=uuid7(),
        execution_id=uuid7(),
        status=Status.RUNNING,
        epoch=epoch,
        rev=1,
        incarnation_id=None,
        head_version=1,
        last_version=1,
        last_seq=1,
        created_at=utc_now(),
        updated_at=utc_now(),
    )
