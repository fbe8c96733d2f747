"""What each step of a document must wait for: what it names, what comes before it, and whatever it refers to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.domain.errors import InvalidWorkflow, Problem
from app.domain.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from app.domain.document_steps import Draft
    from app.domain.spec import StepSpec

_ALWAYS = frozenset({"input", "context"})


def find_needs(drafts: list[Draft], problems: list[Problem]) -> dict[str, frozenset[str]]:
    """What each step waits for: what it names, else the step before it; the steps it refers to; whoever sets its variables.

    Unknown names and circles are added to `problems`.
    """
    ids = {draft.spec.id for draft in drafts}
    rescued = {draft.spec.catch.run for draft in drafts if draft.spec.catch is not None}
    needs: dict[str, set[str]] = {}
    before: str | None = None
    for draft in drafts:
        step_id = draft.spec.id
        problems += _unknown(draft, ids, rescues=step_id in rescued)
        written = ([] if before is None else [before]) if draft.written_needs is None else draft.written_needs
        referenced = {path[0] for path in draft.paths}
        needs.setdefault(step_id, set()).update(({*written} | referenced) & ids - {step_id})
        before = step_id
    try:
        plan = Plan.of([_Node(step_id, required) for step_id, required in needs.items()])
    except InvalidWorkflow as error:
        problems += error.problems
        return {}
    for reader, setter in _setters(drafts, plan):
        needs[reader].add(setter)
    for waiting, needed in _rescues(drafts, needs):
        needs[waiting].add(needed)
    return {step_id: frozenset(required) for step_id, required in needs.items()}


@dataclass(frozen=True, slots=True)
class _Node:
    id: str
    needs: set[str]


def _unknown(draft: Draft, ids: set[str], *, rescues: bool) -> Iterator[Problem]:
    step, step_id = draft.spec, draft.spec.id
    pointer = f"/steps/{step.index}"
    for place, name in enumerate(draft.written_needs or []):
        if name == step_id:
            yield Problem(f"{pointer}/needs/{place}", f"step {step_id!r} needs itself")
        elif name not in ids:
            yield Problem(f"{pointer}/needs/{place}", f"{name!r} is not a step")
    if step.catch is not None and step.catch.run is not None and step.catch.run not in ids - {step_id}:
        yield Problem(f"{pointer}/on_error/run", f"{step.catch.run!r} is not another step")
    known = ids | _ALWAYS | _own(step, rescues=rescues)
    for name, place in draft.places.items():
        if name == step_id and step.repeat is None:
            yield Problem(place, f"step {step_id!r} refers to itself")
        elif name not in known:
            yield Problem(place, f"{name!r} is neither a step nor input or context")
    yield from _out_of_place(step, pointer)


def _own(step: StepSpec, *, rescues: bool) -> set[str]:
    """The variables that only such a step has."""
    own = {"item", "index"} if step.for_each is not None else {"iteration"} if step.repeat is not None else set[str]()
    return own | {"error"} if rescues else own


def _out_of_place(step: StepSpec, pointer: str) -> Iterator[Problem]:
    """Variables of an item where there is none yet, and of the whole scope where only what was done is known."""
    outside = [(step.when, "when"), (step.for_each.items if step.for_each else None, "for_each")]
    for part, place in outside:
        names = set[str]() if part is None else set(part.references) & {"item", "index", "iteration"}
        if names:
            yield Problem(f"{pointer}/{place}", f"{min(names)!r} is known within an item only")
    undo = step.compensate
    if undo is not None:
        for part in (undo.target, undo.input):
            for name, place in part.places.items() if part is not None else ():
                if name not in {"input", "output"}:
                    yield Problem(
                        place,
                        f"{name!r} is not known here: a compensation sees the workflow's input and the step's output",
                    )


def _rescues(drafts: list[Draft], needs: Mapping[str, set[str]]) -> Iterator[tuple[str, str]]:
    """(waiting, needed): a rescuer waits for what it rescues, and whoever waits for that waits for its rescuer too."""
    for draft in drafts:
        rescuer = draft.spec.catch.run if draft.spec.catch is not None else None
        if rescuer is None or rescuer not in needs or rescuer == draft.spec.id:
            continue
        before = _ancestors(rescuer, needs)
        yield rescuer, draft.spec.id
        for step_id, needed in needs.items():
            if draft.spec.id in needed and step_id != rescuer and step_id not in before:
                yield step_id, rescuer


def _ancestors(step_id: str, needs: Mapping[str, set[str]]) -> set[str]:
    found, todo = set[str](), [step_id]
    while todo:
        fresh = needs[todo.pop()] - found
        found |= fresh
        todo.extend(fresh)
    return found


def _setters(drafts: list[Draft], plan: Plan) -> Iterator[tuple[str, str]]:
    """(reader, setter) for each `context.name` that exactly one step assigns, where that one can come first.

    An edge from a step to one behind it in one topological order can never close a circle.
    """
    setters: dict[str, list[str]] = {}
    for draft in drafts:
        if draft.spec.assign is not None:
            setters.setdefault(draft.spec.assign, []).append(draft.spec.id)
    places = {step_id: place for place, step_id in enumerate(plan.order)}
    for draft in drafts:
        for path in draft.paths:
            found = setters.get(path[1], []) if path[0] == "context" and len(path) > 1 else []
            if len(found) == 1 and places[found[0]] < places[draft.spec.id]:
                yield draft.spec.id, found[0]
