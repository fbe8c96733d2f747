"""The workflow document, parsed: every fault with its JSON pointer, or the WorkflowSpec that the engine runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import checkpoints, document_text, input_schema, jsontext
from app.domain.document_code import is_code, spec_of_code
from app.domain.document_needs import find_needs
from app.domain.document_schema import NOT_BUILT, schema
from app.domain.document_steps import Draft, StepReader
from app.domain.errors import InvalidWorkflow, JsonError, NotSupported, Problem
from app.domain.plan import Plan
from app.domain.spec import KINDS, StepSpec, WorkflowSpec
from app.domain.template import MAX_HOLES, Holes, Template, escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_PROBLEMS: Final = 200
_STEP_DEPTH: Final = 2
_HOLES_A_STEP: Final = 20
"""Holes of templates that each step may have, where that comes to more than MAX_HOLES in all."""
_ON_ERROR: Final = 'neither "fail" nor "continue" nor an object with `kinds` and `run`'
_WORDS: Final = {
    "anyOf": 'not a duration: write seconds, or "500ms", "30s", "5m", "24h"',
    "not": "a reserved word: choose another name",
}


@dataclass(slots=True)
class Faults:
    """What is wrong: `problems`, and `unsupported` for what this version does not carry out."""

    problems: list[Problem] = field(default_factory=list[Problem])
    unsupported: list[Problem] = field(default_factory=list[Problem])

    def raise_if_any(self) -> None:
        """Raise InvalidWorkflow with all of them, NotSupported where nothing else is wrong."""
        if self.problems:
            raise InvalidWorkflow([*self.problems, *self.unsupported][:MAX_PROBLEMS])
        if self.unsupported:
            first = self.unsupported[0]
            raise NotSupported(f"{first.pointer}: {first.message}", problems=self.unsupported[:MAX_PROBLEMS])


def parse(source: str | bytes | Mapping[str, Any], *, stored: bool = False) -> WorkflowSpec:
    """The workflow in a YAML or JSON text, or in a JSON object; one that is `stored` has been let in, whatever its size.

    Raises InvalidWorkflow with all that is wrong, NotSupported when it only asks for what is not built yet.
    """
    document = _loaded(source)
    faults = Faults()
    if is_code(document):
        spec = spec_of_code(document, content_hash(document), faults.problems)
        faults.raise_if_any()
        return spec
    _check_form(document, faults)
    holes = Holes(None if stored else max(MAX_HOLES, _HOLES_A_STEP * len(list(_objects(document.get("steps"))))))
    reader = StepReader(document.get("defaults"), faults.problems, holes=holes)
    steps, limits = _steps(document, reader, faults), reader.limits(document.get("limits"))
    output, checkpoint = _output(document, faults, holes), checkpoints.read(document.get("checkpoint"), faults.problems)
    if "input" in document and isinstance(document["input"], dict):
        faults.problems += input_schema.check_schema(document["input"], "/input")
    faults.raise_if_any()
    return WorkflowSpec(
        name=document["name"],
        steps=steps,
        by_id={step.id: step for step in steps},
        plan=Plan.of(steps),
        output=output,
        input_schema=document.get("input"),
        document=document,
        hash=content_hash(document),
        description=document.get("description"),
        limits=limits,
        checkpoint=checkpoint,
    )


def hash_of(source: str | bytes | Mapping[str, Any]) -> str:
    """The content_hash of a document that may be wrong otherwise.  Raises InvalidWorkflow for what is no JSON object."""
    return content_hash(_loaded(source))


def content_hash(document: Mapping[str, Any]) -> str:
    """The SHA-256 (hex) of the document as canonical JSON: the order of its keys does not count."""
    return hashlib.sha256(jsontext.dumps(canonical(document)).encode()).hexdigest()


def canonical(value: Any) -> Any:
    """A JSON value with the keys of all its objects in order."""
    if isinstance(value, dict):
        return {key: canonical(item) for key, item in sorted(cast("dict[str, Any]", value).items())}
    if isinstance(value, list):
        return [canonical(item) for item in cast("list[Any]", value)]
    return value


def _loaded(source: str | bytes | Mapping[str, Any]) -> dict[str, Any]:
    return document_text.load(source) if isinstance(source, str | bytes) else _copied(source)


def _copied(source: Mapping[str, Any]) -> dict[str, Any]:
    try:
        text = jsontext.dumps(dict(source))
        if len(text.encode()) > document_text.MAX_BYTES:
            raise InvalidWorkflow([Problem("", f"the document is larger than {document_text.MAX_BYTES:,} bytes")])
        return jsontext.loads(text)
    except JsonError as error:
        raise InvalidWorkflow([Problem("", str(error))]) from None


def _check_form(document: dict[str, Any], faults: Faults) -> None:
    """The document against the published schema, with messages for people."""
    for error in input_schema.errors(schema(), document, MAX_PROBLEMS):
        path = cast("list[str | int]", error.instance_path)
        pointer = input_schema.to_pointer(path)
        kind = error.kind.name
        if kind in {"additionalProperties", "unevaluatedProperties"}:
            _unknown_keys(pointer, error.kind.unexpected, faults)
        elif kind != "oneOf":
            faults.problems.append(Problem(pointer, _worded(error, kind, path)))
        elif path and path[-1] == "wait_for":
            faults.problems.append(Problem(pointer, "a wait has exactly one of topic, signal"))
        elif _is_step(document, path):
            faults.problems.append(Problem(pointer, f"a step has exactly one of {', '.join(KINDS)}"))


def _unknown_keys(pointer: str, keys: list[str], faults: Faults) -> None:
    for key in keys:
        place = f"{pointer}/{escape(key)}"
        if key in NOT_BUILT and pointer.count("/") in {0, _STEP_DEPTH}:
            faults.unsupported.append(Problem(place, f"{key!r} is not built yet"))
        else:
            faults.problems.append(Problem(place, f"unknown key {key!r}"))


def _is_step(document: dict[str, Any], path: list[str | int]) -> bool:
    step: Any = document
    for key in path:
        step = step[key]
    return isinstance(step, dict)


def _worded(error: Any, kind: str, path: list[str | int]) -> str:
    last = path[-1] if path else ""
    if kind in _WORDS:
        return _ON_ERROR if last == "on_error" else _WORDS[kind]
    if kind == "falseSchema":
        return f"{last!r} has no meaning for this kind of step"
    if kind == "required" and "variants" in error.schema_path:
        return "only a step with 'agent' has variants"
    if kind == "pattern" and last in {"id", "assign"}:
        return "not an identifier: letters, digits and _, not beginning with a digit, at most 128"
    if kind == "pattern" and last in {"name", "agent", "python", "workflow", "server"}:
        return "not a name: letters, digits and . _ - only, beginning with a letter or a digit, at most 128"
    return input_schema.worded(error)


def _steps(document: dict[str, Any], reader: StepReader, faults: Faults) -> tuple[StepSpec, ...]:
    """The steps that could be read.  Those of a whole document without faults have all their needs."""
    drafts = [reader.read(step, place) for place, step in _objects(document.get("steps"))]
    named = [draft for draft in drafts if draft is not None]
    _check_ids(named, faults)
    needs = find_needs(named, faults.problems)
    rescues: dict[str, list[str]] = {}
    for draft in named:
        if draft.spec.catch is not None and draft.spec.catch.run is not None:
            rescues.setdefault(draft.spec.catch.run, []).append(draft.spec.id)
    return tuple(
        replace(draft.spec, needs=needs[draft.spec.id], rescues=tuple(rescues.get(draft.spec.id, ())))
        for draft in named
        if draft.spec.id in needs
    )


def _objects(value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    if isinstance(value, list):
        for place, item in enumerate(cast("list[Any]", value)):
            if isinstance(item, dict):
                yield place, cast("dict[str, Any]", item)


def _check_ids(drafts: list[Draft], faults: Faults) -> None:
    first: dict[str, int] = {}
    for draft in drafts:
        step = draft.spec
        if step.id in first:
            message = f"the id {step.id!r} is taken by step {first[step.id]}"
            faults.problems.append(Problem(f"/steps/{step.index}/id", message))
        first.setdefault(step.id, step.index)


def _output(document: dict[str, Any], faults: Faults, holes: Holes) -> Template | None:
    if "output" not in document:
        return None
    ids = {step.get("id") for _, step in _objects(document.get("steps")) if isinstance(step.get("id"), str)}
    output, problems = Template.check(document["output"], "/output", holes)
    unknown = [(name, place) for name, place in output.places.items() if name not in ids | {"input", "context"}]
    problems += [Problem(place, f"{name!r} is neither a step nor input or context") for name, place in unknown]
    faults.problems += problems
    return output
