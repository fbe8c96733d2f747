"""A small service that speaks the contract over real HTTP, with a script for its one thread and faults to order."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from app.api import (
    examples,
    examples_agents,
    examples_look,
    examples_messages,
    examples_schedules,
    examples_steps,
    examples_threads,
    examples_travel,
    examples_upkeep,
    examples_webhooks,
    examples_workers,
)
from app.api.examples_waits import SENT, SIGNAL, WAIT
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

THREAD = "t-1"
AT = "2026-11-21T10:00:0{}.000Z"


def event(seq: int, name: str, step: str | None = None, at: int = 0, **data: object) -> dict[str, Any]:
    """One event as the contract writes it."""
    return {
        "seq": seq, "thread_id": THREAD, "execution_id": "e-1", "type": "status", "event": name, "step_id": step,
        "attempt": 1 if step else None, "version": 1, "at": AT.format(at), "data": data,
    }  # fmt: skip


def script(ending: str = "workflow_complete", error: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The events of a workflow of two steps; the text holds a line separator that is no end of line in SSE."""
    return [
        event(1, "workflow_start"),
        event(2, "step_start", "analyst"),
        event(3, "step_progress", "analyst", fraction=0.5, message="half \u2028 way"),
        event(4, "step_complete", "analyst", at=2, duration_ms=2000),
        event(5, "step_start", "marketer", at=2),
        event(6, "step_retry", "marketer", at=3, error={"kind": "timeout", "message": "too slow"}),
        event(7, "step_complete", "marketer", at=4, duration_ms=2000),
        event(8, ending, at=4, error=error),
    ]


def problem(status: int, code: str, title: str, detail: str, **more: object) -> Response:
    """A refusal as problem+json."""
    body = {"type": "about:blank", "status": status, "code": code, "title": title, "detail": detail, **more}
    return JSONResponse(body, status, media_type="application/problem+json")


@dataclass
class State:
    """What the service knows and which faults it makes; it outlives restarts."""

    events: list[dict[str, Any]] = field(default_factory=script)
    status: str = "completed"
    error: dict[str, Any] | None = None
    released: int = 1000  # events that exist so far
    cuts: int = 0  # connections still to be cut at a random place
    deaf: bool = False  # sends everything again, whatever the cursor
    taken_in: bytes = b""
    asked: list[tuple[str, Any]] = field(default_factory=list)
    refusal: Response | None = None
    reached: threading.Event = field(default_factory=threading.Event)  # a reader has all that is released
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def document(self) -> dict[str, Any]:
        """The status document."""
        step = {"index": 0, "agent": "llm", "attempt": 1, "retry_count": 0, "duration_ms": 2000, "error": None}
        steps = [{"id": name, "status": "completed", "reused": False, **step} for name in ("analyst", "marketer")]
        return {
            "thread_id": THREAD, "execution_id": "e-1", "workflow": "content-strategy", "status": self.status,
            "version": 4, "last_seq": min(self.released, len(self.events)), "progress": 1.0, "steps": steps,
            "output": {"plan": "ship it"}, "error": self.error,
        }  # fmt: skip

    async def frames(self, cursor: int) -> AsyncIterator[bytes]:
        """The stream after `cursor`; a cut ends it in the middle of a frame."""
        yield b": hello\nretry: 10\n\nevent: snapshot\ndata: " + json.dumps(self.document()).encode() + b"\n\n"
        yield b'event: step_chunk\ndata: {"seq": null, "event": "step_chunk", "data": {"text": "tok"}}\r\n\r\n'
        cursor = 0 if self.deaf else cursor
        cut_at = cursor + self.chance.randint(1, 2) if self.cuts else 0
        while cursor < len(self.events):
            if cursor >= self.released:
                self.reached.set()
                await asyncio.sleep(0.01)
                continue
            found = self.events[cursor]
            body = json.dumps(found, ensure_ascii=False)
            frame = f"id: {found['seq']}\nevent: {found['event']}\ndata: {body}\n\n".encode()
            cursor += 1
            if cursor == cut_at:
                self.cuts -= 1
                yield frame[: self.chance.randrange(len(frame) + 1)]
                raise ConnectionError("cut")
            yield frame


class Service:
    """The service on a real port; `restart` takes it down without a word to its readers and starts it there again."""

    def __init__(self) -> None:
        self.state = State()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Start, and return once it listens."""
        config = uvicorn.Config(_app(self), port=self.port, log_config=None, lifespan="off", ws="none", loop="asyncio")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            self._thread.join(0.02)
        raise RuntimeError("the service did not start")

    @property
    def is_up(self) -> bool:
        """Whether it listens."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Cut every connection and end."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)

    def restart(self) -> None:
        """Stop and start on the same port."""
        self.stop()
        self.start()


def _app(service: Service) -> Starlette:
    async def stream(request: Request) -> Response:
        state = service.state
        cursor = int(request.headers.get("last-event-id", "0"))
        if request.path_params["thread"] != THREAD:
            return problem(404, "thread_not_found", "Not found", "no thread 'nope'")
        if cursor >= len(state.events):
            return Response(status_code=204)
        return StreamingResponse(state.frames(cursor), media_type="text/event-stream")

    async def answer(request: Request) -> Response:
        raw = await request.body()
        state = service.state
        if request.url.path == "/api/invoke/import":
            state.taken_in, raw = raw, b""
        if request.url.path == f"/api/invoke/export/{THREAD}":
            return Response(b'{"row":"end"}\n', media_type="application/x-ndjson")
        state.asked.append((f"{request.method} {request.url.path}", json.loads(raw) if raw else None))
        if state.refusal is not None:
            return state.refusal
        return JSONResponse(ANSWERS.get(request.url.path) or state.document())

    return Starlette(
        routes=[
            Route("/api/invoke/stream/{thread}", stream),
            Route("/{path:path}", answer, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ]
    )


def version(number: int, parent: int | None, step: str, *, on_timeline: bool = True) -> dict[str, Any]:
    """One line of a history."""
    return {
        "version": number, "parent_version": parent, "created_at": AT.format(number), "current_step": step,
        "completed_steps": [], "trigger": "step", "size_bytes": 80, "on_timeline": on_timeline,
    }  # fmt: skip


HISTORY = [
    version(1, None, "START"),
    version(2, 1, "analyst"),
    version(3, 2, "marketer", on_timeline=False),
    version(4, 2, "marketer"),
]
EXECUTION = {
    "id": "e-1", "workflow_id": "w-1", "thread_id": THREAD, "kind": "invoke", "status": "completed",
    "started_at": AT.format(0),
}  # fmt: skip
FINDING: dict[str, Any] = {
    "kind": "checkpoint", "version": 3, "step_id": "marketer", "run_id": None, "execution_id": "e-1",
    "problem": "its text is not the one that was written (SHA-256)", "quarantined": False,
}  # fmt: skip
FORKED: dict[str, Any] = {
    "thread_id": THREAD, "version": 2, "failed": [], "durable": True, "forks": [
        {"variant": name, "thread_id": f"t-{name}", "execution_id": f"e-{name}", "status": "pending", "version": 1, "links": {}}
        for name in ("a", "b")
    ],
}  # fmt: skip
SIDE: dict[str, Any] = {
    "execution_id": "e-1", "thread_id": THREAD, "workflow": "content-strategy", "workflow_version": 1, "kind": "invoke",
    "status": "completed", "version": 4, "forked_from": None, "started_at": AT.format(0), "completed_at": AT.format(4),
    "error": None, "duration_ms": 4000, "steps_ms": 3900, "attempts": 2, "usage": None,
    "steps": {"total": 2, "completed": 2, "failed": 0, "skipped": 0, "reused": 0},
}  # fmt: skip
SPENT = {"input_tokens": 1200, "output_tokens": 30, "cost_usd": 0.0123}
RAN: dict[str, Any] = {
    "status": "completed", "agent": "marketer", "agent_version": 1, "variant": None, "attempt": 1, "retry_count": 0,
    "duration_ms": 2000, "usage": None, "reused": False, "error": None,
}  # fmt: skip
SAME: dict[str, Any] = {"equal": True, "a": None, "b": None, "patch": [], "omitted": None}
COMPARED: dict[str, Any] = {
    "a": SIDE,
    "b": SIDE | {
        "kind": "fork", "forked_from": {"thread_id": THREAD, "version": 2, "variant": "b"}, "duration_ms": 1500,
        "usage": SPENT,
    },
    "ancestor": {"thread_id": THREAD, "version": 2},
    "difference": {
        "duration_ms": -2500, "steps_ms": 0, "attempts": 0, "input_tokens": None, "output_tokens": None, "cost_usd": None,
    },
    "steps": [
        {"id": "analyst", "a": RAN, "b": RAN | {"reused": True}, "output": SAME},
        {
            "id": "marketer", "a": RAN, "b": RAN | {"agent": "marketer-v2", "duration_ms": 900, "usage": SPENT},
            "output": {
                "equal": False, "a": {"plan": 1}, "b": {"plan": 2}, "omitted": None,
                "patch": [{"op": "replace", "path": "/plan", "value": 2}],
            },
        },
        {"id": "gone", "a": RAN, "b": None, "output": {**SAME, "equal": False, "patch": None, "omitted": "too_large"}},
    ],
    "input": SAME, "context": SAME, "output": {**SAME, "equal": None, "patch": None, "omitted": "not_written"},
}  # fmt: skip
GATE: dict[str, Any] = {
    "thread_id": THREAD, "step_id": "approve", "item": None, "round": 0, "status": "open", "title": "Publish?",
    "show": 1, "form": None, "assignees": ["ana", "bob"], "opened_at": AT.format(1), "timeout_at": None, "answer": None,
    "answered_by": None, "answered_at": None, "via": None,
}  # fmt: skip
AGENT: dict[str, Any] = {
    **examples_agents.DISABLED, "description": "Reads.", "problems": [{"pointer": "/config", "message": "no key"}],
}  # fmt: skip
AGENTS: dict[str, dict[str, Any]] = {
    "/api/agents": {**AGENT, **examples_agents.AGENTS, "agents": [AGENT]},
    "/api/agents/analyst": {**AGENT, **examples_agents.DELETED},
    "/api/agents/analyst/health": examples_agents.HEALTH,
    "/api/agents/analyst/events": examples_agents.EVENTS,
    "/api/agents/analyst/enable": {**examples_agents.AGENT},
    "/api/agents/analyst/disable": AGENT,
}
_SCHEDULE = "/api/schedules/morning-briefing"
SCHEDULES: dict[str, dict[str, Any]] = {
    "/api/schedules": {**examples_schedules.SCHEDULE, **examples_schedules.SCHEDULES},
    "/api/schedules/preview": examples_schedules.PREVIEW,
    _SCHEDULE: {**examples_schedules.SCHEDULE, **examples_schedules.DELETED},
    f"{_SCHEDULE}/pause": examples_schedules.PAUSED,
    f"{_SCHEDULE}/resume": examples_schedules.SCHEDULE,
    f"{_SCHEDULE}/run": examples_schedules.MANUAL,
    f"{_SCHEDULE}/backfill": examples_schedules.BACKFILL,
    f"{_SCHEDULE}/firings": examples_schedules.FIRINGS,
}
ANSWERS: dict[str, dict[str, Any]] = {
    **AGENTS,
    "/api/messages/orders.created": examples_messages.PUBLISHED,
    "/api/triggers": examples_messages.TRIGGERS | examples_messages.TRIGGER,
    "/api/triggers/check-large-orders": examples_messages.TRIGGER | examples_messages.DELETED,
    "/api/triggers/check-large-orders/firings": examples_messages.FIRINGS,
    "/api/triggers/check-large-orders/test": examples_messages.TRIAL,
    "/api/messages": examples_messages.MESSAGES,
    "/api/triggers/a/b": examples_messages.TRIGGER,
    **SCHEDULES,
    "/api/invoke/async": {
        "thread_id": THREAD, "execution_id": "e-1", "status": "pending", "version": 1, "durable": True,
    },
    "/api/tasks": {"task_id": THREAD, "execution_id": "e-1", "status": "pending", "durable": True, "links": {}},
    f"/api/invoke/fork/{THREAD}": FORKED,
    "/api/workflow/executions/compare": COMPARED,
    f"/api/invoke/resume/{THREAD}": {"thread_id": THREAD, "status": "running", "resumed_from_version": 3},
    f"/api/workflow/items/{THREAD}/read": examples_steps.ITEMS,
    f"/api/workflow/items/{THREAD}/read/3": examples_steps.ITEM,
    "/api/usage": examples_steps.USAGE,
    "/api/threads": examples_threads.THREADS,
    **{f"/api/threads/{action}": examples_threads.BULK for action in ("resume", "cancel", "pause")},
    "/api/events": examples_look.EVENTS,
    "/api/logs": examples_look.LOGS,
    f"/api/invoke/rollback/{THREAD}": examples_steps.PREVIEW | {
        "thread_id": THREAD, "status": "paused", "rolled_back_to_version": 2, "rolled_back_from_version": 4,
        "compensations": ["reserve.undo"],
    },
    f"/api/invoke/history/{THREAD}": {
        "thread_id": THREAD, "head_version": 4, "history": HISTORY, "next_cursor": None,
    },
    f"/api/invoke/history/{THREAD}/diff": examples_travel.DIFF,
    f"/api/invoke/tree/{THREAD}": examples_travel.TREE,
    f"/api/invoke/replay/{THREAD}/marketer": {**examples_travel.REPLAY_STARTED, "thread_id": THREAD},
    f"/api/invoke/replay/{THREAD}": {**examples_travel.REPLAY, "thread_id": THREAD},
    "/api/invoke/import": {**examples_travel.IMPORTED, "thread_id": THREAD},
    f"/api/invoke/history/{THREAD}/2": {"version": 2, "state": {"context": {}}},
    f"/api/invoke/verify/{THREAD}": {
        "thread_id": THREAD, "status": "failed", "valid": False, "head_version": 4, "head_valid": False,
        "versions": {"checked": 4, "valid": [1, 2]}, "findings": [FINDING], "quarantined": [],
    },
    f"/api/invoke/repair/{THREAD}": {
        "thread_id": THREAD, "execution_id": "e-1", "status": "failed", "repaired": True, "from_version": 4,
        "to_version": 2, "reruns": ["marketer"], "findings": [FINDING | {"quarantined": True}],
    },
    "/api/queue": examples.QUEUES,
    "/api/workers": examples_workers.WORKERS,
    "/api/queue/mail": examples.QUEUE,
    "/api/workflow/executions": {"executions": [EXECUTION], "total": 1, "next_cursor": None},
    "/api/waits": {"waits": [WAIT], "next_cursor": None},
    f"/api/invoke/signals/{THREAD}": {"signals": [SIGNAL], "next_cursor": None},
    f"/api/invoke/signals/{THREAD}/go": SENT | {"thread_id": THREAD},
    "/api/gates": {"gates": [GATE], "next_cursor": None},
    f"/api/invoke/gates/{THREAD}": {"gates": [GATE | {"status": "answered", "via": "timeout"}], "next_cursor": None},
    f"/api/invoke/gates/{THREAD}/approve": {"thread_id": THREAD, "step_id": "approve", "status": "waiting"},
    "/api/workflows/content-strategy/migrate": examples_upkeep.MIGRATED,
    "/api/workflow/state/formats": examples_upkeep.FORMATS,
    "/api/workflow/state/upgrade": examples_upkeep.UPGRADED,
    "/api/workflows/mail": {"document": {"name": "mail", "steps": []}},
    "/api/workflows/content-strategy": {"document": {"name": "content-strategy", "steps": []}},
    "/api/workflows": {
        "workflows": [{"name": "content-strategy", "version": 3}], "next_cursor": None,
        "name": "mail", "version": 2, "steps": ["send"],
    },
    "/api/workflows/validate": {
        "valid": False, "name": None, "hash": None, "steps": [], "graph": None, "diagram": None,
        "problems": [
            {"pointer": "/steps/0/agent", "message": "no agent is registered as 'nobody'", "line": 4, "column": 5}
        ],
    },
    "/api/webhooks": examples_webhooks.CREATED | {"webhooks": [examples_webhooks.WEBHOOK], "next_cursor": None},
    "/api/webhooks/w-1": {**examples_webhooks.WEBHOOK, "failing_since": AT.format(1), "deleted": True},
    "/api/webhooks/w-2": {**examples_webhooks.WEBHOOK, "enabled": False, "disabled_reason": "it is gone"},
    "/api/webhooks/default/rotate": examples_webhooks.ROTATED | {"id": "default"},
    "/api/webhooks/w-1/test": examples_webhooks.ENTRY,
    "/api/webhooks/w-2/test": {
        **examples_webhooks.ENTRY, "status": "failed", "tries": [{**examples_webhooks.TRY, "status_code": 500}],
    },
    "/api/webhooks/w-1/recover": {"webhook_id": "w-1", "recovered": 12},
    "/api/webhooks/w-1/deliveries": {"deliveries": [examples_webhooks.ENTRY, examples_webhooks.WAITING], "next_cursor": None},
    "/api/webhooks/deliveries": {"deliveries": [], "next_cursor": None},
    "/api/webhooks/deliveries/d-1/redeliver": examples_webhooks.WAITING,
}  # fmt: skip
