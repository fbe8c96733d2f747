"""A step as a workflow's Python function asks for it: the same parts as in a document, values instead of templates."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from app.domain.document_schema import schema
from app.domain.document_steps import StepReader

if TYPE_CHECKING:
    from app.domain.errors import Problem
    from app.domain.spec import StepSpec

_PARTS: Final = frozenset(
    {
        "agent",
        "python",
        "http",
        "mcp",
        "workflow",
        "sleep",
        "gate",
        "wait_for",
        "input",
        "assign",
        "checkpoint",
        "timeout",
        "max_silence",
        "retry",
    }
)


def spec_of_call(step_id: str, parts: dict[str, Any]) -> StepSpec:
    """The spec of such a step.  Raises ValueError that says what is wrong with it."""
    unknown = sorted(parts.keys() - _PARTS)
    if unknown:
        raise ValueError(f"step {step_id}: {unknown[0]!r} has no meaning here; known: {', '.join(sorted(_PARTS))}")
    step = {"id": step_id, **parts}
    for error in _validator().iter_errors(step):
        raise ValueError(f"step {step_id}: {error.message[:300]}")
    problems: list[Problem] = []
    reader = StepReader(None, problems, plain=True)
    draft = reader.read({"input": None, **step}, 0)
    if problems or draft is None:
        raise ValueError(f"step {step_id}: {problems[0].message if problems else 'not an identifier'}")
    return draft.spec


@cache
def _validator() -> Any:
    import jsonschema_rs  # noqa: PLC0415 - only workflows in Python pay for its import here

    return jsonschema_rs.validator_for({"$ref": "#/$defs/step", "$defs": schema()["$defs"]})
