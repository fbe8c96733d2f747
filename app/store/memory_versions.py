"""Versions as people see them, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.checkpoints import Versions

if TYPE_CHECKING:
    from app.store.memory_tables import MemoryTables


class MemoryVersions(Versions):
    """See domain.checkpoints.Versions."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def show_head(self, thread_id: str) -> int | None:
        """See Versions."""
        thread = self._tables.threads.get(thread_id)
        if thread is None:
            return None
        self._tables.show(thread_id, thread.head_version)
        return thread.head_version
