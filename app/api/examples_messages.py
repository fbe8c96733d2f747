"""Examples of messages and triggers for the OpenAPI document and the tests of the command line."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

ORDER: Final[Json] = {"order_id": "A-1007", "total": 129.5, "country": "DE"}
_HEAD: Final[Json] = {
    "id": "0199a1fc-6358-7000-b1a4-0c3c6a1f5d11",
    "source": "/api/messages",
    "topic": "orders.created",
    "type": "orders.created",
}
PUBLISHED: Final[Json] = {**_HEAD, "time": "2026-11-21T09:30:00.000Z", "duplicate": False, "durable": True}
MESSAGE: Final[Json] = {
    **_HEAD,
    "subject": None,
    "time": "2026-11-21T09:30:00.000Z",
    "attributes": {},
    "data": ORDER,
    "published_at": "2026-11-21T09:30:00.001Z",
}
MESSAGES: Final[Json] = {"messages": [MESSAGE], "next_cursor": None}
CLOUDEVENT: Final[Json] = {
    "specversion": "1.0",
    "id": "A-1007-created",
    "source": "https://shop.example/orders",
    "type": "example.shop.order.created",
    "subject": "A-1007",
    "time": "2026-11-21T09:30:00Z",
    "datacontenttype": "application/json",
    "data": ORDER,
}
CLOUDEVENT_OUT: Final[Json] = {**CLOUDEVENT, "time": "2026-11-21T09:30:00.000Z", "topic": "orders.created"}
TRIGGER_REQUEST: Final[Json] = {
    "name": "check-large-orders",
    "topic": "orders.created",
    "condition": "message.data.total > 100.0",
    "workflow": "content-strategy",
    "input": {"topic": "order {message.data.order_id}"},
    "deduplicate": {"key": "{message.data.order_id}", "window": "1h"},
}
TRIGGER: Final[Json] = {
    **TRIGGER_REQUEST,
    "deduplicate": {"key": "{message.data.order_id}", "window_ms": 3_600_000},
    "enabled": True,
    "queue": None,
    "priority": None,
    "delay_ms": 0,
    "description": None,
    "created_at": "2026-11-21T09:00:00.000Z",
    "updated_at": "2026-11-21T09:00:00.000Z",
}
TRIGGER_CHANGE: Final[Json] = {"enabled": False}
TRIGGERS: Final[Json] = {"triggers": [TRIGGER], "next_cursor": None}
DELETED: Final[Json] = {"name": "check-large-orders", "deleted": True}
FIRINGS: Final[Json] = {
    "firings": [
        {
            "message_id": "A-1007-created",
            "source": "https://shop.example/orders",
            "topic": "orders.created",
            "outcome": "started",
            "thread_id": "8b1f5a80-6c0e-8d3f-9a4b-0f6f2d1c7e55",
            "error": None,
            "at": "2026-11-21T09:30:00.020Z",
        },
        {
            "message_id": "A-1006-created",
            "source": "https://shop.example/orders",
            "topic": "orders.created",
            "outcome": "failed",
            "thread_id": None,
            "error": {"kind": "expression_error", "message": "message.data.total: there is no 'total'", "problems": []},
            "at": "2026-11-21T09:29:00.020Z",
        },
    ],
    "next_cursor": None,
}
TEST_REQUEST: Final[Json] = {"message": {"topic": "orders.created", "data": ORDER}}
TRIAL: Final[Json] = {
    "trigger": "check-large-orders",
    "starts": True,
    "topic_matches": True,
    "condition": True,
    "input": {"topic": "order A-1007"},
    "deduplication_key": "A-1007",
    "thread_id": "8b1f5a80-6c0e-8d3f-9a4b-0f6f2d1c7e55",
    "problems": [],
}
