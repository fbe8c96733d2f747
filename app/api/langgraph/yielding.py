"""How a run gives way: it is cancelled, or undone as if it had not been; never the one that has just taken its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.api.langgraph.views import MOVED_BY
from app.domain.commands import RollbackCommand
from app.domain.errors import Conflict

if TYPE_CHECKING:
    from app.api.services import Services
    from app.domain.records import ThreadRecord

_UNDONE: Final = "its run was rolled back"


class Overtaken(Conflict):
    """The thread is not as it was seen any more: look again."""


async def cancel_run(services: Services, thread_id: str, run_id: str, reason: str) -> ThreadRecord:
    """End a run; the thread's row afterwards.  Raises NotFound, Conflict (thread_ended), also where another run goes on."""

    def check(thread: ThreadRecord) -> None:
        if thread.execution_id != run_id:
            raise Conflict(f"run {run_id} has ended: another one took its place", code="thread_ended")

    return await services.control.cancel(thread_id, reason, check=check)


async def cancel_standing(services: Services, seen: ThreadRecord, reason: str) -> None:
    """End what is paused or asks, if nothing has happened since it was `seen`.  Raises NotFound, Overtaken."""

    def check(thread: ThreadRecord) -> None:
        if thread.last_seq != seen.last_seq:
            raise Overtaken(f"thread {thread.thread_id} has just gone on", code="thread_running")

    await services.control.cancel(seen.thread_id, reason, check=check)


async def undo_run(services: Services, thread_id: str, run_id: str) -> None:
    """End a run as if it had not been: the head goes back to where it was before it, or to its own START if it is the first.

    Raises Conflict, NotFound.
    """
    ended = await cancel_run(services, thread_id, run_id, _UNDONE)
    segments = await services.travel.lines.segments(thread_id)
    own = [segment for segment in segments if segment.execution_id == run_id]
    if not own:  # it has written nothing yet
        return
    command = RollbackCommand(
        thread_id=thread_id,
        to_version=own[0].parent_version or own[0].first_version,
        resume=False,
        reason=_UNDONE,
        expected_version=ended.head_version,
        triggered_by=MOVED_BY,
    )
    await services.control.rollback(command)
