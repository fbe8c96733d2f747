"""What the journal sent in a run: every batch's arguments as they went to the prepared statement, and a file of them."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.store.writer import GroupWriter, Statement


@dataclass(slots=True, kw_only=True)
class Recording:
    """Batches in the order in which they were sent: the lane (connection) and the arguments of each."""

    batches: list[tuple[int, tuple[Any, ...]]] = field(default_factory=list)
    # how many of them were the warm-up
    warmup: int = 0
    workflows: int = 0
    all_workflows: int = 0
    steps: int = 0

    def save(self, path: Path) -> None:
        """Write it to a file that only `load` reads back."""
        path.write_bytes(pickle.dumps(self))

    @staticmethod
    def load(path: Path) -> Recording:
        """Read what `save` wrote in this same run."""
        return pickle.loads(path.read_bytes())  # noqa: S301 - our own file


class _Heard:
    """A prepared statement that notes what it is given."""

    def __init__(self, statement: Statement, lane: int, recording: Recording) -> None:
        self._statement = statement
        self._lane = lane
        self._recording = recording

    async def fetch(self, *args: Any) -> list[Any]:
        """Note and run."""
        self._recording.batches.append((self._lane, args))
        return await self._statement.fetch(*args)


def record() -> Recording:
    """From now on every writer of this process writes into the returned recording too."""
    recording = Recording()
    lanes: dict[int, int] = {}
    opened = GroupWriter.open

    async def open_and_listen(self: GroupWriter) -> None:
        await opened(self)
        assert self._statement is not None
        lane = lanes.setdefault(id(self), len(lanes))
        self._statement = _Heard(self._statement, lane, recording)

    GroupWriter.open = open_and_listen
    return recording
