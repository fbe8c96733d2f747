"""Workflows in Python: what their function is given, and what it may be told.

    @workflow("research")
    async def research(ctx, input):
        plan = await ctx.step("plan", agent="planner", input=input)
        found = await ctx.gather(*(ctx.step("search", agent="searcher", input=q) for q in plan["questions"]))
        return await ctx.step("write", agent="writer", input=found)

Whatever is not a step (an `if`, a loop, a call of a pure function) runs again when the thread is taken up anew, and must come
to the same: no clock, no chance, no I/O but in steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from random import Random


class StepFailed(Exception):
    """Raised where a step that has failed for good is awaited; caught, the workflow goes on."""

    def __init__(self, kind: str, message: str, step_id: str) -> None:
        super().__init__(f"step {step_id}: {message}")
        self.kind = kind
        self.message = message
        self.step_id = step_id


class WorkflowContext(Protocol):
    """The first parameter of a workflow's function."""

    thread_id: str
    random: Random
    """The same numbers whenever the thread is taken up."""

    def step(self, name: str, **parts: Any) -> Awaitable[Any]:
        """Begin a step; awaited, it gives its output, or raises StepFailed.

        Exactly one of `agent`, `python`, `http`, `mcp`, `workflow` says who does it; `input`, `assign`, `timeout`,
        `max_silence`, `retry` and `checkpoint` are as in a document, values as they are and not as templates.  A second step
        of a name is called `name_2`; in a branch of `gather` the branch is in its name.  Raises ValueError for what no step
        can be.
        """
        ...

    async def gather(self, *works: Awaitable[Any]) -> list[Any]:
        """The results of several, which run side by side: steps, or coroutines of one's own.

        Waits for all of them, then raises the first exception, if there is one.
        """
        ...

    def sleep(self, duration: float | str, name: str = "sleep") -> Awaitable[None]:
        """Wait, if need be for days: it takes no slot."""
        ...

    def wait_for(self, name: str, **wait: Any) -> Awaitable[Any]:
        """Wait for a message on a `topic`, or a `signal`, and give it; without either, for a person or a program to answer, and
        give the answer.  `wait` is what `wait_for`, or `gate`, says in a document.
        """
        ...

    def signal(self, name: str, **wait: Any) -> Awaitable[Any]:
        """Wait for the signal of that name, and give its value."""
        ...
