"""What must hold of a simulated world once all is calm again: nothing lost, nothing stuck, nothing twice, nothing leaked."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from app.domain import jsontext
from app.domain.events import TERMINAL
from app.domain.ports import FeedPosition
from app.domain.state import resolve
from app.domain.status import ENDED, STEP_OPEN, Status
from app.domain.waits import BY_MESSAGE, BY_SIGNAL
from app.engine.waits import digest_of
from app.store.memory_waits import MemoryWaits

if TYPE_CHECKING:
    from app.domain.records import ExecutionRecord, ThreadRecord
    from app.domain.waits import MessageWait
    from tests.simulation.loop import SimTask
    from tests.simulation.service import Process
    from tests.simulation.world import World


def is_quiet(world: World) -> bool:
    """Whether every thread has ended or is paused, and has what was said to it."""
    still = all(each.status in ENDED or each.status is Status.PAUSED for each in world.tables.threads.values())
    return still and not unheard(world)


def unheard(world: World) -> list[str]:
    """What was said and is for an open wait, which does not have it."""
    book = MemoryWaits(world.tables)
    return [told for wait in list(world.tables.waits.values()) if book._waits(wait) for told in is_for(world, wait)]


def is_for(world: World, wait: MessageWait) -> list[str]:
    """What was said that an open wait should have, or be about to get."""
    tables, thread_id = world.tables, wait.key.thread_id
    taken, since = tables.messages_taken.get(thread_id, {}), FeedPosition(wait.since, "", 0)
    messages = [
        f"{wait.key} has not heard {message.data}"
        for message in world.post.messages
        if wait.topic is not None
        and message.place is not None
        and message.place >= since
        and digest_of(message) not in taken
        and (wait.match is None or message.data % 2 == 0)
    ]
    return messages + [
        f"{wait.key} has not got signal {signal.value_json}"
        for signal in tables.signals.get(thread_id, ())
        if signal.name == wait.signal and signal.taken_by is None and signal.at_seq >= wait.begin
    ]


def _taken(world: World) -> None:
    """A thread takes each message, and each signal, once."""
    answers = Counter(
        (wait.key.thread_id, wait.via, jsontext.loads(wait.answer_json)["id"] if wait.topic else wait.answer_json)
        for wait in world.tables.waits.values()
        if wait.answer_json is not None and wait.via in {BY_MESSAGE, BY_SIGNAL}
    )
    for taken, count in answers.items():
        if count > 1:
            world.watch.violated("taken once", f"{taken} was taken {count} times")


def check(world: World) -> None:
    """Hold the tables, the promises to clients and the processes against the invariants; each must be quiet by now."""
    for thread in world.tables.threads.values():
        _thread(world, thread)
    _promises(world)
    _taken(world)


def stuck(world: World) -> str:
    """The threads that have neither ended nor are paused."""
    going_on = [t for t in world.tables.threads.values() if t.status not in ENDED and t.status is not Status.PAUSED]
    return "; ".join(unheard(world)[:5]) or "; ".join(
        f"{t.thread_id} is {t.status}, driver {t.incarnation_id}, wake_at {t.wake_at}, epoch {t.epoch}.{t.rev}, "
        f"signal {t.signal}"
        for t in going_on
    )


def left_over(world: World, process: Process, tasks: list[SimTask]) -> None:
    """A process that left in good order leaves no task behind."""
    if tasks:
        names = [f"{task.get_name()} {task.get_coro()}" for task in tasks]
        world.watch.violated("no task leaks", f"{process.place.name} leaves {names}")


def _thread(world: World, thread: ThreadRecord) -> None:
    tables, violated, name = world.tables, world.watch.violated, thread.thread_id
    versions, events = tables.checkpoints[name], tables.events[name]
    if [each.version for each in versions] != list(range(1, thread.last_version + 1)):
        violated("versions 1..n", f"{name}: {[each.version for each in versions]}")
    if any(each.parent_version is not None and each.parent_version >= each.version for each in versions):
        violated("versions 1..n", f"{name} has a version before its parent")
    if [each.seq for each in events] != list(range(1, thread.last_seq + 1)):
        violated("events 1..m", f"{name}: {[each.seq for each in events]}")
    if thread.incarnation_id is not None or thread.wake_at is not None:
        violated("idle", f"{name} is {thread.status}, driven by {thread.incarnation_id}, due {thread.wake_at}")
    if tables.executions[thread.execution_id].status != thread.status:
        violated("one status", f"{name} and its execution differ")
    _executions(world, thread)
    if thread.status is Status.COMPLETED:
        _complete(world, thread)


def _executions(world: World, thread: ThreadRecord) -> None:
    tables, violated, name = world.tables, world.watch.violated, thread.thread_id
    ends = Counter(event.execution_id for event in tables.events[name] if event.name in TERMINAL)
    for execution in [each for each in tables.executions.values() if each.thread_id == name]:
        superseded = (
            execution.id != thread.execution_id and execution.error is not None and "superseded" in execution.error
        )
        ended = execution.status in ENDED
        superseded = superseded or _born_ended(execution)
        if ends[execution.id] > 1 or (ended and not superseded and not ends[execution.id]):
            violated("one terminal event", f"{execution.id} of {name} is {execution.status}: {ends[execution.id]}")
        if ended != (execution.completed_at is not None):
            violated("one end", f"{execution.id} of {name} is {execution.status} since {execution.completed_at}")
        if not ended and execution.id != thread.execution_id:
            violated("one execution", f"{execution.id} of {name} is {execution.status} and was replaced")
    for run in tables.runs[name].values():
        if run.status in STEP_OPEN and tables.executions[run.execution_id].status in ENDED:
            violated("no open step", f"{run.step_id} of {name} is {run.status} under an ended execution")


def _born_ended(execution: ExecutionRecord) -> bool:
    """One in which an ended thread was moved to another version of its workflow: nothing ran in it."""
    return execution.kind == "migrate" and execution.started_at is None


def _complete(world: World, thread: ThreadRecord) -> None:
    """The head of a completed thread holds every step of the version that wrote it, each with a run that is done."""
    tables, name = world.tables, thread.thread_id
    writer = tables.executions[tables.checkpoints[name][thread.head_version - 1].execution_id]
    definition_id = writer.workflow_id or thread.definition_id
    refs = resolve(
        [each for each in tables.checkpoints[name] if each.version <= thread.head_version], thread.head_version
    )
    caught = refs.steps.keys() & world.watch.caught(definition_id)
    missing = set(world.watch.steps_of(definition_id)) - set(refs.done()) - caught
    if missing:
        world.watch.violated("complete", f"{name} is completed without {sorted(missing)}")
    for step_id, (run_id, status) in refs.steps.items():
        run = tables.runs[name].get(run_id)
        if run is None or run.status != status:
            world.watch.violated("complete", f"{step_id} of {name} is {status} by its version and {run} by its row")


def _promises(world: World) -> None:
    tables, clients, violated = world.tables, world.clients, world.watch.violated
    for name in sorted(clients.born - tables.threads.keys()):
        violated("none lost", f"{name} was accepted and is not there")
    for key, executions in clients.by_key.items():
        if len(executions) > 1:
            violated("a key starts once", f"{key} was answered with {sorted(executions)}")
    inputs = Counter(e.input for e in tables.executions.values() if e.kind == "invoke" and e.input in {'"k1"', '"k2"'})
    for text, count in inputs.items():
        if count > 1:
            violated("a key starts once", f"{text} started {count} threads")
    _readers(world)


def _readers(world: World) -> None:
    tables, violated = world.tables, world.watch.violated
    for reader in world.clients.readers:
        row = tables.threads[reader.thread_id]
        if row.last_seq != reader.cursor and not reader.over:
            violated("readers", f"a reader of {reader.thread_id} has {reader.cursor} of {row.last_seq} events")
        if row.last_seq < reader.cursor:
            violated("readers", f"a reader of {reader.thread_id} has {reader.cursor} of {row.last_seq} events")


def held(process: Process) -> str:
    """What a process holds that nothing needs any more, "" for nothing; while it claims it holds slots for a moment."""
    worker: Any = process.worker
    left: dict[str, Any] = {
        "running": worker.running,
        "slots": process.world.slots - worker.free,
        "expected": dict(worker._expected),
        "tasks": list(worker._tasks),
        "attempts": list(worker._attempts._tasks),
        "keys in flight": process.control._starts._keys_in_flight,
        "texts": process.bus._texts,
        "subscribers": process.bus.subscribers,
    }
    return ", ".join(f"{what} {value}" for what, value in left.items() if value)
