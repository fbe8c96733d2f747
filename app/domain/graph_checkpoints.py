"""What the saver of a graph's inner checkpoints needs of a store: rows of text and bytes, nothing of the graph's library.

A run is all that one step run's graph has saved; within it, a namespace is one (sub)graph.  Of a run there is one writer at a
time: whoever has opened it last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphRun:
    """A run, and by which right it is written to: `fence` is what opening it gave."""

    thread_id: str
    run_key: str
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelValue:
    """What a channel holds from one version on; `kind` says how `data` is to be read."""

    channel: str
    version: str
    kind: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphWrite:
    """What one task has written to one channel, before the next checkpoint takes it up.

    A write is stored once under (task_id, idx); those with a negative `idx` are replaced by later ones.
    """

    task_id: str
    idx: int
    task_path: str
    channel: str
    kind: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphCheckpoint:
    """One checkpoint without its values: `versions` says by channel which version of each it has.

    `run_id` is the library's own name of a call, if it has one.
    """

    ns: str
    checkpoint_id: str
    parent_id: str | None
    run_id: str | None
    kind: str
    data: bytes
    metadata: bytes
    versions: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGraph:
    """A checkpoint as it is read: with the values of its versions, and the writes on it by (task_path, task_id, idx)."""

    run_key: str
    checkpoint: GraphCheckpoint
    values: list[ChannelValue] = field(default_factory=list[ChannelValue])
    writes: list[GraphWrite] = field(default_factory=list[GraphWrite])


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQuery:
    """Which checkpoints of a thread: None means any; `before` is a checkpoint's id, and only older ones are meant."""

    thread_id: str
    run_key: str | None = None
    ns: str | None = None
    checkpoint_id: str | None = None
    before: str | None = None
    limit: int | None = None


class GraphCheckpoints(Protocol):
    """All raise Unavailable while the store is away, and may be called again then; writers raise Fenced when the run has
    been opened anew since, or is gone with its thread: nothing is written then.
    """

    async def open(self, thread_id: str, run_key: str, epoch: int | None = None) -> GraphRun:
        """Become the run's only writer.  Raises Fenced when there is no such thread, or it is not at `epoch`."""
        ...

    async def put(self, run: GraphRun, checkpoint: GraphCheckpoint, values: Sequence[ChannelValue]) -> None:
        """Store a checkpoint, the newest now, with those values that are new; a version that is stored stays as it is."""
        ...

    async def put_writes(self, run: GraphRun, ns: str, checkpoint_id: str, writes: Sequence[GraphWrite]) -> None:
        """Store what a task has written on top of a checkpoint."""
        ...

    async def find(self, query: GraphQuery) -> list[StoredGraph]:
        """Newest first, in the order in which they were stored (not by their ids, which are made of clocks)."""
        ...

    async def delete(self, run: GraphRun) -> None:
        """Forget a run, its fence too."""
        ...

    async def delete_calls(self, thread_id: str, run_ids: Collection[str]) -> None:
        """Forget the checkpoints of these `run_id`s, with what is written on them, in all runs of a thread."""
        ...

    async def copy(self, source_key: str, target: GraphRun) -> None:
        """Copy all of a run of the same thread into one that is empty."""
        ...

    async def keep(self, run: GraphRun, kept: Collection[tuple[str, str]]) -> None:
        """Forget all checkpoints of a run but these (ns, checkpoint_id), with the values and writes that only those had."""
        ...
