"""An event loop on virtual time: when nothing is ready the clock jumps to the next timer, and a seed decides what runs next.

Every handle belongs to the process of its context.  Within a process the order of asyncio is kept (first in, first out is
documented, and its primitives rely on it), in a `wild` loop but for steps of tasks that stand next to each other; between
processes it is drawn.  A frozen process runs nothing, a dead one never again: that is SIGSTOP, and that is kill -9.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import inspect
import sys
from collections import deque
from contextvars import Context, ContextVar
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from random import Random

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
MAX_HANDLES: Final = 400_000
"""Handles after which a run counts as a livelock."""


class Stuck(Exception):
    """Nothing is ready and no timer runs, or things go round and round: nothing will ever come of it."""


class Place:
    """What runs together, freezes together and dies together: a simulated process, or the world around them."""

    def __init__(self, name: str, *, skew: float = 0.0) -> None:
        self.name = name
        self.skew = timedelta(seconds=skew)
        self.ready: deque[asyncio.Handle] = deque()
        self.frozen = False
        self.dead = False
        self.owner: Any = None
        """The process that lives here."""
        self.epitaph: asyncio.Future[None] | None = None
        """Done when the process is dead, for those that wait for its answer."""

    def context(self) -> Context:
        """A context in which tasks belong to this place."""
        context = Context()
        context.run(PLACE.set, self)
        return context


PLACE: ContextVar[Place] = ContextVar("PLACE")


class SimTask(asyncio.Task[Any]):
    """A task whose hash is its number, so that sets of tasks have one order in every run."""

    def __init__(self, coro: Coroutine[Any, Any, Any], loop: SimLoop, context: Context | None) -> None:
        self._number = loop.number()
        self.born = loop.time()
        self.place: Place = (PLACE.get(loop.world) if context is None else context.get(PLACE)) or loop.world
        super().__init__(coro, loop=loop, context=context)
        self._log_destroy_pending = False

    def __hash__(self) -> int:
        return self._number


class SimLoop(asyncio.BaseEventLoop):
    """See above.  `world` is the place of all that belongs to no process."""

    def __init__(self, random: Random, *, wild: bool) -> None:
        super().__init__()
        self.world = Place("world")
        self.places = [self.world]
        self.tasks: list[SimTask] = []
        self.handles = 0
        self._random = random
        self._wild = wild
        self._now = 0.0
        self._numbers = 0
        self.finished = False
        self.set_task_factory(self._make_task)  # pyright: ignore[reportArgumentType]

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def utc(self) -> datetime:
        """The wall clock of the process that asks, which may go wrong."""
        return BEGIN + timedelta(seconds=self._now) + PLACE.get(self.world).skew

    def true_utc(self) -> datetime:
        """The clock of the database."""
        return BEGIN + timedelta(seconds=self._now)

    def number(self) -> int:
        """The next number."""
        self._numbers += 1
        return self._numbers

    def kill(self, place: Place) -> None:
        """Nothing of this process ever runs again."""
        place.dead = True
        self.places.remove(place)
        place.ready.clear()
        if place.epitaph is not None and not place.epitaph.done():
            place.epitaph.set_result(None)

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Run `main` in the world; whatever is left is closed without another turn."""
        try:
            task = self.create_task(main, context=self.world.context())
            self.run_until_complete(task)
        finally:
            self._finish()

    def left(self, place: Place) -> list[SimTask]:
        """The tasks of a place that have not ended."""
        return [task for task in self.tasks if not task.done() and task.place is place]

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """At once: a thread has no place in a simulation."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
        """As ever, but that it goes to its place at once, and that nothing happens any more once all is over."""
        handle = asyncio.Handle(callback, args, self, context)
        if not self.finished:
            self._hand(handle)
        return handle

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
        """There are no threads."""
        return self.call_soon(callback, *args, context=context)

    def _make_task(self, loop: Any, coro: Any, context: Context | None = None) -> SimTask:
        task = SimTask(coro, self, context)
        self.tasks.append(task)
        if len(self.tasks) % 512 == 0 and not self.finished:
            self.tasks = [each for each in self.tasks if not each.done()]
        return task

    def _run_once(self) -> None:
        self._expire()
        place = self._choose()
        if place is None:
            self._jump()
            return
        while place is not None and not self._stopping:  # pyright: ignore[reportAttributeAccessIssue]
            handle = self._take(place)
            if not handle._cancelled:  # pyright: ignore[reportAttributeAccessIssue]
                self.handles += 1
                handle._run()
                if self.handles > MAX_HANDLES:
                    raise Stuck(f"{self.handles} handles by {self._now:.1f} s, at last {place.name}: {handle!r}")
            place = self._choose()

    def _hand(self, handle: Any) -> None:
        place = handle._context.get(PLACE, self.world)
        if not place.dead:
            place.ready.append(handle)

    def _expire(self) -> None:
        scheduled: list[Any] = self._scheduled  # pyright: ignore[reportAttributeAccessIssue]
        while scheduled and (scheduled[0]._cancelled or scheduled[0]._when <= self._now):
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            if not handle._cancelled:
                self._hand(handle)

    def _jump(self) -> None:
        scheduled: list[Any] = self._scheduled  # pyright: ignore[reportAttributeAccessIssue]
        if not scheduled:
            waiting = [f"{task.place.name}: {task.get_coro()}" for task in self.tasks if not task.done()]
            raise Stuck("nothing is ready, no timer runs; these wait:\n  " + "\n  ".join(waiting))
        self._now = max(self._now, scheduled[0]._when)

    def _choose(self) -> Place | None:
        only: Place | None = None
        for place in self.places:
            if place.ready and not place.frozen:
                if only is not None:
                    places = [each for each in self.places if each.ready and not each.frozen]
                    return places[int(self._random.random() * len(places))]
                only = place
        return only

    def _take(self, place: Place) -> asyncio.Handle:
        ready = place.ready
        if self._wild and len(ready) > 1 and place is not self.world:
            steps = 0
            while steps < len(ready) and _is_step(ready[steps]):
                steps += 1
            chosen = int(self._random.random() * steps)
            if chosen:
                handle = ready[chosen]
                del ready[chosen]
                return handle
        return ready.popleft()

    def _finish(self) -> None:
        """Close what is left of the coroutines, so that none is closed by the garbage collector at another time."""
        self.finished = True
        asyncio._set_running_loop(self)
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        try:
            for task in self.tasks:
                if not task.done():
                    _close(task.get_coro())
        finally:
            self.tasks.clear()
            sys.unraisablehook = hook
            asyncio._set_running_loop(None)
            self.close()


def _is_step(handle: Any) -> bool:
    callback = handle._callback
    name = type(callback).__name__
    return name == "TaskStepMethWrapper" or (
        name == "builtin_function_or_method" and isinstance(callback.__self__, SimTask)
    )


def _close(coro: Any) -> None:
    """Close a coroutine from the innermost one that it awaits outwards: what they do on their way out goes no further."""
    for _ in range(200):
        inner = coro
        while inspect.iscoroutine(inner.cr_await) and inner.cr_await.cr_frame is not None:
            inner = inner.cr_await
        with contextlib.suppress(BaseException):
            inner.close()
        if coro.cr_frame is None:
            return
