"""What a running step may use: it tells of itself, from whatever thread it runs in, and keeps what must outlive it."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from app.domain import jsontext
from app.domain.errors import Unavailable
from app.domain.notes import Notes
from app.domain.records import NO_USAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.domain.ports import Reads
    from app.domain.records import ThreadRecord, Usage
    from app.domain.runner import ModelCall
    from app.engine.openstep import OpenStep

_LOOK_AGAIN = 0.5
"""Seconds between two tries to read while the store is away: that spends no attempt."""


class Listener(Protocol):
    """Who drives the thread: what attempts tell goes there, in the event loop."""

    def progress(self, step: OpenStep, fraction: float | None, message: str, /) -> None:
        """See StepContext."""
        ...

    def chunk(self, step: OpenStep, text: str, /) -> None:
        """See StepContext."""
        ...

    def spend(self, step: OpenStep, usage: Usage, /) -> None:
        """See StepContext."""
        ...

    def keep_session(self, step: OpenStep, session_id: str, /) -> None:
        """See StepContext."""
        ...

    async def remember(self, step: OpenStep, name: str, text: str, /) -> None:
        """Write a note; returns once it is durable."""
        ...


class Context:
    """Implements domain.runner.StepContext.  Once closed it says nothing more: an abandoned thread cannot speak up."""

    __slots__ = (
        "_closed",
        "_listener",
        "_loop",
        "_reads",
        "_step",
        "agent_version",
        "attempt",
        "epoch",
        "execution_id",
        "heard",
        "idempotency_key",
        "index",
        "run_id",
        "session_id",
        "step_id",
        "thread_id",
        "traceparent",
        "usage",
        "watch_model",
    )

    def __init__(self, thread: ThreadRecord, step: OpenStep, listener: Listener, reads: Reads) -> None:
        self.thread_id, self.execution_id, self.epoch = thread.thread_id, thread.execution_id, thread.epoch
        self.step_id, self.run_id = step.spec.id, step.run_id
        self.attempt, self.index, self.session_id = step.attempt, step.item, step.session_id
        self.agent_version: int | None = None
        self.traceparent: str | None = None
        self.watch_model: Callable[[ModelCall], None] | None = None
        """Told of calls of models, by whoever traces the attempt."""
        self.usage = NO_USAGE
        """What this attempt has spent."""
        place = "" if step.item is None else f":{step.item}"
        self.idempotency_key = f"{self.thread_id}:{step.key_execution_id}:{step.spec.id}{place}"
        self._step, self._listener, self._reads = step, listener, reads
        self.heard: Callable[[], None] | None = None
        """Called with every report, by whoever must know that the attempt is alive."""
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def progress(self, fraction: float | None, message: str = "") -> None:
        """See StepContext."""
        if fraction is not None:
            fraction = min(1.0, max(0.0, float(fraction)))
        self._tell(self._listener.progress, fraction, jsontext.clean(str(message)[:1_000]))

    def chunk(self, text: str) -> None:
        """See StepContext."""
        if text:
            self._tell(self._listener.chunk, jsontext.clean(str(text)))

    def spend(self, usage: Usage) -> None:
        """See StepContext."""
        self._tell(self._listener.spend, usage.bounded())

    def called_model(self, call: ModelCall) -> None:
        """See StepContext."""
        if self.watch_model is not None:
            self.watch_model(call)

    def keep_session(self, session_id: str) -> None:
        """See StepContext."""
        self._tell(self._listener.keep_session, plain_text(session_id))

    async def remembered(self) -> Mapping[str, Any]:
        """See StepContext."""
        return MappingProxyType((await self._notes()).values)

    async def remember(self, name: str, value: Any) -> None:
        """See StepContext."""
        name, text = plain_text(name), jsontext.dumps(value)
        await self._notes()  # whoever writes it down must know what has been
        if self._closed:
            raise asyncio.CancelledError
        await self._listener.remember(self._step, name, text)
        if self.heard is not None:
            self.heard()

    @property
    def cancelled(self) -> bool:
        """See StepContext."""
        return self._closed

    def close(self) -> None:
        """The attempt is over."""
        self._closed = True

    async def _notes(self) -> Notes:
        while self._step.notes is None:
            key = (self._step.key_execution_id, self.step_id)
            try:
                found = await self._reads.notes(self.thread_id, key, -1 if self.index is None else self.index)
            except Unavailable:
                await asyncio.sleep(_LOOK_AGAIN)
                continue
            if self._step.notes is None:
                self._step.notes = Notes.read(found)
        return self._step.notes

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
            tell(self._step, *arguments)


def plain_text(text: str) -> str:
    """As a column of text holds it: no NUL, no lone surrogates, at most 1,000 characters."""
    return jsontext.clean(str(text)[:1_000]).replace("\0", "")
