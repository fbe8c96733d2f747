"""The model of a thread: what must be true of it after each operation, worked out without the engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

ENDED: Final = frozenset({"completed", "failed", "cancelled", "interrupted"})
ACTIVE: Final = frozenset({"pending", "running", "waiting"})
ATTEMPTS: Final = 2
MAX_RECOVERIES: Final = 3
NAP: Final = "nap"
"""The step that sleeps, in the workflow of that name: its thread waits without a slot."""


def _document(name: str, steps: dict[str, list[str]]) -> dict[str, Any]:
    kinds = {NAP: {"sleep": "24h"}}
    return {
        "name": name,
        "defaults": {"retry": {"max_attempts": ATTEMPTS, "initial_interval": "5ms", "jitter": False}},
        "steps": [{"id": one, "needs": needs, **kinds.get(one, {"python": "gated"})} for one, needs in steps.items()],
    }


PLANS: Final[dict[str, dict[str, list[str]]]] = {
    "line": {"a": [], "b": ["a"], "c": ["b"]},
    "fan": {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]},
    "nap": {"a": [], NAP: ["a"], "b": [NAP]},
}
DOCUMENTS: Final = {name: _document(name, plan) for name, plan in PLANS.items()}


@dataclass(slots=True)
class Expected:
    """One thread.  `open` has the attempt of each step that runs; `versions` the steps that are done in each version."""

    thread_id: str
    workflow: str
    status: str = "pending"
    done: frozenset[str] = frozenset()
    open: dict[str, int] = field(default_factory=dict[str, int])
    versions: list[frozenset[str]] = field(default_factory=list[frozenset[str]])
    parents: list[int | None] = field(default_factory=list["int | None"])
    ends: set[int] = field(default_factory=set[int])
    head: int = 0
    skip: set[str] = field(default_factory=set[str])
    failing: bool = False
    pausing: bool = False
    recoveries: int = 0
    since: int = 0
    """The serial number of the first call that a driver of now can have made."""

    @property
    def last(self) -> int:
        """The highest version."""
        return len(self.versions)

    @property
    def calls(self) -> dict[str, int]:
        """The steps whose functions must be running, with their attempts."""
        return {step: attempt for step, attempt in self.open.items() if step != NAP and self.status != "paused"}

    @property
    def ended(self) -> bool:
        """Whether its execution has."""
        return self.status in ENDED

    def begin(self) -> None:
        """A START version, and on from there: a new thread, or a new execution with new input."""
        self._renew()
        self.done, self.status = frozenset(), "pending"
        self._write()
        self.advance()

    def finish(self, step: str) -> None:
        """A step completed."""
        del self.open[step]
        self.recoveries = 0
        self.done |= {step}
        self._write()
        self.advance()

    def fail(self, step: str) -> None:
        """An attempt failed."""
        self.recoveries = 0
        if self.open[step] < ATTEMPTS and not self.failing:
            self.open[step] += 1
            if self.pausing and len(self.calls) == 1:  # it pauses rather than try again
                self.status, self.pausing = "paused", False
                return
        else:
            del self.open[step]
            self.failing = True
        self.advance()

    def pause(self) -> None:
        """Start nothing more; it is paused when what runs has ended."""
        if self.status in ("running", "waiting"):
            self.pausing = True
            self.advance()

    def cancel(self) -> None:
        """End it now."""
        self._end("cancelled")

    def crash(self, *, counts: bool = True) -> None:
        """Its driver is gone, another one takes it up; a failure that waited for other steps to end waits on."""
        self.recoveries += counts
        if self.recoveries > MAX_RECOVERIES:
            self._end("interrupted")
            return
        begun_again = 1 in self.calls.values()  # second attempts are not, where the thread is about to stop
        if self.failing and not begun_again:
            self._end("failed")
        elif self.pausing and not begun_again:
            self.status, self.pausing = "paused", False
        else:
            self.advance()

    def resume(self, from_step: str | None, skip: set[str]) -> None:
        """Go on from the head with what is not done."""
        again = self.downstream(from_step) if from_step else set[str]()
        anew = self.status != "paused" or from_step is not None or bool(skip)
        kept, held = self.skip, self.open
        self._renew()
        self.status = "pending"
        self.skip = (kept - again) | skip
        self.open = {} if anew else held
        self.done -= again
        self.advance()

    def rollback(self, version: int, *, resume: bool) -> None:
        """Move the head."""
        self._renew()
        self.head, self.done, self.status = version, self.versions[version - 1], "pending"
        if version in self.ends:
            self.status = "completed"
        elif resume:
            self.advance()
        else:
            self.status = "paused"

    def downstream(self, step: str) -> set[str]:
        """A step and all that depend on it."""
        found = {step}
        for one, needs in PLANS[self.workflow].items():
            if found & set(needs):
                found.add(one)
        return found

    def advance(self) -> None:
        """Start what is ready, and see where that leads."""
        while ready := self._ready():
            for step in ready:
                if step in self.skip:
                    self.done |= {step}
                    self._write()
                else:
                    self.open[step] = 1
        if self.calls:
            self.status = "running"
        elif self.failing:
            self._end("failed")
        elif len(self.done) == len(PLANS[self.workflow]):
            self._write()
            self.ends.add(self.last)
            self._end("completed")
        elif self.pausing:
            self.status, self.pausing = "paused", False
        else:
            self.status = "waiting"

    def _ready(self) -> list[str]:
        if self.failing or self.pausing:
            return []
        plan = PLANS[self.workflow]
        return [one for one, needs in plan.items() if {*needs} <= self.done and one not in {*self.done, *self.open}]

    def _write(self) -> None:
        self.parents.append(self.head or None)
        self.versions.append(self.done)
        self.head = self.last

    def _renew(self) -> None:
        self.failing = self.pausing = False
        self.open, self.skip, self.recoveries = {}, set(), 0

    def _end(self, status: str) -> None:
        self.status, self.open = status, {}
        self.failing = self.pausing = False
