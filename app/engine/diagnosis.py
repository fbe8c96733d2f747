"""Diagnosis: what is damaged of a thread's state, and the newest version on its timeline that it can go on from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.domain import events, integrity
from app.domain.errors import Corrupt
from app.domain.integrity import Quarantined
from app.domain.parameters import NOTHING, Parameters
from app.domain.ports import ExecutionFilter
from app.domain.state import END, START, Refs, context_of, resolve
from app.engine.load import asked_of
from app.engine.values import Values, read_values

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from app.domain.integrity import Finding
    from app.domain.ports import Reads
    from app.domain.records import CheckpointRecord, ExecutionRecord, ThreadRecord
    from app.domain.spec import WorkflowSpec

_PAGE = 1000


@dataclass(slots=True, kw_only=True)
class Diagnosis:
    """`target` is where the thread can go on, None where nowhere; `lost` are the steps whose values must be made anew,
    `quiet` those of them whose variable was set by others since; `left` the steps of versions that are given up; `asked`
    is what is still to be done at `target` of what executions were asked for.
    """

    findings: dict[str, Finding] = field(default_factory=dict[str, "Finding"])
    mended: dict[str, str] = field(default_factory=dict[str, str])
    """By finding: the text that was there before, from a copy."""
    target: int | None = None
    lost: list[str] = field(default_factory=list[str])
    quiet: list[str] = field(default_factory=list[str])
    left: list[str] = field(default_factory=list[str])
    asked: Parameters = NOTHING

    def add(self, findings: Iterable[Finding]) -> None:
        """Note what is wrong, each damage once."""
        self.findings |= {finding.id: finding for finding in findings}

    def quarantined(self, at: datetime, known: Iterable[str] = ()) -> list[Quarantined]:
        """What is to be put aside, without what is there already unless it can be mended now."""
        done = set(known) - set(self.mended)
        return [
            Quarantined(id=name, finding=finding, found_at=at, mended=self.mended.get(name))
            for name, finding in self.findings.items()
            if name not in done
        ]


async def diagnose(reads: Reads, thread: ThreadRecord, spec: WorkflowSpec) -> Diagnosis:
    """Look at the head and, as far as needed, at its ancestors; never beyond the START of the present input.

    Raises UnknownFormat: whoever knows that format shall say what is damaged.
    """
    diagnosis = Diagnosis()
    execution = await reads.execution(thread.execution_id)
    try:
        asked = asked_of(thread, execution)
    except Corrupt as error:
        diagnosis.add(error.findings)
        return diagnosis
    assert execution is not None
    examination = _Examination(reads, thread, spec, execution, asked)
    await examination.read()
    at: int | None = thread.head_version
    while at is not None:
        if await examination.is_sound(at, diagnosis):
            diagnosis.target = at
            break
        step_id, at = await examination.give_up(at)
        if step_id is not None and step_id not in diagnosis.left:
            diagnosis.left.append(step_id)
    return diagnosis


class _Examination:
    """Of one thread, version by version."""

    def __init__(
        self, reads: Reads, thread: ThreadRecord, spec: WorkflowSpec, execution: ExecutionRecord, asked: Parameters
    ) -> None:
        self._reads = reads
        self._thread = thread
        self._spec = spec
        self._execution = execution
        self._asked = asked
        self._given_up: list[str] = []
        self._checkpoints: list[CheckpointRecord] = []
        self._by_version: dict[int, CheckpointRecord] = {}

    async def read(self) -> None:
        """All versions up to the head."""
        self._checkpoints = await self._reads.checkpoints(self._thread.thread_id, last=self._thread.head_version)
        self._by_version = {one.version: one for one in self._checkpoints}

    async def is_sound(self, version: int, diagnosis: Diagnosis) -> bool:
        """Whether the thread can go on from it; what is lost there goes into the diagnosis."""
        faults = integrity.check_chain(self._checkpoints, version)
        integrity.refuse_unknown(self._thread.thread_id, faults)
        if not faults:
            try:
                return await self._is_whole(version, diagnosis)
            except Corrupt as error:
                faults = error.findings
        diagnosis.add(faults)
        return False

    async def _is_whole(self, version: int, diagnosis: Diagnosis) -> bool:
        """Whether the values of a version whose manifests are sound are there, or can be made anew.  Raises Corrupt."""
        refs = resolve(self._checkpoints, version)
        asked = await self._still_asked(version, refs)
        before = dict(refs.context)
        refs.forget(asked.reset)
        values = await read_values(self._reads, self._thread.thread_id, refs, asked.context)
        integrity.refuse_unknown(self._thread.thread_id, values.findings)
        diagnosis.add(values.findings)
        if not await self._has_input(values, diagnosis) or values.literals:
            return False
        lost = _steps_of(values, refs)
        if lost is None:
            return False
        refs.forget(lost)
        quiet = [step_id for step_id in lost if self._is_quiet(step_id, before, refs)]
        await self._check_earlier(version, refs, {*before} - {*refs.context, *asked.context})
        diagnosis.lost, diagnosis.quiet, diagnosis.asked = lost, quiet, asked
        return True

    async def _still_asked(self, version: int, refs: Refs) -> Parameters:
        """What the present execution was asked for, and those whose versions after this one are given up.  Raises Corrupt."""
        writer = self._by_version[version].execution_id
        others = [one for one in reversed(self._given_up) if one not in (writer, self._execution.id)]
        asked = [asked_of(self._thread, await self._reads.execution(one)) for one in others]
        if self._execution.id != writer:
            asked.append(self._asked)
        return Parameters(
            reset=tuple(sorted({step_id for one in asked for step_id in one.reset if step_id in refs.steps})),
            context={name: value for one in asked for name, value in one.context.items()},
            quiet=tuple(sorted({step_id for one in asked for step_id in one.quiet})),
        )

    async def _check_earlier(self, version: int, refs: Refs, names: set[str]) -> None:
        """The variables that get back what they were before the steps that run again.  Raises Corrupt."""
        if not names:
            return
        thread_id = self._thread.thread_id
        faults = integrity.check_timeline(self._checkpoints, version)
        if not faults:
            earlier = context_of(self._checkpoints, version, {run for run, _ in refs.steps.values()})
            alone = Refs("", {}, {name: earlier[name] for name in names if name in earlier})
            faults = (await read_values(self._reads, thread_id, alone)).findings
        integrity.refuse(thread_id, faults)

    async def give_up(self, version: int) -> tuple[str | None, int | None]:
        """The step that wrote a version, and the version's parent; None for what comes before START."""
        step_id, parent, execution_id = await self._written(version)
        if execution_id is not None and execution_id not in self._given_up:
            self._given_up.append(execution_id)
        return step_id, parent

    async def _written(self, version: int) -> tuple[str | None, int | None, str | None]:
        """The step, the parent and the execution of a version; where its row is gone or damaged, the events tell."""
        row = self._by_version.get(version)
        row = integrity.as_written(row) if row is not None else None
        parent = integrity.parent_of(row) if row is not None else None
        if row is not None and (row.step_id == START or parent is not None):
            step_id = row.step_id if row.step_id != END else None
            return step_id, (None if row.step_id == START else parent), row.execution_id
        after, last = 0, None
        while page := await self._reads.events(self._thread.thread_id, after=after, limit=_PAGE):
            for event in page:
                if event.version == version:
                    return event.step_id, (None if event.name == events.WORKFLOW_START else last), event.execution_id
                last = event.version
            after = page[-1].seq
        return None, None, None

    async def _has_input(self, values: Values, diagnosis: Diagnosis) -> bool:
        """Whether the input is there, or a copy of it is."""
        for finding in values.input:
            copy = await self._copy(finding)
            if copy is None:
                return False
            diagnosis.mended[finding.id] = copy
        return True

    async def _copy(self, finding: Finding) -> str | None:
        """A resumed execution keeps a copy of a short input: its digest proves it."""
        if finding.expected is None:
            return None
        where = ExecutionFilter(thread_id=self._thread.thread_id, limit=_PAGE)
        for execution in await self._reads.executions(where):
            whole: Any = await self._reads.execution(execution.id)
            if whole is not None and integrity.is_text(whole.input, finding.expected):
                return whole.input
        return None

    def _is_quiet(self, step_id: str, before: dict[str, tuple[str, Any]], refs: Refs) -> bool:
        name = self._spec.by_id[step_id].assign if step_id in self._spec.by_id else None
        return name is not None and name in before and refs.context.get(name) == before[name]


def _steps_of(values: Values, refs: Refs) -> list[str] | None:
    """The steps whose values are damaged; None when a value belongs to no step that could run again."""
    bad = {finding.run_id for finding in values.outputs}
    lost = [step_id for step_id, (run, _) in refs.steps.items() if run in bad]
    return lost if bad == {refs.steps[step_id][0] for step_id in lost} else None
