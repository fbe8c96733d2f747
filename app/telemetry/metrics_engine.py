"""What the engine does, counted for `/metrics` and for the time series as the engine tells of it: a microsecond or two a step.

Labels are the names of workflows, agents and the like, never an id, and of each at most so many: the rest is `_other`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from app.domain.errors import Unavailable
from app.domain.histogram import Distribution
from app.domain.metrics import OTHER
from app.domain.records import NO_USAGE
from app.domain.runner import Asleep, Failed
from app.domain.status import ENDED, Status
from app.domain.times import utc_now
from app.domain.transition import Start
from app.engine.watch import Watcher
from app.telemetry.figures import Figure, Names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from app.domain.records import ExecutionRecord, ExecutionUpdate, ThreadRecord, Usage
    from app.domain.registry import Registry
    from app.domain.spec import WorkflowSpec
    from app.domain.transition import Transition
    from app.engine.outcome import Ending
    from app.engine.watch import AttemptFact
    from app.telemetry.series import Series

WORKFLOWS: Final = 200
DOERS: Final = 300
"""Combinations of a workflow, a kind of step and an agent or function."""
QUEUES: Final = 100
_DEFINITIONS: Final = 10_000
_PAUSE: Final = 2.0
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
_LONG: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
_SHORT: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_DOER: Final = ("workflow", "kind", "agent")
_Doer = tuple[str, str, str]
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Work:
    """What came of the attempts of one doer in one workflow."""

    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    retries: int = 0
    usage: Usage = NO_USAGE
    times: Distribution = field(default_factory=lambda: Distribution(_SECONDS))


class EngineMetrics(Watcher):
    """One for the process.  `run` looks up, in the `registry`, the names of workflows that it has not met before."""

    def __init__(self, series: Series, registry: Registry) -> None:
        self._series = series
        self._registry = registry
        self._workflow = Names(WORKFLOWS)
        self._queue = Names(QUEUES)
        self._work: dict[_Doer, _Work] = {}
        self._started: Counter[tuple[str, str]] = Counter()
        self._ended: Counter[tuple[str, str]] = Counter()
        self._lasted: dict[str, Distribution] = {}
        self._events: Counter[str] = Counter()
        self._recoveries: Counter[str] = Counter()
        self._waits: dict[str, Distribution] = {}
        self._loads = Distribution(_SHORT)
        self._running: dict[str, datetime] = {}
        """When the executions that are driven here began to run."""
        self._definitions: dict[str, str] = {}
        """The names of workflows by the ids of their definitions, of those that this process has seen lately."""
        self._nameless: deque[tuple[str, Status, float | None]] = deque(maxlen=_DEFINITIONS)
        """Executions that have ended, by their definitions, and how long they took."""
        self._news = asyncio.Event()

    # ---- what the engine tells
    def loaded(self, seconds: float) -> None:
        """See Watcher."""
        self._loads.note(seconds)

    def taken_up(self, thread: ThreadRecord, spec: WorkflowSpec, execution: ExecutionRecord) -> None:
        """See Watcher."""
        self._learn(thread.definition_id, spec.name)
        name = self._named(spec.name)
        if execution.started_at is not None:
            self._running[execution.id] = execution.started_at
        else:
            waited = (utc_now() - execution.created_at).total_seconds()
            _of(self._waits, self._queue(thread.queue), _LONG).note(max(0.0, waited))
        if thread.status is Status.RUNNING:
            self._recoveries[name] += 1

    def let_go(self, thread: ThreadRecord, spec: WorkflowSpec) -> None:  # noqa: ARG002 - the watcher's names
        """See Watcher."""
        self._running.pop(thread.execution_id, None)

    def ended(self, attempt: AttemptFact) -> None:
        """See Watcher.  Gathering the items of a step is no attempt, nor is waiting."""
        step, spent, ending = attempt.step, attempt.context.usage, attempt.ending
        if step.parts is not None or (isinstance(ending, Asleep) and spent is NO_USAGE):
            return
        kind, agent = step.spec.kind, step.agent
        work = self._work_of((attempt.spec.name, kind, agent or ""))
        retries = int(attempt.context.attempt > 1 and not isinstance(ending, Asleep))
        _note(work, ending, attempt.seconds)
        if retries or spent is not NO_USAGE:
            work.retries += retries
            work.usage += spent
            self._series.spent(attempt.spec.name, agent if kind == "agent" else None, spent, retries=retries)

    def moved(self, what: Start | Transition) -> None:
        """See Watcher."""
        if isinstance(what, Start):
            self._learn(what.thread.definition_id, what.execution.workflow_name)
            self._events[what.event.name] += 1
            self._begun(what.execution)
            return
        for event in what.events:
            self._events[event.name] += 1
        for execution in what.executions:
            self._begun(execution)
        for update in what.execution_updates:
            self._changed(what, update)

    def _begun(self, execution: ExecutionRecord) -> None:
        self._started[self._named(execution.workflow_name), execution.kind] += 1
        if execution.status in ENDED:  # a rollback to the end
            self._over(execution.workflow_name, execution.status, 0.0)

    def _changed(self, move: Transition, update: ExecutionUpdate) -> None:
        began = update.started_at or self._running.get(update.id)
        if update.status in ENDED:
            lasted = (update.completed_at - began).total_seconds() if began and update.completed_at else None
            name = move.workflow or self._definitions.get(move.definition_id or "")
            if name is not None:
                self._over(name, update.status, lasted)
            else:
                self._nameless.append((move.definition_id or "", update.status, lasted))
                self._news.set()
        elif update.started_at is not None:
            self._running[update.id] = update.started_at

    def _over(self, workflow: str, status: Status, seconds: float | None) -> None:
        name = self._named(workflow)
        self._ended[name, status.value] += 1
        if seconds is not None:
            _of(self._lasted, name, _LONG).note(max(0.0, seconds))
        self._series.execution(workflow, status, seconds)

    def _named(self, workflow: str) -> str:
        """What stands for a workflow; what alerts ask of it begins at 0, else Prometheus would not see the first increase."""
        name = self._workflow(workflow)
        if name not in self._recoveries:
            self._recoveries[name] = 0
            self._ended.update(dict.fromkeys(((name, status.value) for status in ENDED), 0))
        return name

    def _learn(self, definition_id: str, workflow: str) -> None:
        if definition_id not in self._definitions:
            if len(self._definitions) >= _DEFINITIONS:
                self._definitions.clear()
            self._definitions[definition_id] = workflow

    async def run(self) -> None:
        """Count the ends of executions of workflows that were met here for the first time, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._nameless:
                ended = definition_id, status, seconds = self._nameless.popleft()
                try:
                    found = await self._registry.definition(definition_id)
                except Unavailable:
                    self._nameless.appendleft(ended)
                    await asyncio.sleep(_PAUSE)
                    continue
                except Exception:  # noqa: BLE001 - what is only counted must not take the service down
                    _log.exception("the name of a workflow could not be looked up")
                    found = None
                if found is not None:
                    self._learn(definition_id, found.name)
                self._over(OTHER if found is None else found.name, status, seconds)

    def _work_of(self, doer: _Doer) -> _Work:
        work = self._work.get(doer)
        if work is None:
            if len(self._work) >= DOERS:
                doer = (OTHER, doer[1], OTHER)
            work = self._work.setdefault(doer, _Work())
        return work

    # ---- what is shown
    def figures(self) -> Iterator[Figure]:
        """See telemetry.figures.Source."""
        yield from self._executions()
        yield from self._steps()
        yield from self._spending()
        counts = [((name,), count) for name, count in self._events.items()]
        yield Figure(
            "backstitch_events_total", "counter", "Durable events written by this process.", counts, ("event",)
        )
        counts = [((name,), count) for name, count in self._recoveries.items()]
        told = "Threads taken up in the middle of their run, after a crash or a restart."
        yield Figure("backstitch_recoveries_total", "counter", told, counts, ("workflow",))
        waits = [((name,), wait) for name, wait in self._waits.items()]
        told = "From an execution's acceptance until it was first taken up here, a delay that was asked for included."
        yield Figure("backstitch_queue_wait_seconds", "histogram", told, waits, ("queue",))
        told = "Reading and checking the state of a thread that is taken up."
        yield Figure("backstitch_checkpoint_load_seconds", "histogram", told, [((), self._loads)])

    def _executions(self) -> Iterator[Figure]:
        told = "Executions begun by this process, by how: invoke, resume, rollback, fork."
        yield Figure(
            "backstitch_executions_started_total", "counter", told, [*self._started.items()], ("workflow", "kind")
        )
        told = "Executions whose end this process wrote."
        yield Figure(
            "backstitch_executions_ended_total", "counter", told, [*self._ended.items()], ("workflow", "status")
        )
        times = [((name,), times) for name, times in self._lasted.items()]
        told = "From an execution's first step to its end."
        yield Figure("backstitch_execution_duration_seconds", "histogram", told, times, ("workflow",))

    def _steps(self) -> Iterator[Figure]:
        attempts = [
            ((*doer, outcome), count)
            for doer, work in self._work.items()
            for outcome, count in (
                ("completed", work.completed),
                ("failed", work.failed),
                ("cancelled", work.cancelled),
            )
        ]
        told = "Attempts of steps, items and iterations that have ended."
        yield Figure("backstitch_step_attempts_total", "counter", told, attempts, (*_DOER, "outcome"))
        times = [(doer, work.times) for doer, work in self._work.items()]
        told = "How long attempts that completed or failed took."
        yield Figure("backstitch_step_duration_seconds", "histogram", told, times, _DOER)
        retries = [(doer, work.retries) for doer, work in self._work.items()]
        yield Figure("backstitch_step_retries_total", "counter", "Attempts that were not the first.", retries, _DOER)

    def _spending(self) -> Iterator[Figure]:
        spent = [(doer, work.usage) for doer, work in self._work.items() if work.usage is not NO_USAGE]
        costs = [(doer, usage.cost_usd) for doer, usage in spent]
        yield Figure("backstitch_cost_usd_total", "counter", "US dollars that attempts have cost.", costs, _DOER)
        tokens = [
            ((*doer, direction), count)
            for doer, usage in spent
            for direction, count in (("input", usage.input_tokens), ("output", usage.output_tokens))
        ]
        told = "Tokens of models that attempts have used."
        yield Figure("backstitch_tokens_total", "counter", told, tokens, (*_DOER, "direction"))


def _note(work: _Work, ending: Ending | None, seconds: float) -> None:
    if ending is None:
        work.cancelled += 1
    elif isinstance(ending, Failed):
        work.failed += 1
        work.times.note(seconds)
    elif not isinstance(ending, Asleep):
        work.completed += 1
        work.times.note(seconds)


def _of(found: dict[str, Distribution], name: str, bounds: tuple[float, ...]) -> Distribution:
    known = found.get(name)
    if known is None:
        known = found[name] = Distribution(bounds)
    return known
