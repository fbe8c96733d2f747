"""Examples of retention and of settings."""

from __future__ import annotations

from typing import Any, Final

from app.api import examples

Json = dict[str, Any]

WORKFLOW_RETENTION: Final[Json] = {
    "workflow": "content-strategy",
    "keep": False,
    "days": 7.0,
    "status_days": {"failed": 90.0},
    "max_threads": 1000,
}
RUN: Final[Json] = {
    "id": "01993c5e-0000-7d3a-9a55-0d5b2f6c8d77",
    "status": "completed",
    "dry_run": True,
    "asked": {"dry_run": True},
    "started_at": examples.AT,
    "ended_at": examples.AT,
    "scanned": 5210,
    "threads": 1204,
    "rows": 0,
    "size_bytes": 8123904,
    "reasons": {"age": 1204},
    "workflows": {"content-strategy": 1204},
    "definitions": 0,
    "agent_events": 0,
    "error": None,
}
RUNNING: Final[Json] = {**RUN, "status": "running", "dry_run": False, "asked": {"dry_run": False}, "ended_at": None}
RETENTION: Final[Json] = {
    "policy": {
        "days": 30.0,
        "status_days": {"failed": 90.0},
        "max_per_workflow": None,
        "max_bytes": None,
        "every_ms": 3600000,
        "workflows": [WORKFLOW_RETENTION],
    },
    "runs": [{**RUN, "dry_run": False, "asked": {"dry_run": False}, "rows": 31201}],
    "size_bytes": 91242496,
    "tables": [{"name": "workflow_events", "size_bytes": 40124416}],
    "would_delete": RUN,
}
DELETED: Final[Json] = {"thread_id": examples.THREAD, "deleted": True, "threads": [examples.THREAD], "rows": 24}
CONFIG: Final[Json] = {
    "settings": [
        {"name": "database_password", "value": "***", "source": "environment", "reloadable": False},
        {"name": "log_level", "value": "debug", "source": "api", "reloadable": True},
    ]
}
CHANGE: Final[Json] = {
    "id": "01993c5e-0000-7d3a-9a55-0d5b2f6c8d78",
    "at": examples.AT,
    "name": "log_level",
    "old": "info",
    "new": "debug",
    "source": "api",
    "by": "me@example",
}
