"""The items of a step, as the API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.status import STEP_OPEN, StepStatus
from app.domain.times import duration_ms
from app.domain.views.common import Document, raw, when

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.items import ItemPage
    from app.domain.records import ItemRecord, StepRecord


def item_document(item: ItemRecord) -> Document:
    """One item; its time is that from the beginning of its first attempt to its end."""
    ended = item.completed_at
    return {
        "index": item.item,
        "status": item.status.value,
        "attempt": item.attempt,
        "retry_count": item.retry_count,
        "agent": item.agent,
        "agent_version": item.agent_version,
        "session_id": item.session_id,
        "output": raw(item.output),
        "error": raw(item.error),
        "started_at": when(item.started_at),
        "completed_at": when(ended),
        "duration_ms": None if ended is None else duration_ms(item.started_at, ended),
    }


def counts_of(page: ItemPage | None, run: StepRecord | None) -> Document:
    """How many items ended how; of a step that completed all are there, so that their number is the total."""
    counts: Mapping[StepStatus, int] = {} if page is None else page.counts
    known = sum(counts.values())
    total = None if page is None else page.total
    if total is None and run is not None and run.status is StepStatus.COMPLETED and known:
        total = known
    return {
        "total": total,
        "completed": counts.get(StepStatus.COMPLETED, 0),
        "failed": counts.get(StepStatus.FAILED, 0),
        "open": sum(counts.get(status, 0) for status in STEP_OPEN),
    }
