"""The tasks in which attempts of steps run: apart from the worker's group, so that one that breaks harms no other."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Coroutine

_STOP: Final = 1.0
"""Seconds that cancelled tasks have to stop in when the process ends."""
_log = logging.getLogger(__name__)


class Attempts:
    """Owns those tasks; one that swallows its cancellation is left behind in the end, never waited for for ever."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    async def stop(self) -> None:
        """Cancel all that still run."""
        tasks = [task for task in self._tasks if task.cancel()]
        if tasks:
            _, stuck = await asyncio.wait(tasks, timeout=_STOP)
            if stuck:
                _log.warning("%d steps do not stop and are left behind", len(stuck))

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a task of the engine broke", exc_info=error)
