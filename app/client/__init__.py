"""An async client of a Backstitch service: start workflows, wait for them, follow, steer and look back.

It stands alone (httpx and the standard library), so that the folder can be copied into a project. docs/python-client.md tells
how to use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.client.http import AddressError, ApiError, ClientError, JsonObject, UnreachableError
from app.client.pages import Pages
from app.client.service import Backstitch
from app.client.stream import ENDED, ENDINGS, Event, SseParser
from app.client.threads import Thread, WorkflowFailed
from app.client.workflows import Workflows

if TYPE_CHECKING:
    from app.client.sync import SyncBackstitch, SyncThread

__all__ = [
    "ENDED",
    "ENDINGS",
    "AddressError",
    "ApiError",
    "Backstitch",
    "ClientError",
    "Event",
    "JsonObject",
    "Pages",
    "SseParser",
    "SyncBackstitch",
    "SyncThread",
    "Thread",
    "UnreachableError",
    "WorkflowFailed",
    "Workflows",
]


def __getattr__(name: str) -> Any:
    """The synchronous client, which not everybody needs to load."""
    if name in {"SyncBackstitch", "SyncThread"}:
        from app.client.sync import SyncBackstitch, SyncThread  # noqa: PLC0415

        return {"SyncBackstitch": SyncBackstitch, "SyncThread": SyncThread}[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
