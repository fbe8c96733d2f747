"""The plan: which steps wait for which, and, while a thread runs, which of them may start now."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Protocol

from app.domain.errors import InvalidWorkflow, Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence


class Needing(Protocol):
    """What the plan wants to know of a step."""

    @property
    def id(self) -> str:
        """The step's id."""
        ...

    @property
    def needs(self) -> Collection[str]:
        """The ids of the steps that must be done before it starts."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The graph of a workflow.

    `index` gives each step its place in the document; `dependents` the steps that wait for it, in document order;
    `leaves` are those that no other step needs; `order` is the order in which all could run one after the other, by the
    document where it leaves a choice.
    """

    index: Mapping[str, int]
    needs: Mapping[str, tuple[str, ...]]
    dependents: Mapping[str, tuple[str, ...]]
    leaves: tuple[str, ...]
    order: tuple[str, ...]
    degrees: Mapping[str, int] = field(repr=False)

    @classmethod
    def of(cls, steps: Sequence[Needing]) -> Plan:
        """The plan of `steps`, given in document order.  Raises InvalidWorkflow for an unknown need or a cycle."""
        index = {step.id: place for place, step in enumerate(steps)}
        problems = [
            Problem(f"/steps/{index[step.id]}/needs", f"step {step.id!r} needs {need!r}, which is no step")
            for step in steps
            for need in step.needs
            if need not in index
        ]
        if problems:
            raise InvalidWorkflow(problems)
        needs = {step.id: tuple(sorted(step.needs, key=index.__getitem__)) for step in steps}
        dependents: dict[str, list[str]] = {step.id: [] for step in steps}
        for step_id, required in needs.items():
            for need in required:
                dependents[need].append(step_id)
        order = _order(index, needs, dependents)
        return cls(
            index=index,
            needs=needs,
            dependents={step_id: tuple(waiting) for step_id, waiting in dependents.items()},
            leaves=tuple(step_id for step_id, waiting in dependents.items() if not waiting),
            order=order,
            degrees={step_id: len(required) for step_id, required in needs.items()},
        )

    def downstream(self, ids: Iterable[str]) -> set[str]:
        """The steps named and all that depend on them, directly or not.  Raises KeyError for an unknown id."""
        found: set[str] = set(ids)
        todo = list(found)
        while todo:
            for dependent in self.dependents[todo.pop()]:
                if dependent not in found:
                    found.add(dependent)
                    todo.append(dependent)
        return found


def _order(
    index: Mapping[str, int], needs: Mapping[str, tuple[str, ...]], dependents: Mapping[str, list[str]]
) -> tuple[str, ...]:
    open_needs = {step_id: len(required) for step_id, required in needs.items()}
    ready = [(index[step_id], step_id) for step_id, count in open_needs.items() if count == 0]
    order: list[str] = []
    while ready:
        step_id = heappop(ready)[1]
        order.append(step_id)
        for dependent in dependents[step_id]:
            open_needs[dependent] -= 1
            if open_needs[dependent] == 0:
                heappush(ready, (index[dependent], dependent))
    if len(order) < len(needs):
        cycle = _cycle(needs, {step_id for step_id, count in open_needs.items() if count})
        message = f"the steps wait for each other in a circle: {' -> '.join([*cycle, cycle[0]])}"
        raise InvalidWorkflow([Problem(f"/steps/{index[cycle[0]]}", message)])
    return tuple(order)


def _cycle(needs: Mapping[str, tuple[str, ...]], stuck: set[str]) -> list[str]:
    """One circle among `stuck`, each step followed by one that it needs; it begins with the first in the document."""
    seen: dict[str, int] = {}
    walk: list[str] = []
    step_id = next(name for name in needs if name in stuck)
    while step_id not in seen:
        seen[step_id] = len(walk)
        walk.append(step_id)
        step_id = next(need for need in needs[step_id] if need in stuck)
    cycle = walk[seen[step_id] :]
    places = {name: place for place, name in enumerate(needs)}
    first = min(range(len(cycle)), key=lambda place: places[cycle[place]])
    return cycle[first:] + cycle[:first]


class Frontier:
    """Where one thread stands in its plan: what may start next.  Each step costs as much as it has dependents.

    A step is taken when it starts and ended when it is done; `end` also takes one that never started (skipped).
    """

    __slots__ = ("_degrees", "_done", "_plan", "_ready", "_taken")

    def __init__(self, plan: Plan, done: Iterable[str] = ()) -> None:
        self._plan = plan
        self._done = set(done)
        self._taken = set(self._done)
        self._degrees = dict(plan.degrees)
        for step_id in self._done:
            for dependent in plan.dependents[step_id]:
                self._degrees[dependent] -= 1
        self._ready = [
            (place, step_id)
            for step_id, place in plan.index.items()
            if self._degrees[step_id] == 0 and step_id not in self._done
        ]
        heapify(self._ready)

    def ready(self) -> list[str]:
        """The steps that may start and have not been taken, in document order."""
        while self._ready and self._ready[0][1] in self._taken:
            heappop(self._ready)
        if not self._ready:
            return []
        return [step_id for _, step_id in sorted(self._ready) if step_id not in self._taken]

    def take(self, step_id: str) -> None:
        """The step starts: `ready` names it no more.  Raises ValueError when it may not start or was taken before."""
        if step_id in self._taken or self._degrees[step_id]:
            raise ValueError(f"step {step_id!r} cannot be taken now")
        self._taken.add(step_id)

    def end(self, step_id: str) -> list[str]:
        """The step is done; returns the steps that may start because of that, in document order.

        Raises ValueError when it was done before.
        """
        if step_id in self._done:
            raise ValueError(f"step {step_id!r} has ended before")
        self._taken.add(step_id)
        self._done.add(step_id)
        fresh: list[str] = []
        for dependent in self._plan.dependents[step_id]:
            self._degrees[dependent] -= 1
            if self._degrees[dependent] == 0 and dependent not in self._taken:
                heappush(self._ready, (self._plan.index[dependent], dependent))
                fresh.append(dependent)
        return fresh

    @property
    def remaining(self) -> int:
        """How many steps are not done."""
        return len(self._degrees) - len(self._done)

    @property
    def finished(self) -> bool:
        """Whether all steps are done."""
        return len(self._done) == len(self._degrees)
