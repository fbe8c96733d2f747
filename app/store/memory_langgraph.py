"""The inner checkpoints of graphs in memory."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from app.domain.errors import Fenced
from app.domain.graph_checkpoints import (
    ChannelValue,
    GraphCheckpoint,
    GraphCheckpoints,
    GraphRun,
    GraphWrite,
    StoredGraph,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from app.domain.graph_checkpoints import GraphQuery
    from app.store.memory_tables import MemoryTables

    Place = tuple[str, str]
    """A namespace and a checkpoint's id in it."""


@dataclass(slots=True)
class _Run:
    """All of one run; the checkpoints stand in the order in which they were stored."""

    fence: int = 0
    checkpoints: dict[Place, GraphCheckpoint] = field(default_factory=dict["Place", "GraphCheckpoint"])
    values: dict[tuple[str, str, str], ChannelValue] = field(default_factory=dict[tuple[str, str, str], "ChannelValue"])
    """By namespace, channel and version."""
    writes: dict[Place, dict[tuple[str, int], GraphWrite]] = field(
        default_factory=dict["Place", "dict[tuple[str, int], GraphWrite]"]
    )


class MemoryGraphCheckpoints(GraphCheckpoints):
    """See domain.graph_checkpoints.GraphCheckpoints."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables
        self._runs: dict[tuple[str, str], _Run] = {}
        tables.on_forget.append(self._forget_threads)

    async def open(self, thread_id: str, run_key: str, epoch: int | None = None) -> GraphRun:
        """Raise the fence of a run, or make it."""
        thread = self._tables.threads.get(thread_id)
        if thread is None or epoch not in (None, thread.epoch):
            raise Fenced(f"thread {thread_id} is gone, or no longer at epoch {epoch}")
        held = self._runs.setdefault((thread_id, run_key), _Run())
        held.fence += 1
        return GraphRun(thread_id=thread_id, run_key=run_key, fence=held.fence)

    async def put(self, run: GraphRun, checkpoint: GraphCheckpoint, values: Sequence[ChannelValue]) -> None:
        """A checkpoint and its new values."""
        held = self._held(run)
        for value in values:
            held.values.setdefault((checkpoint.ns, value.channel, value.version), value)
        held.checkpoints[checkpoint.ns, checkpoint.checkpoint_id] = checkpoint

    async def put_writes(self, run: GraphRun, ns: str, checkpoint_id: str, writes: Sequence[GraphWrite]) -> None:
        """What a task has written."""
        there = self._held(run).writes.setdefault((ns, checkpoint_id), {})
        for write in writes:
            if write.idx < 0 or (write.task_id, write.idx) not in there:
                there[write.task_id, write.idx] = write

    async def find(self, query: GraphQuery) -> list[StoredGraph]:
        """The checkpoints meant, with their values and writes."""
        found = [stored for key, held in sorted(self._runs.items()) for stored in _matching(key, held, query)]
        return found[: query.limit]

    async def delete(self, run: GraphRun) -> None:
        """Forget a run."""
        self._held(run)
        del self._runs[run.thread_id, run.run_key]

    async def delete_calls(self, thread_id: str, run_ids: Collection[str]) -> None:
        """Forget the checkpoints of these calls."""
        for (owner, _), held in self._runs.items():
            if owner == thread_id:
                _forget(held, {place for place, known in held.checkpoints.items() if known.run_id in run_ids})

    async def copy(self, source_key: str, target: GraphRun) -> None:
        """Copy a run within its thread."""
        held, source = self._held(target), self._runs.get((target.thread_id, source_key), _Run())
        held.checkpoints, held.values = dict(source.checkpoints), dict(source.values)
        held.writes = {place: dict(writes) for place, writes in source.writes.items()}

    async def keep(self, run: GraphRun, kept: Collection[tuple[str, str]]) -> None:
        """Forget all but these checkpoints."""
        held = self._held(run)
        _forget(held, held.checkpoints.keys() - set(kept))
        still = {(known.ns, *version) for known in held.checkpoints.values() for version in known.versions.items()}
        held.values = {key: value for key, value in held.values.items() if key in still}

    def _forget_threads(self, gone: Collection[str]) -> int:
        dead = [key for key in self._runs if key[0] in gone]
        for key in dead:
            del self._runs[key]
        return len(dead)

    def dump(self, thread_id: str) -> dict[str, list[dict[str, Any]]]:
        """All of a thread's runs, as rows of domain.transfer."""
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in _ROWS}
        for (owner, run_key), held in sorted(self._runs.items()):
            if owner == thread_id:
                _dump(found, run_key, held)
        return found

    def load(self, thread_id: str, rows: Mapping[str, list[dict[str, Any]]]) -> None:
        """What `dump` gave, for a thread that has no runs yet."""
        for row in rows.get("graph_run", []):
            self._runs[thread_id, row["run_key"]] = _Run(row["fence"])
        for row in sorted(rows.get("graph_checkpoint", []), key=lambda row: row["seq"]):
            values = {name: row[name] for name in _CHECKPOINT}
            versions = dict(zip(row["channels"], row["versions"], strict=True))
            held = self._runs[thread_id, row["run_key"]]
            held.checkpoints[row["ns"], row["checkpoint_id"]] = GraphCheckpoint(**values, versions=versions)
        for row in rows.get("graph_value", []):
            value = ChannelValue(**{name: row[name] for name in ("channel", "version", "kind", "data")})
            self._runs[thread_id, row["run_key"]].values[row["ns"], value.channel, value.version] = value
        for row in rows.get("graph_write", []):
            write = GraphWrite(**{name: row[name] for name in _WRITE})
            place = self._runs[thread_id, row["run_key"]].writes.setdefault((row["ns"], row["checkpoint_id"]), {})
            place[write.task_id, write.idx] = write

    def _held(self, run: GraphRun) -> _Run:
        held = self._runs.get((run.thread_id, run.run_key))
        if held is None or held.fence != run.fence or run.thread_id not in self._tables.threads:
            raise Fenced(f"the graph's run {run.run_key} of thread {run.thread_id} has another writer, or is gone")
        return held


_ROWS = ("graph_run", "graph_checkpoint", "graph_value", "graph_write")
_CHECKPOINT = ("ns", "checkpoint_id", "parent_id", "run_id", "kind", "data", "metadata")
_WRITE = ("task_id", "idx", "task_path", "channel", "kind", "data")


def _dump(found: dict[str, list[dict[str, Any]]], run_key: str, held: _Run) -> None:
    """Add one run."""
    found["graph_run"].append({"run_key": run_key, "fence": held.fence, "last_seq": len(held.checkpoints)})
    for seq, one in enumerate(held.checkpoints.values(), start=1):
        row = {"run_key": run_key, "seq": seq, **{name: getattr(one, name) for name in _CHECKPOINT}}
        row |= {"channels": list(one.versions), "versions": list(one.versions.values())}
        found["graph_checkpoint"].append(row)
    for (ns, _, _), value in held.values.items():
        found["graph_value"].append({"run_key": run_key, "ns": ns, **asdict(value)})
    for (ns, checkpoint_id), writes in held.writes.items():
        place = {"run_key": run_key, "ns": ns, "checkpoint_id": checkpoint_id}
        found["graph_write"].extend({**place, **asdict(write)} for write in writes.values())


def _forget(held: _Run, places: Collection[Place]) -> None:
    for place in places:
        del held.checkpoints[place]
        held.writes.pop(place, None)


def _matching(key: tuple[str, str], held: _Run, query: GraphQuery) -> Iterator[StoredGraph]:
    """Newest first."""
    thread_id, run_key = key
    if thread_id != query.thread_id or query.run_key not in (None, run_key):
        return
    order = list(held.checkpoints.values())
    ids = [known.checkpoint_id for known in order]
    if query.before in ids:
        order = order[: ids.index(query.before)]
    elif query.before is not None:
        order = [known for known in order if known.checkpoint_id < query.before]
    for known in reversed(order):
        if query.ns in (None, known.ns) and query.checkpoint_id in (None, known.checkpoint_id):
            yield _stored(run_key, held, known)


def _stored(run_key: str, held: _Run, known: GraphCheckpoint) -> StoredGraph:
    values = [held.values.get((known.ns, channel, version)) for channel, version in known.versions.items()]
    writes = held.writes.get((known.ns, known.checkpoint_id), {}).values()
    return StoredGraph(
        run_key=run_key,
        checkpoint=replace(known),
        values=[value for value in values if value is not None],
        writes=sorted(writes, key=lambda write: (write.task_path, write.task_id, write.idx)),
    )
