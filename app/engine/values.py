"""The rows that a state refers to, read and checked: what load fills in, and what a diagnosis looks for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from app.domain import integrity, jsontext
from app.domain.integrity import Finding
from app.domain.status import StepStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from app.domain.ports import Reads
    from app.domain.records import CheckpointRecord, ExecutionRecord, StepRecord
    from app.domain.state import Refs

T = TypeVar("T")

BIG: Final = 1_000_000
"""Characters above which digests are worked out in a thread: the event loop must not stand still for them."""
BIG_JSON: Final = 256_000
"""The same for JSON that is written or read, which takes longer."""


@dataclass(slots=True, kw_only=True)
class Values:
    """What a state refers to; `literals` are findings about variables that were given from outside."""

    execution: ExecutionRecord | None
    rows: dict[str, StepRecord]
    input: list[Finding]
    outputs: list[Finding]
    literals: list[Finding]

    @property
    def findings(self) -> list[Finding]:
        """All that is wrong."""
        return [*self.input, *self.outputs, *self.literals]


async def read_values(
    reads: Reads, thread_id: str, refs: Refs, given: Collection[str] = (), *, known: ExecutionRecord | None = None
) -> Values:
    """The values of a state, all of them checked; of the variables in `given` none is looked for, nor an input "".

    The literals of older versions are added to `refs`.  `known` is an execution that has been read already.
    """
    execution = known if known is not None and known.id == refs.input else None
    if execution is None and refs.input:
        execution = await reads.execution(refs.input)
    wanted = _wanted(refs, given)
    rows = {row.id: row for row in await reads.steps(thread_id, ids=sorted(wanted))} if wanted else {}
    literals = await _older_literals(reads, thread_id, refs, given)

    def check() -> tuple[list[Finding], list[Finding]]:
        outputs = [
            finding
            for run, (step_id, completed) in wanted.items()
            for finding in integrity.check_output(rows.get(run), run, step_id, completed=completed)
        ]
        return integrity.check_input(execution, refs.input) if refs.input else [], outputs

    size = sum(len(row.output or "") for row in rows.values()) + len((execution and execution.input) or "")
    found_input, outputs = await off_loop(check, size, BIG)
    return Values(execution=execution, rows=rows, input=found_input, outputs=outputs, literals=literals)


async def off_loop(check: Callable[[], T], size: int, big: int) -> T:
    """The answer of `check`, which goes through `size` characters; in a thread when they are more than `big`."""
    return await asyncio.to_thread(check) if size > big else check()


def _wanted(refs: Refs, given: Collection[str]) -> dict[str, tuple[str | None, bool]]:
    """The step runs whose outputs a state holds: of which step, and whether there must be one."""
    runs: dict[str, tuple[str | None, bool]] = {
        run: (None, False) for name, (kind, run) in refs.context.items() if kind == "run" and name not in given
    }
    for step_id, (run, status) in refs.steps.items():
        runs[run] = (step_id, status is StepStatus.COMPLETED)
    return runs


async def _older_literals(reads: Reads, thread_id: str, refs: Refs, given: Collection[str]) -> list[Finding]:
    """Add the literals that stand in manifests of other versions."""
    names = {name: ref for name, (kind, ref) in refs.context.items() if kind == "at" and name not in given}
    found: list[Finding] = []
    for version in sorted({version for name, version in names.items() if (version, name) not in refs.literals}):
        checkpoints = await reads.checkpoints(thread_id, first=version, last=version)
        size = sum(len(checkpoint.manifest) for checkpoint in checkpoints)
        faults, literals = await off_loop(partial(_literals, checkpoints, version), size, BIG_JSON)
        refs.literals |= {(version, name): value for name, value in literals.items()}
        found += faults
    known = {finding.version for finding in found}
    return found + [
        Finding(kind="missing", version=version, problem=f"its variable {name} is not there")
        for name, version in names.items()
        if (version, name) not in refs.literals and version not in known
    ]


def _literals(checkpoints: Sequence[CheckpointRecord], version: int) -> tuple[list[Finding], dict[str, Any]]:
    faults = integrity.check_checkpoint(checkpoints[0]) if checkpoints else [integrity.gone(version)]
    return faults, {} if faults else jsontext.loads(checkpoints[0].manifest).get("literals", {})
