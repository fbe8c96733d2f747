"""Reading streams: events as the WHATWG's rules say, lines of JSON, wherever the pieces are cut."""

from __future__ import annotations

from typing import Any

import pytest

from app.runners.http_streams import Broken, Collector, EventStream, JsonLines, Message, Reading, pointed


def events(*pieces: str) -> list[tuple[str, str]]:
    stream = EventStream()
    return [(message.event, message.data) for piece in pieces for message in stream.feed(piece)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("data: YHOO\ndata: +2\ndata: 10\n\n", [("message", "YHOO\n+2\n10")]),
        (": comment\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third\n\n",
         [("message", "first event"), ("message", "second event"), ("message", " third")]),
        ("data\n\ndata\ndata\n\ndata:", [("message", ""), ("message", "\n")]),
        ("data:test\n\ndata: test\n\n", [("message", "test"), ("message", "test")]),
        ("event: add\ndata: 1\n\ndata: 2\n\n", [("add", "1"), ("message", "2")]),
        ("event: lost\n\ndata: 2\n\n", [("message", "2")]),
        ("\ufeffdata: a\n\n", [("message", "a")]),
        ("retry: 10\nnothing: x\ndata: a\r\rdata: b\r\n\r\n", [("message", "a"), ("message", "b")]),
        ("data: a:b: c\n\n", [("message", "a:b: c")]),
    ],
)  # fmt: skip
def test_events_are_read_as_the_standard_says(text: str, found: list[tuple[str, str]]) -> None:
    assert events(text) == found
    assert events(*text) == found
    assert events("", *[text[at : at + 3] for at in range(0, len(text), 3)]) == found


def test_crlf_may_be_cut_in_two() -> None:
    assert events("data: a\r", "\ndata: b\r", "\n\r", "\n") == [("message", "a\nb")]


def test_an_event_without_its_end_is_none() -> None:
    stream = EventStream()
    assert list(stream.feed("data: a\n\n: bye")) == [Message("message", "a")]
    assert list(stream.end()) == []
    list(stream.feed("\ndata: b\n"))
    with pytest.raises(Broken):
        stream.end()


def test_the_last_line_may_lack_its_end_but_not_a_part_of_itself() -> None:
    lines = JsonLines()
    assert list(lines.feed('\n{"a":1}\r\n {"b":2}')) == [Message("", '{"a":1}')]
    assert list(lines.end()) == [Message("", '{"b":2}', whole=False)]


async def test_a_part_of_the_last_line_is_a_stream_that_broke_off() -> None:
    whole, part = (Collector("ndjson", Reading(), str) for _ in range(2))
    await whole.feed(b'{"a":1}\n{"b":2}', last=True)
    assert whole.result() == {"b": 2}
    with pytest.raises(Broken):
        await part.feed(b'{"a":1}\n{"b":', last=True)


async def test_a_letter_may_be_cut_in_two() -> None:
    told: list[str] = []
    collector = Collector("sse", Reading(), told.append)
    for byte in "data: ö\n\n".encode():
        await collector.feed(bytes([byte]))
    assert (told, collector.result()) == (["ö"], "ö")


async def test_a_piece_of_text_that_looks_like_a_number_is_text() -> None:
    told: list[str] = []
    collector = Collector("sse", Reading(), told.append)
    await collector.feed(b'data: is\n\ndata:  42\n\ndata: null\n\ndata: "!"\n\n', last=True)
    assert told == ["is", " 42", "null", "!"]


async def test_nothing_is_read_after_the_end_was_told() -> None:
    told: list[str] = []
    collector = Collector("sse", Reading(), told.append)
    await collector.feed(b"data: a\n\ndata: [DONE]\n\ndata: b\n\ndata: c", last=True)
    assert (told, collector.done, collector.result()) == (["a"], True, "a")


@pytest.mark.parametrize(
    ("pointer", "found"),
    [("", {"a/b": [1, {"~": 2}]}), ("/a~1b/1/~0", 2), ("/a~1b/7", None), ("/a~1b/x", None), ("/nothing", None)],
)
def test_a_pointer_finds_what_it_points_at(pointer: str, found: Any) -> None:
    assert pointed({"a/b": [1, {"~": 2}]}, pointer, None) == found
