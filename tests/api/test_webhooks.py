"""Webhooks over the API, on a whole engine with a receiver that really listens."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.real import Real, open_real
from tests.receiver import Got, Receiver
from tests.unit.engine.house import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
HEADER = "Bearer geheim-geheim-geheim"
ONE = {"name": "one", "steps": [{"id": "a", "sleep": "1ms"}]}
ALL = ["workflow.>"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture
async def real() -> AsyncGenerator[Real]:
    async with open_real(http_allow_private=True, webhook_retries=(0.05,) * 50) as found:
        yield found


async def came(receiver: Receiver, number: int) -> list[Got]:
    """What was taken, once it is so many."""
    await asyncio.to_thread(receiver.wait, number, PATIENCE)
    return receiver.taken


async def created(real: Real, receiver: Receiver, **more: Any) -> dict[str, Any]:
    return await real.post("/api/webhooks", {"url": f"{receiver.url}/all", **more}, expect=201)


async def until(real: Real, path: str, holds: Any, **params: Any) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while not holds(found := await real.get(path, **params)):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.01)
    return found


# ---- endpoints
async def test_an_endpoint_is_told_of_ends_and_its_signature_holds(real: Real, receiver: Receiver) -> None:
    made = await created(real, receiver, description="ours")
    status = await real.run(ONE, {"x": 1})
    [got] = await came(receiver, 1)
    told = got.verified(made["secret"])
    assert (told["type"], told["subject"]) == ("backstitch.workflow_complete", status["thread_id"])
    assert (told["data"]["workflow"], told["data"]["seq"]) == ("one", status["last_seq"])
    assert got.headers["content-type"] == "application/json"
    found = await until(real, f"/api/webhooks/{made['id']}/deliveries", lambda one: one["deliveries"][0]["ended_at"])
    [listed] = found["deliveries"]
    assert (listed["id"], listed["status"], listed["tries"][0]["status_code"]) == (got.id, "delivered", 204)
    whole = await real.get(f"/api/webhooks/deliveries/{got.id}")
    assert whole["body"] == told


async def test_the_events_of_a_thread_come_in_their_order(real: Real, receiver: Receiver) -> None:
    await created(real, receiver, topics=ALL)
    status = await real.run({"name": "two", "steps": [{"id": "a", "sleep": "1ms"}, {"id": "b", "sleep": "1ms"}]})
    got = await came(receiver, status["last_seq"])
    assert [one.event[1] for one in got] == list(range(1, status["last_seq"] + 1))


async def test_what_is_secret_is_told_once_and_shown_nowhere(
    real: Real, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    receiver.answer = lambda got: (200, {}, json.dumps(got.headers).encode())  # which holds what was sent along
    made = await created(real, receiver, secret=SECRET, headers={"Authorization": HEADER})
    assert (made["secret"], made["headers"]) == (SECRET, {"Authorization": "***"})
    status = await real.run(ONE)
    [got] = await came(receiver, 1)
    assert got.headers["authorization"] == HEADER
    one = f"/api/webhooks/{made['id']}"
    changed = (await real.http.patch(one, json={"description": "d"})).json()
    shown = [
        changed,
        await until(real, f"{one}/deliveries", lambda found: found["deliveries"][0]["tries"]),
        *[await real.get(path) for path in ("/api/webhooks", one, f"/api/webhooks/deliveries/{got.id}", "/api/logs")],
        await real.post(f"{one}/test", expect=200),
        await real.get("/api/webhooks/deliveries", thread_id=status["thread_id"]),
        await real.get("/api/events"),
        (await real.http.get("/metrics")).text,
        caplog.text,
    ]
    text = json.dumps(shown)
    for secret in (SECRET, SECRET[6:], HEADER, "geheim-geheim"):
        assert secret not in text


async def test_a_change_changes_what_is_given_and_a_masked_header_stays(real: Real, receiver: Receiver) -> None:
    made = await created(real, receiver, headers={"A": "1", "B": "2"}, topics=["x.y"], workflows=["one"])
    one = f"/api/webhooks/{made['id']}"
    body = {"headers": {"A": "***", "C": "3"}, "topics": ALL, "workflows": None}
    changed = (await real.http.patch(one, json=body)).json()
    assert changed["headers"] == {"A": "***", "C": "***"}
    assert (changed["topics"], changed["workflows"], changed["url"]) == (ALL, [], made["url"])
    await real.run(ONE)
    headers = (await came(receiver, 1))[0].headers
    assert (headers["a"], headers.get("b"), headers["c"]) == ("1", None, "3")


async def test_one_that_is_disabled_is_told_nothing_and_one_that_is_deleted_is_gone(
    real: Real, receiver: Receiver
) -> None:
    off, gone, kept = [await created(real, receiver, topics=ALL) for _ in range(3)]
    one = f"/api/webhooks/{gone['id']}"
    await real.http.patch(f"/api/webhooks/{off['id']}", json={"enabled": False})
    assert (await real.http.delete(one)).json() == {"id": gone["id"], "deleted": True}
    status = await real.run(ONE)
    for got in await came(receiver, status["last_seq"]):
        got.verified(kept["secret"])
    for method, path in (
        ("GET", one),
        ("DELETE", one),
        ("PATCH", one),
        ("POST", f"{one}/test"),
        ("POST", f"{one}/rotate"),
    ):
        answer = await real.http.request(method, path, json={} if method != "GET" else None)
        assert (answer.status_code, answer.json()["code"]) == (404, "webhook_not_found")


async def test_a_rotated_secret_and_the_one_before_both_verify(real: Real, receiver: Receiver) -> None:
    made = await created(real, receiver)
    rotated = await real.post(f"/api/webhooks/{made['id']}/rotate", {"overlap": "1h"}, expect=200)
    assert rotated["secret"] != made["secret"]
    await real.run(ONE)
    [got] = await came(receiver, 1)
    got.verified(made["secret"])
    got.verified(rotated["secret"])


async def test_a_test_is_sent_now_and_tells_what_came_back(real: Real, receiver: Receiver) -> None:
    made = await created(real, receiver, enabled=False)
    receiver.answer = lambda _: (418, {}, b"a teapot")
    found = await real.post(f"/api/webhooks/{made['id']}/test", expect=200)
    assert (found["status"], found["topic"]) == ("failed", "webhook.test")
    assert (found["tries"][0]["status_code"], found["tries"][0]["answer"]) == (418, "a teapot")
    assert found["ended_at"]
    assert receiver.got[0].verified(made["secret"])["data"] == {"webhook_id": made["id"]}
    listed = await real.get(f"/api/webhooks/{made['id']}/deliveries", status="failed")
    assert [one["id"] for one in listed["deliveries"]] == [found["id"]]


async def test_a_receiver_that_was_away_gets_all_in_order_when_it_is_back(real: Real, receiver: Receiver) -> None:
    made = await created(real, receiver, topics=ALL)
    receiver.stop()
    status = await real.run({"name": "two", "steps": [{"id": "a", "sleep": "1ms"}, {"id": "b", "sleep": "1ms"}]})
    path = f"/api/webhooks/{made['id']}"
    await until(real, path, lambda found: found["failing_since"] is not None)
    receiver.start()
    got = await came(receiver, status["last_seq"])
    assert [one.event[1] for one in got] == list(range(1, status["last_seq"] + 1))
    await until(real, path, lambda found: found["failing_since"] is None)


async def test_what_failed_is_sent_again_one_or_all_since_a_time(receiver: Receiver) -> None:
    async with open_real(http_allow_private=True, webhook_retries=(0.001,)) as real:
        made = await created(real, receiver, topics=["workflow.workflow_complete.>"])
        receiver.answer = lambda _: (500, {}, b"")
        ended = [(await real.run(ONE))["thread_id"] for _ in range(3)]
        path = f"/api/webhooks/{made['id']}/deliveries"
        found = await until(real, path, lambda found: len(found["deliveries"]) == 3, status="failed")
        failed = found["deliveries"]
        receiver.answer = lambda _: (200, {}, b"")
        first = failed[-1]
        again = await real.post(f"/api/webhooks/deliveries/{first['id']}/redeliver", expect=202)
        assert (again["id"], again["thread_id"]) == (first["id"], ended[0])
        assert [one.id for one in await came(receiver, 1)] == [first["id"]]
        body = {"since": failed[0]["at"]}
        found = await real.post(f"/api/webhooks/{made['id']}/recover", body, expect=202)
        assert found == {"webhook_id": made["id"], "recovered": 1}
        assert [one.id for one in (await came(receiver, 2))[1:]] == [failed[0]["id"]]


async def test_nothing_is_sent_again_to_one_that_is_disabled(real: Real, receiver: Receiver) -> None:
    made = await created(real, receiver)
    sent = await real.post(f"/api/webhooks/{made['id']}/test", expect=200)
    await real.http.patch(f"/api/webhooks/{made['id']}", json={"enabled": False})
    found = await real.post(f"/api/webhooks/deliveries/{sent['id']}/redeliver", expect=409)
    assert found["code"] == "webhook_disabled"
    since = {"since": "2026-01-01T00:00:00Z"}
    assert (await real.post(f"/api/webhooks/{made['id']}/recover", since, expect=409))["code"] == "webhook_disabled"


async def test_one_that_answers_410_is_disabled_and_says_why(real: Real, receiver: Receiver) -> None:
    made = await created(real, receiver)
    receiver.answer = lambda _: (410, {}, b"")
    await real.run(ONE)
    found = await until(real, f"/api/webhooks/{made['id']}", lambda found: not found["enabled"])
    assert "410" in found["disabled_reason"]
    parts = (await real.get("/api/health"))["parts"]
    assert parts["webhooks"]["status"] in {"ready", "degraded"}
    again = (await real.http.patch(f"/api/webhooks/{made['id']}", json={"enabled": True})).json()
    assert (again["enabled"], again["disabled_reason"]) == (True, None)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"url": "ftp://x.example"}, "/url"),
        ({"url": "http://user:word@127.0.0.1/"}, "/url"),
        ({"url": "https://x.example/?api_key=abcdefghijkl"}, "/url"),
        ({"url": "https://x.example", "topics": ["a..b"]}, "/topics/0"),
        ({"url": "https://x.example", "topics": ["workflow_failed"]}, "/topics/0"),
        ({"url": "https://x.example", "topics": ["workflow.failed.>"]}, "/topics/0"),
        ({"url": "https://x.example", "topics": []}, "/topics"),
        ({"url": "https://x.example", "headers": {"Webhook-Id": "1"}}, "/headers"),
        ({"url": "https://x.example", "headers": {"Host": "y"}}, "/headers"),
        ({"url": "https://x.example", "headers": {"a b": "y"}}, "/headers"),
        ({"url": "https://x.example", "headers": {"a": "***"}}, "/headers"),
        ({"url": "https://x.example", "headers": {"a": " geheim"}}, "/headers"),
        ({"url": "https://x.example", "headers": {"a": "1", "A": "2"}}, "/headers"),
        ({"url": "https://x.example", "secret": "geheim"}, "/secret"),
        ({"url": "https://x.example", "nonsense": 1}, "/nonsense"),
        ({}, "/url"),
    ],
)
async def test_what_does_not_hold_is_refused_with_its_place(real: Real, body: dict[str, Any], pointer: str) -> None:
    answer = await real.http.post("/api/webhooks", json=body)
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["pointer"] == pointer
    assert "geheim" not in answer.text
    assert "abcdefghijkl" not in answer.text


async def test_a_private_address_is_refused_unless_the_service_allows_it(receiver: Receiver) -> None:
    async with open_real() as real:
        found = await real.post("/api/webhooks", {"url": receiver.url}, expect=422)
        assert "HTTP_ALLOW_PRIVATE" in found["detail"]
        found = await real.post("/api/invoke/async", {"workflow": ONE, "webhook": receiver.url}, expect=422)
        assert found["problems"][0]["pointer"] == "/webhook/url"


async def test_there_may_be_no_more_than_a_hundred(real: Real, receiver: Receiver) -> None:
    for _ in range(100):
        await created(real, receiver)
    found = await real.post("/api/webhooks", {"url": receiver.url}, expect=409)
    assert found["code"] == "too_many_webhooks"
    first = await real.get("/api/webhooks", limit=60)
    rest = await real.get("/api/webhooks", limit=60, cursor=first["next_cursor"])
    assert (len(first["webhooks"]), len(rest["webhooks"]), rest["next_cursor"]) == (60, 40, None)


# ---- the webhook of a start
async def test_a_start_may_bring_its_own_for_its_thread_alone(real: Real, receiver: Receiver) -> None:
    hook = {"url": f"{receiver.url}/mine", "secret": SECRET, "events": ["*"], "headers": {"X-A": "b"}}
    mine = await real.post("/api/invoke?timeout=20s", {"workflow": ONE, "webhook": hook}, expect=200)
    await real.run(ONE)
    got = await came(receiver, mine["last_seq"])
    assert [one.event for one in got] == [(mine["thread_id"], seq) for seq in range(1, mine["last_seq"] + 1)]
    assert {(one.path, one.headers["x-a"]) for one in got} == {("/mine", "b")}
    for one in got:
        one.verified(SECRET)
    found = await real.get("/api/webhooks/deliveries", thread_id=mine["thread_id"], limit=2)
    assert [one["seq"] for one in found["deliveries"]] == [mine["last_seq"], mine["last_seq"] - 1]
    rest = await real.get("/api/webhooks/deliveries", thread_id=mine["thread_id"], cursor=found["next_cursor"])
    assert len(rest["deliveries"]) == mine["last_seq"] - 2
    assert (await real.get("/api/webhooks"))["webhooks"] == []


async def test_a_start_that_says_only_where_is_told_of_its_end_signed_by_the_service(
    real: Real, receiver: Receiver
) -> None:
    told = await real.post("/api/webhooks/default/rotate", expect=200)
    status = await real.post("/api/invoke?timeout=20s", {"workflow": ONE, "webhook": receiver.url}, expect=200)
    [got] = await came(receiver, 1)
    assert got.verified(told["secret"])["data"]["event"] == "workflow_complete"
    assert got.event[0] == status["thread_id"]


async def test_a_task_may_bring_one_too(real: Real, receiver: Receiver) -> None:
    found = await real.post("/api/tasks", {"agent": "writer", "input": {}, "webhook": receiver.url})
    assert (await came(receiver, 1))[0].event[0] == found["task_id"]


async def test_a_thread_that_is_run_anew_tells_the_new_one_and_one_that_goes_on_the_old(
    real: Real, receiver: Receiver
) -> None:
    start: dict[str, Any] = {"workflow": ONE, "thread_id": "t", "input": 1}
    await real.post("/api/invoke?timeout=20s", start | {"webhook": f"{receiver.url}/first"}, expect=200)
    await real.post("/api/invoke?timeout=20s", start, expect=200)
    await real.post("/api/invoke?timeout=20s", start | {"webhook": f"{receiver.url}/second"}, expect=200)
    got = await came(receiver, 3)
    assert sorted(one.path for one in got) == ["/first", "/first", "/second"]
    seqs = {one.path: one.event[1] for one in got}
    assert seqs["/second"] == max(seqs.values())


async def test_a_start_that_resumes_a_thread_may_bring_one(real: Real, receiver: Receiver) -> None:
    asks = {"name": "asks", "steps": [{"id": "g", "gate": {"title": "?"}}]}
    started = await real.post("/api/invoke/async", {"workflow": asks, "thread_id": "t"})
    await until(real, "/api/invoke/status/t", lambda found: found["status"] == "waiting")
    await real.post("/api/invoke/cancel/t")
    body = {"workflow": asks, "thread_id": "t", "webhook": receiver.url}
    again = await real.post("/api/invoke/async", body)
    assert again["execution_id"] != started["execution_id"]
    [got] = await came(receiver, 1)
    assert got.value["data"]["event"] == "gate_waiting"


@pytest.mark.parametrize(
    ("webhook", "pointer"),
    [
        (3, "/webhook"),
        ({}, "/webhook/url"),
        ("nowhere", "/webhook/url"),
        ({"url": "https://x.example", "events": ["no_such"]}, "/webhook/events"),
        ({"url": "https://x.example", "events": []}, "/webhook/events"),
        ({"url": "https://x.example", "secret": "geheim"}, "/webhook/secret"),
        ({"url": "https://x.example", "headers": {"webhook-id": "x"}}, "/webhook/headers"),
        ({"url": "https://x.example", "more": 1}, "/webhook/more"),
    ],
)
async def test_a_webhook_that_does_not_hold_starts_nothing(real: Real, webhook: Any, pointer: str) -> None:
    body = {"workflow": ONE, "thread_id": "t", "webhook": webhook}
    found = await real.post("/api/invoke/async", body, expect=422)
    assert found["problems"][0]["pointer"] == pointer
    assert "geheim" not in json.dumps(found)
    await real.get("/api/invoke/status/t", expect=404)


async def test_a_thread_that_is_deleted_takes_its_deliveries_with_it(real: Real, receiver: Receiver) -> None:
    receiver.answer = lambda _: (500, {}, b"")
    made = await created(real, receiver)
    status = await real.run(ONE)
    path = f"/api/webhooks/{made['id']}/deliveries"
    await until(real, path, lambda found: found["deliveries"] and found["deliveries"][0]["tries"])
    assert (await real.http.delete(f"/api/threads/{status['thread_id']}")).status_code == 200
    assert (await real.get(path))["deliveries"] == []


@pytest.mark.parametrize("path", ["/api/webhooks/x", "/api/webhooks/x/deliveries", "/api/webhooks/default"])
async def test_what_cannot_be_an_id_is_not_found(real: Real, path: str) -> None:
    assert (await real.get(path, expect=404))["code"] == "webhook_not_found"
    assert (await real.get("/api/webhooks/deliveries/x", expect=404))["code"] == "delivery_not_found"


async def test_a_message_on_any_topic_comes_to_who_wants_it(real: Real, receiver: Receiver) -> None:
    await created(real, receiver, topics=["orders.*"])
    await real.post("/api/messages/orders.paid", {"amount": 7}, expect=202)
    [got] = await came(receiver, 1)
    assert got.value["topic"] == "orders.paid"
    assert got.value["data"] == {"amount": 7}


async def test_that_an_endpoint_was_disabled_is_told_as_a_message(real: Real, receiver: Receiver) -> None:
    await created(real, receiver, topics=["webhook.disabled"])
    gone = await real.post("/api/webhooks", {"url": f"{receiver.url}/gone", "topics": ["orders.*"]}, expect=201)
    receiver.answer = lambda got: (410 if got.path == "/gone" else 204, {}, b"")
    await real.post("/api/messages/orders.paid", {"amount": 7}, expect=202)
    taken = await came(receiver, 1)
    assert [one.value["data"]["webhook_id"] for one in taken if one.path == "/all"] == [gone["id"]]
