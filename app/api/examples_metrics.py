"""The examples of OpenAPI about metrics."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

_SUMS: Final[Json] = {
    "name": "analyst",
    "count": 104,
    "errors": 5,
    "error_rate": 0.0481,
    "retries": 4,
    "duration_ms": {"mean": 18.2, "p50": 12.3, "p95": 49.4, "p99": 198.0},
    "cost_usd": 0.0231,
    "input_tokens": 9120,
    "output_tokens": 2400,
}
_SPAN: Final[Json] = {
    "since": "2026-11-21T08:30:00.000Z",
    "until": "2026-11-21T09:30:00.123Z",
    "resolution": "minute",
}
AGENTS: Final[Json] = {**_SPAN, "agents": [_SUMS], "next_cursor": None}
WORKFLOWS: Final[Json] = {**_SPAN, "workflows": [{**_SUMS, "name": "content-strategy"}], "next_cursor": None}
TIMESERIES: Final[Json] = {
    "kind": "agent",
    "name": "analyst",
    "metric": "p95_ms",
    "since": "2026-11-21T09:28:00.000Z",
    "until": "2026-11-21T09:30:00.000Z",
    "resolution": "minute",
    "points": [{"at": "2026-11-21T09:28:00.000Z", "value": 49.4}, {"at": "2026-11-21T09:29:00.000Z", "value": None}],
}
