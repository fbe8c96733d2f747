"""What keeping a store in order asks of it beside Journal and Reads: formats, events that are gone, the threads of a workflow.

PostgreSQL (store/upkeep.py) and memory (store/memory_upkeep.py) satisfy it and pass one contract suite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from app.domain.moving import ThreadsOf
    from app.domain.records import ThreadRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """What a batch did, or would do: versions of old formats that it looked at, those brought into the newest one, and those
    whose text is not the one that was written, which stay as they are.  `after` is where to go on, None at the end.
    """

    seen: int
    upgraded: int
    damaged: int
    after: tuple[str, int] | None


class Upkeep(Protocol):
    """Nothing here holds a lock for longer than a batch takes."""

    async def formats(self) -> dict[int, int]:
        """How many versions are stored in each format."""
        ...

    async def upgrade(self, after: tuple[str, int], limit: int, *, dry_run: bool) -> Upgraded:
        """Write the next versions of old formats, by (thread id, version), in the newest one."""
        ...

    async def threads_of(self, where: ThreadsOf) -> list[ThreadRecord]:
        """The threads of a registered workflow, by id."""
        ...

    async def missing_events(self, thread_id: str, last: int) -> list[tuple[int, int]]:
        """Which of a thread's events 1..last are not there: (first, last) of each gap, in order."""
        ...
