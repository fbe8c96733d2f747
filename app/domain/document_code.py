"""The document of a workflow that is written in Python: what is stored of it, and the spec that stands for it."""

from __future__ import annotations

import hashlib
import inspect
import textwrap
from typing import TYPE_CHECKING, Any, Final

from app.domain import checkpoints, input_schema
from app.domain.document_schema import schema
from app.domain.document_steps import StepReader
from app.domain.plan import Plan
from app.domain.spec import WorkflowSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.domain.errors import Problem


_PARTS: Final = ("name", "limits", "checkpoint")


def document_of(
    name: str,
    function: Callable[..., Any],
    *,
    input_schema: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    checkpoint: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What is stored: the function's source and its digest, so that a changed function is a new version.

    What the function calls is not in it; a change there shows when a thread that has begun asks for other steps.
    """
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):  # typed into a shell, say
        source = ""
    digest = hashlib.sha256((source or function.__code__.co_code.hex()).encode()).hexdigest()
    code = {"function": f"{function.__module__}.{function.__qualname__}", "sha256": digest, "source": source}
    document: dict[str, Any] = {"name": name, "code": code}
    if description := inspect.getdoc(function):
        document["description"] = description
    if input_schema is not None:
        document["input"] = dict(input_schema)
    if limits is not None:
        document["limits"] = dict(limits)
    if checkpoint is not None:
        document["checkpoint"] = dict(checkpoint)
    return document


def is_code(document: Mapping[str, Any]) -> bool:
    """Whether it is the document of a workflow in Python."""
    return "code" in document and "steps" not in document and isinstance(document.get("name"), str)


def spec_of_code(document: Mapping[str, Any], content_hash: str, problems: list[Problem]) -> WorkflowSpec:
    """The spec of such a document; faults of its parts and its input's schema are added to `problems`."""
    whole = schema()
    known = {"properties": {part: whole["properties"][part] for part in _PARTS}, "$defs": whole["$defs"]}
    problems += input_schema.validate(known, {part: document[part] for part in _PARTS if part in document})
    if "input" in document:
        problems += input_schema.check_schema(document["input"], "/input")
    return WorkflowSpec(
        name=document["name"],
        steps=(),
        by_id={},
        plan=Plan.of([]),
        output=None,
        input_schema=document.get("input"),
        document=document,
        hash=content_hash,
        description=document.get("description"),
        limits=StepReader(None, problems).limits(document.get("limits")),
        code=document["name"],
        checkpoint=checkpoints.read(document.get("checkpoint"), problems),
    )
