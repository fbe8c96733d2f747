"""Manifests: what they add up to is the state that wrote them, and they grow with the steps, not with their square."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.records import CheckpointRecord
from app.domain.state import START, ManifestWriter, Refs, Writing, context_of, resolve, writer_after
from app.domain.status import StepStatus

STEPS = "abcdefgh"


@dataclass
class Timeline:
    """A thread that only writes manifests."""

    refs: Refs = field(default_factory=lambda: Refs(input="e1"))
    checkpoints: list[CheckpointRecord] = field(default_factory=list[CheckpointRecord])
    head: int = 0
    runs: int = 0

    def __post_init__(self) -> None:
        self.writer = ManifestWriter(self.refs, base_version=1, since_base=0, base_entries=0)
        self.write(START, full=True)

    def write(self, step_id: str, *, full: bool = False) -> int:
        version = len(self.checkpoints) + 1
        manifest = self.writer.write(version, Writing(self.head or None, "e", step_id, "step"), full=full)
        self.checkpoints.append(
            CheckpointRecord(
                thread_id="t",
                version=version,
                parent_version=self.head or None,
                base_version=self.writer.base_version,
                execution_id="e",
                step_id=step_id,
                trigger="step",
                manifest=manifest,
                sha256=b"",
                size_bytes=0,
                progress=0.0,
                created_at=datetime(2026, 1, 1, tzinfo=UTC),
            )
        )
        self.head = version
        return version

    def end(self, step_id: str, assign: str | None = None) -> int:
        self.runs += 1
        self.refs.steps.pop(step_id, None)
        self.refs.steps[step_id] = (f"run{self.runs}", StepStatus.COMPLETED)
        self.writer.step(step_id)
        if assign is not None:
            self.refs.context[assign] = ("run", f"run{self.runs}")
            self.writer.context(assign)
        return self.write(step_id)

    def forget(self, step_ids: list[str]) -> None:
        before = set(self.refs.context)
        self.refs.forget(step_ids)
        for step_id in step_ids:
            self.writer.step(step_id)
        for name in before - set(self.refs.context):
            self.writer.context(name)

    def go_back(self, version: int) -> None:
        self.head, self.refs = version, resolve(self.checkpoints, version)
        self.writer = writer_after(self.refs, self.checkpoints, version)

    @property
    def size(self) -> int:
        return sum(len(checkpoint.manifest) for checkpoint in self.checkpoints)


names = st.sampled_from(["x", "y"])
moves = st.one_of(
    st.tuples(st.just("end"), st.sampled_from(STEPS), st.one_of(st.none(), names)),
    st.tuples(st.just("forget"), st.lists(st.sampled_from(STEPS), max_size=3), st.none()),
    st.tuples(st.just("set"), names, st.integers()),
    st.tuples(st.just("back"), st.integers(1, 200), st.none()),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(moves, max_size=40))
def test_what_the_manifests_add_up_to_is_the_state_that_wrote_them(sequence: list[tuple[str, object, object]]) -> None:
    timeline = Timeline()
    states: dict[int, tuple[list[object], dict[str, object]]] = {}
    for kind, one, other in sequence:
        if kind == "end":
            timeline.end(str(one), other if isinstance(other, str) else None)
            states[timeline.head] = (list(timeline.refs.steps.items()), dict(timeline.refs.context))
        elif kind == "forget" and isinstance(one, list):
            timeline.forget(one)
        elif kind == "set":
            timeline.writer.literal(str(one), other)
        elif isinstance(one, int):
            timeline.go_back(1 + one % len(timeline.checkpoints))
    for version, (steps, context) in states.items():
        found = resolve(timeline.checkpoints, version)
        assert (list(found.steps.items()), found.context) == (steps, context)


def size_of(steps: int) -> int:
    timeline = Timeline()
    for place in range(steps):
        timeline.end(f"step{place}", f"variable{place}")
    return timeline.size


def test_all_manifests_together_grow_with_the_steps() -> None:
    assert all(size_of(steps) / steps < 2 * size_of(5) / 5 for steps in (50, 500, 1000))


def test_what_a_load_has_to_read_is_never_more_than_twice_the_state() -> None:
    timeline = Timeline()
    for place in range(300):
        version = timeline.end(f"step{place}")
        base = timeline.checkpoints[version - 1].base_version
        assert version - base <= max(8, base)


def test_a_variable_is_what_the_runs_that_are_left_made_it() -> None:
    timeline = Timeline()
    timeline.writer.literal("x", 0)
    for step_id in "abc":
        timeline.end(step_id, "x")
    assert context_of(timeline.checkpoints, 4, {"run1", "run2"}) == {"x": ("run", "run2")}
    assert context_of(timeline.checkpoints, 4, set()) == {"x": ("at", 2)}


def test_a_variable_from_before_the_last_start_is_kept() -> None:
    timeline = Timeline()
    timeline.end("a", "x")
    timeline.refs.steps.clear()
    timeline.write(START, full=True)
    timeline.end("a", "x")
    assert context_of(timeline.checkpoints, 4, set()) == {"x": ("run", "run1")}
