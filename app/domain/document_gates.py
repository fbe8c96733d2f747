"""The gates of a document: the form of their answers is a JSON Schema and holds no templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from app.domain import input_schema
from app.domain.errors import Problem
from app.domain.template import Template

if TYPE_CHECKING:
    from collections.abc import Mapping


def without_form(gate: Any) -> Any:
    """The parts of a gate that may hold templates."""
    if not isinstance(gate, dict):
        return gate
    return {name: value for name, value in cast("dict[str, Any]", gate).items() if name != "form"}


def read_form(gate: Any, pointer: str, problems: list[Problem]) -> Mapping[str, Any] | None:
    """The form of a gate's answer, if it has one.

    What is wrong with it, and with an `on_timeout` that does not fit it, is added to `problems`.
    """
    parts = cast("dict[str, Any]", gate) if isinstance(gate, dict) else {}
    form = parts.get("form")
    if not isinstance(form, dict):
        return None
    schema = cast("dict[str, Any]", form)
    found = input_schema.check_schema(schema, f"{pointer}/form")
    problems += found
    if not found and "on_timeout" in parts:
        problems += _misfits(schema, parts["on_timeout"], f"{pointer}/on_timeout")
    return schema


def _misfits(form: Mapping[str, Any], value: Any, pointer: str) -> list[Problem]:
    template, faults = Template.check(value, pointer)
    if faults or not template.is_static:
        return []
    return [
        Problem(pointer + one.pointer, f"does not fit the form: {one.message}")
        for one in input_schema.validate(form, value)
    ]
