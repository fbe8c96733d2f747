"""What a running step may use: it tells of itself, from whatever thread it runs in, and keeps what must outlive it."""

from __future__ import annotations

import asyncio
import logging
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from app.domain import jsontext
from app.domain.errors import Unavailable
from app.domain.known_secrets import KNOWN, Sieve
from app.domain.logs import LEVELS, Place
from app.domain.notes import Notes
from app.domain.records import NO_USAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.domain.ports import Reads
    from app.domain.records import ThreadRecord, Usage
    from app.domain.runner import ModelCall
    from app.engine.openstep import OpenStep

_log = logging.getLogger("backstitch.step")
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
        "_sieve",
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
        self._sieve: Sieve | None = None

    def progress(self, fraction: float | None, message: str = "") -> None:
        """See StepContext."""
        if fraction is not None:
            fraction = min(1.0, max(0.0, float(fraction)))
        self._tell(self._listener.progress, fraction, KNOWN.excerpt(jsontext.clean(str(message)[:1_000])))

    def chunk(self, text: str) -> None:
        """See StepContext."""
        if text:
            self._tell(self._show, jsontext.clean(str(text)))

    def spend(self, usage: Usage) -> None:
        """See StepContext."""
        self._tell(self._listener.spend, usage.bounded())

    def called_model(self, call: ModelCall) -> None:
        """See StepContext."""
        if self.watch_model is not None:
            self.watch_model(call)

    def keep_session(self, session_id: str) -> None:
        """See StepContext."""
        self._tell(self._listener.keep_session, KNOWN.text(plain_text(session_id)))

    def log(self, level: str, message: str, **context: Any) -> None:
        """See StepContext."""
        if level not in LEVELS:
            raise ValueError(f"{level!r} is no level: {', '.join(LEVELS)}")
        said = {"place": self.place, **({"context": context} if context else {})}
        _log.log(LEVELS[level], "%s", message, extra=said)

    @property
    def place(self) -> Place:
        """Which attempt it is, as log entries tell it."""
        return Place(
            thread_id=self.thread_id,
            execution_id=self.execution_id,
            step_id=self.step_id,
            item=self.index,
            attempt=self.attempt,
            agent=self._step.agent,
        )

    async def remembered(self) -> Mapping[str, Any]:
        """See StepContext."""
        return MappingProxyType((await self._notes()).values)

    async def remember(self, name: str, value: Any) -> None:
        """See StepContext."""
        name, text = plain_text(name), KNOWN.json(jsontext.dumps(value))
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
        held = "" if self._sieve is None or self._closed else self._sieve.rest()
        if held:
            self._listener.chunk(self._step, held)
        self._closed = True

    def _show(self, step: OpenStep, text: str) -> None:
        """Streamed text, in the loop; no piece of a secret is shown before it is known to be none."""
        if KNOWN:
            self._sieve = self._sieve or Sieve(KNOWN)
            text = self._sieve.take(text)
        if text:
            self._listener.chunk(step, text)

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
