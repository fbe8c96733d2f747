"""Single tasks: one agent on one input, as a thread of a workflow with one step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain.errors import InvalidRequest, InvalidWorkflow, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.spec import WorkflowSpec

TASK: Final = "task"
"""What the workflow of a task and its only step are called."""
_STEP: Final = "/steps/0"


def document_of(agent: str, *, timeout: float | None = None, retry: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The workflow of a task; its output is the agent's."""
    step: dict[str, Any] = {"id": TASK, "agent": agent}
    if timeout is not None:
        step["timeout"] = timeout
    if retry is not None:
        step["retry"] = dict(retry)
    return {"name": TASK, "steps": [step], "output": f"{{{TASK}.output}}"}


def is_task(spec: WorkflowSpec) -> bool:
    """Whether a workflow is that of a task."""
    return spec.name == TASK and len(spec.steps) == 1 and spec.steps[0].id == TASK and spec.steps[0].kind == "agent"


def as_request(error: InvalidWorkflow) -> InvalidRequest:
    """What is wrong with a task's workflow, told of the request that it was made from."""
    problems = [Problem(problem.pointer.removeprefix(_STEP), problem.message) for problem in error.problems]
    first = problems[0]
    return InvalidRequest(f"{first.pointer}: {first.message}", problems=problems)
