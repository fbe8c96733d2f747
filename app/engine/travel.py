"""Time travel, as the API asks for it: what changed, the timelines, steps done again, threads as files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.engine.difference import Difference, difference

if TYPE_CHECKING:
    from app.domain.commands import Accepted
    from app.domain.ports import Reads
    from app.domain.replay import ReplayCommand
    from app.domain.travel import Travels
    from app.engine.replay import Replays
    from app.engine.transfer import Transfers


@dataclass(frozen=True, slots=True, kw_only=True)
class Travel:
    """One for the engine."""

    reads: Reads
    lines: Travels
    replays: Replays
    transfers: Transfers

    async def difference(self, thread_id: str, one: int, other: int) -> Difference:
        """See engine.difference."""
        return await difference(self.reads, self.lines, thread_id, one, other)

    async def replay(self, command: ReplayCommand) -> Accepted:
        """See Replays."""
        return await self.replays.replay(command)
