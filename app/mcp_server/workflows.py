"""Registered workflows as tools of their own: `run_NAME` takes the workflow's input and gives its output."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.mcp_server.arguments import LONGEST_WAIT, InvokeStream
from app.mcp_server.bounds import fitting_status
from app.mcp_server.calling import Answer, Call, Document, Refused
from app.mcp_server.following import invoke_stream
from app.mcp_server.schemas import wrapped
from app.mcp_server.wording import compact, error_text, next_text

if TYPE_CHECKING:
    from app.client import Backstitch

MOST: Final = 100
"""Workflows that are tools at once: a model pays for the list of them with every message."""
_LONGEST_NAME: Final = 64
_ODD: Final = re.compile(r"[^A-Za-z0-9_-]")
_PAGE: Final = 200


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
        self._known: dict[tuple[str, int], WorkflowTool] = {}

    @property
    def some(self) -> bool:
        """Whether there may be any."""
        return self._exposed is None or bool(self._exposed)

    async def listed(self, service: Backstitch) -> list[WorkflowTool]:
        """All of them, by name.  Raises ClientError."""
        found: dict[str, WorkflowTool] = {}
        known: dict[tuple[str, int], WorkflowTool] = {}
        for name, version in await self._names(service):
            tool = self._known.get((name, version)) or await _tool(service, name)
            known[name, version] = tool
            found.setdefault(tool.name, tool)
        self._known = known
        return list(found.values())

    async def find(self, service: Backstitch, name: str) -> WorkflowTool | None:
        """The one that is called so."""
        return next((tool for tool in await self.listed(service) if tool.name == name), None) if self.some else None

    async def _names(self, service: Backstitch) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        cursor: str | None = None
        while self.some and len(found) < MOST:
            page = await service.request("GET", "/api/workflows", params={"limit": _PAGE, "cursor": cursor})
            entries = [(one["name"], one["version"]) for one in page["workflows"]]
            found += [one for one in entries if self._exposed is None or one[0] in self._exposed]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        return found[:MOST]


async def _tool(service: Backstitch, name: str) -> WorkflowTool:
    record = await service.request("GET", f"/api/workflows/{name}")
    schema = record["document"].get("input")
    arguments = wrapped(schema)
    return WorkflowTool(
        name=f"run_{_ODD.sub('_', name)}"[:_LONGEST_NAME],
        workflow=name,
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
    """Start it and wait for its end, as long as a call may last."""
    accepted = await start(call, tool, given)
    wanted = InvokeStream(thread_id=accepted["thread_id"], until="end", max_events=500, wait=LONGEST_WAIT)
    followed = await invoke_stream(call, wanted)
    status = await fitting_status(await call.service.status(accepted["thread_id"]))
    return outcome(status, followed.document["next_cursor"])


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
