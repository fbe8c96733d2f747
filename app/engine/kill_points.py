"""A process that kills itself at a chosen commit and notes what it did before: what `backstitch verify --kill-points` runs.

Off unless KILL_POINT is set; nothing of it stands in the way of a service without it.
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from app.domain.errors import StartupError
from app.domain.transition import Start
from app.engine.watch import Watcher

if TYPE_CHECKING:
    from app.domain.ports import Journal, StartOutcome
    from app.domain.transition import Transition
    from app.engine.watch import AttemptFact


Due: TypeAlias = Literal["go on", "die"] | None
"""What to do once a commit has been made; None for one that is not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KillPoint:
    """Where to die: at the commit that holds number `number` of what is counted from the birth of `thread` on, over all
    threads (its children are others): versions at "boundaries", transitions at "commits".  Number 0 is never reached.

    `ledger` is the file that gets a line for each commit and each attempt, kept by the kernel when the process dies.
    """

    thread: str
    number: int
    ledger: str
    at: Literal["boundaries", "commits"] = "boundaries"
    moment: Literal["before", "after"] = "before"

    @classmethod
    def parse(cls, text: str) -> KillPoint:
        """From the JSON of KILL_POINT.  Raises StartupError."""
        try:
            found = cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise StartupError(f"KILL_POINT is for `backstitch verify` alone: leave it empty ({error})") from None
        return found


class Ledger(Watcher):
    """Appends to the file at once, so that what has been done is known however the process ends."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def began(self, attempt: AttemptFact) -> None:
        """See Watcher."""
        context = attempt.context
        self.note("attempt", run=context.run_id, key=context.idempotency_key, attempt=context.attempt)

    def committed(self, what: Start | Transition) -> None:
        """A commit that was counted, with the versions that it holds."""
        if isinstance(what, Start):
            thread, workflow = what.thread.thread_id, what.execution.workflow_name
            kept, told = [what.checkpoint], [what.event]
        else:
            thread, workflow, kept, told = what.thread_id, what.workflow, what.checkpoints, what.events
        versions = [{"version": one.version, "step": one.step_id} for one in kept]
        events = [one.name for one in told]
        self.note("commit", thread=thread, workflow=workflow, versions=versions, events=events)

    def note(self, what: str, **fields: Any) -> None:
        """One line of JSON, in one write."""
        line = json.dumps({"what": what, "pid": os.getpid(), **fields}) + "\n"
        os.write(self._file, line.encode())


class KillingJournal:
    """A journal that ends its process just before, or just after, the commit that a kill point names."""

    def __init__(self, journal: Journal, point: KillPoint, ledger: Ledger) -> None:
        self._journal = journal
        self._point = point
        self._ledger = ledger
        self._counting = False
        self._counted = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def start(self, start: Start) -> StartOutcome:
        """See ports.Journal."""
        self._counting = self._counting or start.thread.thread_id == self._point.thread
        due = self._reach(1)
        outcome = await self._journal.start(start)
        self._done(start, due)
        return outcome

    async def commit(self, transition: Transition) -> str | None:
        """See ports.Journal."""
        due = self._reach(len(transition.checkpoints))
        wish = await self._journal.commit(transition)
        self._done(transition, due)
        return wish

    def _reach(self, versions: int) -> Due:
        """Count a commit; whether to die after it, and if before it, here."""
        if not self._counting:
            return None
        first = self._counted + 1
        self._counted += versions if self._point.at == "boundaries" else 1
        if not first <= self._point.number <= self._counted:
            return "go on"
        if self._point.moment == "before":
            self._die()
        return "die"

    def _done(self, what: Start | Transition, due: Due) -> None:
        if due is not None:
            self._ledger.committed(what)
        if due == "die":
            self._die()

    def _die(self) -> None:
        self._ledger.note("killed")
        os.kill(os.getpid(), signal.SIGKILL)


def armed(journal: Journal, point: KillPoint) -> tuple[Journal, Watcher]:
    """The journal with a kill point, and who notes the attempts."""
    ledger = Ledger(point.ledger)
    return cast("Journal", KillingJournal(journal, point, ledger)), ledger
