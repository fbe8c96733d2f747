"""Steering a thread by its definition, which is read before the lock is taken and may be another one by then."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from app.domain.errors import Conflict, NotFound
from app.engine.moving import check_version

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.domain.records import IdempotencyRecord, ThreadRecord
    from app.domain.spec import WorkflowSpec
    from app.domain.transition import Transition
    from app.engine.catalog import Catalog
    from app.engine.deps import Stores
    from app.engine.steering import Steering

    Decide = Callable[[Steering, WorkflowSpec], Awaitable[Transition | None]]
    Steer = Callable[..., Awaitable[tuple[ThreadRecord, bool]]]

_TRIES: Final = 3


class _Overtaken(Conflict):
    """The thread is of another definition by now."""


class Definite:
    """`steer_it` is Control's way to steer, which takes the lock and with it a connection."""

    def __init__(self, stores: Stores, catalog: Catalog, steer_it: Steer) -> None:
        self._stores = stores
        self._catalog = catalog
        self._steer = steer_it

    async def known(self, thread_id: str) -> tuple[ThreadRecord, WorkflowSpec]:
        """The thread and its definition as they are now.  Raises NotFound."""
        thread = await self._stores.reads.thread(thread_id)
        if thread is None:
            raise NotFound(f"there is no thread {thread_id}", code="thread_not_found")
        return thread, await self._catalog.spec(thread.definition_id)

    async def steer(
        self,
        thread_id: str,
        decide: Decide,
        *,
        to_version: int | None = None,
        drive: bool = True,
        key: IdempotencyRecord | None = None,
    ) -> tuple[ThreadRecord, bool]:
        """The thread afterwards, and whether anything was written; decided anew where it has been moved in between.

        With `to_version` only if it can go on from there.  Raises NotFound, Conflict.
        """
        for _ in range(_TRIES):
            known, spec = await self.known(thread_id)
            if to_version is not None:
                await check_version(self._stores, self._catalog, known, to_version)

            async def still(
                steering: Steering, known: ThreadRecord = known, spec: WorkflowSpec = spec
            ) -> Transition | None:
                if steering.thread.definition_id != known.definition_id:
                    raise _Overtaken(f"thread {thread_id} has just been moved")
                return await decide(steering, spec)

            with contextlib.suppress(_Overtaken):
                return await self._steer(thread_id, still, drive=known.queue if drive else None, key=key)
        raise Conflict(f"thread {thread_id} is being moved to other versions: try again", code="thread_moving")
