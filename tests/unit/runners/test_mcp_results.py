"""What comes from an MCP server: results as values, errors as failures, arguments against schemas, bytes as lines."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import MCPError
from mcp_types import CallToolResult

from app.domain.tools import Tool
from app.runners import mcp_results
from app.runners.mcp_lines import Lines, LongLine, to_message

IMAGE = {"type": "image", "data": "aGk=", "mimeType": "image/png"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["path"],
    "properties": {"path": {"type": "string"}, "depth": {"type": "integer"}},
    "additionalProperties": False,
}
TOOL = Tool(name="look", description="", input_schema=SCHEMA)


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def result(*blocks: dict[str, Any], **more: Any) -> Any:
    return mcp_results.to_result(CallToolResult.model_validate({"content": list(blocks), **more}))


@pytest.mark.parametrize(
    ("blocks", "more", "value"),
    [
        ([text("shown")], {"structuredContent": {"n": 1}}, {"n": 1}),
        ([text("plain")], {}, "plain"),
        ([text('{"n": 10000000000000000000001}')], {}, {"n": 10**22 + 1}),
        ([text(" [1]")], {}, [1]),
        ([text("{not json}")], {}, "{not json}"),
        ([text("12")], {}, "12"),
        ([text("a"), IMAGE], {}, [text("a"), IMAGE]),
        ([IMAGE], {}, [IMAGE]),
        ([], {}, None),
    ],
)
def test_the_value_of_a_result(blocks: list[dict[str, Any]], more: dict[str, Any], value: Any) -> None:
    assert result(*blocks, **more).value == value


def test_the_text_of_a_result_is_what_can_be_read() -> None:
    note = {"type": "resource", "resource": {"uri": "file:///n", "text": "noted"}}
    link = {"type": "resource_link", "uri": "file:///l", "name": "l"}
    assert result(text("a"), IMAGE, note, link).text == "a\n[image image/png]\nnoted\n[resource file:///l]"
    assert result(structuredContent={"n": 1}).text == '{"n":1}'


@pytest.mark.parametrize(
    ("code", "message", "data", "kind", "retryable"),
    [
        (-32000, "Connection closed", None, "mcp.disconnected", True),
        (-32000, "ConnectError", "disconnected", "mcp.disconnected", True),
        (-32000, "ReadTimeout", "timeout", "timeout", True),
        (-32600, "Session terminated", None, "mcp.disconnected", True),
        (-32600, "no such thing", None, "mcp.protocol", False),
        (-32601, "no such method", None, "mcp.protocol", False),
        (-32602, "wrong", None, "validation", False),
        (-32603, "broken", None, "mcp.server_error", True),
        (-32700, "Failed to parse JSON response: the connection was lost: x", None, "mcp.disconnected", True),
        (-32700, "Failed to parse JSON response: the answer is longer than 5 bytes", None, "output_too_large", False),
        (-32000, "HTTP 401", {"httpStatus": 401}, "http.401", False),
        (-32000, "HTTP 503", {"httpStatus": 503, "retryAfter": 7}, "http.503", True),
    ],
)
def test_errors_of_a_server_are_failures_with_a_kind(
    code: int, message: str, data: Any, kind: str, retryable: bool
) -> None:
    failure = mcp_results.to_failure(MCPError(code, message, data), message)
    assert (failure.kind, failure.retryable) == (kind, retryable)
    assert failure.retry_after == (data.get("retryAfter") if isinstance(data, dict) else None)


def test_arguments_are_held_against_the_schema_of_the_tool() -> None:
    assert mcp_results.argument_problems(TOOL, {"path": "."}) == []
    wrong = mcp_results.argument_problems(TOOL, {"path": 1, "depth": "x"})
    assert sorted(one.pointer for one in wrong) == ["/depth", "/path"]


def test_a_schema_that_is_none_is_left_to_the_server() -> None:
    broken = Tool(name="x", description="", input_schema={"type": "nothing"})
    assert mcp_results.argument_problems(broken, {"a": 1}) == []


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ({"path": "{input.path}", "depth": "{input.depth}"}, 0),
        ({"path": ".", "depth": "deep"}, 1),
        ({"depth": "{input.depth}"}, 1),
        ({"path": "{input.path}", "more": "{input.x}"}, 1),
        ("{input}", 0),
    ],
)
def test_arguments_as_a_document_has_them_are_checked_as_far_as_can_be(written: Any, count: int) -> None:
    assert len(mcp_results.written_problems(TOOL, written)) == count


def test_lines_are_cut_wherever_the_pieces_end() -> None:
    lines = Lines(10)
    assert [line for piece in (b"on", b"e\ntwo\n", b"", b"\nrest") for line in lines.feed(piece)] == [
        b"one",
        b"two",
        b"",
    ]


@pytest.mark.parametrize("line", [b'{"jsonrpc":"2.0","id":7,"result":"%s"}', b'{"result":"%s","jsonrpc":"2.0","id":7}'])
def test_a_line_that_is_too_long_is_not_kept_and_answers_its_request(line: bytes) -> None:
    lines = Lines(1_000)
    pieces = [line % (b"x" * 5_000)] * 1 + [b"\n"]
    (found,) = [one for piece in pieces for one in lines.feed(piece)]
    assert isinstance(found, LongLine)
    message: Any = to_message(found, 1_000)
    assert (message.message.id, message.message.error.message) == (7, "the answer is longer than 1,000 bytes")


def test_a_line_that_cannot_be_read_fails_the_request_that_it_answers_and_no_other() -> None:
    broken: Any = to_message(b'{"jsonrpc":"2.0","id":7,"result":{"x":"\\ud800"}}', 1_000)
    assert (broken.message.id, broken.message.error.code) == (7, -32700)
    assert to_message(b"Listening on stdio...", 1_000) is None
