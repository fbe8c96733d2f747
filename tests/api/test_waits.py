"""The routes of waits and signals: what waits for what, what a thread was sent, and sending it something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.domain import jsontext
from app.domain.waits import Awaited, Taken

if TYPE_CHECKING:
    import httpx

    from tests.api.service import Service

STEP = "marketer"


async def a_wait(service: Service, thread_id: str | None = None, **wanted: Any) -> str:
    """A thread that is parked at a wait."""
    key, run_id = await service.park(STEP, **({} if thread_id is None else {"thread_id": thread_id}))
    await service.wait_book.open(key, run_id, Awaited(**(wanted or {"topic": "orders.42.paid"})))
    return key.thread_id


async def test_a_signal_is_taken_and_the_thread_looked_at(client: httpx.AsyncClient, service: Service) -> None:
    thread_id = await a_wait(service, signal="go")
    answer = await client.post(f"/api/invoke/signals/{thread_id}/go?by=ana", json={"n": 1})
    body = answer.json()
    assert (answer.status_code, body["taken"], body["number"], body["name"]) == (202, True, 1, "go")
    assert answer.headers["location"] == body["links"]["status"] == f"/api/invoke/status/{thread_id}"
    thread = await service.reads.thread(thread_id)
    assert thread is not None
    assert thread.wake_at is not None
    assert service.hints == 1


async def test_a_signal_waits_for_its_step_and_may_be_anything(client: httpx.AsyncClient, service: Service) -> None:
    thread_id = await a_wait(service)
    path = f"/invoke/signals/{thread_id}"
    for body in (b"", b"null", b"7", b'"text"', b"[]", b'{"a": 1e400}', b"{"):
        answer = await client.post(f"{path}/go", content=body)
        assert answer.status_code == (202 if body not in {b'{"a": 1e400}', b"{"} else 400), body
    found = (await client.get(f"/api{path}")).json()
    assert [one["value"] for one in found["signals"]] == [None, None, 7, "text", []]
    assert {one["status"] for one in found["signals"]} == {"pending"}
    assert service.hints == 0


async def test_one_key_sends_once(client: httpx.AsyncClient, service: Service) -> None:
    path = f"/api/invoke/signals/{await a_wait(service)}"
    key = {"Idempotency-Key": "k"}
    first = await client.post(f"{path}/go", json={"a": 1, "b": 2}, headers=key)
    again = await client.post(f"{path}/go", json={"b": 2, "a": 1}, headers=key)
    assert (again.status_code, again.json(), again.headers["idempotency-replayed"]) == (202, first.json(), "true")
    for name, body in (("go", 3), ("other", {"a": 1, "b": 2})):
        refused = await client.post(f"{path}/{name}", json=body, headers=key)
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert len((await client.get(path)).json()["signals"]) == 1


@pytest.mark.parametrize(
    ("place", "status", "code"),
    [
        ("ended/go", 409, "thread_ended"),
        ("nobody/go", 404, "thread_not_found"),
        ("open/a b", 422, "invalid_request"),
        ("open/go?more=1", 422, "invalid_request"),
    ],
)
async def test_what_cannot_be_sent_is_refused(
    client: httpx.AsyncClient, service: Service, place: str, status: int, code: str
) -> None:
    await a_wait(service, "open")
    driver = await service.drive(thread_id="ended")
    await service.move(driver, driver.complete({"done": True}))
    answer = await client.post(f"/api/invoke/signals/{place}", json=1)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_signal_that_is_too_large_is_refused(client: httpx.AsyncClient, service: Service) -> None:
    answer = await client.post(f"/api/invoke/signals/{await a_wait(service)}/go", json="x" * 20_000)
    assert (answer.status_code, answer.json()["code"]) == (422, "signal_too_large")


async def test_signals_come_in_pages_and_by_their_filters(client: httpx.AsyncClient, service: Service) -> None:
    thread_id = await a_wait(service, signal="b")
    path = f"/api/invoke/signals/{thread_id}"
    for name in "abab":
        await client.post(f"{path}/{name}", json=name)
    first = (await client.get(path, params={"limit": 3})).json()
    rest = (await client.get(path, params={"cursor": first["next_cursor"]})).json()
    assert [one["number"] for one in first["signals"] + rest["signals"]] == [1, 2, 3, 4]
    assert rest["next_cursor"] is None
    [taken] = (await client.get(path, params={"pending": False})).json()["signals"]
    assert (taken["name"], taken["taken_by"]) == ("b", {"step_id": STEP, "item": None, "round": 0})
    assert [
        one["number"] for one in (await client.get(path, params={"name": "b", "pending": True})).json()["signals"]
    ] == [4]
    assert (await client.get(path, params={"cursor": "x"})).status_code == 422


async def test_what_waits_for_what_is_listed(client: httpx.AsyncClient, service: Service) -> None:
    first, second = (
        await a_wait(service, topic="t", match="message.data.ok", timeout=60),
        await a_wait(service, signal="go"),
    )
    page = (await client.get("/api/waits", params={"limit": 1})).json()
    rest = (await client.get("/api/waits", params={"cursor": page["next_cursor"]})).json()
    assert [one["thread_id"] for one in page["waits"] + rest["waits"]] == [second, first]
    [wait] = (await client.get("/api/waits", params={"topic": "t", "open": True, "thread_id": first})).json()["waits"]
    assert (wait["status"], wait["match"], wait["signal"], wait["message"]) == ("open", "message.data.ok", None, None)
    [key] = [key for key in service.reads._tables.waits if key.thread_id == first]
    await service.wait_book.take(key, Taken(digest=b"1", answer_json=jsontext.dumps({"id": "1"}), by="shop"))
    [taken] = (await client.get("/api/waits", params={"open": False})).json()["waits"]
    assert (taken["status"], taken["message"], taken["by"], taken["via"]) == ("taken", {"id": "1"}, "shop", "message")


async def test_no_gate_is_listed_among_waits_nor_a_wait_among_gates(
    client: httpx.AsyncClient, service: Service
) -> None:
    thread_id = await a_wait(service)
    assert (await client.get("/api/gates")).json()["gates"] == []
    assert (await client.get(f"/api/invoke/gates/{thread_id}")).json()["gates"] == []


async def test_the_status_tells_what_a_step_waits_for(client: httpx.AsyncClient, service: Service) -> None:
    thread_id = await a_wait(service, topic="t", match="message.data.ok")
    steps = {one["id"]: one for one in (await client.get(f"/api/invoke/status/{thread_id}")).json()["steps"]}
    told = steps[STEP]["waits_for"]
    assert (told["topic"], told["signal"], told["match"], told["timeout_at"]) == ("t", None, "message.data.ok", None)
    assert "waits_for" not in steps["analyst"]
