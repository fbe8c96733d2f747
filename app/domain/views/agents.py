"""Agents as the API shows them: an entry of the list, one as a whole, its health, its events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain.agent_document import document
from app.domain.breakers import DISABLED
from app.domain.histogram import percentile
from app.domain.views.common import Document, when

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from app.domain.agents import AgentEvent, AgentRecord
    from app.domain.breakers import BreakerRecord
    from app.domain.errors import Problem
    from app.domain.metrics import Tally

_SHARES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def breaker_document(record: BreakerRecord) -> Document:
    """A circuit breaker."""
    return {
        "agent": record.agent,
        "state": record.state.value,
        "forced": record.forced,
        "reason": record.reason,
        "opened_at": when(record.opened_at),
        "probe_at": when(record.probe_at),
        "trips": record.trips,
        "changed_at": when(record.changed_at),
    }


def agent_entry(record: AgentRecord, breaker: BreakerRecord, *, loaded: bool) -> Document:
    """One version of an agent without what it is made of, and whether the agent is enabled.

    `loaded`: the code or the file that it comes from is there in this process.
    """
    agent = record.agent
    return {
        "name": agent.name,
        "version": agent.version,
        "kind": agent.kind,
        "description": agent.description,
        "tags": list(agent.tags),
        "source": agent.source,
        "origin": record.origin,
        "loaded": loaded,
        "hash": record.hash,
        "current": record.current,
        "created_at": when(record.created_at),
        "enabled": not breaker.disabled,
        "disabled_reason": _reason(breaker),
        "breaker": breaker.state.value,
    }


def agent_document(
    record: AgentRecord, breaker: BreakerRecord, problems: Sequence[Problem], *, loaded: bool
) -> Document:
    """One version of an agent with its config and schemas; `problems`: why it could not work here and now."""
    told = document(record.agent)
    return {
        **agent_entry(record, breaker, loaded=loaded),
        "config": told["config"],
        "input": told["input"],
        "output": told["output"],
        "problems": [{"pointer": one.pointer, "message": one.message} for one in problems],
    }


def health_document(record: AgentRecord, breaker: BreakerRecord, tally: Tally, window: timedelta) -> Document:
    """How an agent does; durations in milliseconds."""
    times = {name: percentile(tally.buckets, share) for name, share in _SHARES.items()}
    return {
        "agent": record.agent.name,
        "version": record.agent.version,
        "window_ms": round(window.total_seconds() * 1000),
        "attempts": tally.count,
        "succeeded": tally.ok,
        "failed": tally.failed,
        "rejected": tally.rejected,
        "success_rate": None if tally.success_rate is None else round(tally.success_rate, 4),
        "duration_ms": {name: None if time is None else float(f"{time:.3g}") for name, time in times.items()},
        "last_error": _last_error(tally),
        "enabled": not breaker.disabled,
        "disabled_reason": _reason(breaker),
        "breaker": breaker_document(breaker),
    }


def event_document(event: AgentEvent) -> Document:
    """One event."""
    return {"id": event.id, "at": when(event.at), "agent": event.agent, "event": event.name, "data": event.data}


def _last_error(tally: Tally) -> dict[str, Any] | None:
    return None if tally.error is None else {**tally.error, "at": when(tally.error_at)}


def _reason(breaker: BreakerRecord) -> str | None:
    return (breaker.reason or "by hand").removeprefix(DISABLED) if breaker.disabled else None
