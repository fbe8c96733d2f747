"""Odd values: taken without loss or refused with 4xx; never a 500, and never a thread that hangs."""

from __future__ import annotations

import json
import math
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance import sse
from tests.acceptance.functions import HOPELESS, ODD
from tests.acceptance.service import digest
from tests.acceptance.test_start import ASYNC, ONE, refused

if TYPE_CHECKING:
    from tests.acceptance.service import Service

LOSSLESS = {
    "nul": '{"text": "a\\u0000b", "k\\u0000ey": 1}',
    "ten to the 30th": "1000000000000000000000000000000",
    "negative, big": "[-123456789012345678901234567890]",
    "more than 64 bits": "18446744073709551616",
    "unsigned 64 bits": "18446744073709551615",
    "emoji": '"\U0001f468\u200d\U0001f469\u200d\U0001f467 \\ud83d\\ude00"',
    "line separators": '"\\u2028\\u2029\\r\\n\\u0085"',
    "control": '"\\u0001\\u001f\\u007f"',
    "deep": "[" * 150 + "]" * 150,
    "empty keys": '{"": {"": ""}}',
    "looks like markup": '"<script>{{input}} {{x}}</script>"',
    "key order": '{"b": 1, "a": 2, "10": 3, "9": 4}',
    "float": "[0.1, 1e-300, 5e-324, 1.7976931348623157e308]",
    "the word null": '["null", null, "NaN"]',
    "3,000 digits": "7" * 3_000,
    "long": json.dumps("ä" * 100_000),
}
REFUSED = {
    "NaN": "NaN",
    "infinity": "[-Infinity]",
    "beyond a double": "1e999",
    "lone surrogate": '"\\ud800"',
    "lone surrogate in a key": '{"\\udfff": 1}',
    "too deep": "[" * 100_000 + "]" * 100_000,
    "5,000 digits": "7" * 5_000,
    "cut": '{"a": ',
    "two values": "1 2",
    "comment": "1 /* one */",
    "single quotes": "{'a': 1}",
    "trailing comma": "[1,]",
}


def body(value: str) -> bytes:
    """A start with this text as its input."""
    return f'{{"workflow": {json.dumps(ONE)}, "input": {value}}}'.encode()


@pytest.mark.parametrize("name", LOSSLESS)
def test_an_odd_input_comes_back_as_it_was(service: Service, name: str) -> None:
    answer = service.http.post(ASYNC, content=body(LOSSLESS[name]))
    assert answer.status_code == 202, answer.text
    done = service.until(answer.json()["thread_id"])
    wanted = json.loads(LOSSLESS[name])
    assert done["status"] == "completed", done["error"]
    assert done["output"] == {"only": wanted}
    assert list(done["output"]["only"]) == list(wanted) if isinstance(wanted, dict) else True
    execution = service.get(f"/api/workflow/execution/{done['execution_id']}")
    assert digest(execution["execution"]["input"]) == digest(wanted)
    assert digest(execution["steps"][0]["output"]) == digest(wanted)
    state = service.get(f"/api/invoke/history/{done['thread_id']}/2")["state"]
    assert digest(state["input"]) == digest(state["steps"]["only"]["output"]) == digest(wanted)
    last = sse.whole(service, done["thread_id"])[-1]["data"]["result"]
    assert last == {"only": wanted} or last["truncated"] is True


@pytest.mark.parametrize("name", REFUSED)
def test_what_json_cannot_carry_is_refused(service: Service, name: str) -> None:
    refused(service.http.post(ASYNC, content=body(REFUSED[name])), 400, "invalid_json")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"\x00",
        b"\xff\xfe",
        body('"').replace(b'"input": "', b'"input": "\xc3\x28"'),
        body('"').replace(b'"input": "', b'"input": "\xed\xa0\x80"'),
        b'\xef\xbb\xbf{"workflow": "x"}',
        "{}".encode("utf-16"),
        b"workflow=one",
    ],
)
def test_what_is_no_utf_8_json_is_refused(service: Service, raw: bytes) -> None:
    refused(service.http.post(ASYNC, content=raw), 400, "invalid_json")


def test_odd_values_elsewhere_are_kept_or_refused_but_never_500(service: Service) -> None:
    odd: list[Any] = ["a\x00b", "\U0001f600", 10**30, -1, True, [], {}, {"\x00": 1}, None, "x" * 10_000]
    fields = [
        "workflow",
        "input",
        "thread_id",
        "triggered_by",
        "external_run_id",
        "priority",
        "queue",
        "delay",
        "context",
    ]
    for field in fields:
        for value in odd:
            answer = service.http.post(ASYNC, json={"workflow": ONE, field: value})
            assert answer.status_code < 500, f"{field}={str(value)[:20]!r}: {answer.text}"
    thread = service.run(ONE, 1)["thread_id"]
    for route, name in [
        ("resume", "from_step"),
        ("resume", "skip"),
        ("resume", "overrides"),
        ("resume", "expected_version"),
        ("rollback", "to_version"),
        ("rollback", "reason"),
        ("rollback", "context"),
        ("rollback", "overrides"),
        ("cancel", "reason"),
    ]:
        for value in odd:
            given = {name: value} if name == "to_version" or route != "rollback" else {"to_version": 2, name: value}
            answer = service.http.post(f"/api/invoke/{route}/{thread}", json=given)
            assert answer.status_code < 500, f"{route} {name}={str(value)[:20]!r}: {answer.text}"
    assert service.until(thread)["status"] in ("completed", "cancelled", "failed")


def test_an_odd_context_and_names_with_nul_are_kept(service: Service) -> None:
    step = {"id": "a", "python": "echo", "input": "{context.odd}", "assign": "kept"}
    document = {"name": "odd-context", "steps": [step]}
    context = {"odd": {"nul\x00": "\x00", "big": 10**30}, "\x00": 1, "": 2}
    done = service.run(document, context=context)
    assert done["output"] == {"a": context["odd"]}
    found = service.get(f"/api/workflow/execution/{done['execution_id']}")["execution"]["context"]
    assert found == {**context, "kept": context["odd"]}
    state = service.get(f"/api/invoke/history/{done['thread_id']}/2")["state"]
    assert state["context"] == {**context, "kept": context["odd"]}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_result_of_a_step_is_kept(service: Service, name: str) -> None:
    steps = [
        {"id": "a", "python": "odd", "input": {"what": name}, "assign": "odd"},
        {"id": "b", "python": "echo", "input": {"again": "{a.output}", "text": "<{a.output}>"}},
    ]
    done = service.run({"name": "odd", "steps": steps})
    assert done["status"] == "completed", done["error"]
    assert done["output"]["b"]["again"] == ODD[name]
    assert digest(done["output"]["b"]["again"]) == digest(ODD[name])


@pytest.mark.parametrize("name", HOPELESS)
def test_a_result_that_json_cannot_carry_fails_its_step(service: Service, name: str) -> None:
    done = service.run({"name": "hopeless", "steps": [{"id": "a", "python": "odd", "input": {"what": name}}]})
    assert (done["status"], done["error"]["kind"], done["error"]["step_id"]) == ("failed", "invalid_output", "a")
    assert done["steps"][0]["attempt"] == 1


def test_a_body_over_the_limit_is_413(service: Service) -> None:
    refused(service.http.post(ASYNC, content=body(json.dumps("x" * 1_000_001))), 413, "body_too_large")
    answer = service.http.post(ASYNC, content=iter([body("1")[:-1]] + [b" " * 100_000] * 15 + [b"}"]))
    refused(answer, 413, "body_too_large")


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 1000000000\r\n\r\n",
        "Content-Length: -5\r\n\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
        "Content-Length: 2\r\nIdempotency-Key: \xff\x01\r\n\r\n{}",
    ],
)
def test_a_request_that_lies_is_refused_or_cut(service: Service, head: str) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as connection:
        connection.sendall(f"POST {ASYNC} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}".encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        raw = connection.recv(65536)
    assert not raw or raw.split()[1][:1] == b"4", raw[:200]
    assert service.get("/api/health/live")["status"] == "live"


def test_the_same_odd_body_with_a_key_is_replayed(service: Service) -> None:
    key = {"Idempotency-Key": "odd-body"}
    answers = [service.http.post(ASYNC, content=body(LOSSLESS["nul"]), headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["thread_id"] == answers[1].json()["thread_id"]


def test_numbers_keep_their_kind(service: Service) -> None:
    done = service.run(ONE, [1, 1.0, True, -0.0, 2**53 + 1])
    found = done["output"]["only"]
    assert [type(one) for one in found] == [int, float, bool, float, int]
    assert math.copysign(1, found[3]) == -1
    assert found[4] == 2**53 + 1
