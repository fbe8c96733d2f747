"""The steps of a document, each read by itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from app.domain import document_gates, document_waits, times
from app.domain.document_schema import IDENTIFIER
from app.domain.errors import InvalidWorkflow, Problem
from app.domain.retry import RetryPolicy
from app.domain.spec import CONCURRENCY, KINDS, NO_LIMITS, WAITING, Catch, ForEach, Limits, Repeat, StepSpec
from app.domain.template import Condition, Holes, Template
from app.domain.variants import Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_IDENTIFIER = re.compile(IDENTIFIER)
_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True)
class Draft:
    """A step with `needs` as written (None: not written) and the parts of the scope that it uses.

    `places` is where in the document each variable of the scope stands first.
    """

    spec: StepSpec
    written_needs: list[str] | None
    paths: frozenset[tuple[str, ...]]
    places: Mapping[str, str]


class StepReader:
    """Reads steps one by one and adds what is wrong to `problems`.

    What the published schema refuses has been told already: such a part is left out here without a word.
    """

    def __init__(
        self, defaults: Any, problems: list[Problem], *, plain: bool = False, holes: Holes | None = None
    ) -> None:
        """`plain`: values are what they are, braces and all, and no templates; `holes` are counted of all that are."""
        self._problems = problems
        self._plain = plain
        self._holes = holes or Holes()
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
        variants = self._variants(step.get("variants"), f"{pointer}/variants")
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
            for_each=self._for_each(step, pointer),
            repeat=self._repeat(step.get("repeat"), f"{pointer}/repeat"),
            catch=_catch(step.get("on_error")),
            effect=_text(step.get("effect")),
            compensate=self._compensation(step.get("compensate"), f"{pointer}/compensate", step_id, index),
            variants=variants,
            checkpoint=step.get("checkpoint") is True,
        )
        paths, places = _used(spec, pointer)
        return Draft(spec, _names(step.get("needs")), paths, places)

    def limits(self, value: Any) -> Limits:
        """The document's `limits`."""
        if not isinstance(value, dict):
            return NO_LIMITS
        given = cast("dict[str, Any]", value)
        tokens = given.get("max_tokens")
        return Limits(
            max_cost_usd=_number(given.get("max_cost_usd"), -1.0, float) if "max_cost_usd" in given else None,
            max_tokens=tokens if isinstance(tokens, int) else None,
            deadline=self._seconds(given.get("deadline"), "/limits/deadline"),
        )

    def _for_each(self, step: Mapping[str, Any], pointer: str) -> ForEach | None:
        if not isinstance(step.get("for_each"), str | list):
            return None
        return ForEach(
            items=self._template(step["for_each"], f"{pointer}/for_each"),
            concurrency=_number(step.get("concurrency"), CONCURRENCY, int),
            collect=step.get("on_item_error") == "collect",
        )

    def _repeat(self, value: Any, pointer: str) -> Repeat | None:
        given = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        until = self._condition(given.get("until"), f"{pointer}/until")
        if until is None:
            return None
        return Repeat(
            until=until,
            max_iterations=_number(given.get("max_iterations"), 1, int),
            delay=self._seconds(given.get("delay"), f"{pointer}/delay") or 0.0,
            go_on=given.get("on_exhausted") == "continue",
        )

    def _compensation(self, value: Any, pointer: str, step_id: str, index: int) -> StepSpec | None:
        """What undoes a step: a step of its own, whose id no step of a document can have."""
        if not isinstance(value, dict):
            return None
        given = cast("dict[str, Any]", value)
        kind = next((kind for kind in KINDS if kind in given), "")
        timeout = self._seconds(given.get("timeout"), f"{pointer}/timeout")
        return StepSpec(
            id=f"{step_id}.undo",
            index=index,
            kind=kind,
            target=self._target(kind, given.get(kind), f"{pointer}/{kind}"),
            input=self._template(given.get("input", "{output}"), f"{pointer}/input"),
            timeout=self._timeout if timeout is None else timeout,
            retry=self._retry_policy(given.get("retry"), f"{pointer}/retry"),
        )

    def _variants(self, value: Any, pointer: str) -> tuple[Variant, ...]:
        """Those that have a name; two of one name are told."""
        listed = cast("list[Any]", value) if isinstance(value, list) else []
        found: list[Variant] = []
        for place, item in enumerate(listed):
            given = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
            name = _text(given.get("name"))
            if name is None:
                continue
            if any(variant.name == name for variant in found):
                self._problems.append(Problem(f"{pointer}/{place}/name", f"the name {name!r} is taken"))
            more = self._template(given["input"], f"{pointer}/{place}/input") if "input" in given else None
            weight = _number(given.get("weight"), 1.0, float)
            found.append(Variant(name=name, weight=weight, agent=_text(given.get("agent")), input=more))
        return tuple(found)

    def _template(self, value: Any, pointer: str) -> Template:
        if self._plain:
            return Template(value, None, frozenset(), {})
        template, problems = Template.check(value, pointer, self._holes)
        self._problems += problems
        return template

    def _target(self, kind: str, value: Any, pointer: str) -> Template:
        target = self._template(_templated(kind, value), pointer)
        if kind == "wait_for":
            target = document_waits.read(value, target, pointer, self._problems)
        if kind == "sleep" and target.is_static:
            self._seconds(target.source, pointer)
        if kind in {"gate", "wait_for"} and isinstance(value, dict):
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


def _templated(kind: str, value: Any) -> Any:
    """The part of what stands under a kind that may hold templates."""
    without = {"gate": document_gates.without_form, "wait_for": document_waits.without_match}.get(kind)
    return value if without is None else without(value)


def _number(value: Any, default: _Number, kind: Callable[[Any], _Number]) -> _Number:
    return kind(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _names(value: Any) -> list[str] | None:
    if not isinstance(value, list):
        return None
    return [name for name in cast("list[Any]", value) if isinstance(name, str)]


def _catch(value: Any) -> Catch | None:
    if value == "continue":
        return Catch()
    if not isinstance(value, dict):
        return None
    given = cast("dict[str, Any]", value)
    kinds = _names(given.get("kinds"))
    return Catch(kinds=None if kinds is None else tuple(kinds), run=_text(given.get("run")))


def _used(spec: StepSpec, pointer: str) -> tuple[frozenset[tuple[str, ...]], dict[str, str]]:
    """The parts of the scope that a step uses, and where each variable stands first."""
    templates = [spec.target, spec.input, spec.for_each.items if spec.for_each else None]
    templates += [variant.input for variant in spec.variants]
    conditions = [(spec.when, "when"), (spec.repeat.until if spec.repeat else None, "repeat/until")]
    paths: set[tuple[str, ...]] = set()
    places: dict[str, str] = {}
    for template in reversed([each for each in templates if each is not None]):
        paths |= template.paths
        places.update(template.places)
    for condition, place in conditions:
        if condition is not None:
            paths |= condition.paths
            places.update(dict.fromkeys(condition.references - places.keys(), f"{pointer}/{place}"))
    return frozenset(paths), places
