"""What the client asks again and what it does not, and what it says when it is not answered by a Backstitch."""

from __future__ import annotations

import logging
import pickle
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.client import AddressError, ApiError, Backstitch, UnreachableError, WorkflowFailed
from app.client.schedules import Schedules
from app.client.webhooks import Webhooks
from tests.client.wire import ACCEPTED, FAILED, THREAD, Wire, refusal, status_of

CUT = httpx.ReadError("cut")
REFUSED = httpx.ConnectError("refused")


async def test_a_start_that_was_cut_off_is_sent_again_with_its_key() -> None:
    wire = Wire(CUT, httpx.Response(202, json=ACCEPTED))
    async with wire.client() as service:
        thread = await service.start("post", {"topic": "sewing"}, triggered_by="me")
    first, second = wire.asked
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert wire.bodies == [{"workflow": "post", "input": {"topic": "sewing"}, "triggered_by": "me"}] * 2
    assert (thread.thread_id, thread.accepted) == (THREAD, ACCEPTED)


async def test_every_start_has_a_key_of_its_own_or_the_one_given() -> None:
    wire = Wire(httpx.Response(202, json=ACCEPTED))
    async with wire.client() as service:
        for key in (None, None, "mine"):
            await service.start("post", idempotency_key=key)
    keys = [one.headers["idempotency-key"] for one in wire.asked]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


async def test_a_start_whose_first_try_is_still_handled_is_asked_again() -> None:
    wire = Wire(CUT, refusal(409, "idempotency_key_in_flight"), httpx.Response(202, json=ACCEPTED))
    async with wire.client() as service:
        await service.start("post")
    assert len(wire.asked) == 3


@pytest.mark.parametrize("fault", [CUT, REFUSED, refusal(502), refusal(503), refusal(504), refusal(429)])
async def test_what_only_reads_is_asked_again(fault: Any) -> None:
    wire = Wire(fault, httpx.Response(200, json=status_of()))
    async with wire.client() as service:
        assert (await service.status(THREAD))["status"] == "completed"


@pytest.mark.parametrize("fault", [REFUSED, refusal(429)])
async def test_what_was_not_taken_in_is_sent_again(fault: Any) -> None:
    wire = Wire(fault, httpx.Response(202, json=status_of()))
    async with wire.client() as service:
        await service.thread(THREAD).cancel()
    assert len(wire.asked) == 2


async def test_what_may_have_been_done_is_not_done_again() -> None:
    wire = Wire(CUT)
    async with wire.client(retry_for=1) as service:
        with pytest.raises(UnreachableError) as cut:
            await service.thread(THREAD).rollback(2)
        wire.answers = [refusal(503)]
        with pytest.raises(ApiError):
            await service.thread(THREAD).resume()
    assert cut.value.sent
    assert len(wire.asked) == 2


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500])
async def test_a_refusal_for_good_is_raised_at_once(status: int) -> None:
    wire = Wire(refusal(status, "no"))
    async with wire.client() as service:
        with pytest.raises(ApiError) as refused:
            await service.status(THREAD)
    assert (len(wire.asked), refused.value.status, refused.value.code) == (1, status, "no")


async def test_asking_again_ends_with_the_time_for_it() -> None:
    wire = Wire(REFUSED)
    async with wire.client(retry_for=0.5) as service:
        with pytest.raises(UnreachableError, match="refused") as error:
            await service.status(THREAD)
    assert 2 <= len(wire.asked) < 10
    assert error.value.__notes__ == ["asked: GET http://service/api/invoke/status/t-1"]


@pytest.mark.parametrize("date", [False, True], ids=["seconds", "date"])
async def test_a_pause_that_is_longer_than_the_time_left_is_not_waited_for(date: bool) -> None:
    said = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True) if date else "3600"
    wire = Wire(refusal(429, "queue_full", retry_after=said))
    async with wire.client() as service:
        with pytest.raises(ApiError) as refused:
            await service.status(THREAD)
    assert len(wire.asked) == 1
    assert refused.value.retry_after == pytest.approx(3600, abs=600)


async def test_a_pause_that_cannot_be_read_is_none() -> None:
    wire = Wire(refusal(503, retry_after="soon"))
    async with wire.client(retry_for=0) as service:
        with pytest.raises(ApiError) as refused:
            await service.status(THREAD)
    assert refused.value.retry_after is None


async def test_an_outage_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    wire = Wire(REFUSED, REFUSED, httpx.Response(200, json=status_of()))
    with caplog.at_level(logging.WARNING, "backstitch.client"):
        async with wire.client() as service:
            await service.status(THREAD)
    assert [record.getMessage() for record in caplog.records] == [
        "http://service: refused; asking again for 30 s at most"
    ]


async def test_a_service_that_answers_without_words_is_told_by_the_kind_of_error() -> None:
    async with Wire(httpx.ReadTimeout("")).client(retry_for=0) as service:
        with pytest.raises(UnreachableError, match="ReadTimeout"):
            await service.status(THREAD)


@pytest.mark.parametrize("url", ["localhost:8000", "service", "ftp://service", "http://", "http://[", ""])
def test_what_is_no_address_is_told_at_once(url: str) -> None:
    with pytest.raises(AddressError):
        Backstitch(url)


async def test_an_address_that_httpx_does_not_take_is_told_too() -> None:
    async with Wire(httpx.UnsupportedProtocol("what is that")).client() as service:
        with pytest.raises(AddressError):
            await service.status(THREAD)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (httpx.Response(200, html="<h1>Sign in</h1>"), "text/html; charset=utf-8: <h1>Sign in</h1>"),
        (httpx.Response(404, json={"detail": "Not Found"}), 'application/json: {"detail":"Not Found"}'),
        (
            httpx.Response(307, headers={"location": "https://service/"}),
            "without a type and points to https://service/",
        ),
        (httpx.Response(200, text="x" * 500), "xxx..."),
        (httpx.Response(200), "http://service/api/invoke/status/t-1 answered without a type"),
    ],
)
async def test_another_program_at_the_address_is_recognised(answer: httpx.Response, told: str) -> None:
    async with Wire(answer).client() as service:
        with pytest.raises(ApiError, match="Not an answer of Backstitch") as refused:
            await service.status(THREAD)
    assert told in str(refused.value)


async def test_a_route_that_an_older_service_has_not_is_told_as_such() -> None:
    async with Wire(refusal(404, "not_found")).client() as service:
        with pytest.raises(ApiError, match="knows no GET /api/new; is it of another release"):
            await service.request("GET", "/api/new")


async def test_headers_go_with_every_request_and_a_path_before_every_route() -> None:
    wire = Wire(httpx.Response(200, json={}))
    transport = httpx.MockTransport(wire)
    async with Backstitch("https://host/flows/", headers={"Authorization": "Bearer x"}, transport=transport) as service:
        await service.execution("e/1")
    assert str(wire.asked[0].url) == "https://host/flows/api/workflow/execution/e%2F1"
    assert wire.asked[0].headers["authorization"] == "Bearer x"


async def test_times_are_sent_as_the_service_reads_them() -> None:
    wire = Wire(httpx.Response(200, json={"executions": [], "next_cursor": None}))
    since = datetime(2026, 11, 21, 12, tzinfo=timezone(timedelta(hours=2)))
    async with wire.client() as service:
        await service.executions(since=since, until="2026-11-22", status=None)
    assert dict(wire.asked[0].url.params) == {"since": "2026-11-21T10:00:00+00:00", "until": "2026-11-22"}


async def test_ready_waits_until_the_service_can_work() -> None:
    starting = httpx.Response(503, json={"status": "unavailable", "parts": {}})
    wire = Wire(REFUSED, starting, httpx.Response(200, json={"status": "ready"}))
    async with wire.client() as service:
        assert (await service.ready())["status"] == "ready"
        wire.answers = [starting]
        with pytest.raises(ApiError) as refused:
            await service.ready(timeout=0)
        wire.answers = [refusal(404, "not_found")]
        with pytest.raises(ApiError):
            await service.ready()
    assert refused.value.problem["status"] == "unavailable"


async def test_the_password_in_an_address_is_sent_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    wire = Wire(REFUSED, httpx.Response(200, html="<p>"))
    transport = httpx.MockTransport(wire)
    async with Backstitch("https://ana:sesame@service/flows", transport=transport) as service:
        with caplog.at_level(logging.WARNING, "backstitch.client"), pytest.raises(ApiError) as refused:
            await service.status(THREAD)
        told = [service.url, repr(service.thread(THREAD)), str(refused.value), *refused.value.__notes__, caplog.text]
    assert wire.asked[0].headers["authorization"].startswith("Basic ")
    assert service.url == "https://service/flows"
    assert all("service/flows" in one and "sesame" not in one for one in told)
    with pytest.raises(AddressError) as wrong:
        Backstitch("ana:sesame@service:8000")
    assert "sesame" not in str(wrong.value)


@pytest.mark.parametrize("name", ["../schedules/x", "..", ".", "a/b?c#d", "ü@2"])
async def test_a_name_cannot_lead_to_another_route(name: str) -> None:
    wire = Wire(httpx.Response(200, json={}))
    async with wire.client() as service:
        await Webhooks(service).delete(name)
        await service.status(name)
    paths = [one.url.raw_path.decode() for one in wire.asked]
    assert [path.rpartition("/")[0] for path in paths] == ["/api/webhooks", "/api/invoke/status"]
    assert all(one.url.path.endswith(f"/{name}") for one in wire.asked)


@pytest.mark.parametrize(
    "error",
    [
        ApiError(409, {"title": "No", "detail": "not now", "code": "thread_running"}, retry_after=2.0),
        UnreachableError("cut", sent=True),
        WorkflowFailed(FAILED),
    ],
)
def test_errors_reach_another_process(error: Exception) -> None:
    found = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(found), str(found), vars(found)) == (type(error), str(error), vars(error))


async def test_an_answer_that_cannot_be_unpacked_is_an_error_of_the_client() -> None:
    async with Wire(httpx.DecodingError("no gzip")).client(retry_for=0) as service:
        with pytest.raises(UnreachableError, match="no gzip"):
            await service.status(THREAD)
        with pytest.raises(UnreachableError, match="no gzip"):
            await anext(service.stream(THREAD))


async def test_times_in_a_body_are_sent_as_the_service_reads_them() -> None:
    wire = Wire(httpx.Response(200, json={}))
    async with wire.client() as service:
        await Schedules(service).preview(every="1h", after=datetime(2026, 11, 21, tzinfo=UTC))
    assert wire.bodies == [{"every": "1h", "after": "2026-11-21T00:00:00+00:00"}]


async def test_who_starts_a_file_is_told_to_register_it() -> None:
    wire = Wire(httpx.Response(202, json=ACCEPTED))
    async with wire.client() as service:
        with pytest.raises(TypeError, match=r"`workflows\.register\(path\)`"):
            await service.start(Path("post.yaml"))  # pyright: ignore[reportArgumentType]
    assert wire.asked == []
