"""Examples of waits and signals."""

from __future__ import annotations

from typing import Any, Final

from app.api.examples import AT, EXECUTION, LINKS, THREAD

Json = dict[str, Any]

WAIT: Final[Json] = {
    "thread_id": THREAD,
    "step_id": "paid",
    "item": None,
    "round": 0,
    "status": "open",
    "topic": "orders.42.paid",
    "signal": None,
    "match": "message.data.amount >= input.amount",
    "opened_at": AT,
    "timeout_at": "2026-11-22T09:30:00.123Z",
    "message": None,
    "by": None,
    "taken_at": None,
    "via": None,
    "error": None,
}
SIGNAL: Final[Json] = {
    "thread_id": THREAD,
    "number": 1,
    "name": "approved",
    "value": {"by": "ana"},
    "by": None,
    "sent_at": AT,
    "status": "taken",
    "taken_at": AT,
    "taken_by": {"step_id": "approval", "item": None, "round": 0},
}
SENT: Final[Json] = {
    "thread_id": THREAD,
    "execution_id": EXECUTION,
    "name": "approved",
    "number": 1,
    "taken": True,
    "status": "waiting",
    "durable": True,
    "links": LINKS,
}
