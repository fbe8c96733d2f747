"""Health: whether the service can work and why not, the store of the checkpoints, and whether the process answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api.answers import answer
from app.api.openapi import example
from app.api.schemas_service import CheckpointerAnswer, HealthAnswer, LiveAnswer
from app.api.services import services_of

if TYPE_CHECKING:
    from collections.abc import Mapping

router: Final = APIRouter(tags=["health"])

_READY: Final = {
    "status": "ready",
    "durable": True,
    "parts": {
        "database": {
            "status": "ready",
            "kind": "postgres",
            "latency_ms": 0.3,
            "pool": {"size": 10, "open": 4, "in_use": 1, "waiting": 0, "longest_wait_ms": 2},
        },
        "journal": {
            "status": "ready",
            "durable": True,
            "queued": 0,
            "lanes": 1,
            "connected": 1,
            "last_flush_ms": 14,
        },
        "worker": {"status": "ready", "running": 3, "free_slots": 997, "last_claim_ms": 310},
        "monitor": {
            "status": "ready",
            "lease": True,
            "line": True,
            "loops": {"heartbeat": 420, "recovery": 430, "claims": 310},
        },
        "agents": {"status": "ready"},
        "breakers": {"status": "ready"},
        "queue": {"status": "ready", "depth": 0, "running": 3, "oldest_wait_ms": 0},
        "webhooks": {"status": "ready", "pending": 0, "failing": 0, "disabled": 0},
        "telemetry": {"status": "ready", "traces": "on", "spans": 812, "sent": 800, "lost": 0},
        "settings": {"status": "ready", "checkpointer": "postgres"},
        "disk": {"status": "ready", "free_bytes": 81_604_378_624, "size_bytes": 105_089_261_568},
    },
}
_UNAVAILABLE: Final = {
    "status": "unavailable",
    "durable": True,
    "parts": {
        "database": {"status": "unavailable", "detail": "connection refused", "kind": "postgres", "latency_ms": None},
        "journal": {"status": "unavailable", "detail": "the journal has no connection", "durable": True, "queued": 12},
        "breakers": {"status": "degraded", "detail": "open: marketer"},
    },
}
ESSENTIAL: Final = frozenset({"database", "journal", "worker", "monitor", "disk", "service"})
"""Parts without which no thread gets on."""
_STORE: Final = {
    "kind": "postgres",
    "durable": True,
    "reachable": True,
    "latency_ms": 0.4,
    "error_rate": 0.0,
    "size_bytes": 8123904,
    "error": None,
    "fallback": None,
}


@router.get(
    "/health",
    operation_id="health",
    response_model=HealthAnswer,
    responses={
        200: example(_READY),
        503: {
            "model": HealthAnswer,
            "description": "Cannot work now; `parts` says why",
            **example(_UNAVAILABLE),
        },
    },
)
async def health(request: Request) -> Response:
    """Ready (200), degraded (200: it works, something is wrong) or unavailable (503), by part."""
    services = services_of(request)
    parts = dict(await services.health())
    if services.shutting_down.is_set():
        parts["service"] = {"status": "unavailable", "detail": "shutting down"}
    status = _worst(parts)
    document = {"status": status, "durable": services.durable, "parts": parts}
    return answer(document, 503 if status == "unavailable" else 200)


def _worst(parts: Mapping[str, Mapping[str, Any]]) -> str:
    if any(part.get("status") == "unavailable" for name, part in parts.items() if name in ESSENTIAL):
        return "unavailable"
    return "ready" if all(part.get("status") == "ready" for part in parts.values()) else "degraded"


@router.get(
    "/health/checkpointer",
    operation_id="health_checkpointer",
    response_model=CheckpointerAnswer,
    responses={
        200: example(_STORE),
        503: {
            "model": CheckpointerAnswer,
            "description": "It cannot be reached",
            **example({**_STORE, "reachable": False, "latency_ms": None, "error": "connection refused"}),
        },
    },
)
async def checkpointer(request: Request) -> Response:
    """Which store keeps the checkpoints, how it is, and whether it stands in for another (`fallback`)."""
    services = services_of(request)
    found = await services.reads.health()
    document = {
        "kind": found.kind,
        "durable": found.durable,
        "reachable": found.reachable,
        "latency_ms": found.latency_ms,
        "error_rate": found.error_rate,
        "size_bytes": found.size_bytes,
        "error": found.error,
        "fallback": services.fallback,
    }
    return answer(document, 200 if found.reachable else 503)


@router.get(
    "/health/live", operation_id="health_live", response_model=LiveAnswer, responses={200: example({"status": "live"})}
)
async def live() -> Response:
    """The process answers, whatever the state of the store."""
    return answer({"status": "live"})
