"""Examples of moved threads and upgraded formats, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from app.api.examples import EXECUTION, THREAD
from app.domain.state import FORMAT

REASON: Final = {
    "code": "step_differs",
    "step_id": "analyst",
    "message": "step analyst has completed, and in version 2 it differs in input",
}
MOVED: Final[dict[str, Any]] = {
    "thread_id": THREAD,
    "status": "waiting",
    "from_version": 1,
    "can_move": True,
    "moved": True,
    "execution_id": EXECUTION,
    "reasons": [],
}
MIGRATED: Final = {
    "workflow": "content-strategy",
    "to_version": 2,
    "dry_run": False,
    "can_move": 1,
    "moved": 1,
    "refused": 1,
    "threads": [
        MOVED,
        {
            **MOVED,
            "thread_id": "order-4711",
            "can_move": False,
            "moved": False,
            "execution_id": None,
            "reasons": [REASON],
        },
    ],
    "next_cursor": None,
}
FORMATS: Final = {
    "current": FORMAT,
    "formats": [{"format": 1, "versions": 120, "known": True}, {"format": FORMAT, "versions": 9400, "known": True}],
}
UPGRADED: Final = {
    "dry_run": False,
    "current": FORMAT,
    "checked": 120,
    "upgraded": 119,
    "damaged": 1,
    "next_cursor": None,
}
