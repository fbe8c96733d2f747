"""Runs registered functions: async ones in the loop, sync ones in threads, CPU-bound ones in processes of their own.

A thread cannot be stopped: when its step is, it is left behind and what it returns is discarded; it never blocks exit.
A process is ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
from typing import TYPE_CHECKING, Any

import anyio
from anyio import to_process

from app.domain import jsontext
from app.domain.records import ErrorInfo
from app.domain.retry import CONFIGURATION
from app.domain.runner import Completed, Failed
from app.runners.process_logs import run_logged, said_by, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.runner import Attempt, Outcome
    from app.domain.spec import StepSpec
    from app.runners.registration import Functions, Registered


class PythonRunner:
    """The kind `python` of steps.  `threads` and `processes` bound how many calls run at a time, those of agents too."""

    def __init__(self, functions: Functions, *, threads: int, processes: int) -> None:
        self._functions = functions
        self._threads = asyncio.Semaphore(threads)
        self._processes = anyio.CapacityLimiter(processes)

    async def perform(self, attempt: Attempt) -> Outcome:
        """Call the function that the step names."""
        name = str(attempt.target)
        found = self._functions.find("function", name)
        if found is None:
            return Failed(error=ErrorInfo(kind=CONFIGURATION, message=self._unknown(name)))
        return await self.call(found, attempt)

    async def call(self, found: Registered, attempt: Attempt) -> Outcome:
        """Call a function with a copy of the input that it may change."""
        value = attempt.input
        if isinstance(value, dict | list):
            value = jsontext.loads(jsontext.dumps(value))
        arguments = (value, attempt.context) if found.takes_context else (value,)
        match found.registration.run_in:
            case "loop":
                output = await found.call(*arguments)
            case "thread":
                async with self._threads:
                    output = await in_thread(found.call, *arguments)
            case "process":
                output = await self._in_process(found.call, value)
        return Completed(output=output)

    async def _in_process(self, call: Callable[..., Any], value: Any) -> Any:
        """Call in a process of its own; what it logs there is logged here when it has ended."""
        level = logging.getLogger().getEffectiveLevel()
        try:
            output, said = await to_process.run_sync(
                run_logged, call, value, level, cancellable=True, limiter=self._processes
            )
        except BaseException as error:
            say(said_by(error))
            raise
        say(said)
        return output

    def check(self, step: StepSpec) -> list[str]:
        """Whether a function of that name is registered."""
        name = step.agent
        return [] if name is None or self._functions.find("function", name) is not None else [self._unknown(name)]

    def _unknown(self, name: str) -> str:
        known = ", ".join(self._functions.names("function")) or "none"
        return f"no function is registered as {name!r}; known: {known} (see MODULES)"


async def in_thread(call: Callable[..., Any], *arguments: Any) -> Any:
    """Call in a daemon thread; when cancelled, the thread is left behind and its result is discarded."""
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()  # what it logs tells of its step
    future: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)

    def work() -> None:
        value: Any = None
        failure: BaseException | None = None
        try:
            value = context.run(call, *arguments)
        except (StopIteration, KeyboardInterrupt, GeneratorExit) as error:  # these mean something to the event loop
            failure = RuntimeError(f"the function raised {type(error).__name__}: {error}")
        except BaseException as error:  # noqa: BLE001 - it is raised again where the step awaits
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, value, failure)

    threading.Thread(target=work, name="backstitch-step", daemon=True).start()
    return await future
