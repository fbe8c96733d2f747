"""CloudEvents in and out: what is taken, what is refused and where, and that what goes out is what came in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain import cloudevents
from app.domain.errors import InvalidRequest, JsonError
from app.domain.messages import Message

EVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.created"}


def taken(**more: Any) -> Message:
    return cloudevents.of_object({**EVENT, **more}, "orders.created")


def faults(value: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refused:
        cloudevents.of_object(value, "orders.created")
    assert refused.value.code == "invalid_cloudevent"
    return {one.pointer: one.message for one in refused.value.details["problems"]}


def test_an_event_in_the_json_format_becomes_a_message() -> None:
    message = taken(subject="A-1", time="2026-11-21T09:30:00.5+02:00", data={"n": 10**30}, region="eu", urgent=True)
    assert (message.id, message.source, message.type, message.subject) == ("1", "/shop", "order.created", "A-1")
    assert message.time.isoformat() == "2026-11-21T07:30:00.500000+00:00"
    assert message.data == {"n": 10**30}
    assert message.attributes == {"region": "eu", "urgent": True}


@pytest.mark.parametrize(
    "more",
    [
        {"data": {"a": [1, 1.5, None, "\x00"]}, "subject": "x", "traceparent": "00-ab", "count": 3},
        {"data_base64": "AAE=", "datacontenttype": "application/octet-stream"},
        {"data": "text", "datacontenttype": "text/plain", "dataschema": "https://example.org/x"},
    ],
    ids=["json", "bytes", "text"],
)
def test_what_came_in_goes_out(more: dict[str, Any]) -> None:
    given = {**EVENT, "time": "2026-11-21T09:30:00.000Z", "datacontenttype": "application/json", **more}
    told = json.loads(cloudevents.document(cloudevents.of_object(given, "orders.created")))
    assert told == {**given, "topic": "orders.created"}


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_what_is_required_must_be_there(name: str) -> None:
    assert list(faults({key: value for key, value in EVENT.items() if key != name})) == [f"/{name}"]


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"specversion": "0.3"}, "/specversion"),
        ({"id": ""}, "/id"),
        ({"id": 5}, "/id"),
        ({"source": "x" * 256}, "/source"),
        ({"subject": "a\x01"}, "/subject"),
        ({"time": "yesterday"}, "/time"),
        ({"time": "2026-11-21"}, "/time"),
        ({"time": "2026-13-21T09:30:00Z"}, "/time"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "/time"),
        ({"Region": "eu"}, "/Region"),
        ({"region": {"a": 1}}, "/region"),
        ({"region": 1.5}, "/region"),
        ({"count": 2**31}, "/count"),
        ({"data": 1, "data_base64": "AAE="}, "/data_base64"),
        ({"data_base64": "%%"}, "/data_base64"),
    ],
    ids=str,
)
def test_what_is_odd_is_told_with_its_place(more: dict[str, Any], pointer: str) -> None:
    assert list(faults({**EVENT, **more})) == [pointer]


@pytest.mark.parametrize("value", [None, [], "x", 5], ids=str)
def test_what_is_no_object_is_no_event(value: Any) -> None:
    assert list(faults(value)) == [""]


def test_a_batch_tells_of_all_its_faults_and_of_too_many() -> None:
    with pytest.raises(InvalidRequest) as refused:
        cloudevents.of_batch([EVENT, {}, {**EVENT, "id": ""}], "a")
    assert [one.pointer for one in refused.value.details["problems"]][-1] == "/2/id"
    with pytest.raises(InvalidRequest, match="more than 1,000"):
        cloudevents.of_batch([EVENT] * 1001, "a")
    assert [one.id for one in cloudevents.of_batch([EVENT, {**EVENT, "id": "2"}], "a")] == ["1", "2"]


def binary(body: bytes, **headers: str) -> Message:
    given = [(f"ce-{name}", str(value)) for name, value in EVENT.items()]
    return cloudevents.of_headers(
        [*given, *((name.replace("_", "-"), value) for name, value in headers.items())], body, "a"
    )


def test_the_binary_mode_takes_headers_and_the_body_as_it_stands() -> None:
    message = binary(b' {"n": 1.10} ', content_type="application/json; charset=utf-8", ce_subject="caf%C3%A9")
    assert (message.data_json, message.subject) == ('{"n": 1.10}', "café")
    assert message.attributes == {"datacontenttype": "application/json; charset=utf-8"}


@pytest.mark.parametrize(
    ("body", "kind", "data"),
    [
        (b"", "application/json", None),
        (b"hi", "text/plain", "hi"),
        ("café".encode(), "text/plain", "café"),
        (b"caf\xe9", 'text/plain; charset="ISO-8859-1"', "café"),
        (b"caf\xe9", "text/plain", "Y2Fm6Q=="),
        (b"abc-", "text/plain; charset=punycode", "YWJjLQ=="),
        (b"\x00\x01", "image/png", "AAE="),
        (b"[1]", "application/vnd.x+json", [1]),
    ],
    ids=["empty", "text", "utf8", "latin", "no utf8", "odd charset", "bytes", "json"],
)
def test_a_body_is_data_by_its_content_type(body: bytes, kind: str, data: Any) -> None:
    assert binary(body, content_type=kind).data == data


def test_a_header_may_be_quoted_and_must_be_percent_encoded_text() -> None:
    assert binary(b"", ce_subject='"a \\"b\\""').subject == 'a "b"'
    assert binary(b"", ce_subject="é".encode().decode("latin-1")).subject == "é"
    for odd in ("%FF", "\xff"):
        with pytest.raises(InvalidRequest, match="/ce-subject"):
            binary(b"", ce_subject=odd)


def test_no_attribute_stands_where_the_data_does() -> None:
    with pytest.raises(InvalidRequest, match="/data"):
        binary(b"1", content_type="application/json", ce_data="x")


def test_a_body_that_should_be_json_and_is_not_is_refused() -> None:
    with pytest.raises(JsonError):
        binary(b"{", content_type="application/json")
