"""The state of a thread, and the manifests that keep it: what a version changes, by reference to where each value lives.

A manifest is JSON.  A full one names everything: {"full": true, "input": EXECUTION, "steps": {ID: [RUN, STATUS]},
"context": {NAME: ["run", RUN] | ["at", VERSION]}, "literals": {NAME: value}}; a delta has only what changed against its
parent, null for what was taken away.  `["at", V]` is a literal in the manifest of version V.  Full ones stand at geometric
distances, so that all manifests of a thread together are linear in its steps, and loading reads one run of versions.
Each says whose it is, so that its digest covers that: "of": [version, parent, base, execution, step, trigger].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.domain import jsontext
from app.domain.fresh import blank
from app.domain.status import STEP_DONE, StepStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from app.domain.records import CheckpointRecord

START: Final = "START"
END: Final = "END"
FORMAT: Final = 2
"""The format of the manifests that are written; `domain.formats` knows those before it."""
_FULL_AFTER: Final = 8


class Writing(NamedTuple):
    """On top of which version, in which execution, by which step and why a version is written."""

    parent: int | None
    execution_id: str
    step_id: str
    trigger: str

    def identity(self, version: int, base_version: int) -> list[Any]:
        """What the manifest of `version` says of itself."""
        return [version, self.parent, base_version, self.execution_id, self.step_id, self.trigger]


@dataclass(slots=True)
class Refs:
    """Where every value of a state lives: what manifests add up to."""

    input: str = ""
    steps: dict[str, tuple[str, StepStatus]] = field(default_factory=blank)
    context: dict[str, tuple[str, Any]] = field(default_factory=blank)
    literals: dict[tuple[int, str], Any] = field(default_factory=blank)

    def apply(self, version: int, manifest: Mapping[str, Any]) -> None:
        """Add the manifest of `version` on top."""
        if manifest.get("full"):
            self.steps.clear()
            self.context.clear()
        self.input = manifest.get("input", self.input)
        for step_id, entry in manifest.get("steps", {}).items():
            if entry is None:
                self.steps.pop(step_id, None)
            else:
                self.steps.pop(step_id, None)  # one that ran again ended last
                self.steps[step_id] = (entry[0], StepStatus(entry[1]))
        for name, ref in manifest.get("context", {}).items():
            if ref is None:
                self.context.pop(name, None)
            else:
                self.context[name] = (ref[0], ref[1])
        for name, value in manifest.get("literals", {}).items():
            self.literals[version, name] = value

    def done(self) -> list[str]:
        """The steps that count as done, in the order of their ending."""
        return [step_id for step_id, (_, status) in self.steps.items() if status in STEP_DONE]

    def ended(self) -> list[str]:
        """The steps that nothing waits for any more, also those that failed without failing the thread."""
        return list(self.steps)

    def completed(self) -> list[str]:
        """The steps that completed with an output of their own, in the order of their ending."""
        return [step_id for step_id, (_, status) in self.steps.items() if status is StepStatus.COMPLETED]

    def forget(self, step_ids: Iterable[str]) -> None:
        """Take steps, and the variables that their outputs set, out."""
        runs = {self.steps.pop(step_id)[0] for step_id in step_ids if step_id in self.steps}
        self.context = {name: ref for name, ref in self.context.items() if ref[0] != "run" or ref[1] not in runs}

    def literal_versions(self) -> set[int]:
        """The versions whose manifests hold literals that this state uses."""
        return {ref for kind, ref in self.context.values() if kind == "at"}


def path(checkpoints: Sequence[CheckpointRecord], version: int) -> list[CheckpointRecord]:
    """The manifests to apply for `version`, from the nearest full one; `checkpoints` holds at least base..version.

    Raises KeyError where a link is missing.
    """
    by_version = {checkpoint.version: checkpoint for checkpoint in checkpoints}
    steps = [by_version[version]]
    while steps[-1].version != steps[-1].base_version:
        parent = steps[-1].parent_version
        steps.append(by_version[parent if parent is not None else -1])
    return steps[::-1]


def resolve(checkpoints: Sequence[CheckpointRecord], version: int) -> Refs:
    """What the state at `version` refers to."""
    refs = Refs()
    for checkpoint in path(checkpoints, version):
        refs.apply(checkpoint.version, jsontext.loads(checkpoint.manifest))
    return refs


def context_of(
    checkpoints: Sequence[CheckpointRecord], version: int, runs: Collection[str]
) -> dict[str, tuple[str, Any]]:
    """The variables at `version` as if, since the START before it, only the given step runs had set any.

    `checkpoints` holds all up to it.
    """
    by_version = {checkpoint.version: checkpoint for checkpoint in checkpoints}
    timeline = [by_version[version]]
    while timeline[-1].step_id != START:
        timeline.append(by_version[timeline[-1].parent_version or 1])
    found: dict[str, tuple[str, Any]] = {}
    for checkpoint in reversed(timeline):
        manifest: dict[str, Any] = jsontext.loads(checkpoint.manifest)
        earlier = checkpoint.step_id == START
        # The START of a fork has steps of its own: what they set is theirs, all else was there before.
        own = {entry[0] for entry in manifest.get("steps", {}).values() if entry is not None} if earlier else set[str]()
        for name, ref in manifest.get("context", {}).items():
            if ref is not None and (ref[0] == "at" or (earlier and ref[1] not in own) or ref[1] in runs):
                found[name] = (ref[0], ref[1])
    return found


@dataclass(slots=True)
class State:
    """A thread's state in memory: the scope that templates see, and where each of its values is stored."""

    refs: Refs
    scope: dict[str, Any]
    size_bytes: int = 0

    @property
    def context(self) -> dict[str, Any]:
        """The variables."""
        return self.scope["context"]

    def end_step(self, step_id: str, run_id: str, status: StepStatus, output: Any, error: Any = None) -> None:
        """A step has ended: its output is in the scope from now on, and its error if it failed without failing the thread."""
        self.refs.steps[step_id] = (run_id, status)
        self.scope[step_id] = {"output": output, "status": status.value, "error": error}

    def assign(self, name: str, run_id: str, value: Any) -> None:
        """Set a variable to the output of a step run."""
        self.refs.context[name] = ("run", run_id)
        self.scope["context"][name] = value


def empty_state(input_execution: str, input_value: Any) -> State:
    """The state of a new thread before its START version is written."""
    return State(Refs(input=input_execution), {"input": input_value, "context": {}})


class ManifestWriter:
    """Writes the manifests of one timeline: deltas, and full ones at geometric distances.

    Changes are noted as they happen (`step`, `context`, `literal`); `write` turns them into the manifest of a version.
    """

    def __init__(self, refs: Refs, *, base_version: int, since_base: int, base_entries: int) -> None:
        self._refs = refs
        self.base_version = base_version
        self._since_base = since_base
        self._base_entries = base_entries
        self._steps: dict[str, list[Any] | None] = {}
        self._context: dict[str, list[Any] | None] = {}
        self._literals: dict[str, Any] = {}

    def step(self, step_id: str) -> None:
        """The step's entry changed or went."""
        entry = self._refs.steps.get(step_id)
        self._steps.pop(step_id, None)
        self._steps[step_id] = None if entry is None else [entry[0], entry[1].value]

    def context(self, name: str) -> None:
        """The variable's reference changed or went."""
        ref = self._refs.context.get(name)
        self._context[name] = None if ref is None else list(ref)

    def literal(self, name: str, value: Any) -> None:
        """A variable given from outside: its value goes into the next manifest itself."""
        self._literals[name] = value

    def write(self, version: int, writing: Writing, *, full: bool = False) -> str:
        """The manifest of `version` as JSON text."""
        for name, value in self._literals.items():
            self._refs.context[name] = ("at", version)
            self._refs.literals[version, name] = value
            self._context[name] = ["at", version]
        if full or self._since_base >= max(_FULL_AFTER, self._base_entries):
            self.base_version, self._since_base = version, 0
            self._base_entries = len(self._refs.steps) + len(self._refs.context)
            manifest: dict[str, Any] = {"of": writing.identity(version, version), **self._full()}
        else:
            manifest = {"of": writing.identity(version, self.base_version)}
            if self._steps:
                manifest["steps"] = self._steps
            if self._context:
                manifest["context"] = self._context
            self._since_base += 1
        if self._literals:
            manifest["literals"] = self._literals
        text = jsontext.dumps(manifest)
        self._steps, self._context, self._literals = {}, {}, {}
        return text

    def _full(self) -> dict[str, Any]:
        return {
            "full": True,
            "input": self._refs.input,
            "steps": {step_id: [run, status.value] for step_id, (run, status) in self._refs.steps.items()},
            "context": {name: list(ref) for name, ref in self._refs.context.items()},
        }


def writer_after(refs: Refs, checkpoints: Sequence[CheckpointRecord], version: int) -> ManifestWriter:
    """A writer that goes on from `version`; `checkpoints` as for `path`."""
    steps = path(checkpoints, version)
    base = Refs()
    base.apply(steps[0].version, jsontext.loads(steps[0].manifest))
    return ManifestWriter(
        refs, base_version=steps[0].version, since_base=len(steps) - 1, base_entries=len(base.steps) + len(base.context)
    )
