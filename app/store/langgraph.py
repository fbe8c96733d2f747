"""The inner checkpoints of graphs on PostgreSQL: one statement, one round trip, for everything that is asked or written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain.errors import Fenced
from app.domain.graph_checkpoints import (
    ChannelValue,
    GraphCheckpoint,
    GraphCheckpoints,
    GraphRun,
    GraphWrite,
    StoredGraph,
)
from app.store import queries
from app.store.db import AGAIN, LOST, unavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from asyncpg import Record

    from app.domain.graph_checkpoints import GraphQuery
    from app.store.pool import Pool

_SQL: Final = queries.load("langgraph")


class PostgresGraphCheckpoints(GraphCheckpoints):
    """See domain.graph_checkpoints.GraphCheckpoints."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def open(self, thread_id: str, run_key: str, epoch: int | None = None) -> GraphRun:
        """Raise the fence of a run, or make it."""
        rows = await self._fetch("open", thread_id, run_key, epoch)
        if not rows:
            raise Fenced(f"thread {thread_id} is gone, or no longer at epoch {epoch}")
        return GraphRun(thread_id=thread_id, run_key=run_key, fence=rows[0]["fence"])

    async def put(self, run: GraphRun, checkpoint: GraphCheckpoint, values: Sequence[ChannelValue]) -> None:
        """A checkpoint and its new values."""
        await self._write(
            "put",
            run,
            checkpoint.ns,
            checkpoint.checkpoint_id,
            checkpoint.parent_id,
            checkpoint.run_id,
            checkpoint.kind,
            checkpoint.data,
            checkpoint.metadata,
            list(checkpoint.versions),
            list(checkpoint.versions.values()),
            *_columns(values, "channel", "version", "kind", "data"),
        )

    async def put_writes(self, run: GraphRun, ns: str, checkpoint_id: str, writes: Sequence[GraphWrite]) -> None:
        """What a task has written."""
        columns = _columns(writes, "task_id", "idx", "task_path", "channel", "kind", "data")
        await self._write("put_writes", run, ns, checkpoint_id, *columns)

    async def find(self, query: GraphQuery) -> list[StoredGraph]:
        """The checkpoints meant, with their values and writes."""
        place = (query.thread_id, query.run_key, query.ns)
        if query.before is None and None not in place:
            if query.checkpoint_id is not None:
                return [_stored(row) for row in await self._fetch("one", *place, query.checkpoint_id)]
            if query.limit == 1:
                return [_stored(row) for row in await self._fetch("newest", *place)]
        rows = await self._fetch("list", *place, query.checkpoint_id, query.before, query.limit)
        return [_stored(row) for row in rows]

    async def delete(self, run: GraphRun) -> None:
        """Forget a run."""
        await self._write("delete", run)

    async def delete_calls(self, thread_id: str, run_ids: Collection[str]) -> None:
        """Forget the checkpoints of these calls; values that only they had stay until the run is pruned or deleted."""
        await self._fetch("delete_calls", thread_id, list(run_ids))

    async def copy(self, source_key: str, target: GraphRun) -> None:
        """Copy a run within its thread."""
        await self._write("copy", target, source_key)

    async def keep(self, run: GraphRun, kept: Collection[tuple[str, str]]) -> None:
        """Forget all but these checkpoints."""
        await self._write("keep", run, [ns for ns, _ in kept], [checkpoint_id for _, checkpoint_id in kept])

    async def _write(self, query: str, run: GraphRun, *args: object) -> None:
        if not await self._fetch(query, run.thread_id, run.run_key, run.fence, *args):
            raise Fenced(f"the graph's run {run.run_key} of thread {run.thread_id} has another writer, or is gone")

    async def _fetch(self, query: str, *args: object) -> list[Record]:
        try:
            return await self._pool.fetch(_SQL[query], *args)
        except (*LOST, *AGAIN) as error:
            raise unavailable(error) from error


def _columns(rows: Iterable[object], *names: str) -> list[list[Any]]:
    rows = list(rows)
    return [[getattr(row, name) for row in rows] for name in names]


def _stored(row: Record) -> StoredGraph:
    values = zip(*(row[name] or () for name in ("v_channels", "v_versions", "v_kinds", "v_datas")), strict=True)
    names = ("w_tasks", "w_idxs", "w_paths", "w_channels", "w_kinds", "w_datas")
    writes = [
        GraphWrite(task_id=task_id, idx=idx, task_path=task_path, channel=channel, kind=kind, data=data)
        for task_id, idx, task_path, channel, kind, data in zip(*(row[name] or () for name in names), strict=True)
    ]
    return StoredGraph(
        run_key=row["run_key"],
        checkpoint=GraphCheckpoint(
            **{name: row[name] for name in ("ns", "checkpoint_id", "parent_id", "run_id", "kind", "data", "metadata")},
            versions=dict(zip(row["channels"], row["versions"], strict=True)),
        ),
        values=[ChannelValue(channel=c, version=v, kind=kind, data=data) for c, v, kind, data in values],
        # In Python, not by the database's collation, which orders text in its own way.
        writes=sorted(writes, key=lambda write: (write.task_path, write.task_id, write.idx)),
    )
