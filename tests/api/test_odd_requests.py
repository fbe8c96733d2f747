"""Odd bodies and paths end in a problem document, never in a 500; large ones are not read to their end."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from app.domain.errors import Conflict, Unavailable
from tests.api.service import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests.api.service import Served, Service

ASYNC = "/api/invoke/async"
ODD = [
    b"",
    b" ",
    b"null",
    b"3",
    b'"text"',
    b"{",
    b"{'a': 1}",
    b'{"workflow": NaN}',
    b'{"workflow": "sewing", "input": Infinity}',
    b'{"workflow": "sewing", "input": 1e999}',
    b'{"workflow": "sewing", "input": "\\ud800"}',
    b'{"workflow": "sewing", "input": "\xed\xa0\x80"}',
    b'{"workflow": "sewing", "input": "\xff"}',
    b'{"workflow": "\\ud800", "n": 12345678901234567890}',
    b'{"workflow": "sewing", "\\ud800": 12345678901234567890}',
    b'{"workflow": "sewing", "input": ' + b"9" * 5_000 + b"}",
    b'{"workflow": "sewing", "priority": ' + b"9" * 4_000 + b"}",
    b"[" * 49_000 + b"]" * 49_000,
    b'{"a":' * 15_000 + b"1" + b"}" * 15_000,
    b"\xef\xbb\xbf{}",
    b"\x00",
    bytes(range(256)),
]
POSTS = [
    ASYNC,
    "/api/invoke",
    "/api/invoke/resume/x",
    "/api/invoke/rollback/x",
    "/api/invoke/cancel/x",
    "/api/invoke/pause/x",
    "/api/workflows",
    "/api/workflows/validate",
]


@pytest.mark.parametrize("path", POSTS[:4])
@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
async def test_an_odd_body_is_a_4xx(client: httpx.AsyncClient, path: str, body: bytes) -> None:
    answer = await client.post(path, content=body)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] != "internal_error"


async def test_mutilated_bodies_never_end_in_a_500(client: httpx.AsyncClient) -> None:
    good = b'{"workflow":"sewing","input":{"a":[1,2.5,"\\u0000",12345678901234567890]},"context":{},"thread_id":null}'
    random.seed(7)
    for number in range(400):
        body = bytearray(good)
        for _ in range(random.randint(1, 4)):
            body[random.randrange(len(body))] = random.randrange(256)
        answer = await client.post(POSTS[number % len(POSTS)], content=bytes(body))
        assert answer.status_code < 500, (bytes(body), answer.text)


@pytest.mark.parametrize("identifier", ["a%00b", "%ff%fe", "..%2f", "x" * 200, "caf%C3%A9", "%F0%9F%A7%B5"])
@pytest.mark.parametrize("path", ["/api/invoke/status/", "/api/invoke/stream/", "/api/invoke/history/"])
async def test_an_impossible_thread_id_is_not_found(client: httpx.AsyncClient, path: str, identifier: str) -> None:
    answer = await client.get(path + identifier)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("/api/workflow/executions?limit=0", "/query/limit"),
        ("/api/workflow/executions?limit=1001", "/query/limit"),
        ("/api/workflow/executions?limit=" + "9" * 5000, "/query/limit"),
        ("/api/workflow/executions?status=lost", "/query/status"),
        ("/api/workflow/executions?since=yesterday", "/query/since"),
        ("/api/workflow/executions?until=95", "/query/until"),
        ("/api/workflow/executions?since=1.39e-59", "/query/since"),
        ("/api/workflow/executions?since=0001-01-01T00:00:00%2B14:00", "/query/since"),
        ("/api/workflow/executions?workflow=a%00b", "/query/workflow"),
        ("/api/workflow/executions?nonsense=1", "/query/nonsense"),
        ("/api/workflow/executions?cursor=nonsense", "/query/cursor"),
        ("/api/workflow/executions?cursor=WzFd", "/query/cursor"),
        ("/api/workflows?cursor=%00", "/query/cursor"),
        ("/api/workflows?cursor=%C3%A9", "/query/cursor"),
        ("/api/stream?after=nonsense", "/query/after"),
        ("/api/stream?status=lost", "/query/status"),
        ("/api/invoke/stream/x?after=-1", "/query/after"),
        ("/api/invoke/history/x?cursor=-1", "/query/cursor"),
        ("/api/invoke/history/x?from_version=0", "/query/from_version"),
        ("/api/invoke/history/x/two", "/path/version"),
    ],
)
async def test_a_wrong_parameter_is_named(client: httpx.AsyncClient, path: str, pointer: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["problems"]] == [pointer]


@pytest.mark.parametrize("path", ["/api/nothing", "/nothing", "/api/workflow/execution/1", "/api/workflows/x@0"])
async def test_what_is_not_there_is_a_problem_too(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert {"type", "title", "status", "detail", "instance", "code"} <= answer.json().keys()
    assert answer.json()["instance"] == path


async def test_who_forgot_where_the_langgraph_sdk_goes_is_told(client: httpx.AsyncClient) -> None:
    assert "address ends in /langgraph" in (await client.post("/assistants/search", json={})).json()["detail"]
    told = (await client.post("/api/nothing")).json()["detail"]
    assert told == "there is no route POST /api/nothing: /api/openapi.json lists them"


async def test_a_wrong_method_names_the_right_ones(client: httpx.AsyncClient) -> None:
    answer = await client.get(ASYNC)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


async def test_a_declared_body_that_is_too_large_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post(ASYNC, content=b"x" * 100_001)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_chunks_are_counted_whatever_they_declare(client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"x" * 10_000

    answer = await client.post(ASYNC, content=chunks())
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_server_answers_413_to_a_body_of_50_megabytes(served: Served) -> None:
    answer = await served.http.post(ASYNC, content=bytes(50_000_000))
    assert answer.status_code == 413
    assert (await served.http.get("/api/health/live")).status_code == 200


async def test_a_client_that_leaves_in_the_middle_does_no_harm(served: Served) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"POST /api/invoke/async HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    await writer.drain()
    writer.close()
    assert (await served.http.get("/api/health/live")).status_code == 200


async def test_an_unexpected_error_tells_a_reference_and_nothing_else(
    client: httpx.AsyncClient, service: Service
) -> None:
    service.control.failure = RuntimeError("the password is 1234")
    answer = await client.post(ASYNC, json={"workflow": "sewing"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.json()["reference"] in answer.json()["detail"]
    assert "1234" not in answer.text


async def test_our_own_error_without_a_status_is_unexpected(client: httpx.AsyncClient, service: Service) -> None:
    service.control.failure = Refused("secret")
    answer = await client.post(ASYNC, json={"workflow": "sewing"})
    assert answer.status_code == 500
    assert "secret" not in answer.text


async def test_a_store_that_is_away_is_503_with_retry_after(client: httpx.AsyncClient, service: Service) -> None:
    service.control.failure = Unavailable("the database is away", retry_after=2.5)
    answer = await client.post(ASYNC, json={"workflow": "sewing"})
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["code"]) == (503, "3", "unavailable")


async def test_the_details_of_an_error_go_along(client: httpx.AsyncClient, service: Service) -> None:
    service.control.failure = Conflict("the head is 4", code="version_conflict", head_version=4, odd=10**30)
    answer = await client.post(ASYNC, json={"workflow": "sewing"})
    assert (answer.status_code, answer.json()["code"]) == (409, "version_conflict")
    service.control.failure = Conflict("the head is 4", code="version_conflict", head_version=4)
    assert (await client.post(ASYNC, json={"workflow": "sewing"})).json()["head_version"] == 4
