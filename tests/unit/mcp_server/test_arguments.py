"""The arguments of tools: read leniently where that is safe, refused with a reason, and shown without noise."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from app.mcp_server import arguments, reading, schemas
from app.mcp_server.calling import Refused
from app.mcp_server.toolbox import TOOLS


def test_no_schema_holds_titles_or_nulls() -> None:
    for tool in TOOLS.values():
        text = json.dumps(reading.schema_of(tool.takes))
        assert '"title"' not in text.replace('"properties": {"title"', "")
        assert '{"type": "null"}' not in text
        assert '"type": [' not in text + json.dumps(tool.gives)


def test_a_schema_keeps_what_is_required_and_what_it_says() -> None:
    schema = reading.schema_of(arguments.InvokeAsync)
    assert schema["required"] == ["workflow"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["idempotency_key"]["type"] == "string"
    assert schema["properties"]["workflow"]["anyOf"][0] == {"type": "string"}


@pytest.mark.parametrize("given", [{"cursor": 7}, {"after": "7"}, {"next_cursor": 7}])
def test_a_cursor_goes_by_its_other_names(given: dict[str, Any]) -> None:
    assert reading.read(arguments.InvokeStream, {"threadId": "t", **given}).cursor == 7


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "thread_id is required"),
        ({"thread_id": "t", "wait": 26}, "wait"),
        ({"thread_id": "t", "max_events": 0}, "max_events"),
        ({"thread_id": "t", "why": 1}, "why is not an argument of this tool"),
    ],
)
def test_what_is_wrong_is_named_with_what_there_is(given: Any, said: str) -> None:
    with pytest.raises(Refused, match=said) as refused:
        reading.read(arguments.InvokeStream, given)
    assert "thread_id, cursor" in refused.value.hint


@pytest.mark.parametrize(
    ("schema", "under"),
    [
        (None, False),
        ({"type": "object", "properties": {"a": {}}}, False),
        ({"type": "array"}, True),
        ({"anyOf": [{"type": "object"}]}, True),
        ({"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, True),
        (True, True),
    ],
)
def test_an_input_that_is_no_object_goes_under_a_name(schema: Any, under: bool) -> None:
    wrapped = schemas.wrapped(schema)
    assert wrapped["type"] == "object"
    assert ("input" in wrapped.get("properties", {})) is under


@pytest.mark.parametrize("name", ["$defs", "definitions"])
def test_what_an_input_refers_to_is_found_where_it_went(name: str) -> None:
    schema = {"type": "array", "items": {"$ref": f"#/{name}/n"}, name: {"n": {"type": "integer"}}}
    validator = jsonschema_rs.validator_for(schemas.wrapped(schema))
    assert validator.is_valid({"input": [1]})
    assert not validator.is_valid({"input": ["1"]})
