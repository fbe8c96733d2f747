"""The example of OpenAPI about the serving processes."""

from __future__ import annotations

from typing import Any, Final

WORKERS: Final[dict[str, Any]] = {
    "workers": [
        {
            "id": "01993c5e-7a00-7d3a-9a55-0d5a1c3b7e42",
            "host": "node-2",
            "pid": 4711,
            "started_at": "2026-11-21T09:00:00.000Z",
            "heartbeat_at": "2026-11-21T09:30:00.123Z",
            "age_ms": 412,
            "alive": True,
            "this": True,
            "threads": 14,
            "queues": {"default": 11, "mail": 3},
            "slots": 1000,
            "free_slots": 986,
        },
        {
            "id": "01993c5e-7900-7d3a-9a55-0d5a1c3b7e41",
            "host": "node-1",
            "pid": 4102,
            "started_at": "2026-11-21T08:00:00.000Z",
            "heartbeat_at": "2026-11-21T09:29:20.101Z",
            "age_ms": 40434,
            "alive": False,
            "this": False,
            "threads": 2,
            "queues": {"default": 2},
            "slots": None,
            "free_slots": None,
        },
    ],
    "lease_ms": 30000,
}
