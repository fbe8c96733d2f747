"""The stateful model: hypothesis draws operations, which are done to real services on PostgreSQL and to a model of them."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, Final

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from app.store.migrate import upgrade
from tests.chaos.frame import Outcome, Row
from tests.chaos.model_acts import Model
from tests.chaos.model_expected import NAP, PLANS, Expected
from tests.chaos.world import database

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

STEPS: Final = 50
"""Operations of one run of the machine at most; each run has an empty database and new processes."""
QUIET: Final = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
RUNS: Final = 5
"""Runs of one seed at most: hypothesis varies earlier ones after a while, and expects them to go the same way."""
_PICK: Final = st.integers(0, 11)
_WORKFLOW: Final = st.sampled_from(sorted(PLANS))
_MOST: Final = 6
"""Threads at a time."""


class Machine(RuleBasedStateMachine):
    """One run.  `pick`, `which` and the like choose among what there is."""

    dsn: ClassVar[str]
    counts: ClassVar[Counter[str]]
    trail: ClassVar[list[str]]
    broken: ClassVar[list[str]]
    """What went wrong first, and all that led to it: a second run would not go the same way to the millisecond."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._model = Model(self.dsn)
        self.trail.clear()
        try:
            self._run(self._model.open())
        except BaseException:  # hypothesis tears down only what has been made
            self._runner.run(self._model.close())
            self._runner.close()
            raise

    def teardown(self) -> None:
        try:
            self._run(self._model.read_to_the_end())
        finally:
            self._runner.run(self._model.close())
            self._runner.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        if self.broken:
            work.close()
            return
        try:
            self._runner.run(work)
        except Exception as error:
            self.broken.append(f"{type(error).__name__}: {error} -- after: {'; '.join(self.trail)}")
            traceback.print_exc()
            raise

    def _threads(self, holds: Callable[[Expected], bool] = lambda _: True) -> list[Expected]:
        return [thread for thread in self._model.threads.values() if holds(thread)]

    def _any(self, pick: int, holds: Callable[[Expected], bool] = lambda _: True) -> Expected:
        found = self._threads(holds)
        return found[pick % len(found)]

    def _do(self, name: str, act: Coroutine[Any, Any, Any], what: object = "") -> None:
        if self.broken:
            act.close()
            return
        self.trail.append(f"{name} {what}")
        self.counts[name] += 1
        self._run(self._done(act))

    async def _done(self, act: Coroutine[Any, Any, Any]) -> None:
        await act
        await self._model.settle()
        for number, thread in enumerate(self._model.threads.values()):
            await self._model.status(number, thread)

    @precondition(lambda self: len(self._model.threads) < _MOST)
    @rule(pick=_PICK, workflow=_WORKFLOW, key=st.booleans())
    def start(self, pick: int, workflow: str, key: bool) -> None:
        self._do("start", self._model.start(pick, workflow, key=key), workflow)

    @precondition(lambda self: self._model.gone)
    @rule(pick=_PICK, workflow=_WORKFLOW)
    def start_where_one_was_deleted(self, pick: int, workflow: str) -> None:
        name = sorted(self._model.gone)[pick % len(self._model.gone)]
        self._do("reborn", self._model.start(pick, workflow, name=name), name)

    @precondition(lambda self: self._model.keys)
    @rule(pick=_PICK, which=_PICK, same=st.booleans())
    def start_with_a_known_key(self, pick: int, which: int, same: bool) -> None:
        self._do("same key", self._model.start_again(pick, which, same=same), same)

    @precondition(lambda self: self._model.threads)
    @rule(pick=_PICK, which=_PICK, with_input=st.booleans(), workflow=st.none() | _WORKFLOW)
    def start_on_a_thread(self, pick: int, which: int, with_input: bool, workflow: str | None) -> None:
        thread = self._any(which)
        self._do("rerun", self._model.rerun(pick, thread, with_input=with_input, workflow=workflow), thread.thread_id)

    @precondition(lambda self: self._threads(lambda thread: bool(thread.calls)))
    @rule(pick=_PICK)
    def finish(self, pick: int) -> None:
        thread = self._any(pick, lambda thread: bool(thread.calls))
        self._do("finish", self._model.tell(thread, pick, finish=True), thread.thread_id)

    @precondition(lambda self: self._threads(lambda thread: bool(thread.calls)))
    @rule(pick=_PICK, which=_PICK)
    def fail(self, pick: int, which: int) -> None:
        thread = self._any(pick, lambda thread: bool(thread.calls))
        self._do("fail", self._model.tell(thread, which, finish=False), thread.thread_id)

    @precondition(lambda self: self._threads(lambda thread: bool(thread.calls)))
    @rule(pick=_PICK, which=_PICK, finish=st.booleans(), written=st.booleans())
    def die_in_a_commit(self, pick: int, which: int, finish: bool, written: bool) -> None:
        thread = self._any(pick, lambda thread: bool(thread.calls))
        act = self._model.tell_and_die(thread, which, finish=finish, written=written)
        self._do("die in a commit", act, (thread.thread_id, finish, written))

    @precondition(
        lambda self: (
            self._model.threads and not (self.trail[-1].startswith("crash") and self.trail[-2].startswith("crash"))
        )
    )
    @rule(pick=_PICK, how=st.sampled_from(["cut", "taken", "left"]), late=st.sampled_from([None, True, False]))
    def crash(self, pick: int, how: str, late: bool | None) -> None:
        self._do("crash", self._model.crash(pick, how, late=late), (how, late))

    @precondition(lambda self: self._model.zombies())
    @rule(finish=st.booleans())
    def zombies(self, finish: bool) -> None:
        self._do("zombies", self._model.tell_zombies(finish=finish))

    @precondition(lambda self: self._threads())
    @rule(
        pick=_PICK,
        which=_PICK,
        from_step=st.none() | st.sampled_from(["a", "b", "c", NAP]),
        skip=st.sets(st.sampled_from(["a", "b", "c", "d"]), max_size=2),
        off=st.sampled_from([None, None, 0, 1]),
    )
    def resume(self, pick: int, which: int, from_step: str | None, skip: set[str], off: int | None) -> None:
        thread = self._any(which)
        version = None if off is None else thread.head + off
        act = self._model.resume(pick, thread, from_step=from_step, skip=skip, version=version)
        self._do("resume", act, (thread.thread_id, from_step, sorted(skip), version))

    @precondition(lambda self: self._threads())
    @rule(
        pick=_PICK,
        which=_PICK,
        to=st.integers(1, 40),
        resume=st.booleans(),
        off=st.sampled_from([None, None, 0, 1]),
    )
    def rollback(self, pick: int, which: int, to: int, resume: bool, off: int | None) -> None:
        thread = self._any(which)
        to = 1 + to % (thread.last + 1)  # one too many, at times
        version = None if off is None else thread.head + off
        act = self._model.rollback(pick, thread, to, resume=resume, version=version)
        self._do("rollback", act, (thread.thread_id, to, resume, version))

    @precondition(lambda self: self._threads())
    @rule(pick=_PICK, which=_PICK, force=st.booleans())
    def cancel(self, pick: int, which: int, force: bool) -> None:
        thread = self._any(which)
        self._do("cancel", self._model.cancel(pick, thread, force=force), thread.thread_id)

    @precondition(lambda self: self._threads())
    @rule(pick=_PICK, which=_PICK)
    def pause(self, pick: int, which: int) -> None:
        thread = self._any(which)
        self._do("pause", self._model.pause(pick, thread), thread.thread_id)

    @precondition(lambda self: self._threads())
    @rule(which=_PICK, keys=st.booleans())
    def purge(self, which: int, keys: bool) -> None:
        thread = self._any(which)
        self._do("purge", self._model.purge(thread, keys=keys), (thread.thread_id, keys))

    @precondition(lambda self: self._threads() and len(self._model.world.readers) < _MOST)
    @rule(pick=_PICK, which=_PICK, after=st.integers(0, 40))
    def subscribe(self, pick: int, which: int, after: int) -> None:
        thread = self._any(which)
        self._do("subscribe", self._model.subscribe(pick, thread, after), thread.thread_id)


def run_machine(dsn: str, runs: int, number: int, steps: int = STEPS) -> Counter[str]:
    """So many runs of at most `steps` operations, drawn from the seed `number`; how often each was done.

    Raises AssertionError with all that led to it.
    """
    kind = type("Machine", (Machine,), {"dsn": dsn, "counts": Counter(), "trail": [], "broken": []})
    chosen = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=(Phase.generate,),  # a run takes seconds: its trail tells what a shrunk one would
        suppress_health_check=QUIET,
        print_blob=False,
    )
    try:
        run_state_machine_as_test(seed(number)(kind), settings=chosen)
    except Exception as error:
        if isinstance(error, FlakyStrategyDefinition) and not kind.broken:
            return kind.counts  # two runs have parted ways: processes are not as predictable as it wants
        raise AssertionError(f"seed {number}: {(kind.broken or [error])[0]}") from error
    return kind.counts


def run(operations: int, folder: Path) -> Outcome:
    """At least so many operations."""
    outcome, done, number, begun = Outcome(), Counter[str](), 0, time.monotonic()
    with database(folder) as base:
        asyncio.run(upgrade(base.dsn))
        while done.total() < operations and len(outcome.failures) < 3:
            number += 1
            left = operations - done.total()
            runs = min(RUNS, 1 + -(-left // STEPS))  # the first of each seed is the simplest one
            try:
                done += run_machine(base.dsn, runs, number)
            except AssertionError as error:
                outcome.failures.append(str(error))
    outcome.figures |= {"operations": done.total(), "wrong": len(outcome.failures)}
    outcome.figures |= dict(sorted(done.items())) | {"a second": round(done.total() / (time.monotonic() - begun))}
    return outcome


ROWS = (
    Row(
        name="model",
        fault="any order of start, key, step, crash, resume, rollback, cancel, pause, rerun, purge, subscribe",
        passes="as the model expects; versions 1..n, events 1..m, one terminal, no running thread unleased",
        unit="operations",
        doses=(200, 20_000),
        bounds=(180, 7_200),
        run=run,
    ),
)
