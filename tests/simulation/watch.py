"""What is watched while a world runs: every write of the database and every call of a step, against what must never be.

It also keeps the trail of what happened, which is only made readable when a seed fails.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.errors import Fenced
from app.domain.events import TERMINAL
from app.domain.status import ENDED, STEP_DONE, STEP_ENDED

if TYPE_CHECKING:
    from app.domain.gates import GateKey
    from app.domain.records import ExecutionRecord, ItemRecord, StepRecord
    from app.store.memory_tables import MemoryTables
    from tests.simulation.loop import Place, SimLoop

LEASE: Final = 10.0
NARROW: Final = "narrow"
"""The queue with a limit."""
NARROWNESS: Final = 1
_ID: Final = re.compile(r"id-0*(\d+)")


class Violation(Exception):
    """An invariant does not hold: `name` says which."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name


@dataclass(slots=True, kw_only=True)
class Call:
    """A call of a step's function."""

    at: float
    place: Place
    thread_id: str
    execution_id: str
    step_id: str
    key: str
    token: int


class Watch:
    """One for a world.  The first violation is kept, since it is raised where the engine may catch it."""

    def __init__(self, tables: MemoryTables, loop: SimLoop) -> None:
        self.tables = tables
        self.loop = loop
        self.trail: list[tuple[float, str, str, Any]] = []
        self.violation: Violation | None = None
        self.calls: list[Call] = []
        self.counts: Counter[str] = Counter()
        self.moves = 0
        """How often a thread has moved, or has been given something to look at."""
        self._documents: dict[str, dict[str, Any]] = {}
        self._incarnations: dict[str, str] = {}
        self._drivers: dict[tuple[str, int], str] = {}
        self._moves: set[tuple[str, int, int]] = set()
        self._ended: dict[str, ExecutionRecord] = {}
        self._done: dict[str, StepRecord] = {}
        self._tokens: dict[str, set[str]] = {}
        self._items: dict[tuple[str, str, str, int], ItemRecord] = {}
        self._answers: dict[GateKey, str] = {}

    def note(self, place: Place, what: str, detail: Any = "") -> None:
        """Add to the trail."""
        if not self.loop.finished:
            self.trail.append((self.loop.time(), place.name, what, detail))

    def violated(self, name: str, text: str) -> None:
        """An invariant does not hold."""
        if self.violation is None and not self.loop.finished:
            self.violation = Violation(name, text)
            self.trail.append((self.loop.time(), "!", "VIOLATION", f"{name}: {text}"))

    def document(self, definition_id: str) -> dict[str, Any]:
        """The document of a definition."""
        if definition_id not in self._documents:
            self._documents[definition_id] = jsontext.loads(self.tables.workflows[definition_id].document)
        return self._documents[definition_id]

    def steps_of(self, definition_id: str) -> list[str]:
        """The ids of its steps."""
        return [step["id"] for step in self.document(definition_id)["steps"]]

    def caught(self, definition_id: str) -> set[str]:
        """The ids of those whose failure lets the thread go on."""
        return {step["id"] for step in self.document(definition_id)["steps"] if "on_error" in step}

    def wrote(self, place: Place, name: str, arguments: tuple[Any, ...], answer: Any) -> None:
        """A write has been carried out."""
        self.counts[name] += 1
        if name == "commit":
            move = arguments[0]
            self._one_driver(place, move.thread_id, move.epoch)
            self._moved(place, name, move)
        elif name == "start":
            if answer.created:
                self.moves += 1
                self.note(place, "start", (arguments[0].thread.thread_id, arguments[0].thread.incarnation_id))
                self._look(arguments[0].thread.thread_id)
        elif name == "claim":
            for thread in answer:
                self.note(place, "claim", (thread.thread_id, thread.epoch))
                self._one_driver(place, thread.thread_id, thread.epoch)
            self._within_limits()
        elif name == "open_incarnation":
            self._incarnations[place.name] = arguments[0].id
            self.note(place, name, (arguments[0].id,))
        elif name in {"signal", "wake", "close_incarnation", "open_incarnation", "sweep"} and (
            name != "sweep" or answer
        ):
            shown = arguments if name != "open_incarnation" else (arguments[0].id,)
            self.note(place, name, (shown, answer if isinstance(answer, int) else ""))

    def steered(self, place: Place, move: Any, row: Any) -> None:
        """A steering decision has been written, or None was."""
        self.counts["steer"] += 1
        if move is None:
            self.note(place, "steer", (row.thread_id, "nothing"))
        else:
            self._moved(place, "steer", move)

    def refused(self, place: Place, name: str, arguments: tuple[Any, ...], error: Exception) -> None:
        """A write was refused."""
        self.counts[type(error).__name__] += 1
        if isinstance(error, Fenced):
            move = arguments[0]
            self.note(place, "fenced", (move.thread_id, move.epoch, move.rev))
            if self.tables.threads[move.thread_id].epoch == move.epoch and self._drives(place, move.thread_id) > 1:
                self.violated("one run", f"{place.name} has two runs of {move.thread_id} at epoch {move.epoch}")

    def called(self, place: Place, value: Any, ctx: Any) -> int:
        """A step's function is called; the token that its output is to carry."""
        token = len(self.calls) + 1
        self.calls.append(
            Call(
                at=self.loop.time(),
                place=place,
                thread_id=ctx.thread_id,
                execution_id=ctx.execution_id,
                step_id=ctx.step_id,
                key=ctx.idempotency_key,
                token=token,
            )
        )
        self._tokens.setdefault(ctx.idempotency_key, set()).add(str(token))
        self.note(place, "call", (ctx.thread_id, ctx.step_id, f"attempt {ctx.attempt}", f"token {token}"))
        self._may_be_called(place, ctx)
        return token

    def _may_be_called(self, place: Place, ctx: Any) -> None:
        self._within_lease(place, ctx.step_id)
        runs = self.tables.runs[ctx.thread_id].values()
        thread = self.tables.threads[ctx.thread_id]
        caught = self.caught(thread.definition_id)
        done = {run.step_id for run in runs if run.status in STEP_DONE or run.step_id in caught}
        steps = self.document(thread.definition_id)["steps"]
        needs = next((each["needs"] for each in steps if each["id"] == ctx.step_id), [])  # moved to one without it
        missing = set(needs) - done
        if missing:
            self.violated("committed before", f"{ctx.step_id} is called, and {sorted(missing)} are not committed")
        mine = self._drivers.get((ctx.thread_id, thread.epoch)) == place.name
        again = [r for r in runs if r.step_id == ctx.step_id and r.execution_id == ctx.execution_id]
        if mine and any(run.status in STEP_DONE for run in again):
            self.violated("no second call", f"{ctx.step_id} of {ctx.thread_id} is committed as done and called again")
        if mine and ctx.index is not None:
            _, key, step_id, _ = ctx.idempotency_key.rsplit(":", 3)
            item = self.tables.items.get(ctx.thread_id, {}).get((key, step_id, ctx.index))
            if item is not None and item.status in STEP_DONE:
                self.violated("no second call", f"item {ctx.index} of {ctx.step_id} of {ctx.thread_id} is committed")
        if mine and thread.status in ENDED:
            self.violated("no call after the end", f"{ctx.step_id} of {ctx.thread_id}, which is {thread.status}")

    def answered(self, key: GateKey, answer: str) -> None:
        """Somebody was told that his answer to a gate was taken."""
        if self._answers.setdefault(key, answer) != answer:
            self.violated("the first answer wins", f"{key} took {self._answers[key]} and {answer}")

    def _drives(self, place: Place, thread_id: str) -> int:
        """How many tasks of a process drive a thread; one that was adopted just after its end is refused, no harm done."""
        return sum(task.get_name() == f"thread {thread_id}" for task in self.loop.left(place))

    def _within_limits(self) -> None:
        threads = self.tables.threads.values()
        running = [each.thread_id for each in threads if each.queue == NARROW and each.incarnation_id is not None]
        if len(running) > NARROWNESS:
            self.violated("queue limit", f"{running} run at once")

    def _within_lease(self, place: Place, step_id: str) -> None:
        """Past its lease a process starts nothing; the store had its heartbeat no earlier than it had sent it."""
        row = self.tables.incarnations.get(self._incarnations.get(place.name, ""))
        silent = (self.loop.true_utc() - row.heartbeat_at).total_seconds() if row is not None else None
        if silent is None or silent > LEASE:
            self.violated("nothing past the lease", f"{place.name} calls {step_id}, last heard of {silent} s ago")

    def _one_driver(self, place: Place, thread_id: str, epoch: int) -> None:
        driver = self._drivers.setdefault((thread_id, epoch), place.name)
        if driver != place.name:
            self.violated("one driver", f"{driver} and {place.name} both write {thread_id} at epoch {epoch}")

    def _moved(self, place: Place, name: str, move: Any) -> None:
        names = [event.name + (f"({event.step_id})" if event.step_id else "") for event in move.events]
        self.moves += 1
        self.note(place, name, (move.thread_id, f"{move.epoch}.{move.rev}->{move.new_epoch}", str(move.status), names))
        if (move.thread_id, move.epoch, move.rev) in self._moves:
            self.violated("one move", f"{move.thread_id} moves twice from {move.epoch}.{move.rev}")
        self._moves.add((move.thread_id, move.epoch, move.rev))
        self._look(move.thread_id)
        self._within_limits()

    def _look(self, thread_id: str) -> None:
        """The rows of a thread after a write."""
        tables = self.tables
        thread = tables.threads[thread_id]
        events = tables.events[thread_id]
        if len(events) != thread.last_seq or events[-1].seq != thread.last_seq:
            self.violated(
                "events 1..m", f"{thread_id} has {[event.seq for event in events]}, last_seq {thread.last_seq}"
            )
        versions = tables.checkpoints[thread_id]
        if len(versions) != thread.last_version or versions[-1].version != thread.last_version:
            self.violated("versions 1..n", f"{thread_id} has {[each.version for each in versions]}")
        for event in events[-3:]:
            if event.name in TERMINAL and tables.executions[event.execution_id].status not in ENDED:
                self.violated("one end", f"{event.name} of {thread_id} and its execution goes on")
        for run in tables.runs[thread_id].values():
            self._look_at_run(run)
            self._look_at_execution(run.execution_id)
        for item in tables.items.get(thread_id, {}).values():
            self._look_at_item(thread_id, item)
        self._look_at_execution(thread.execution_id)

    def _look_at_execution(self, execution_id: str) -> None:
        execution = self.tables.executions[execution_id]
        before = self._ended.get(execution_id)
        if before is not None and before != execution:
            self.violated("an end is final", f"{before} became {execution}")
        elif before is None and execution.status in ENDED:
            self._ended[execution_id] = replace(execution)

    def _look_at_run(self, run: StepRecord) -> None:
        before = self._done.get(run.id)
        if before is not None and before != run:
            self.violated("a result is final", f"{before} became {run}")
        elif before is None and run.status in STEP_ENDED:
            self._done[run.id] = replace(run)
            known = self._tokens.get(f"{run.thread_id}:{run.key_execution_id}:{run.step_id}")
            if known is not None and run.status == "completed" and run.output not in known:
                self.violated("a result is of its step", f"{run.step_id} of {run.thread_id}: {run.output}, not {known}")

    def _look_at_item(self, thread_id: str, item: ItemRecord) -> None:
        place = (thread_id, item.key_execution_id, item.step_id, item.item)
        before = self._items.get(place)
        if before is not None and before != item:
            self.violated("a result is final", f"{before} became {item}")
        elif before is None and item.status in STEP_DONE:
            self._items[place] = replace(item)
            known = self._tokens.get(":".join(map(str, place)))
            if known is not None and item.output not in known:
                self.violated("a result is of its step", f"item {place}: {item.output}, not {known}")

    def story(self, limit: int = 400) -> str:
        """The trail, for people."""
        lines = [
            f"{at:10.3f} {place:<7} {what:<11} {_shown(detail)}" for at, place, what, detail in self.trail[-limit:]
        ]
        return "\n".join(lines)


def _shown(detail: Any) -> str:
    text = " ".join(str(each) for each in detail) if isinstance(detail, tuple) else str(detail)
    return _ID.sub(r"#\1", text)
