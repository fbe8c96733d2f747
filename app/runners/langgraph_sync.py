"""The methods of a saver for those who call it from a thread: a node that is a plain function may run a subgraph there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from langgraph.checkpoint.base import BaseCheckpointSaver

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Sequence

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple

T = TypeVar("T")


class AlsoFromThreads(BaseCheckpointSaver[str]):
    """A saver whose work is in its async methods, which it does in the event loop that it was made in.

    In that loop itself the plain methods raise RuntimeError: they would wait for themselves.
    """

    def __init__(self, *, serde: Any) -> None:
        super().__init__(serde=serde)
        self._loop = asyncio.get_running_loop()

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See aget_tuple."""
        return self._wait(self.aget_tuple(config))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """See alist."""

        async def gather() -> tuple[CheckpointTuple, ...]:
            return tuple([each async for each in self.alist(config, filter=filter, before=before, limit=limit)])

        yield from self._wait(gather())

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See aput."""
        return self._wait(self.aput(config, checkpoint, metadata, new_versions))

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """See aput_writes."""
        self._wait(self.aput_writes(config, writes, task_id, task_path))

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()
        work.close()
        raise RuntimeError("in the event loop, use the graph's async methods: ainvoke, astream, aget_state")
