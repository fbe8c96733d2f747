"""Whether what is stored is what was written: digests, manifests and the links between versions, checked without I/O.

Every check returns findings, none when all is well.  Nothing here raises for a damaged row, whatever it holds.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast
from uuid import UUID, uuid5

from app.domain import jsontext
from app.domain.errors import Corrupt, UnknownFormat
from app.domain.manifests import manifest_problem, told_identity
from app.domain.state import FORMAT, START, Refs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from app.domain.records import CheckpointRecord, ExecutionRecord, StepRecord

Kind: TypeAlias = Literal["checkpoint", "output", "input", "missing", "event", "format"]
"""`event`: events are gone; `format`: not damage, but written by a later release."""
_NAMESPACE: Final = UUID("5f0c1b34-51a6-5d1c-9c9a-6b61636b7374")
DIGEST: Final = "its text is not the one that was written (SHA-256)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong.  `expected` is the digest that was stored beside the text, `stored` the text as it is now."""

    kind: Kind
    problem: str
    version: int | None = None
    run_id: str | None = None
    execution_id: str | None = None
    step_id: str | None = None
    expected: bytes | None = None
    stored: str | None = None

    @property
    def id(self) -> str:
        """The same for the same damage, so that it is put into quarantine once."""
        text = jsontext.clean(self.stored or "")
        told = [self.kind, self.version, self.run_id, self.execution_id, self.problem, jsontext.sha256(text).hex()]
        return str(uuid5(_NAMESPACE, jsontext.dumps(told)))

    def value(self) -> dict[str, Any]:
        """As events and problem documents tell of it."""
        named = {"run_id": self.run_id, "execution_id": self.execution_id}
        where = {"kind": self.kind, "version": self.version, "step_id": self.step_id, "problem": self.problem}
        return where | {name: value for name, value in named.items() if value is not None}

    def sentence(self) -> str:
        """In one line for people."""
        if self.version is not None:
            return f"version {self.version}: {self.problem}"
        if self.kind == "event":
            return self.problem
        if self.run_id is not None:
            return f"the output of step {self.step_id or '?'} (run {self.run_id}): {self.problem}"
        return f"the input (execution {self.execution_id}): {self.problem}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A finding that was put aside; `mended` is the text that was put back in place of the damaged one, from a copy."""

    id: str
    finding: Finding
    found_at: datetime
    mended: str | None = None


def check_checkpoint(checkpoint: CheckpointRecord) -> list[Finding]:
    """The digest of a manifest, its links, and whether it is a manifest at all."""
    kind = "checkpoint"
    if checkpoint.format > FORMAT:  # of which nothing else can be said
        kind, problem = "format", f"it is of format {checkpoint.format}, and this release knows those up to {FORMAT}"
    else:
        problem = _text_problem(checkpoint.manifest, checkpoint.sha256) or _link_problem(checkpoint)
        problem = problem or manifest_problem(checkpoint)
    if problem is None:
        return []
    return [
        Finding(
            kind=cast("Kind", kind),
            version=checkpoint.version,
            execution_id=checkpoint.execution_id,
            step_id=checkpoint.step_id,
            problem=problem,
            expected=checkpoint.sha256,
            stored=checkpoint.manifest,
        )
    ]


def as_written(checkpoint: CheckpointRecord) -> CheckpointRecord:
    """With the parent, the step and the execution that its text names, where that is sound and knows them: columns may lie."""
    if _text_problem(checkpoint.manifest, checkpoint.sha256) is not None or checkpoint.format != FORMAT:
        return checkpoint
    told = told_identity(checkpoint)
    if told is None or told[0] != checkpoint.version:
        return checkpoint
    _, parent, _, execution_id, step_id, _ = told
    return replace(checkpoint, parent_version=parent, execution_id=execution_id, step_id=step_id)


def refuse(thread_id: str, findings: Sequence[Finding]) -> None:
    """Raise Corrupt when anything is wrong, UnknownFormat where a later release has written any of it."""
    refuse_unknown(thread_id, findings)
    if findings:
        raise Corrupt(thread_id, findings)


def refuse_unknown(thread_id: str, findings: Iterable[Finding]) -> None:
    """Raise UnknownFormat where a later release has written any of it: nothing can be said of that here."""
    for finding in findings:
        if finding.kind == "format":
            raise UnknownFormat(f"thread {thread_id}: {finding.sentence()}: leave it to a process of that release")


def gone(version: int) -> Finding:
    """A version whose row is not there."""
    return Finding(kind="missing", version=version, problem="its row is gone")


def no_events(first: int, last: int) -> Finding:
    """Events whose rows are not there."""
    which = f"event {first} is" if first == last else f"events {first} to {last} are"
    return Finding(kind="event", problem=f"{which} gone")


def check_chain(checkpoints: Sequence[CheckpointRecord], version: int) -> list[Finding]:
    """All manifests that make up `version`; `checkpoints` holds at least those that are left of base..version."""
    return _check_back_to(lambda one: one.base_version == one.version, checkpoints, version)


def check_timeline(checkpoints: Sequence[CheckpointRecord], version: int) -> list[Finding]:
    """All manifests from `version` back to the START before it, which is how far variables are looked up."""
    return _check_back_to(lambda one: one.step_id == START, checkpoints, version)


def _check_back_to(
    is_first: Callable[[CheckpointRecord], bool], checkpoints: Sequence[CheckpointRecord], version: int
) -> list[Finding]:
    by_version = {checkpoint.version: checkpoint for checkpoint in checkpoints}
    found: list[Finding] = []
    at: int | None = version
    while at is not None:
        checkpoint = by_version.get(at)
        if checkpoint is None:
            return [*found, gone(at)]
        found += check_checkpoint(checkpoint)
        at = None if is_first(checkpoint) else _parent(checkpoint)
    return found


def check_output(run: StepRecord | None, run_id: str, step_id: str | None, *, completed: bool) -> list[Finding]:
    """The output of a step run that a state refers to; `completed`: it must have one (a skipped step need not)."""
    if run is None:
        return [Finding(kind="missing", run_id=run_id, step_id=step_id, problem="the row of the step run is gone")]
    if run.output is None:
        if run.output_sha256 is None and not completed:
            return []
        kind, problem = "missing", "its text is gone"
    else:
        kind, problem = "output", _text_problem(run.output, run.output_sha256)
        if problem is None:
            return []
    return [
        Finding(
            kind=cast("Kind", kind),
            run_id=run.id,
            execution_id=run.execution_id,
            step_id=run.step_id,
            problem=problem,
            expected=run.output_sha256,
            stored=run.output,
        )
    ]


def check_input(execution: ExecutionRecord | None, execution_id: str) -> list[Finding]:
    """The input that a state refers to."""
    if execution is None:
        return [Finding(kind="missing", execution_id=execution_id, problem="the row of the execution is gone")]
    if execution.input is None:
        kind, problem = "missing", "its text is gone"
    else:
        kind, problem = "input", _text_problem(execution.input, execution.input_sha256)
        if problem is None:
            return []
    return [
        Finding(
            kind=cast("Kind", kind),
            execution_id=execution_id,
            problem=problem,
            expected=execution.input_sha256,
            stored=execution.input,
        )
    ]


def is_text(text: str | None, digest: bytes | None) -> bool:
    """Whether it is the text that the digest was made of."""
    return text is not None and _text_problem(text, digest) is None


def salvage(checkpoints: Sequence[CheckpointRecord], version: int) -> Refs:
    """What can be told of a state whose manifests may be damaged: the sound ones alone, as far as their links lead.

    For showing, never for driving.
    """
    by_version = {checkpoint.version: checkpoint for checkpoint in checkpoints}
    chain: list[CheckpointRecord] = []
    at: int | None = version
    while at is not None and at in by_version:
        chain.append(by_version[at])
        at = None if by_version[at].base_version == at else _parent(by_version[at])
    refs = Refs()
    for checkpoint in reversed(chain):
        add_if_sound(refs, checkpoint)
    return refs


def add_if_sound(refs: Refs, checkpoint: CheckpointRecord) -> None:
    """Apply one manifest on top, unless it is damaged."""
    if not check_checkpoint(checkpoint):
        refs.apply(checkpoint.version, jsontext.loads(checkpoint.manifest))


def parent_of(checkpoint: CheckpointRecord) -> int | None:
    """Its parent, if that can be one."""
    return _parent(checkpoint)


def _parent(checkpoint: CheckpointRecord) -> int | None:
    parent = checkpoint.parent_version
    return parent if parent is not None and 0 < parent < checkpoint.version else None


def _text_problem(text: str, digest: bytes | None) -> str | None:
    if digest is None:
        return "its digest is gone"
    try:
        same = hmac.compare_digest(jsontext.sha256(text), digest)
    except UnicodeEncodeError:
        same = False
    return None if same else DIGEST


def _link_problem(checkpoint: CheckpointRecord) -> str | None:
    version, base, parent = checkpoint.version, checkpoint.base_version, checkpoint.parent_version
    lowest = 1 if base == version else base
    holds = base == version if parent is None else 0 < lowest <= parent < version
    return None if holds else f"its links do not hold (parent {parent}, base {base})"
