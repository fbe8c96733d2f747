"""What waits for the journal's next batch, and which of it goes together."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from app.domain.transition import Start
from app.store import flush

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Sequence

    from app.domain.transition import Transition

BATCH: Final = 200
"""Items of a batch at most."""
BATCH_BYTES: Final = 4 * 1024 * 1024
"""Bytes of values after which a batch takes no more."""
_WHOLE: Final = 16
"""Items that are not worth two round trips."""


@dataclass(slots=True, eq=False)
class Item:
    """A start or a transition on its way, and who waits for it.

    `done` gets, once committed, the thread's pending signal or None for a transition, whether it was born for a start;
    `since` is when it was handed over.
    """

    what: Start | Transition
    done: asyncio.Future[Any]
    since: float = field(default_factory=monotonic)

    @property
    def thread_id(self) -> str:
        """Whose it is."""
        return self.what.thread.thread_id if isinstance(self.what, Start) else self.what.thread_id

    def succeed(self, value: Any) -> None:
        """Committed."""
        if not self.done.done():
            self.done.set_result(value)

    def fail(self, error: BaseException) -> None:
        """Not written, and never will be."""
        if not self.done.done():
            self.done.set_exception(error)


class Gathering:
    """The items that wait, oldest first; `take` makes a batch of them, with at most one item of a thread."""

    def __init__(self, batch: int = BATCH) -> None:
        self._batch = batch
        self._items: deque[Item] = deque()
        self._last: set[str] = set()

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def add(self, item: Item) -> None:
        """Let an item wait behind all others."""
        self._items.append(item)

    def put_back(self, items: Sequence[Item]) -> None:
        """Let items wait before all others, in their order."""
        self._items.extendleft(reversed(items))

    def take(self) -> list[Item]:
        """The next batch."""
        limit, size = self._share(), 0
        batch: list[Item] = []
        threads: set[str] = set()
        later: list[Item] = []
        while self._items and len(batch) < limit and size < BATCH_BYTES:
            item = self._items.popleft()
            if item.done.cancelled() and isinstance(item.what, Start):
                continue  # whoever wanted it was told that it was not born
            if item.thread_id in threads:
                later.append(item)
                continue
            threads.add(item.thread_id)
            batch.append(item)
            size += flush.weight(item.what)
        self.put_back(later)
        self._last = threads
        return batch

    def _share(self) -> int:
        """How many items to take: half of all that are about, so that one half is driven while the other is flushed.

        Without that, threads that were flushed together come back together, and the database and Python take turns.
        """
        elsewhere = len(self._last.difference(item.thread_id for item in self._items))
        return min(self._batch, max(_WHOLE, (len(self._items) + elsewhere + 1) // 2))
