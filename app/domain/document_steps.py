"""The steps of a document: each read by itself, then what each of them must wait for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from app.domain import document_gates, times
from app.domain.document_schema import IDENTIFIER
from app.domain.errors import InvalidWorkflow, Problem
from app.domain.plan import Plan
from app.domain.retry import RetryPolicy
from app.domain.spec import KINDS, WAITING, StepSpec
from app.domain.template import Condition, Template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_IDENTIFIER = re.compile(IDENTIFIER)
_Number = TypeVar("_Number", int, float)
_ALWAYS = frozenset({"input", "context"})


@dataclass(frozen=True, slots=True)
class Draft:
    """A step with `needs` as written (None: not written) and the parts of the scope that it uses."""

    spec: StepSpec
    written_needs: list[str] | None
    paths: frozenset[tuple[str, ...]]


class StepReader:
    """Reads steps one by one and adds what is wrong to `problems`.

    What the published schema refuses has been told already: such a part is left out here without a word.
    """

    def __init__(self, defaults: Any, problems: list[Problem]) -> None:
        self._problems = problems
        self._told = {problem.pointer for problem in problems}
        self._retry, self._timeout = RetryPolicy(), None
        given = cast("dict[str, Any]", defaults) if isinstance(defaults, dict) else {}
        self._retry = self._retry_policy(given.get("retry"), "/defaults/retry")
        self._timeout = self._seconds(given.get("timeout"), "/defaults/timeout")

    def read(self, step: Mapping[str, Any], index: int) -> Draft | None:
        """The step at `index`; None when it has no usable id, for nothing can be said about it then."""
        pointer = f"/steps/{index}"
        step_id = step.get("id")
        if not isinstance(step_id, str) or not _IDENTIFIER.fullmatch(step_id):
            return None
        kind = next((kind for kind in KINDS if kind in step), "")
        target = self._target(kind, step.get(kind), f"{pointer}/{kind}")
        form = document_gates.read_form(step.get("gate"), f"{pointer}/gate", self._problems)
        given = self._template(step["input"], f"{pointer}/input") if "input" in step else None
        when = self._condition(step.get("when"), f"{pointer}/when")
        timeout = self._seconds(step.get("timeout"), f"{pointer}/timeout")
        paths = frozenset[tuple[str, ...]]().union(*(part.paths for part in (target, given, when) if part is not None))
        spec = StepSpec(
            id=step_id,
            index=index,
            kind=kind,
            target=target,
            form=form,
            input=given,
            when=when,
            assign=_text(step.get("assign")),
            max_silence=self._seconds(step.get("max_silence"), f"{pointer}/max_silence") or None,
            timeout=self._timeout if timeout is None and kind not in WAITING else timeout,
            retry=self._retry_policy(step.get("retry"), f"{pointer}/retry"),
        )
        return Draft(spec, _names(step.get("needs")), paths)

    def _template(self, value: Any, pointer: str) -> Template:
        template, problems = Template.check(value, pointer)
        self._problems += problems
        return template

    def _target(self, kind: str, value: Any, pointer: str) -> Template:
        target = self._template(document_gates.without_form(value) if kind == "gate" else value, pointer)
        if kind == "sleep" and target.is_static:
            self._seconds(target.source, pointer)
        if kind == "gate" and isinstance(value, dict):
            self._seconds(cast("dict[str, Any]", value).get("timeout"), f"{pointer}/timeout")
        return target

    def _condition(self, value: Any, pointer: str) -> Condition | None:
        if not isinstance(value, str | bool):
            return None
        try:
            return Condition.compile(value if isinstance(value, str) else str(value).lower(), pointer)
        except InvalidWorkflow as error:
            self._problems += error.problems
            return None

    def _seconds(self, value: Any, pointer: str) -> float | None:
        """A duration; what is too long is told, what is none at all the schema has told."""
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        try:
            return times.seconds(value)
        except (ValueError, OverflowError) as error:
            if pointer not in self._told:
                self._problems.append(Problem(pointer, str(error)[:300]))
            return None

    def _retry_policy(self, value: Any, pointer: str) -> RetryPolicy:
        """The defaults with what `value` says over them."""
        default = self._retry
        if not isinstance(value, dict):
            return default
        given = cast("dict[str, Any]", value)
        first = self._seconds(given.get("initial_interval"), f"{pointer}/initial_interval")
        longest = self._seconds(given.get("max_interval"), f"{pointer}/max_interval")
        on = _names(given.get("on"))
        return RetryPolicy(
            max_attempts=_number(given.get("max_attempts"), default.max_attempts, int),
            initial_interval=default.initial_interval if first is None else first,
            backoff_factor=_number(given.get("backoff_factor"), default.backoff_factor, float),
            max_interval=default.max_interval if longest is None else longest,
            jitter=given["jitter"] if isinstance(given.get("jitter"), bool) else default.jitter,
            on=default.on if on is None else tuple(on),
        )


def _number(value: Any, default: _Number, kind: Callable[[Any], _Number]) -> _Number:
    return kind(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _names(value: Any) -> list[str] | None:
    if not isinstance(value, list):
        return None
    return [name for name in cast("list[Any]", value) if isinstance(name, str)]


def find_needs(drafts: list[Draft], problems: list[Problem]) -> dict[str, frozenset[str]]:
    """What each step waits for: what it names, else the step before it; the steps it refers to; whoever sets its variables.

    Unknown names and circles are added to `problems`.
    """
    ids = {draft.spec.id for draft in drafts}
    needs: dict[str, set[str]] = {}
    before: str | None = None
    for draft in drafts:
        step_id = draft.spec.id
        problems += _unknown(draft, ids)
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
    return {step_id: frozenset(required) for step_id, required in needs.items()}


@dataclass(frozen=True, slots=True)
class _Node:
    id: str
    needs: set[str]


def _unknown(draft: Draft, ids: set[str]) -> Iterator[Problem]:
    pointer, step_id = f"/steps/{draft.spec.index}", draft.spec.id
    for place, name in enumerate(draft.written_needs or []):
        if name == step_id:
            yield Problem(f"{pointer}/needs/{place}", f"step {step_id!r} needs itself")
        elif name not in ids:
            yield Problem(f"{pointer}/needs/{place}", f"{name!r} is not a step")
    step = draft.spec
    places = {**(step.input.places if step.input else {}), **step.target.places}
    if step.when is not None:
        places.update(dict.fromkeys(step.when.references - places.keys(), f"{pointer}/when"))
    for name, place in places.items():
        if name == step_id:
            yield Problem(place, f"step {step_id!r} refers to itself")
        elif name not in ids and name not in _ALWAYS:
            yield Problem(place, f"{name!r} is neither a step nor input or context")


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
