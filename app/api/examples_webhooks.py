"""Examples of webhooks."""

from __future__ import annotations

from typing import Any, Final

from app.api import examples

Json = dict[str, Any]

WEBHOOK_ID: Final = "01993c5e-0000-7d3a-9a55-0d5b2f6c8e01"
DELIVERY_ID: Final = "5d1c0f2e-6f0a-8c58-9b1e-1f4f3e0c7a90"
SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="  # noqa: S105 - an example
CREATE: Final[Json] = {
    "url": "https://hooks.example.com/backstitch",
    "topics": ["workflow.workflow_complete.>", "workflow.workflow_failed.>"],
    "workflows": ["content-strategy"],
    "headers": {"X-Team": "content"},
}
WEBHOOK: Final[Json] = {
    "id": WEBHOOK_ID,
    **CREATE,
    "headers": {"X-Team": "***"},
    "description": None,
    "enabled": True,
    "disabled_reason": None,
    "failing_since": None,
    "old_secret_until": None,
    "created_at": examples.AT,
    "updated_at": examples.AT,
}
CREATED: Final[Json] = {**WEBHOOK, "secret": SECRET}
ROTATED: Final[Json] = {"id": WEBHOOK_ID, "secret": SECRET, "old_secret_until": examples.AT}
TRY: Final[Json] = {"at": examples.AT, "duration_ms": 48, "status_code": 204, "error": None, "answer": ""}
ENTRY: Final[Json] = {
    "id": DELIVERY_ID,
    "webhook_id": WEBHOOK_ID,
    "thread_id": examples.THREAD,
    "seq": 7,
    "message_id": f"{examples.THREAD}:7",
    "topic": "workflow.workflow_complete.content-strategy",
    "status": "delivered",
    "attempts": 2,
    "tries": [
        {
            **TRY,
            "status_code": None,
            "error": "ConnectError: All connection attempts failed",
            "duration_ms": 3,
        },
        TRY,
    ],
    "at": examples.AT,
    "queued_at": examples.AT,
    "next_attempt_at": None,
    "ended_at": examples.AT,
}
DELIVERY: Final[Json] = {
    **ENTRY,
    "body": {
        "id": f"{examples.THREAD}:7",
        "type": "backstitch.workflow_complete",
        "topic": ENTRY["topic"],
        "source": "backstitch",
        "subject": examples.THREAD,
        "timestamp": examples.AT,
        "data": {"workflow": "content-strategy", "seq": 7, "thread_id": examples.THREAD, "event": "workflow_complete"},
    },
}
WAITING: Final[Json] = {**ENTRY, "status": "pending", "attempts": 0, "next_attempt_at": examples.AT, "ended_at": None}
