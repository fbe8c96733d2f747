"""Healing: what becomes of a thread whose stored state is damaged, decided under the row's lock in one transition.

The damaged texts are put into quarantine and stay where they are; the head moves to the last sound version, and only the
steps whose values are lost run again, in a new execution.  Where nothing sound is left the thread is interrupted.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from app.domain import events, integrity, parameters
from app.domain.errors import Conflict, Corrupt
from app.domain.parameters import Parameters
from app.domain.records import ErrorInfo
from app.domain.status import ACTIVE, ENDED, Status
from app.domain.times import utc_now
from app.engine.asked import unfinished
from app.engine.diagnosis import Diagnosis, diagnose
from app.engine.load import load_thread
from app.engine.steering import Steering

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from app.domain.integrity import Finding
    from app.domain.ports import Journal, Reads
    from app.domain.records import ExecutionRecord, ThreadRecord
    from app.domain.spec import WorkflowSpec
    from app.domain.transition import Transition
    from app.engine.deps import Stores
    from app.engine.load import Loaded

CORRUPT: Final = "corrupt"
"""The error kind of a thread that is damaged beyond repair."""
_ROUNDS: Final = 3
_SHOWN: Final = 100
"""Findings that an event tells of; the table has them all."""
_log = logging.getLogger(__name__)


class Healing(Steering):
    """A steering that repairs; `others` are findings beyond those that stand in the way of the head."""

    async def heal(self, spec: WorkflowSpec, others: Iterable[Finding] = ()) -> Transition | None:
        """The transition that repairs the thread; None when there is nothing to repair or to put aside."""
        diagnosis = await diagnose(self._reads, self.thread, spec)
        hopeless = diagnosis.target is None
        diagnosis.add(others)
        known = [item.id for item in await self._reads.quarantined(self.thread.thread_id)]
        transition = self._draft.transition
        transition.quarantined = diagnosis.quarantined(self._draft.at, known)
        ended = self.thread.status in ENDED
        stuck = diagnosis.target != self.thread.head_version or bool(diagnosis.lost)
        if not transition.quarantined and (
            not stuck or (ended and diagnosis.target in (None, self.thread.head_version))
        ):
            return None
        transition.clear_signal = False
        left = self.thread.head_version
        if ended:
            transition.head_version = left if diagnosis.target is None else diagnosis.target
            transition.new_epoch = self.thread.epoch
        elif stuck and not hopeless:
            await self._go_on(diagnosis, spec)
        reruns = [*diagnosis.left, *(step_id for step_id in diagnosis.lost if step_id not in diagnosis.left)]
        findings = [_told(finding) for finding in list(diagnosis.findings.values())[:_SHOWN]]
        data: dict[str, Any] = {"findings": findings, "from_version": left, "to_version": diagnosis.target}
        self._draft.event(events.STATE_QUARANTINED, {**data, "reruns": reruns, "status": transition.status.value})
        if hopeless and not ended:
            transition.clear_signal = True
            await self.interrupt(ErrorInfo(kind=CORRUPT, message=_lament(diagnosis)))
        return transition

    async def _go_on(self, diagnosis: Diagnosis, spec: WorkflowSpec) -> None:
        """A new execution from the last sound version: for whoever drives it, or paused as it was."""
        old = await self._execution()
        transition = self._draft.transition
        assert diagnosis.target is not None
        transition.head_version = diagnosis.target
        await self._replace(old, "resume", await self._asked(diagnosis, old, spec), old.triggered_by)
        execution = transition.executions[0]
        execution.external_run_id = old.external_run_id
        if not integrity.is_text(execution.input, execution.input_sha256):
            execution.input = execution.input_sha256 = None
        if self.thread.status is Status.PAUSED:
            transition.status = execution.status = Status.PAUSED
            self._draft.let_go()
        else:
            self._hand_over()

    async def _asked(self, diagnosis: Diagnosis, old: ExecutionRecord, spec: WorkflowSpec) -> Parameters:
        """What was asked for and the target does not hold (any more), and the lost steps once more.

        Steps that run again get new keys, and so do those whose input may differ because of that; others keep theirs.
        """
        before, asked = parameters.parse(old.parameters), diagnosis.asked
        again = [step_id for step_id in (*diagnosis.lost, *diagnosis.left) if step_id in spec.by_id]
        kept = await unfinished(self._reads, old, before, exclude=spec.plan.downstream(again))
        return Parameters(
            reset=tuple(sorted({*diagnosis.lost, *asked.reset})),
            context=asked.context,
            skip=before.skip,
            overrides=before.overrides,
            quiet=tuple(sorted({*diagnosis.quiet, *asked.quiet})),
            limits=before.limits,
            hold=before.hold,
            **kept._asdict(),
        )


async def load_or_heal(
    stores: Stores, thread: ThreadRecord, spec: WorkflowSpec, written: Callable[[Transition], Awaitable[None]]
) -> Loaded | None:
    """What the driver of `thread` needs, after healing if it must be; None when it is not to be driven any more.

    `written` is told of each transition that healed it.  Raises Corrupt when healing does not help.
    """
    for _ in range(_ROUNDS):
        try:
            return await load_thread(stores.reads, thread, spec)
        except Corrupt as error:
            _log.error("the state of thread %s is damaged: %s", thread.thread_id, error)
        driver = thread.incarnation_id
        thread, healed = await heal(stores.journal, thread, spec)
        if healed is not None:
            await written(healed)
        if thread.status in ENDED or thread.incarnation_id != driver:
            return None
    return await load_thread(stores.reads, thread, spec)


async def heal(journal: Journal, thread: ThreadRecord, spec: WorkflowSpec) -> tuple[ThreadRecord, Transition | None]:
    """Heal a thread for its driver, unless it has moved on since; the row afterwards, and what was written."""
    done: list[Transition | None] = [None]

    async def decide(now: ThreadRecord, reads: Reads) -> Transition | None:
        if (now.epoch, now.rev) == (thread.epoch, thread.rev):
            done.append(await Healing(now, reads, at=utc_now(), driver=now.incarnation_id).heal(spec))
        return done[-1]

    return await journal.steer(thread.thread_id, decide), done[-1]


async def repair(
    journal: Journal, thread: ThreadRecord, spec: WorkflowSpec, others: Iterable[Finding]
) -> tuple[ThreadRecord, Transition | None]:
    """Heal a thread that nobody drives.  Raises NotFound, Conflict (thread_running, thread_moving)."""
    thread_id = thread.thread_id
    done: list[Transition | None] = [None]

    async def decide(now: ThreadRecord, reads: Reads) -> Transition | None:
        if now.status is Status.RUNNING or (now.status in ACTIVE and now.incarnation_id is not None):
            raise Conflict(
                f"thread {thread_id} is {now.status} and being driven: pause it first, or leave it to its driver",
                code="thread_running",
            )
        if now.definition_id != thread.definition_id:
            raise Conflict(f"thread {thread_id} has just been moved: try again", code="thread_moving")
        done.append(await Healing(now, reads, at=utc_now(), driver=None).heal(spec, others))
        return done[-1]

    return await journal.steer(thread_id, decide), done[-1]


def _told(finding: Finding) -> dict[str, Any]:
    value = finding.value()
    return {name: value[name] for name in ("kind", "version", "step_id", "problem")}


def _lament(diagnosis: Diagnosis) -> str:
    named = "; ".join(finding.sentence() for finding in diagnosis.findings.values())
    return f"its stored state is damaged and there is no sound version to go on from: {named}"
