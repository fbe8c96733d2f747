"""Inspecting a whole thread: every version and every value that is stored of it, against their digests; and repairing it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from app.domain import integrity
from app.domain.errors import Corrupt, NotFound
from app.domain.ports import ExecutionFilter
from app.domain.records import WITH_INPUT
from app.domain.state import Refs
from app.domain.status import StepStatus
from app.engine.healing import repair
from app.engine.load import asked_of
from app.engine.values import BIG, BIG_JSON, off_loop

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app.domain.integrity import Finding, Quarantined
    from app.domain.ports import Reads
    from app.domain.records import CheckpointRecord, StepRecord, ThreadRecord
    from app.domain.transition import Transition
    from app.domain.upkeep import Upkeep
    from app.engine.bus import Bus
    from app.engine.catalog import Catalog
    from app.engine.deps import Stores
    from app.engine.worker import Worker

_PAGE: Final = 1000
_VALUES: Final = 100
"""Step runs whose outputs are held in memory at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`sound` are the versions whose whole state can be read, `fit`: the thread can go on from its head; `quarantined` is
    what was put aside, now or earlier.
    """

    thread: ThreadRecord
    checked: int
    sound: list[int]
    fit: bool
    findings: list[Finding]
    quarantined: list[Quarantined]


class Inspector:
    """Verifies and repairs, when a person asks for it."""

    def __init__(
        self, stores: Stores, catalog: Catalog, worker: Worker, bus: Bus, upkeep: Upkeep | None = None
    ) -> None:
        """Without `upkeep` nobody looks for events that are gone."""
        self._stores = stores
        self._catalog = catalog
        self._worker = worker
        self._bus = bus
        self._upkeep = upkeep

    async def verify(self, thread_id: str) -> Report:
        """Check everything that is stored of a thread; nothing is changed.  Raises NotFound."""
        reads = self._stores.reads
        thread = await reads.thread(thread_id)
        if thread is None:
            raise NotFound(f"there is no thread {thread_id}", code="thread_not_found")
        audit = _Audit(reads, thread)
        await audit.run()
        if self._upkeep is not None:
            gaps = await self._upkeep.missing_events(thread_id, thread.last_seq)
            audit.note(integrity.no_events(first, last) for first, last in gaps)
        sound = await audit.sound()
        return Report(
            thread=thread,
            checked=thread.last_version,
            sound=sound,
            fit=audit.can_be_told and thread.head_version in sound,
            findings=list(audit.findings.values()),
            quarantined=await reads.quarantined(thread_id),
        )

    async def repair(self, thread_id: str) -> tuple[ThreadRecord, Transition | None]:
        """Put aside what is damaged and make the thread fit to go on; the row afterwards, and what was written, if anything.

        Raises NotFound, Conflict (thread_running).
        """
        report = await self.verify(thread_id)
        spec = await self._catalog.spec(report.thread.definition_id)
        damage = [finding for finding in report.findings if finding.kind != "format"]
        thread, written = await repair(self._stores.journal, report.thread, spec, damage)
        if written is not None:
            self._bus.moved(written)
            await self._worker.family.cancel_children(written)
            self._worker.hint()
        return thread, written


class _Audit:
    """Of one thread: versions first, then the values that they refer to, so that what is written meanwhile does no harm."""

    def __init__(self, reads: Reads, thread: ThreadRecord) -> None:
        self._reads = reads
        self._thread = thread
        self.findings: dict[str, Finding] = {}
        self._checkpoints: list[CheckpointRecord] = []
        self._size = 0
        self._bad_versions: set[int] = set()
        self._bad_values: set[str] = set()
        self.can_be_told = True
        """Whether what the present execution was asked for can be."""

    async def run(self) -> None:
        """Look at everything."""
        await self._versions()
        await self._outputs()
        await self._inputs()
        try:
            asked_of(self._thread, await self._reads.execution(self._thread.execution_id))
        except Corrupt as error:
            self.can_be_told = False
            self.findings |= {finding.id: finding for finding in error.findings}

    async def sound(self) -> list[int]:
        """The versions whose manifests and values are all as they were written."""
        if not self.findings:
            return [checkpoint.version for checkpoint in self._checkpoints]
        return await off_loop(self._sound, self._size, BIG_JSON)

    def _sound(self) -> list[int]:
        children = Counter(checkpoint.parent_version for checkpoint in self._checkpoints)
        states: dict[int, Refs] = {}
        found: list[int] = []
        for checkpoint in self._checkpoints:
            refs = self._state(checkpoint, states, children)
            if refs is not None:
                states[checkpoint.version] = refs
                if not self._refers_to_bad(refs):
                    found.append(checkpoint.version)
        return found

    def _state(
        self, checkpoint: CheckpointRecord, states: dict[int, Refs], children: Counter[int | None]
    ) -> Refs | None:
        """The references of a version, None when its manifests do not add up; the last child gets its parent's as they are."""
        parent = checkpoint.parent_version or 0
        children[parent] -= 1
        before = states.get(parent) if children[parent] else states.pop(parent, None)
        if checkpoint.version in self._bad_versions:
            return None
        refs = Refs()
        if checkpoint.base_version != checkpoint.version:
            if before is None:
                return None
            refs = Refs(before.input, before.steps, before.context) if not children[parent] else _copy(before)
        integrity.add_if_sound(refs, checkpoint)
        return refs

    def _refers_to_bad(self, refs: Refs) -> bool:
        used = {refs.input, *(run for run, _ in refs.steps.values())}
        used |= {str(ref) for kind, ref in refs.context.values() if kind == "run"}
        return not used.isdisjoint(self._bad_values) or not refs.literal_versions().isdisjoint(self._bad_versions)

    async def _versions(self) -> None:
        first, last = 1, self._thread.last_version
        while first <= last:
            page = await self._reads.checkpoints(self._thread.thread_id, first=first, last=last, limit=_PAGE)
            if not page:
                break
            size = sum(len(one.manifest) for one in page)
            self.note(await off_loop(partial(_faults, page), size, BIG_JSON))
            self._size += size
            self._checkpoints += page
            first = page[-1].version + 1
            await asyncio.sleep(0)
        there = {one.version for one in self._checkpoints}
        self.note(integrity.gone(version) for version in range(1, last + 1) if version not in there)

    async def _outputs(self) -> None:
        wanted = await off_loop(self._referred, self._size, BIG_JSON)
        rows = await self._reads.steps(self._thread.thread_id, values=False)
        ids = sorted({row.id for row in rows} | wanted.keys())
        for at in range(0, len(ids), _VALUES):
            part = ids[at : at + _VALUES]
            await self._check_outputs(part, await self._reads.steps(self._thread.thread_id, ids=part), wanted)

    async def _check_outputs(
        self, ids: Sequence[str], rows: Iterable[StepRecord], wanted: dict[str, str | None]
    ) -> None:
        by_id = {row.id: row for row in rows}

        def check() -> list[Finding]:
            return [
                finding
                for run in ids
                for finding in integrity.check_output(
                    by_id.get(run),
                    run,
                    wanted.get(run),
                    completed=run in by_id and by_id[run].status is StepStatus.COMPLETED,
                )
            ]

        self.note(await off_loop(check, sum(len(row.output or "") for row in by_id.values()), BIG))

    async def _inputs(self) -> None:
        where = ExecutionFilter(thread_id=self._thread.thread_id, limit=_PAGE)
        listed = await self._reads.executions(where)
        wanted = {*(one.id for one in listed if one.kind in WITH_INPUT), self._thread.execution_id}
        if len(listed) < _PAGE:
            named = {one.execution_id for one in self._checkpoints if one.version not in self._bad_versions}
            wanted |= named - {one.id for one in listed}  # their rows are gone
        wanted |= await off_loop(self._own_inputs, self._size, BIG_JSON)
        for execution_id in sorted(wanted):
            execution = await self._reads.execution(execution_id)
            if execution is not None and execution.kind not in WITH_INPUT and execution.input is None:
                continue  # a longer input is not copied
            size = len((execution and execution.input) or "")
            faults = await off_loop(
                lambda one=execution, name=execution_id: integrity.check_input(one, name), size, BIG
            )
            self.note(faults)

    def _own_inputs(self) -> set[str]:
        """The executions whose inputs sound full manifests refer to."""
        found: set[str] = set()
        for checkpoint in self._checkpoints:
            if checkpoint.version not in self._bad_versions and checkpoint.base_version == checkpoint.version:
                refs = Refs()
                integrity.add_if_sound(refs, checkpoint)
                found.add(refs.input)
        return found

    def _referred(self) -> dict[str, str | None]:
        """Every step run that a sound manifest refers to, with its step."""
        found: dict[str, str | None] = {}
        for checkpoint in self._checkpoints:
            if checkpoint.version not in self._bad_versions:
                refs = Refs()
                integrity.add_if_sound(refs, checkpoint)
                found.update(
                    {str(ref): None for kind, ref in refs.context.values() if kind == "run" and ref not in found}
                )
                found.update({run: step_id for step_id, (run, _) in refs.steps.items()})
        return found

    def note(self, findings: Iterable[Finding]) -> None:
        """Remember what is wrong, and which versions and values that makes unfit."""
        for finding in findings:
            self.findings[finding.id] = finding
            if finding.version is not None:
                self._bad_versions.add(finding.version)
            elif finding.kind != "event":
                self._bad_values.add(finding.run_id or finding.execution_id or "")


def _copy(refs: Refs) -> Refs:
    return Refs(refs.input, dict(refs.steps), dict(refs.context))


def _faults(page: Sequence[CheckpointRecord]) -> list[Finding]:
    return [finding for one in page for finding in integrity.check_checkpoint(one)]
