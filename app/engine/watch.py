"""What the engine tells of itself while it works: facts for logs, metrics and traces, which listen and change nothing.

A watcher is told on the event loop, in the way of the hot path: it must be quick.  What it raises is logged and dropped.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.domain.records import ExecutionRecord, ThreadRecord
    from app.domain.spec import WorkflowSpec
    from app.domain.transition import Start, Transition
    from app.engine.context import Context
    from app.engine.openstep import OpenStep
    from app.engine.outcome import Ending

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class AttemptFact:
    """One attempt of a step, or of one of its parts; each is a key of its own for whoever keeps something of it.

    `spec` is the workflow's; `context` says which execution, attempt and part it is, and what it has spent.  `seconds` and
    `ending` are known at its end; no ending: it was cancelled or left behind.
    """

    thread: ThreadRecord
    spec: WorkflowSpec
    step: OpenStep
    context: Context
    seconds: float = 0.0
    ending: Ending | None = None


class Watcher:
    """Told of what happens in this process; does nothing by itself."""

    def taken_up(self, thread: ThreadRecord, spec: WorkflowSpec, execution: ExecutionRecord) -> None:
        """This process begins to drive a thread."""

    def loaded(self, seconds: float) -> None:
        """What a driver needs was read from the store, which took so long; before `taken_up`."""

    def let_go(self, thread: ThreadRecord, spec: WorkflowSpec) -> None:
        """It drives it no more: it ended, waits without a slot, was fenced or is left to another."""

    def fenced(self, thread: ThreadRecord) -> None:
        """It has found that another drives the thread: what it wanted to write is not written."""

    def began(self, attempt: AttemptFact) -> None:
        """Called in the attempt's own task, before anything of it."""

    def ended(self, attempt: AttemptFact) -> None:
        """Called in the same task, whatever became of it."""

    def moved(self, what: Start | Transition) -> None:
        """A write of this process is committed; its events go out next."""


@dataclass(slots=True)
class Watchers:
    """Several watchers as one, none of which can hurt the engine or the others."""

    all: list[Watcher] = field(default_factory=list[Watcher])

    def taken_up(self, thread: ThreadRecord, spec: WorkflowSpec, execution: ExecutionRecord) -> None:
        """See Watcher."""
        self._tell("taken_up", thread, spec, execution)

    def loaded(self, seconds: float) -> None:
        """See Watcher."""
        self._tell("loaded", seconds)

    def let_go(self, thread: ThreadRecord, spec: WorkflowSpec) -> None:
        """See Watcher."""
        self._tell("let_go", thread, spec)

    def fenced(self, thread: ThreadRecord) -> None:
        """See Watcher."""
        self._tell("fenced", thread)

    def moved(self, what: Start | Transition) -> None:
        """See Watcher."""
        for watcher in self.all:
            try:
                watcher.moved(what)
            except Exception:  # noqa: BLE001 - who only watches takes nothing down
                _broke(watcher)

    def attempt(self, fact: AttemptFact) -> _Around:
        """Around an attempt, in its task."""
        return _Around(self.all, fact)

    def _tell(self, what: str, *told: Any) -> None:
        for watcher in self.all:
            try:
                getattr(watcher, what)(*told)
            except Exception:  # noqa: BLE001
                _broke(watcher)


class _Around:
    __slots__ = ("_all", "_began", "_fact")

    def __init__(self, watchers: list[Watcher], fact: AttemptFact) -> None:
        self._all, self._fact = watchers, fact
        self._began = time.monotonic()

    def __enter__(self) -> None:
        for watcher in self._all:
            try:
                watcher.began(self._fact)
            except Exception:  # noqa: BLE001
                _broke(watcher)

    def __exit__(self, *_: object) -> None:
        self._fact.seconds = time.monotonic() - self._began
        for watcher in self._all:
            try:
                watcher.ended(self._fact)
            except Exception:  # noqa: BLE001
                _broke(watcher)


def _broke(watcher: Watcher) -> None:
    _log.exception("a watcher broke: %s", type(watcher).__name__)
