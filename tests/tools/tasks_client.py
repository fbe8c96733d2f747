"""The client's side of the extension io.modelcontextprotocol/tasks, which the SDK leaves to whoever needs it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

from mcp.client import ClientExtension, ResultClaim
from mcp_types import CallToolResult, Request, RequestParams, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

TASKS = "io.modelcontextprotocol/tasks"


class TaskParams(RequestParams):
    """Which task."""

    task_id: str


class UpdateParams(TaskParams):
    """And what its user has answered."""

    input_responses: dict[str, Any]


class CreateTaskResult(Result):
    """A task in the place of a tool's result."""

    result_type: Literal["task"] = "task"
    task_id: str
    status: str
    created_at: str
    ttl_ms: int | None


class GetTask(Request[TaskParams, Literal["tasks/get"]]):
    """How it stands."""

    method: Literal["tasks/get"] = "tasks/get"
    params: TaskParams
    name_param = "taskId"


class UpdateTask(Request[UpdateParams, Literal["tasks/update"]]):
    """Answers."""

    method: Literal["tasks/update"] = "tasks/update"
    params: UpdateParams
    name_param = "taskId"


class CancelTask(Request[TaskParams, Literal["tasks/cancel"]]):
    """No more of it."""

    method: Literal["tasks/cancel"] = "tasks/cancel"
    params: TaskParams
    name_param = "taskId"


class Task(Result):
    """A task as tasks/get tells of it."""

    task_id: str
    status: str
    status_message: str
    created_at: str
    last_updated_at: str
    poll_interval_ms: int
    result: dict[str, Any] | None = None
    input_requests: dict[str, Any] | None = None


class Tasks(ClientExtension):
    """Follows tasks to their ends; `answers` are what its user says, one for each question, None for no."""

    identifier = TASKS

    def __init__(self, *answers: dict[str, Any] | None) -> None:
        self.answers = list(answers)
        self.seen: list[Task] = []

    def claims(self) -> Sequence[ResultClaim[Any]]:
        """See ClientExtension."""
        return [ResultClaim(result_type="task", model=CreateTaskResult, resolve=self._resolve)]

    async def _resolve(self, created: CreateTaskResult, context: Any) -> CallToolResult:
        params = TaskParams(task_id=created.task_id)
        while True:
            task = await context.session.send_request(GetTask(params=params), Task)
            self.seen.append(task)
            if task.status == "completed":
                return CallToolResult.model_validate(task.result)
            if task.status == "cancelled" or (task.status == "working" and not self.answers):
                await context.session.send_request(CancelTask(params=params), Result)
                return CallToolResult(content=[], structured_content={"status": task.status})
            if task.status == "input_required":
                await self._answer(task, context)
            await asyncio.sleep(0.01)

    async def _answer(self, task: Task, context: Any) -> None:
        for key in task.input_requests or {}:
            said = self.answers.pop(0) if self.answers else None
            given = {"action": "decline"} if said is None else {"action": "accept", "content": said}
            params = UpdateParams(task_id=task.task_id, input_responses={key: given, "of/before": given})
            await context.session.send_request(UpdateTask(params=params), Result)
