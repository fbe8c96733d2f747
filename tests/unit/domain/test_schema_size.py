"""Schemas that would take too long to compile or to apply are refused; those that people write are not."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.document_schema import schema as document_schema
from app.domain.input_schema import check_schema
from app.domain.schema_size import TooMuchWork, check_size


def doubling(levels: int, key: str = "allOf", **more: Any) -> dict[str, Any]:
    """Each definition refers twice to the next."""
    definitions: dict[str, Any] = {
        f"a{n}": {key: [{"$ref": f"#/$defs/a{n + 1}"}, {"$ref": f"#/$defs/a{n + 1}"}], **more} for n in range(levels)
    }
    return {"$ref": "#/$defs/a0", "$defs": {**definitions, f"a{levels}": {"type": "object"}}}


def below(levels: int) -> dict[str, Any]:
    """The same, a level of the value further down each time."""
    schema = doubling(levels)
    for name, part in schema["$defs"].items():
        if "allOf" in part:
            schema["$defs"][name] = {"properties": {"x": part}}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        doubling(36),
        doubling(36, "anyOf"),
        doubling(34, unevaluatedProperties=False),
        below(36),
        {"properties": {"x": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}},
        {"items": {"oneOf": [{"$ref": "#"}, {"items": {"$ref": "#"}}, {"$ref": "#"}]}},
        {"allOf": [{"$ref": "#"}]},
        {"$anchor": "me", "additionalProperties": {"if": {"$ref": "#me"}, "then": {"$ref": "#me"}}},
        {"$id": "https://here", "patternProperties": {"a": {"anyOf": [{"$ref": "https://here"}, {"$ref": "#"}]}}},
        {"$dynamicAnchor": "n", "items": {"allOf": [{"$dynamicRef": "#n"}, {"$dynamicRef": "#n"}]}},
    ],
)
def test_what_unrolls_to_too_much_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(TooMuchWork):
        check_size(schema)
    assert "schema" in check_schema(schema)[0].message


TREE = {"$defs": {"tree": {"type": "object", "properties": {
    "left": {"$ref": "#/$defs/tree"}, "right": {"$ref": "#/$defs/tree"}, "many": {"items": {"$ref": "#/$defs/tree"}},
}}}, "$ref": "#/$defs/tree"}  # fmt: skip


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        TREE,
        doubling(8),
        {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(3_000)}},
        {"anyOf": [{"const": n} for n in range(1_000)]},
        document_schema(),
        {"$ref": "https://elsewhere.example/x.json"},
        {"properties": {"next": {"$ref": "#"}, "$ref": {"type": "string"}}},
    ],
)
def test_what_people_write_is_not(schema: Any) -> None:
    check_size(schema)
