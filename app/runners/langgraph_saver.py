"""LangGraph's checkpoint saver on a store of ours: what a graph has saved belongs to one thread, and has one writer.

Who may write.  A process that is believed dead may come back while its successor runs the same step run.  Both would write
under the same idempotency key, and since LangGraph goes on from the newest checkpoint, one late checkpoint of the old process
would undo nodes that the new one has finished.  So a run must be opened before anything of it is read or written: that
raises the run's fence (once for each saver, that is, for each attempt), only while the thread is at the attempt's epoch, if
the attempt knows it.  Every write names the fence that it was opened with, and the store writes nothing where it has moved
on, or where the run is gone with its thread.  What the old process wrote before is as good as anything that happened before
a crash; and since its later writes come to nothing, what the successor has read stays the newest until it writes itself.

Which is the newest is decided by the order of storing and not by the ids of checkpoints, for those are made of clocks.
Versions of channels carry a random part, as in LangGraph's own savers, so that two branches of one history never share a value.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, Final, TypeVar

from langgraph.checkpoint.base import WRITES_IDX_MAP, CheckpointTuple, get_checkpoint_id, get_checkpoint_metadata

from app.domain.errors import Unavailable
from app.domain.graph_checkpoints import ChannelValue, GraphCheckpoint, GraphQuery, GraphRun, GraphWrite
from app.domain.retry import OUTPUT_TOO_LARGE
from app.domain.runner import StepFailure
from app.runners.langgraph_serde import StrictSerializer
from app.runners.langgraph_sync import AlsoFromThreads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata

    from app.domain.graph_checkpoints import GraphCheckpoints, StoredGraph

T = TypeVar("T")
_EMPTY: Final = "empty"
"""The kind of a channel's version that has no value."""
_PAUSES: Final = (0.05, 0.2, 1.0)
"""Seconds between tries while the store is away; the last holds for all further ones."""


class StoreSaver(AlsoFromThreads):
    """The inner checkpoints of one thread; LangGraph's thread_id names a run in it.

    While the store is away it waits, as long as `wanted` says that somebody still waits for the graph.  A value of more than
    `max_bytes` fails the step.  Raises Fenced when another attempt has opened the run, StepFailure for what cannot be kept.
    """

    def __init__(
        self,
        store: GraphCheckpoints,
        thread_id: str,
        *,
        epoch: int | None = None,
        serde: StrictSerializer | None = None,
        max_bytes: int = 16_000_000,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(serde=serde or StrictSerializer())
        self._store = store
        self._thread_id = thread_id
        self._epoch = epoch
        self._max_bytes = max_bytes
        self._wanted = wanted
        self._runs: dict[str, GraphRun] = {}
        self._opening = asyncio.Lock()

    # ---- reading
    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, else the newest of its namespace."""
        run, ns = await self._place(config)
        checkpoint_id = get_checkpoint_id(config)
        query = GraphQuery(thread_id=run.thread_id, run_key=run.run_key, ns=ns, checkpoint_id=checkpoint_id, limit=1)
        found = await self._patiently(lambda: self._store.find(query))
        return self._tuple(found[0]) if found else None

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Checkpoints, newest first; `filter` compares metadata."""
        named: dict[str, Any] = {} if config is None else config.get("configurable", {})
        query = GraphQuery(
            thread_id=self._thread_id,
            run_key=None if config is None else _run_key(config),
            ns=named.get("checkpoint_ns"),
            checkpoint_id=named.get("checkpoint_id"),
            before=None if before is None else get_checkpoint_id(before),
            limit=None if filter else limit,
        )
        left = limit
        for stored in await self._patiently(lambda: self._store.find(query)):
            found = self._tuple(stored)
            if filter and any(found.metadata.get(key) != value for key, value in filter.items()):
                continue
            if left is not None:
                if left <= 0:
                    return
                left -= 1
            yield found

    # ---- writing
    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint and the values of its new versions: one round trip."""
        run, ns = await self._place(config)
        bare: dict[str, Any] = dict(checkpoint)
        values: dict[str, Any] = bare.pop("channel_values")
        kind, data = self.serde.dumps_typed(bare)
        told: dict[str, Any] = dict(get_checkpoint_metadata(config, metadata))
        row = GraphCheckpoint(
            ns=ns,
            checkpoint_id=checkpoint["id"],
            parent_id=get_checkpoint_id(config),
            run_id=told.get("run_id"),
            kind=kind,
            data=data,
            metadata=self.serde.dumps_typed(told)[1],
            versions={channel: str(version) for channel, version in checkpoint["channel_versions"].items()},
        )
        new = [
            ChannelValue(channel=channel, version=str(version), kind=kind, data=data)
            for channel, version in new_versions.items()
            for kind, data in [self._dumped(channel, values[channel]) if channel in values else (_EMPTY, b"")]
        ]
        await self._patiently(lambda: self._store.put(run, row, new))
        return _config(run.run_key, ns, checkpoint["id"])

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what a task has written: one round trip."""
        run, ns = await self._place(config)
        rows: dict[int, GraphWrite] = {}
        for place, (channel, value) in enumerate(writes):
            idx = WRITES_IDX_MAP.get(channel, place)
            kind, data = self._dumped(channel, value)
            rows[idx] = GraphWrite(task_id=task_id, idx=idx, task_path=task_path, channel=channel, kind=kind, data=data)
        checkpoint_id = get_checkpoint_id(config) or ""
        await self._patiently(lambda: self._store.put_writes(run, ns, checkpoint_id, list(rows.values())))

    # ---- forgetting and copying
    async def adelete_thread(self, thread_id: str) -> None:
        """Forget a run."""
        run = await self._opened(thread_id)
        await self._patiently(lambda: self._store.delete(run))
        self._runs.pop(thread_id, None)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Forget the checkpoints of calls, by the `run_id` in their metadata."""
        await self._patiently(lambda: self._store.delete_calls(self._thread_id, list(run_ids)))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a run, all of its ancestors included."""
        target = await self._opened(target_thread_id)
        await self._patiently(lambda: self._store.copy(source_thread_id, target))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Forget all checkpoints of runs (`delete`), or all but the newest of each namespace (`keep_latest`), with as many
        of its ancestors as its delta channels are made of.
        """
        if strategy not in ("keep_latest", "delete"):
            raise ValueError(f"no strategy {strategy!r}: keep_latest or delete")
        for thread_id in thread_ids:
            if strategy == "delete":
                await self.adelete_thread(thread_id)
                continue
            run = await self._opened(thread_id)
            kept = await self._needed(run)
            await self._patiently(lambda run=run, kept=kept: self._store.keep(run, kept))

    # ---- how
    def get_next_version(self, current: str | int | None, channel: None) -> str:  # noqa: ARG002 - LangGraph's name
        """A version above `current`, compared as text, that no other branch has."""
        number = 0 if current is None else int(str(current).partition(".")[0])
        return f"{number + 1:010}.{secrets.token_hex(6)}"

    async def _place(self, config: RunnableConfig) -> tuple[GraphRun, str]:
        return await self._opened(_run_key(config)), config.get("configurable", {}).get("checkpoint_ns", "")

    async def _opened(self, run_key: str) -> GraphRun:
        async with self._opening:
            if run_key not in self._runs:
                opening = lambda: self._store.open(self._thread_id, run_key, self._epoch)  # noqa: E731
                self._runs[run_key] = await self._patiently(opening)
            return self._runs[run_key]

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        tried = 0
        while True:
            try:
                return await ask()
            except Unavailable:
                if not self._wanted():
                    raise
            await asyncio.sleep(_PAUSES[min(tried, len(_PAUSES) - 1)])
            tried += 1

    async def _needed(self, run: GraphRun) -> set[tuple[str, str]]:
        kept: set[tuple[str, str]] = set()
        newest: dict[str, CheckpointTuple] = {}
        async for each in self.alist(_config(run.run_key)):
            newest.setdefault(each.config["configurable"]["checkpoint_ns"], each)  # pyright: ignore[reportTypedDictNotRequiredAccess]
        for ns, found in newest.items():
            each: CheckpointTuple | None = found
            open_channels = set(found.metadata.get("counters_since_delta_snapshot") or ())
            while each is not None:
                kept.add((ns, each.checkpoint["id"]))
                open_channels -= each.checkpoint["channel_values"].keys()
                parent = each.parent_config if open_channels else None
                each = None if parent is None else await self.aget_tuple(parent)
        return kept

    def _dumped(self, channel: str, value: Any) -> tuple[str, bytes]:
        kind, data = self.serde.dumps_typed(value)
        if len(data) > self._max_bytes:
            message = f"the graph's {channel!r} has {len(data):,} bytes; at most {self._max_bytes:,} are kept"
            raise StepFailure(message, kind=OUTPUT_TOO_LARGE, retryable=False)
        return kind, data

    def _tuple(self, stored: StoredGraph) -> CheckpointTuple:
        row, key = stored.checkpoint, stored.run_key
        checkpoint: Any = self.serde.loads_typed((row.kind, row.data))
        checkpoint["channel_values"] = {
            value.channel: self.serde.loads_typed((value.kind, value.data))
            for value in stored.values
            if value.kind != _EMPTY
        }
        return CheckpointTuple(
            config=_config(key, row.ns, row.checkpoint_id),
            checkpoint=checkpoint,
            metadata=self.serde.loads_typed(("msgpack", row.metadata)),
            parent_config=None if row.parent_id is None else _config(key, row.ns, row.parent_id),
            pending_writes=[
                (write.task_id, write.channel, self.serde.loads_typed((write.kind, write.data)))
                for write in stored.writes
            ],
        )


def _run_key(config: RunnableConfig) -> str:
    return str(config.get("configurable", {})["thread_id"])


def _config(run_key: str, ns: str | None = None, checkpoint_id: str | None = None) -> RunnableConfig:
    named = {"thread_id": run_key, "checkpoint_ns": ns, "checkpoint_id": checkpoint_id}
    return {"configurable": {name: value for name, value in named.items() if value is not None}}
