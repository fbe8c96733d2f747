"""What a running step may use to tell of itself: progress and streamed text, from whatever thread it runs in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from app.domain import jsontext

if TYPE_CHECKING:
    from collections.abc import Callable


class Context:
    """Implements domain.runner.StepContext.  Once closed it says nothing more: an abandoned thread cannot speak up."""

    __slots__ = (
        "_chunk",
        "_closed",
        "_loop",
        "_progress",
        "attempt",
        "execution_id",
        "heard",
        "idempotency_key",
        "run_id",
        "step_id",
        "thread_id",
    )

    def __init__(
        self,
        *,
        ids: tuple[str, str, str, str],
        attempt: int,
        key_execution_id: str,
        progress: Callable[[str, float | None, str], None],
        chunk: Callable[[str, str], None],
    ) -> None:
        """`ids` are thread, execution, step and run."""
        self.thread_id, self.execution_id, self.step_id, self.run_id = ids
        self.attempt = attempt
        self.idempotency_key = f"{self.thread_id}:{key_execution_id}:{self.step_id}"
        self._progress, self._chunk = progress, chunk
        self.heard: Callable[[], None] | None = None
        """Called with every report, by whoever must know that the attempt is alive."""
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def progress(self, fraction: float | None, message: str = "") -> None:
        """See StepContext."""
        if fraction is not None:
            fraction = min(1.0, max(0.0, float(fraction)))
        self._tell(self._progress, self.step_id, fraction, jsontext.clean(str(message)[:1_000]))

    def chunk(self, text: str) -> None:
        """See StepContext."""
        if text:
            self._tell(self._chunk, self.step_id, jsontext.clean(str(text)))

    @property
    def cancelled(self) -> bool:
        """See StepContext."""
        return self._closed

    def close(self) -> None:
        """The attempt is over."""
        self._closed = True

    def _tell(self, tell: Callable[..., None], *arguments: object) -> None:
        if self._closed:
            return
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is self._loop:
            self._tell_if_open(tell, arguments)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell_if_open, tell, arguments)

    def _tell_if_open(self, tell: Callable[..., None], arguments: tuple[object, ...]) -> None:
        if not self._closed:
            if self.heard is not None:
                self.heard()
            tell(*arguments)
