"""Registered functions in the loop, in threads and in processes."""

from __future__ import annotations

import asyncio
import os
import threading
from types import ModuleType
from typing import Any

import pytest

from app.domain.errors import StartupError
from app.domain.runner import Completed, Failed, StepContext
from app.runners.python import PythonRunner
from app.runners.python import in_thread as call_in_thread
from app.runners.registration import Functions, agent, function, load_modules
from tests.unit.runners.attempts import attempt


@function("in-thread")
def in_thread(given: Any, ctx: StepContext) -> Any:
    ctx.progress(0.5, "half")
    return {"thread": threading.current_thread().name, "given": given}


@function("in-loop")
async def in_loop(given: Any) -> Any:
    return threading.current_thread() is threading.main_thread()


@function("in-process", run_in="process")
def in_process(given: Any) -> int:
    return os.getpid()


@function("raising")
def raising(given: str) -> None:
    raise {"stop": StopIteration, "exit": SystemExit, "interrupt": KeyboardInterrupt, "generator": GeneratorExit}[given]


@pytest.fixture
def runner() -> PythonRunner:
    functions = Functions()
    for call in (in_thread, in_loop, in_process, raising):
        functions.add(call)
    return PythonRunner(functions, threads=1, processes=1)


async def output(runner: PythonRunner, name: str, given: Any = None) -> Any:
    outcome = await runner.perform(attempt(name, given))
    assert isinstance(outcome, Completed)
    return outcome.output


async def test_a_sync_function_runs_in_a_thread_of_its_own(runner: PythonRunner) -> None:
    what = attempt("in-thread", {"a": 1})
    outcome = await runner.perform(what)
    assert isinstance(outcome, Completed)
    assert outcome.output == {"thread": "backstitch-step", "given": {"a": 1}}
    assert outcome.output["given"] is not what.input
    assert what.context.said == [(0.5, "half")]  # pyright: ignore[reportAttributeAccessIssue]


async def test_an_async_function_runs_in_the_loop(runner: PythonRunner) -> None:
    assert await output(runner, "in-loop") is True


async def test_a_function_for_processes_runs_in_one(runner: PythonRunner) -> None:
    assert await output(runner, "in-process") != os.getpid()


async def test_a_function_that_nobody_registered_fails_for_good(runner: PythonRunner) -> None:
    outcome = await runner.perform(attempt("nobody"))
    assert isinstance(outcome, Failed)
    assert (outcome.error.kind, outcome.error.retryable) == ("configuration", False)
    assert "in-loop" in outcome.error.message
    assert runner.check(attempt("nobody").step)
    assert runner.check(attempt("in-loop").step) == []


@pytest.mark.parametrize("what", ["stop", "interrupt", "generator"])
async def test_what_would_stop_the_event_loop_arrives_as_an_error(runner: PythonRunner, what: str) -> None:
    async with asyncio.timeout(5):
        with pytest.raises(RuntimeError, match="the function raised"):
            await runner.perform(attempt("raising", what))


async def test_an_exit_in_a_thread_arrives_where_the_step_waits(runner: PythonRunner) -> None:
    with pytest.raises(SystemExit):
        await runner.perform(attempt("raising", "exit"))


async def test_a_thread_whose_step_was_cancelled_is_left_behind_and_frees_its_place() -> None:
    entered, leave = threading.Event(), threading.Event()

    @function("stuck")
    def stuck(given: Any) -> str:
        entered.set()
        leave.wait(10)
        return "late"

    functions = Functions()
    functions.add(stuck)
    functions.add(in_thread)
    runner = PythonRunner(functions, threads=1, processes=1)
    task = asyncio.get_running_loop().create_task(runner.perform(attempt("stuck")))
    await asyncio.to_thread(entered.wait, 10)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert (await output(runner, "in-thread"))["given"] is None
    leave.set()


def test_modules_are_scanned_for_what_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    @agent("analyst")
    async def analyst(given: Any) -> None:
        return None

    module = ModuleType("some_steps")
    module.analyst, module.number = analyst, 7  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(__import__("sys").modules, "some_steps", module)
    functions = load_modules(["some_steps"])
    assert functions.names("agent") == ["analyst"]
    assert functions.find("function", "analyst") is None


def test_a_name_is_registered_once() -> None:
    @function("twice")
    def one(given: Any) -> None: ...

    @function("twice")
    def two(given: Any) -> None: ...

    functions = Functions()
    functions.add(one)
    functions.add(one)
    with pytest.raises(StartupError, match="twice"):
        functions.add(two)


def test_a_module_that_cannot_be_imported_is_told_in_one_line() -> None:
    with pytest.raises(StartupError, match="no_such_module"):
        load_modules(["no_such_module"])


def test_only_async_functions_run_in_the_loop() -> None:
    with pytest.raises(TypeError):

        @function("wrong", run_in="loop")
        def wrong(given: Any) -> None: ...


async def test_a_thread_that_was_left_behind_ends_without_a_word() -> None:
    entered, leave, complaints = threading.Event(), threading.Event(), list[object]()

    def late() -> str:
        entered.set()
        leave.wait(10)
        return "late"

    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    task = asyncio.create_task(call_in_thread(late))
    await asyncio.to_thread(entered.wait, 10)
    task.cancel()
    await asyncio.wait([task])
    workers = [thread for thread in threading.enumerate() if thread.name == "backstitch-step"]
    leave.set()
    for worker in workers:
        await asyncio.to_thread(worker.join, 10)
    await asyncio.sleep(0)
    assert complaints == []
