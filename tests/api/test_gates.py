"""The routes of the gates: which are open, what one asks, and the answer to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.domain import jsontext
from app.domain.gates import Question
from app.domain.status import Status

if TYPE_CHECKING:
    import httpx

    from tests.api.service import Service

STEP = "marketer"
FORM = {"type": "object", "required": ["approved"], "properties": {"approved": {"type": "boolean"}}}
YES = {"answer": {"approved": True}, "by": "ana"}


async def at_gate(service: Service, thread_id: str | None = None, **asked: Any) -> str:
    """A thread that is parked at a gate."""
    key, run_id = await service.park(STEP, **({} if thread_id is None else {"thread_id": thread_id}))
    texts = {name: jsontext.dumps(asked.pop(name)) for name in ("show", "form") if name in asked}
    await service.gate_book.open(key, run_id, Question(**texts, **asked))
    return key.thread_id


async def test_an_answer_is_taken_and_the_thread_looked_at(client: httpx.AsyncClient, service: Service) -> None:
    thread_id = await at_gate(service, form=FORM)
    answer = await client.post(f"/api/invoke/gates/{thread_id}/{STEP}", json=YES)
    body = answer.json()
    assert (answer.status_code, body["thread_id"], body["step_id"]) == (202, thread_id, STEP)
    assert answer.headers["location"] == body["links"]["status"] == f"/api/invoke/status/{thread_id}"
    thread = await service.reads.thread(thread_id)
    assert thread is not None
    assert thread.wake_at is not None
    assert service.hints == 1


async def test_the_driver_of_a_running_thread_is_told(client: httpx.AsyncClient, service: Service) -> None:
    thread_id = await at_gate(service)
    service.reads._tables.threads[thread_id].incarnation_id = "somebody"
    await client.post(f"/invoke/gates/{thread_id}/{STEP}", json=YES)
    [(told, wish)] = service.heeded
    assert (told, wish.startswith("look:")) == (thread_id, True)


async def test_a_gate_is_shown_whole_before_and_after_its_answer(client: httpx.AsyncClient, service: Service) -> None:
    text = "long" * 50_000
    thread_id = await at_gate(service, title="Publish?", show=text, form=FORM, assignees=("ana",), timeout=60)
    path = f"/api/invoke/gates/{thread_id}/{STEP}"
    before = (await client.get(path)).json()
    assert (before["title"], before["show"], before["form"], before["assignees"]) == ("Publish?", text, FORM, ["ana"])
    assert (before["status"], before["answer"], before["round"], before["item"]) == ("open", None, 0, None)
    await client.post(path, json={**YES, "via": "cli"})
    after = (await client.get(path)).json()
    told = {"status": "answered", "answer": {"approved": True}, "answered_by": "ana", "via": "cli"}
    assert after == {**before, **told, "answered_at": after["answered_at"]}


async def test_an_answer_that_does_not_fit_is_refused_with_pointers(
    client: httpx.AsyncClient, service: Service
) -> None:
    thread_id = await at_gate(service, form=FORM)
    answer = await client.post(f"/api/invoke/gates/{thread_id}/{STEP}", json={"answer": {"approved": "yes"}})
    body = answer.json()
    assert (answer.status_code, body["code"]) == (422, "invalid_input")
    assert [problem["pointer"] for problem in body["problems"]] == ["/approved"]


@pytest.mark.parametrize(
    "body",
    [{}, {"answer": 1, "by": "a\x00b"}, {"answer": 1, "via": "timeout"}, {"answer": 1, "via": "A B"}, {"reply": 1}],
)
async def test_a_body_that_does_not_hold_is_refused(client: httpx.AsyncClient, service: Service, body: Any) -> None:
    thread_id = await at_gate(service)
    answer = await client.post(f"/api/invoke/gates/{thread_id}/{STEP}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_the_second_answer_gets_the_standing_one(client: httpx.AsyncClient, service: Service) -> None:
    thread_id = await at_gate(service)
    path = f"/api/invoke/gates/{thread_id}/{STEP}"
    assert (await client.post(path, json={"answer": None})).status_code == 202
    again = await client.post(path, json=YES)
    body = again.json()
    assert (again.status_code, body["code"], body["answer"], body["via"]) == (409, "gate_answered", None, "api")


async def test_what_is_not_there_is_told_apart(client: httpx.AsyncClient, service: Service) -> None:
    thread_id = await at_gate(service)
    for path, code in [
        (f"nobody/{STEP}", "thread_not_found"),
        (f"{thread_id}/analyst", "gate_not_found"),
        (f"{thread_id}/a%00b", "gate_not_found"),
        ("not..%20one/analyst", "thread_not_found"),
    ]:
        for answer in (
            await client.post(f"/api/invoke/gates/{path}", json=YES),
            await client.get(f"/api/invoke/gates/{path}"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, code), path


async def test_a_round_can_be_named(client: httpx.AsyncClient, service: Service) -> None:
    thread_id = await at_gate(service)
    first = await service.gates.find(thread_id, STEP)
    await service.gate_book.open(replace(first.key, round=1), first.run_id, Question(title="second"))
    path = f"/api/invoke/gates/{thread_id}/{STEP}"
    assert (await client.get(path)).json()["round"] == 0  # who was asked first answers first
    assert (await client.get(path, params={"round": 1})).json()["title"] == "second"
    assert (await client.post(path, json={"answer": 2, "round": 1})).status_code == 202
    assert (await client.post(path, json={"answer": 0})).status_code == 202
    found = (await client.get(f"/api/invoke/gates/{thread_id}")).json()["gates"]
    assert [(one["round"], one["answer"]) for one in found] == [(1, 2), (0, 0)]
    missing = await client.post(path, json={"answer": 2, "round": 7})
    assert missing.json()["code"] == "gate_not_found"


async def test_open_gates_are_listed_in_pages_and_by_assignee(client: httpx.AsyncClient, service: Service) -> None:
    threads = [await at_gate(service, assignees=("ana",) if n == 1 else ()) for n in range(3)]
    first = (await client.get("/api/gates", params={"limit": 2})).json()
    rest = (await client.get("/api/gates", params={"cursor": first["next_cursor"]})).json()
    assert [one["thread_id"] for one in first["gates"] + rest["gates"]] == threads[::-1]
    assert rest["next_cursor"] is None
    mine = (await client.get("/api/gates", params={"assignee": "ana"})).json()["gates"]
    assert [one["thread_id"] for one in mine] == [threads[1]]
    await client.post(f"/api/invoke/gates/{threads[1]}/{STEP}", json=YES)
    assert (await client.get("/api/gates", params={"assignee": "ana"})).json()["gates"] == []


@pytest.mark.parametrize("cursor", ["x", "WzFd", "WyJ4IiwiYSIsImIiLCJjIiwwLDBd"])
async def test_a_cursor_of_something_else_is_refused(client: httpx.AsyncClient, cursor: str) -> None:
    assert (await client.get("/api/gates", params={"cursor": cursor})).status_code == 422


async def test_a_gate_whose_thread_has_ended_is_closed(client: httpx.AsyncClient, service: Service) -> None:
    thread_id = await at_gate(service)
    service.reads._tables.threads[thread_id].status = Status.CANCELLED
    [found] = (await client.get(f"/api/invoke/gates/{thread_id}")).json()["gates"]
    assert found["status"] == "closed"
    assert (await client.get("/api/gates")).json()["gates"] == []
    answer = await client.post(f"/api/invoke/gates/{thread_id}/{STEP}", json=YES)
    assert (answer.status_code, answer.json()["code"]) == (409, "gate_closed")


async def test_the_status_shows_what_a_step_asks(client: httpx.AsyncClient, service: Service) -> None:
    thread_id = await at_gate(service, title="Publish?", show={"draft": 1}, form=FORM)
    steps = {step["id"]: step for step in (await client.get(f"/api/invoke/status/{thread_id}")).json()["steps"]}
    asked = {"round": 0, "title": "Publish?", "show": {"draft": 1}, "form": FORM, "assignees": [], "timeout_at": None}
    assert (steps[STEP]["status"], steps[STEP]["gate"]) == ("waiting", asked)
    assert "gate" not in steps["analyst"]
