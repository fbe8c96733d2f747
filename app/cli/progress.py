"""A thread as a watcher sees it: built from the snapshot and moved on by each event, then drawn one line a step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from app.cli.remarks import remark_of, waited_for
from app.cli.rendering import STYLES, clock, duration, failure, mark, styled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.client import Event

_WORKFLOW_STATUS: Final[dict[str, str]] = {
    "workflow_start": "running",
    "workflow_resumed": "running",
    "workflow_rolled_back": "running",
    "workflow_paused": "paused",
    "workflow_complete": "completed",
    "workflow_failed": "failed",
    "workflow_cancelled": "cancelled",
    "workflow_interrupted": "interrupted",
}
_STEP_STATUS: Final[dict[str, str]] = {
    "step_start": "running",
    "step_progress": "running",
    "step_retry": "retrying",
    "step_complete": "completed",
    "step_failed": "failed",
    "step_skipped": "skipped",
    "gate_waiting": "waiting",
    "gate_answered": "running",
    "message_waiting": "waiting",
    "message_received": "running",
}
_MOVED: Final = frozenset({"workflow_resumed", "workflow_rolled_back"})
_ASIDE: Final = frozenset({"item_failed", "attempt_discarded"})
"""Events that tell of a step without changing how it stands."""


@dataclass(slots=True, kw_only=True)
class StepLine:
    """What is known of one step; times in milliseconds."""

    id: str
    agent: str = ""
    status: str = "pending"
    attempt: int = 0
    started_at: datetime | None = None
    duration_ms: float | None = None
    message: str = ""
    reused: bool = False

    def elapsed(self, now: datetime) -> float | None:
        """How long it took, or has been running."""
        if self.status in {"running", "retrying"} and self.started_at is not None:
            return max(0.0, (now - self.started_at).total_seconds() * 1000)
        return self.duration_ms


class Progress:
    """The thread so far. `stale` says that only a fresh status document tells which steps are still done."""

    def __init__(self) -> None:
        self.workflow = ""
        self.status = "pending"
        self.steps: dict[str, StepLine] = {}
        self.stale = False
        self.outage = ""
        self.remark = ""
        self._seen = 0

    @property
    def seen(self) -> int:
        """The number of the last event that is in it."""
        return self._seen

    def take(self, document: Mapping[str, Any]) -> None:
        """Start over from a status document."""
        self.workflow = str(document.get("workflow") or "")
        self.status = str(document.get("status") or "pending")
        self.steps = {str(step["id"]): _line(step) for step in document.get("steps") or ()}
        self._seen = int(document.get("last_seq") or 0)
        self.stale = False

    def apply(self, event: Event) -> None:
        """Move on by one event; one that the snapshot already covers changes nothing."""
        if event.name == "snapshot":
            self.take(event.body)
        elif event.seq is not None and event.seq > self._seen:
            self._seen = event.seq
            self.status = _WORKFLOW_STATUS.get(event.name, self.status)
            self.stale = event.name in _MOVED
            if event.step_id is None:
                self.remark = remark_of(event) if event.name == "workflow_paused" else ""
            elif event.name in _ASIDE or (event.name == "step_retry" and event.data.get("index") is not None):
                self.steps.setdefault(event.step_id, StepLine(id=event.step_id)).message = remark_of(event)
            elif event.name in _STEP_STATUS:
                self._step(event, event.step_id)

    def _step(self, event: Event, step_id: str) -> None:
        line = self.steps.setdefault(step_id, StepLine(id=step_id))
        line.status = _STEP_STATUS[event.name]
        line.attempt = int(event.body.get("attempt") or line.attempt)
        line.message = remark_of(event)
        at = _time(event.body.get("at"))
        if event.name == "step_start":
            line.started_at, line.duration_ms, line.reused = at, None, False
        elif line.status in {"completed", "failed"} and line.started_at and at:
            line.duration_ms = event.data.get("duration_ms") or (at - line.started_at).total_seconds() * 1000

    def draw(self, height: int, hints: Sequence[str] = ()) -> Group:
        """The thread in at most `height` lines with `hints` below; finished steps give way first."""
        lines = list(self.steps.values())
        tail = [Text(text, style="yellow") for text in (self.remark, *hints, self.outage) if text]
        room = max(4, height - 3 - max(0, len(tail) - 1))
        hidden = 0
        while len(lines) > room and lines[0].status in {"completed", "skipped"}:
            del lines[0]
            hidden += 1
        grid = Table(box=None, show_header=False, pad_edge=False)
        for _ in range(4):
            grid.add_column(no_wrap=True)
        grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        now = datetime.now(UTC)
        for line in lines[:room]:
            grid.add_row(*_cells(line, now))
        head = [Text.assemble((self.workflow or "workflow", "bold"), "  ", styled(self.status))]
        if hidden:
            head.append(Text(f"{hidden} finished steps above", style="dim"))
        return Group(*head, grid, *tail)


def _line(step: Mapping[str, Any]) -> StepLine:
    return StepLine(
        id=str(step["id"]),
        agent=str(step.get("agent") or ""),
        status=str(step.get("status") or "pending"),
        attempt=int(step.get("attempt") or 0),
        started_at=_time(step.get("started_at")),
        duration_ms=step.get("duration_ms"),
        message=failure(step.get("error")) or _question(step),
        reused=bool(step.get("reused")),
    )


def _question(step: Mapping[str, Any]) -> str:
    gate, wait = step.get("gate"), step.get("waits_for")
    if wait is not None:
        return f"waits for {waited_for(wait)}"
    return "" if gate is None else " ".join(str(gate.get("title") or "waits for an answer").split())


def _cells(line: StepLine, now: datetime) -> list[Text]:
    style = STYLES.get(line.status, "")
    attempt = f"attempt {line.attempt}" if line.attempt > 1 else ""
    note = "kept from before" if line.reused else line.message
    agent = line.agent if line.agent != line.id else ""
    return [
        Text(f"{mark(line.status)} {line.id}", style=style),
        Text(agent, style="dim"),
        Text(duration(line.elapsed(now)), justify="right"),
        Text(attempt, style="yellow"),
        Text(note, style="dim"),
    ]


def plain(event: Event, agents: Mapping[str, str]) -> str:
    """An event as one line for a log: time, number, mark, what it is about, what happened."""
    status = _STEP_STATUS.get(event.name) or _WORKFLOW_STATUS.get(event.name, "")
    agent = agents.get(event.step_id or "", "")
    who = f"{event.step_id} ({agent})" if agent and agent != event.step_id else event.step_id or ""
    attempt = event.body.get("attempt") or 1
    extras = [
        f"attempt {attempt}" if attempt > 1 else "",
        duration(event.data.get("duration_ms")),
        remark_of(event),
    ]
    sign = mark(status) if status else " "
    head = f"{clock(event.body.get('at'))} {event.seq or '':>4} {sign} {event.name:<17} {who}"
    return "  ".join([head.rstrip(), *(extra for extra in extras if extra)])


def _time(at: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(at))
    except ValueError:
        return None
