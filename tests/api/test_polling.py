"""The long poll of a thread's events: at once when there are some, as soon as there is one, never one twice or none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from app.api import polling
from app.domain import events as names
from app.domain.status import Status
from tests.api.streams import reading
from tests.unit.engine.house import PATIENCE

if TYPE_CHECKING:
    import httpx

    from tests.api.service import Served, Service
    from tests.builders import Driver

PATH = "/api/invoke/events/thread"


@pytest.fixture
async def driver(service: Service) -> Driver:
    """A thread with one event."""
    return await service.drive(thread_id="thread")


@pytest.fixture
def only_the_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    """No later look at the table makes good for what was lost."""
    monkeypatch.setattr(polling, "_SILENCE", 60.0)


async def tell(service: Service, driver: Driver, count: int = 1) -> None:
    """Commit and publish events."""
    for _ in range(count):
        await service.move(driver, driver.event(names.STEP_PROGRESS, step_id="analyst"))


async def poll(client: httpx.AsyncClient, **params: Any) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):  # a poll that is answered when its wait is over has missed what it waits for
        answer = await client.get(PATH, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def seqs(page: dict[str, Any]) -> list[int | None]:
    return [event["seq"] for event in page["events"]]


async def waiting(service: Service) -> None:
    """Return once somebody waits for an event."""
    while not service.bus.subscribers:  # noqa: ASYNC110 - nothing tells of them
        await asyncio.sleep(0)


async def test_events_come_at_once_and_in_order(client: httpx.AsyncClient, service: Service, driver: Driver) -> None:
    await tell(service, driver, 4)
    page = await poll(client, after=1, limit=3, wait=30)
    assert (seqs(page), page["next_cursor"], page["last_seq"], page["done"]) == ([2, 3, 4], 4, 5, False)
    assert seqs(await poll(client, after=4, wait=30)) == [5]


async def test_an_event_is_told_as_soon_as_it_is_there(
    client: httpx.AsyncClient, service: Service, driver: Driver, only_the_bus: None
) -> None:
    asked = asyncio.create_task(poll(client, after=1, wait=30))
    await waiting(service)
    await tell(service, driver)
    assert seqs(await asked) == [2]
    assert service.bus.subscribers == 0


async def test_an_event_between_reading_and_waiting_is_not_lost(
    client: httpx.AsyncClient, service: Service, driver: Driver, only_the_bus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, late = service.reads.thread, [1]

    async def slow(thread_id: str) -> Any:
        found = await read(thread_id)
        if late:
            await tell(service, driver, late.pop())
        return found

    monkeypatch.setattr(service.reads, "thread", slow)
    assert seqs(await poll(client, after=1, wait=30)) == [2]


async def test_without_news_it_answers_in_time_with_the_same_cursor(client: httpx.AsyncClient, driver: Driver) -> None:
    page = await poll(client, after=1, wait="50ms")
    assert (seqs(page), page["next_cursor"], page["done"]) == ([], 1, False)


async def test_events_of_other_processes_are_found_after_a_silence(
    client: httpx.AsyncClient, service: Service, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "_SILENCE", 0.01)
    asked = asyncio.create_task(poll(client, after=1, wait=30))
    await waiting(service)
    await driver.commit(service.journal, driver.event(names.STEP_PROGRESS))
    assert seqs(await asked) == [2]


async def test_streamed_text_is_no_news(
    client: httpx.AsyncClient, service: Service, driver: Driver, only_the_bus: None
) -> None:
    asked = asyncio.create_task(poll(client, after=1, wait=30))
    await waiting(service)
    service.bus.chunk(driver.thread, "analyst", None, 1, "so ")
    await asyncio.sleep(0)
    await tell(service, driver)
    assert seqs(await asked) == [2]


async def test_a_service_that_shuts_down_does_not_wait(served: Served, driver: Driver, only_the_bus: None) -> None:
    asked = asyncio.create_task(poll(served.http, after=1, wait=30))
    await waiting(served.service)
    served.service.shutting_down.set()
    assert seqs(await asked) == []


async def test_a_thread_that_has_ended_is_done_once_all_was_told(
    client: httpx.AsyncClient, service: Service, driver: Driver
) -> None:
    await tell(service, driver)
    await service.move(driver, driver.complete(1))
    first = await poll(client, after=1, limit=1, wait=30)
    assert (seqs(first), first["status"], first["done"]) == ([2], Status.COMPLETED, False)
    last = await poll(client, after=2, wait=30)
    assert (seqs(last), last["done"]) == ([3], True)
    assert (await poll(client, after=3, wait=30))["done"] is True
    assert (await poll(client, after=99, wait=30))["next_cursor"] == 3


async def test_an_answer_is_no_longer_than_asked_but_for_one_event(
    client: httpx.AsyncClient, service: Service, driver: Driver
) -> None:
    for _ in range(3):
        await service.move(driver, driver.event(names.STEP_PROGRESS, data='{"message":"' + "x" * 800 + '"}'))
    assert seqs(await poll(client, after=1, max_bytes=1024)) == [2]
    assert seqs(await poll(client, after=1, max_bytes=2400)) == [2, 3]


async def test_events_that_are_not_kept_are_told_as_a_gap(
    client: httpx.AsyncClient, service: Service, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tell(service, driver, 4)
    read = service.reads.events

    async def holey(thread_id: str, *, after: int, limit: int = 1000) -> Any:
        return [event for event in await read(thread_id, after=after, limit=limit) if event.seq == 4]

    monkeypatch.setattr(service.reads, "events", holey)
    page = await poll(client)
    assert [(one["event"], one["seq"]) for one in page["events"]] == [("gap", None), ("step_progress", 4)]
    rest = await poll(client, after=page["next_cursor"])
    assert (rest["events"][0]["data"], rest["next_cursor"]) == ({"from_seq": 5, "to_seq": 5}, 5)


async def test_a_token_lets_in_to_its_thread_alone(served: Served, driver: Driver) -> None:
    await served.service.drive(thread_id="other")
    given = (await served.http.post("/api/invoke/token/thread", json={"ttl": "1m"})).json()
    async with reading(served.http, given["stream"]) as (answer, messages):
        assert answer.status_code == 200
        assert (await anext(messages)).event == "snapshot"
    wrong = await served.http.get("/api/invoke/stream/other", params={"token": given["token"]})
    assert (wrong.status_code, wrong.json()["code"]) == (403, "token_mismatch")


async def test_a_token_that_is_forged_or_over_is_refused(
    client: httpx.AsyncClient, service: Service, driver: Driver
) -> None:
    forged = await client.get("/api/invoke/stream/thread", params={"token": "v1.9999999999.dGhyZWFk.AAAA"})
    assert (forged.status_code, forged.json()["code"]) == (401, "token_invalid")
    assert forged.headers["www-authenticate"].startswith("Bearer")
    ticket, _ = await service.tickets.issue("thread", -1)
    over = await client.get("/api/invoke/stream/thread", params={"token": ticket})
    assert (over.status_code, over.json()["code"]) == (401, "token_expired")


async def test_a_token_is_for_a_thread_that_there_is(client: httpx.AsyncClient) -> None:
    assert (await client.post("/api/invoke/token/nobody")).status_code == 404


async def test_a_start_tells_how_long_its_workflow_took_so_far(client: httpx.AsyncClient, service: Service) -> None:
    start = {"workflow": "sewing"}
    assert (await client.post("/api/invoke/async", json=start)).json()["estimated_duration_ms"] is None
    for seconds in (1.0, 2.0, 60.0):
        service.series.execution("sewing", Status.COMPLETED, seconds)
    await service.metrics._estimates.look()
    found = (await client.post("/api/invoke/async", json={"workflow": "sewing@1"})).json()["estimated_duration_ms"]
    assert found == pytest.approx(2000, rel=0.1)
