"""Running a workflow's Python function over a thread's journal: what has been done answers from there, what has not is asked.

The function runs from its beginning whenever the thread is taken up.  Each call of a step has a place, its number in its
branch, and the journal holds where each step run was called and with what: code that asks for something else is found out.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.errors import JsonError
from app.domain.flow import StepFailed
from app.engine.flowstep import spec_of_call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping

    from app.domain.spec import StepSpec
    from app.engine.deps import Spawn

    Function = Callable[[Any, Any], Awaitable[Any]]

_branch: ContextVar[_Branch] = ContextVar("branch")
_BREATH: Final = 100
"""Answers from the journal after which everybody else gets a turn."""
_LINE: Final = spec_of_call("line", {"sleep": 0})


class CodeChanged(BaseException):
    """The function asks for something else than the journal holds.  No Exception: the function's own handlers let it pass."""


@dataclass(slots=True)
class _Branch:
    """A line of calls: its place among all, and how many calls it has made."""

    path: tuple[int, ...]
    calls: int = 0

    def next(self) -> tuple[int, ...]:
        place = (*self.path, self.calls)
        self.calls += 1
        return place


class Call:
    """One step that the function asked for; awaited, it gives the output."""

    def __init__(self, flow: Flow, spec: StepSpec, place: str) -> None:
        self.spec = spec
        self.place = place
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.awaited = 0
        self.raised = False
        """Whether its failure has reached the function, which may have caught it."""
        self._flow = flow

    def __await__(self) -> Generator[Any, None, Any]:
        return self._flow.result_of(self).__await__()

    def answer(self, output: Any) -> None:
        """The step has completed."""
        self.settle(_copy(output))

    def fail(self, error: Mapping[str, Any]) -> None:
        """The step has failed for good."""
        self.settle(None, StepFailed(error["kind"], error["message"], self.spec.id))

    def settle(self, value: Any, error: BaseException | None = None) -> None:
        """It has come to its end: whoever awaits it goes on."""
        if self.done.done():
            return
        self._flow.running += self.awaited
        self.awaited = 0
        if error is None:
            self.done.set_result(value)
        else:
            self.done.set_exception(error)
            self.done.exception()  # a step whose failure nobody awaits is no trouble of the loop's


class Flow:
    """One run of a function; implements domain.flow.WorkflowContext.

    `running` counts the lines of the function that are not waiting for a step; with none left it is `nudge`d.
    """

    def __init__(self, function: Function, given: Any, thread_id: str) -> None:
        self.thread_id = thread_id
        self.random: Final = Random(thread_id)  # noqa: S311 - to be the same again, not to be secret
        self.running = 1
        self.error: BaseException | None = None
        self.result: Any = None
        self.over = False
        self.on_call: Callable[[Call], None]
        """Told of each call, in the order of calling; may settle it, or raise CodeChanged."""
        self._function, self._given = function, given
        self._nudge: Callable[[], None]
        self._spawn: Spawn
        self._tasks: list[asyncio.Task[None]] = []
        self._lines: set[asyncio.Task[Any]] = set()
        self._ids: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._calls = 0
        self._replayed = 0
        self._stopped = False

    def start(self, spawn: Spawn, nudge: Callable[[], None]) -> None:
        """Begin to run; `nudge` is called whenever it waits for steps in all its lines, and at its end."""
        self._spawn, self._nudge = spawn, nudge
        self._tasks.append(spawn(self._run()))

    def stop(self) -> None:
        """The thread has been let go: whatever the function still wants is cancelled."""
        self._stopped = True
        self._nudge, self.on_call = _nothing, _nothing  # who listened may go
        for task in self._tasks:
            task.cancel()

    async def _run(self) -> None:
        token = _branch.set(_Branch(()))
        self._enter()
        try:
            self.result = await self._function(self, self._given)
        except BaseException as error:  # whatever the function raises is how it ended
            if self._stopped:
                raise
            self.error = error
        finally:
            _branch.reset(token)
            self.over, self.running = True, 0
            for task in self._tasks[1:]:
                task.cancel()
            self._nudge()

    # ---- for the function
    def step(self, name: str, **parts: Any) -> Call:
        """See WorkflowContext."""
        self._check_line()
        place = _branch.get().next()
        spec = spec_of_call(self._id(name, place), parts)
        at = ".".join(map(str, place))
        self._calls += 1
        call = Call(self, replace(spec, index=self._calls - 1, call=f"{at} {_digest(spec)}"), at)
        self.on_call(call)
        return call

    def sleep(self, duration: float | str, name: str = "sleep") -> Call:
        """See WorkflowContext."""
        return self.step(name, sleep=duration)

    def wait_for(self, name: str, **wait: Any) -> Call:
        """See WorkflowContext."""
        kind = "wait_for" if wait.keys() & {"topic", "signal"} else "gate"
        return self.step(name, **{kind: wait})

    def signal(self, name: str, **wait: Any) -> Call:
        """See WorkflowContext."""
        return self.wait_for(name, **{"signal": name, **wait})

    async def gather(self, *works: Awaitable[Any]) -> list[Any]:
        """See WorkflowContext."""
        self._check_line()
        place = _branch.get().next()
        lines = [
            work if isinstance(work, Call) else self._line(work, (*place, number)) for number, work in enumerate(works)
        ]
        results = [await self._outcome(line) for line in lines]
        for line in lines:
            line.raised = True
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return results

    # ---- for its driver
    @property
    def blocked(self) -> bool:
        """Whether it waits for steps in all its lines, or is over."""
        return self.over or self.running <= 0

    async def result_of(self, call: Call) -> Any:
        """The output of a step, for the function."""
        try:
            return await self._wait(call)
        finally:
            call.raised = call.done.done()

    async def _wait(self, call: Call) -> Any:
        self._check_line()
        if not call.done.done():
            call.awaited += 1
            self.running -= 1
            if self.blocked:
                self._nudge()
        else:  # a long journal must not keep the event loop from all else
            self._replayed += 1
            if self._replayed % _BREATH == 0:
                await asyncio.sleep(0)
        try:
            return await asyncio.shield(call.done)
        except asyncio.CancelledError:
            if not call.done.done():  # the function gave it up, by a timeout of its own: this line runs on
                call.awaited -= 1
                self.running += 1
            raise

    def _enter(self) -> None:
        """The current task is a line of the function."""
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)

    def _check_line(self) -> None:
        """Raises CancelledError once the thread has been let go, RuntimeError outside of the function's own lines."""
        if self._stopped:
            raise asyncio.CancelledError
        if asyncio.current_task() not in self._lines:
            raise RuntimeError(
                "a step outside of the workflow's own lines: use ctx.gather in place of tasks of asyncio"
            )

    def _line(self, work: Awaitable[Any], path: tuple[int, ...]) -> Call:
        """A line of its own for a coroutine of the function's; it is waited for like a step."""
        line = Call(self, _LINE, "")

        async def follow() -> None:
            _branch.set(_Branch(path))
            self._enter()
            try:
                result = await work
            except BaseException as error:  # raised again where the gathering waits
                if self._stopped:
                    raise
                line.settle(None, error)
            else:
                line.settle(result)
            finally:
                self.running -= 1
                if self.blocked:
                    self._nudge()

        self.running += 1
        self._tasks.append(self._spawn(follow()))
        return line

    async def _outcome(self, line: Call) -> Any:
        try:
            return await self._wait(line)
        except BaseException as error:  # raised again once all have come to their end
            if self._stopped or not line.done.done():
                raise
            return error

    def _id(self, name: str, place: tuple[int, ...]) -> str:
        """The id of a step: its name, numbered from the second on, with the branch that it is in.  Raises ValueError."""
        stem = "_".join([name, *map(str, place[:-1])])
        at = ".".join(map(str, place))
        number = self._numbers.get(stem, 0) + 1
        while True:
            step_id = stem if number == 1 else f"{stem}_{number}"
            other = self._ids.setdefault(step_id, at)
            if other == at:
                self._numbers[stem] = number
                return step_id
            if other.rpartition(".")[0] != at.rpartition(".")[0]:
                raise ValueError(f"the name {name!r} gives {step_id!r}, which another branch has: choose another")
            number += 1


def _nothing(*_: object) -> None:
    """Nobody listens any more."""


def _digest(spec: StepSpec) -> str:
    given = None if spec.input is None else spec.input.source
    try:
        text = jsontext.dumps([spec.id, spec.kind, spec.target.source, given])
    except JsonError as error:
        raise ValueError(f"step {spec.id}: what it is given is {error}") from None
    return jsontext.sha256(text).hex()


def _copy(value: Any) -> Any:
    """A copy that the function may change: the state keeps its own."""
    return jsontext.loads(jsontext.dumps(value)) if isinstance(value, dict | list) else value
