"""JSON Schemas of inputs."""

from typing import Any

import pytest

from app.domain import input_schema
from app.domain.errors import Problem
from app.domain.input_schema import MAX_PROBLEMS, check_schema, validate


def test_a_value_that_matches_has_no_problems() -> None:
    assert validate({"type": "object", "properties": {"n": {"type": "integer", "minimum": 2**70}}}, {"n": 2**80}) == []


def test_each_problem_has_its_pointer() -> None:
    schema = {"required": ["z"], "properties": {"a/b": {"items": {"type": "string"}}}}
    found = validate(schema, {"a/b": ["x", 5]})
    assert {problem.pointer for problem in found} == {"", "/a~1b/1"}


def test_a_right_schema_has_no_problems() -> None:
    assert check_schema({"$ref": "#/$defs/x", "$defs": {"x": {"type": "string", "format": "date"}}}) == []


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"type": "objekt"}, "/input/type"),
        ({"properties": {"a": {"minimum": "x"}}}, "/input/properties/a/minimum"),
        ({"pattern": "("}, "/input/pattern"),
        ({"$ref": "http://127.0.0.1:9/x"}, "/input"),
        ({"$ref": "file:///etc/passwd"}, "/input"),
        ({"$ref": "#/$defs/nothing"}, "/input"),
        ({"$schema": "http://127.0.0.1:9/meta"}, "/input"),
        (5, "/input"),
    ],
)
def test_a_wrong_schema_is_refused_at_its_place(schema: object, pointer: str) -> None:
    assert [problem.pointer for problem in check_schema(schema, "/input")] == [pointer]


def test_formats_are_checked() -> None:
    assert validate({"format": "date"}, "yesterday") == [Problem("", '"yesterday" is not a "date"')]


@pytest.mark.parametrize("pattern", [r"^(a+)+$", r"(a*)*\1b"])
def test_a_pattern_that_backtracks_for_ever_is_given_up(pattern: str) -> None:
    assert len(validate({"pattern": pattern}, "a" * 40 + "!")) == 1


def test_no_more_than_a_hundred_problems_are_told() -> None:
    assert len(validate({"items": {"type": "string"}}, list(range(500)))) == MAX_PROBLEMS


@pytest.mark.parametrize(
    ("schema", "value", "rule"),
    [
        ({"maxLength": 5}, 'ü\n"' * 500, "is longer than 5 characters"),
        ({"maxItems": 2}, [1, {"k": "v" * 500}, 3], "has more than 2 items"),
        ({"pattern": "^a$"}, "y" * 400, 'does not match "^a$"'),
        ({"type": "integer"}, {"f": [1e-7, "\x7f" * 400]}, 'is not of type "integer"'),
        ({"enum": ["a", "b"]}, "q" * 400, 'is not one of "a" or "b"'),
        ({"not": {"type": "string"}}, "w" * 600, '{"type":"string"} is not allowed for'),
        (
            {"properties": {"a": {}}, "additionalProperties": False},
            {"k" * 500: 1},
            "Additional properties are not allowed",
        ),
    ],
)
def test_a_long_value_is_shortened_and_the_rule_is_not(schema: dict[str, Any], value: Any, rule: str) -> None:
    message = validate(schema, value)[0].message
    assert rule in message
    assert len(message) <= 310


def test_of_a_heavy_value_the_first_fault_alone_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = {"required": ["k1", "k2"], "properties": {"rows": {"items": {"type": "integer"}}}}
    heavy = {"rows": ["x" * 100] * 3_000}
    assert len(validate(schema, {"rows": ["x", "y"]})) == 4
    monkeypatch.setattr(input_schema, "errors", None)  # has all of them before it gives one
    (told,) = validate(schema, heavy)
    assert told.message.endswith("(of a value this large the first fault alone is told)")
    assert validate({"required": ["rows"]}, heavy) == []


def test_a_large_value_is_not_written_out_to_shorten_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.domain.input_schema.json.dumps", None)
    (told,) = validate({"maxItems": 2}, ["x" * 100] * 1_000)
    assert told.message.startswith('["xxx')
    assert told.message.endswith("has more than 2 items")
    assert len(told.message) <= 310
