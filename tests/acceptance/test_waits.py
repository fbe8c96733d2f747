"""Waits from outside: a message or a signal is taken once, whatever dies in between and whichever process is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.acceptance import sse
from tests.acceptance.service import Service, running, two_running, waiting

if TYPE_CHECKING:
    from pathlib import Path

TELLING = {"name": "telling", "steps": [{"id": "say", "agent": "worker", "input": {"give": "{input}"}}]}
WAITING = {
    "name": "waiting",
    "steps": [
        {"id": "before", "agent": "worker"},
        {
            "id": "told",
            "wait_for": {"topic": "workflow.step_complete.telling", "match": "message.data.data.result.n == input.n"},
        },
        {"id": "go", "needs": ["before"], "wait_for": {"signal": "go"}},
        {"id": "paid", "needs": ["before"], "wait_for": {"topic": "orders.{input.n}.paid"}},
        {
            "id": "after",
            "agent": "worker",
            "input": {"give": ["{told.output.data.data.result}", "{go.output}", "{paid.output.data}"]},
        },
    ],
}


def check_the_end(service: Service, thread: str, number: int, kills: int = 0, *others: Service) -> None:
    """It completed with its messages and its signal, nothing ran twice but what a kill cut off, all was told once."""
    found = service.until(thread)
    assert (found["status"], found["output"]) == ("completed", {"after": [{"n": number}, {"value": number}, number]})
    events = sse.whole(service, thread)
    sse.without_gap(events)
    names = [event["event"] for event in events]
    assert [names.count(name) for name in ("message_received", "workflow_complete")] == [3, 1]
    assert names.count("message_waiting") <= 3
    calls = [one.calls(thread) for one in (service, *others)]
    assert sum(one.get("before", 0) for one in calls) == 1
    assert 1 <= sum(one.get("after", 0) for one in calls) <= 1 + kills


def parked(service: Service, numbers: range) -> list[str]:
    """Threads that wait for all three."""
    threads = [service.start_thread(WAITING, {"n": number}) for number in numbers]
    for _ in waiting("all of them to wait"):
        if len(service.get("/api/waits", open="true")["waits"]) == 3 * len(threads):
            break
    return threads


def tell(service: Service, thread: str, number: int) -> None:
    service.until(service.start_thread(TELLING, {"n": number}))
    send(service, thread, number)
    for _ in range(2):  # the second is for nobody
        service.post(f"/api/messages/orders.{number}.paid", number)


def send(service: Service, thread: str, number: int, expect: int = 202) -> dict[str, Any]:
    return service.post(f"/api/invoke/signals/{thread}/go", {"value": number}, expect)


def test_a_kill_loses_no_message_and_no_signal(tmp_path: Path) -> None:
    with running(tmp_path, LEASE_SECONDS=2) as service:
        threads = parked(service, range(2))
        for number, thread in enumerate(threads):
            tell(service, thread, number)
        service.kill()  # between the message, or the signal, and the end of the step
        service.start().ready()
        for number, thread in enumerate(threads):
            check_the_end(service, thread, number, kills=1)
            assert send(service, thread, number, expect=409)["code"] == "thread_ended"


def test_two_processes_give_each_thread_what_is_its_own_also_when_one_dies(tmp_path: Path) -> None:
    with two_running(tmp_path, LEASE_SECONDS=2, SHUTDOWN_GRACE_SECONDS=2) as (first, second):
        threads = parked(first, range(2))
        for number, thread in enumerate(threads[:1]):
            tell(second, thread, number)
            check_the_end(first, thread, number, 0, second)
        first.kill()
        for number, thread in enumerate(threads[1:], start=1):
            tell(second, thread, number)
            check_the_end(second, thread, number, 1, first)
