"""Registered workflows as tools of their own: `run_NAME` takes the workflow's input and gives its output."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from app.client import ApiError
from app.mcp_server.arguments import LONGEST_WAIT, InvokeStream
from app.mcp_server.bounds import fitting_status
from app.mcp_server.calling import Answer, Call, Document, Refused
from app.mcp_server.following import STOPS, invoke_stream
from app.mcp_server.schemas import wrapped
from app.mcp_server.wording import compact, error_text, next_text

if TYPE_CHECKING:
    from app.client import Backstitch

MOST: Final = 100
"""Workflows that are tools at once: a model pays for the list of them with every message."""
_LONGEST_NAME: Final = 64
_ODD: Final = re.compile(r"[^A-Za-z0-9_-]")
_MARK: Final = 6
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowTool:
    """`schema` is that of the tool's arguments; `under`: the workflow's input is the argument `input`, not all of them."""

    name: str
    workflow: str
    version: int
    about: str
    schema: Document
    under: bool

    @property
    def description(self) -> str:
        """For a model."""
        about = f"{self.about.strip().rstrip('.')}. " if self.about.strip() else ""
        return (
            f"{about}Runs the workflow {self.workflow} (version {self.version}) durably with these arguments as its input. "
            "It answers with the output when that is there within 25 seconds, else with a thread_id: then follow it with "
            "invoke_stream. Calling it again starts it again."
        )

    def input_of(self, given: Document | None) -> Any:
        """The workflow's input in the arguments of a call."""
        return (given or {}).get("input") if self.under else (given or {})


class WorkflowTools:
    """Those that are exposed: all (None), or the workflows of these names; what they are is asked anew each time."""

    def __init__(self, exposed: frozenset[str] | None) -> None:
        self._exposed = exposed
        self._known: dict[str, WorkflowTool] = {}

    @property
    def some(self) -> bool:
        """Whether there may be any."""
        return self._exposed is None or bool(self._exposed)

    async def listed(self, service: Backstitch) -> list[WorkflowTool]:
        """All of them, by name.  Raises ClientError."""
        found = [await self._tool(service, name, version) for name, version in await self._names(service)]
        self._known = {tool.workflow: tool for tool in found}
        return found

    async def find(self, service: Backstitch, name: str) -> WorkflowTool | None:
        """The one that is called so.  Raises ClientError."""
        for workflow, version in await self._names(service):
            if called(workflow) == name:
                return await self._tool(service, workflow, version)
        return None

    async def _names(self, service: Backstitch) -> list[tuple[str, int]]:
        if self._exposed is not None:
            return [one for name in sorted(self._exposed)[:MOST] if (one := await _newest(service, name)) is not None]
        page = await service.request("GET", "/api/workflows", params={"limit": MOST})
        return [(one["name"], one["version"]) for one in page["workflows"]]

    async def _tool(self, service: Backstitch, name: str, version: int) -> WorkflowTool:
        known = self._known.get(name)
        if known is None or known.version != version:
            known = self._known[name] = _made(await service.request("GET", f"/api/workflows/{name}@{version}"))
        return known


async def _newest(service: Backstitch, name: str) -> tuple[str, int] | None:
    """The newest version of a workflow, if it is registered."""
    try:
        record = await service.request("GET", f"/api/workflows/{quote(name, safe='')}")
    except ApiError as error:
        if error.status == _NOT_FOUND:
            return None
        raise
    return record["name"], record["version"]


def called(workflow: str) -> str:
    """What the tool of a workflow is called: by its name, and where that does not fit with a mark of it, so that no two
    workflows ever go by one name, whichever are registered when.
    """
    name = f"run_{_ODD.sub('_', workflow)}"
    if name == f"run_{workflow}" and len(name) <= _LONGEST_NAME:
        return name
    mark = hashlib.sha256(workflow.encode()).hexdigest()[:_MARK]
    return f"{name[: _LONGEST_NAME - _MARK - 1]}_{mark}"


def _made(record: Document) -> WorkflowTool:
    """The tool of a workflow, from what the API tells of that."""
    schema = record["document"].get("input")
    arguments = wrapped(schema)
    return WorkflowTool(
        name=called(record["name"]),
        workflow=record["name"],
        version=record["version"],
        about=record.get("description") or "",
        schema=arguments,
        under=schema is not None and arguments is not schema,
    )


async def start(call: Call, tool: WorkflowTool, given: Document | None) -> Document:
    """Start it; the answer of the API."""
    return await call.service.invoke(
        f"{tool.workflow}@{tool.version}", idempotency_key=call.key, input=tool.input_of(given), triggered_by="mcp"
    )


async def run(call: Call, tool: WorkflowTool, given: Document | None) -> Answer:
    """Start it and wait for its end or its first question, as long as a call may last."""
    until = monotonic() + LONGEST_WAIT
    thread_id = (await start(call, tool, given))["thread_id"]
    cursor = await _followed(call, thread_id, until)
    return outcome(await fitting_status(await call.service.status(thread_id)), cursor)


async def _followed(call: Call, thread_id: str, until: float) -> int:
    """The cursor behind what has happened; the events themselves, however many and long, are of no interest."""
    cursor = 0
    while True:
        left = max(0.0, until - monotonic())
        wanted = InvokeStream(thread_id=thread_id, cursor=cursor, until="end", max_events=500, wait=left)
        page = (await invoke_stream(call, wanted)).document
        cursor = page["next_cursor"]
        asks = any(event["event"] in STOPS for event in page["events"])
        if page["done"] or asks or left <= 0 or not page["events"]:
            return cursor


def outcome(status: Document, cursor: int) -> Answer:
    """What a workflow has come to.  Raises Refused for one that failed."""
    thread_id, state = status["thread_id"], status["status"]
    if state in {"failed", "interrupted", "cancelled"}:
        error: Document = status.get("error") or {"kind": state, "message": f"the thread was {state}"}
        raise Refused(str(error["kind"]), f"thread {thread_id}: {error_text(error)}", next_text(state, thread_id))
    document = {"thread_id": thread_id, "status": state, "finished": state == "completed", "next_cursor": cursor}
    if state == "completed":
        return Answer({**document, "output": status["output"]}, compact(status["output"], 20_000))
    asks = [step["id"] for step in status["steps"] if step.get("gate")]
    text = f"Thread {thread_id} has not ended yet: it is {state}."
    if asks:
        text += f" Step {asks[0]} waits for an answer: call gate_answer(thread_id={thread_id!r})."
    return Answer({**document, "output": None}, f"{text}\nGo on with invoke_stream, cursor={cursor}.")
