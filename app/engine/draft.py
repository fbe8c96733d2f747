"""A transition being drawn up: it numbers versions and events for whoever holds the thread's row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.domain import jsontext
from app.domain.events import Event
from app.domain.records import CheckpointRecord, ErrorInfo, ExecutionUpdate
from app.domain.retry import EXCEPTION
from app.domain.state import FORMAT, Writing
from app.domain.status import ENDED, Status
from app.domain.transition import Transition

if TYPE_CHECKING:
    from datetime import datetime

    from app.domain.records import ItemRecord, StepUpdate, ThreadRecord
    from app.domain.state import ManifestWriter, State

PREVIEW = 2_048
"""Characters of a value that may stand a second time in a row meant for people; a longer one is told by reference."""


class Draft:
    """Collects what happens to a thread at one moment; `transition` is what to commit, if `changed`."""

    def __init__(self, thread: ThreadRecord, at: datetime, workflow: str | None = None) -> None:
        self.at = at
        self.transition = Transition(
            thread_id=thread.thread_id,
            epoch=thread.epoch,
            rev=thread.rev,
            held_execution_id=thread.execution_id,
            at=at,
            new_epoch=thread.epoch,
            incarnation_id=thread.incarnation_id,
            execution_id=thread.execution_id,
            status=thread.status,
            head_version=thread.head_version,
            last_version=thread.last_version,
            last_seq=thread.last_seq,
            wake_at=thread.wake_at,
            recoveries=thread.recoveries,
            queue=thread.queue,
            workflow=workflow,
            definition_id=thread.definition_id,
        )
        self._items: dict[tuple[str, str, int], int] = {}
        self._updates: dict[str, int] = {}
        self._before = (thread.status, thread.incarnation_id)

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        t = self.transition
        return bool(
            t.events
            or t.checkpoints
            or t.step_updates
            or t.steps
            or t.items
            or t.notes
            or (t.status, t.incarnation_id) != self._before
        )

    def event(self, name: str, data: dict[str, Any] | None = None, **where: Any) -> Event:
        """Add the thread's next event; `where`: step_id, run_id, attempt, result (JSON text)."""
        t = self.transition
        t.last_seq += 1
        event = Event(
            thread_id=t.thread_id,
            seq=t.last_seq,
            execution_id=t.execution_id,
            name=name,
            at=self.at,
            version=t.head_version,
            data=jsontext.dumps(data) if data else "{}",
            **where,
        )
        t.events.append(event)
        return event

    def step_update(self, update: StepUpdate) -> None:
        """Change an open step run: one row changes once in a transition, the last word holds."""
        updates = self.transition.step_updates
        place = self._updates.setdefault(update.id, len(updates))
        updates[place : place + 1] = [update]

    def item(self, item: ItemRecord) -> None:
        """Write an item: the last word holds."""
        items, key = self.transition.items, (item.key_execution_id, item.step_id, item.item)
        place = self._items.setdefault(key, len(items))
        items[place : place + 1] = [item]

    def checkpoint(
        self,
        state: State,
        writer: ManifestWriter,
        step_id: str,
        *,
        trigger: str,
        progress: float,
        full: bool = False,
    ) -> CheckpointRecord:
        """Add the thread's next version, whose parent is the head; it becomes the head."""
        t = self.transition
        parent = t.head_version or None
        version = t.last_version = t.head_version = t.last_version + 1
        manifest = writer.write(version, Writing(parent, t.execution_id, step_id, trigger), full=full)
        t.checkpoints.append(
            CheckpointRecord(
                thread_id=t.thread_id,
                version=version,
                parent_version=parent,
                base_version=writer.base_version,
                execution_id=t.execution_id,
                step_id=step_id,
                trigger=trigger,
                manifest=manifest,
                sha256=jsontext.sha256(manifest),
                size_bytes=state.size_bytes,
                progress=progress,
                created_at=self.at,
                format=FORMAT,
            )
        )
        return t.checkpoints[-1]

    def execution(self, status: Status, **changes: Any) -> None:
        """Move the thread and its execution to `status`; an ended one gets its time."""
        self.transition.status = status
        if status in ENDED:
            changes["completed_at"] = self.at
        updates = self.transition.execution_updates
        if updates and updates[-1].id == self.transition.execution_id:  # begun and ended at once: one row, one update
            changes.setdefault("started_at", updates.pop().started_at)
        updates.append(ExecutionUpdate(id=self.transition.execution_id, status=status, **changes))

    def let_go(self, wake_at: datetime | None = None) -> None:
        """Nobody drives the thread any more; somebody may from `wake_at` on."""
        self.transition.incarnation_id = None
        self.transition.wake_at = wake_at


def context_for_people(state: State) -> str:
    """The variables as an ended or paused execution's row shows them: long values by reference to where they are kept."""
    shown: dict[str, Any] = {}
    for name, value in state.context.items():
        kind, ref = state.refs.context[name]
        text = jsontext.dumps(value)
        shown[name] = value if len(text) <= PREVIEW else {"$ref": f"{kind}:{ref}", "size_bytes": len(text.encode())}
    return jsontext.dumps(shown)


def error_text(error: ErrorInfo) -> str:
    """An error as its row and its event hold it."""
    return jsontext.dumps(error.value())


def error_from(text: str | None, step_id: str) -> ErrorInfo:
    """An error back from its row."""
    return (
        ErrorInfo(**jsontext.loads(text)) if text else ErrorInfo(kind=EXCEPTION, message="it failed", step_id=step_id)
    )
