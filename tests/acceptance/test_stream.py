"""The event streams: what comes first, where they begin and end, and that a reader who is cut loses and doubles nothing."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.acceptance import sse
from tests.acceptance.service import chain, running, waiting
from tests.acceptance.shapes import EVENT, STATUS, Open, check
from tests.acceptance.test_start import refused
from tests.acceptance.test_steer import held

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service


@pytest.mark.parametrize("prefix", ["/api", ""])
def test_a_whole_stream_begins_with_a_snapshot_and_ends_with_the_end(service: Service, prefix: str) -> None:
    thread = service.run(chain("whole", 2))["thread_id"]
    found = sse.whole(service, thread, prefix=prefix)
    sse.without_gap(found)
    assert sse.names(found) == [
        "workflow_start",
        "step_start s1",
        "step_complete s1",
        "step_start s2",
        "step_complete s2",
        "workflow_complete",
    ]
    assert service.status(thread)["last_seq"] == 6


def test_the_headers_keep_proxies_from_buffering(service: Service) -> None:
    thread = service.run(chain("headers", 1))["thread_id"]
    answer = service.http.get(f"/api/invoke/stream/{thread}")
    assert "no-cache" in answer.headers["cache-control"]
    assert answer.headers["x-accel-buffering"] == "no"
    assert any(message.retry for message in sse.parse(answer.text))


@pytest.mark.parametrize("cursor", [{"params": {"after": 3}}, {"headers": {"Last-Event-ID": "3"}}])
def test_a_stream_begins_after_the_cursor(service: Service, cursor: dict[str, Any]) -> None:
    thread = service.run(chain("after", 2))["thread_id"]
    answer = service.http.get(f"/api/invoke/stream/{thread}", **cursor)
    messages = sse.parse(answer.text)
    assert messages[0].event == "snapshot"
    sse.without_gap(sse.events(messages), first=4)


def test_the_header_goes_before_the_parameter(service: Service) -> None:
    thread = service.run(chain("both", 2))["thread_id"]
    answer = service.http.get(f"/api/invoke/stream/{thread}", params={"after": 1}, headers={"Last-Event-ID": "5"})
    assert [one["seq"] for one in sse.events(sse.parse(answer.text))] == [6]


def test_a_reader_at_the_end_of_an_ended_thread_gets_204(service: Service) -> None:
    thread = service.run(chain("over", 1))["thread_id"]
    for cursor in ("4", "999999999999"):
        answer = service.http.get(f"/api/invoke/stream/{thread}", headers={"Last-Event-ID": cursor})
        assert (answer.status_code, answer.content) == (204, b"")
    assert service.http.get(f"/api/invoke/stream/{thread}", params={"after": 4}).status_code == 204


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "9" * 40])
def test_a_cursor_that_is_none_is_refused(service: Service, after: str) -> None:
    thread = service.run(chain("odd-cursor", 1))["thread_id"]
    refused(service.http.get(f"/api/invoke/stream/{thread}", params={"after": after}), 422, "invalid_request")


@pytest.mark.parametrize("cursor", ["", "x", "-1", "9" * 400, "1;2"])
def test_a_header_that_is_no_cursor_does_not_break_the_stream(service: Service, cursor: str) -> None:
    thread = service.run(chain("odd-header", 1))["thread_id"]
    answer = service.http.get(f"/api/invoke/stream/{thread}", headers={"Last-Event-ID": cursor})
    assert answer.status_code in (200, 204)


def test_a_quiet_stream_has_heartbeats_and_then_the_live_events(service: Service, tmp_path: Path) -> None:
    thread = service.start_thread(held(tmp_path, "quiet"))
    with service.http.stream("GET", f"/api/invoke/stream/{thread}") as answer:
        found: list[sse.Message] = []
        for message in sse.live(answer):
            found.append(message)
            if message.comment is not None:
                (tmp_path / "go").touch()
    assert any(message.comment is not None for message in found)
    sse.without_gap(sse.events(found))
    assert found[-1].event == "workflow_complete"


def test_a_stream_of_a_resumed_thread_goes_over_its_first_end(service: Service, tmp_path: Path) -> None:
    steps = [{"id": "a", "agent": "worker", "input": {"unless": str(tmp_path / "go")}}]
    thread = service.run({"name": "over-the-end", "steps": steps})["thread_id"]
    (tmp_path / "go").touch()
    service.post(f"/api/invoke/resume/{thread}")
    service.until(thread)
    found = sse.whole(service, thread)
    sse.without_gap(found)
    assert [name for name in sse.names(found) if name.startswith("workflow")] == [
        "workflow_start",
        "workflow_failed",
        "workflow_resumed",
        "workflow_complete",
    ]


def test_many_readers_get_the_same(service: Service, tmp_path: Path) -> None:
    thread = service.start_thread(held(tmp_path, "watched"))
    found: list[list[dict[str, Any]]] = []
    readers = [threading.Thread(target=lambda: found.append(sse.whole(service, thread))) for _ in range(30)]
    for reader in readers:
        reader.start()
    (tmp_path / "go").touch()
    for reader in readers:
        reader.join(60)
    assert len(found) == 30
    assert all(one == found[0] for one in found)
    sse.without_gap(found[0])


def test_a_reader_cut_a_hundred_times_sees_every_event_once(service: Service) -> None:
    dice = random.Random(7)
    thread = service.start_thread(chain("cut", 30, sleep=0.05))
    reader = sse.CutReader(service.port, thread)
    while not reader.ended:
        # The snapshot of 30 steps alone has some 7,500 bytes, an event 350.
        reader.read(dice.randrange(100, 9_000) if reader.cuts < 100 else 10_000_000)
    assert reader.cuts >= 100
    assert reader.seen == list(range(1, service.status(thread)["last_seq"] + 1))
    reader.ended = False
    reader.read(10_000_000)
    assert reader.ended
    assert reader.seen[-1] == len(reader.seen)


def test_a_reader_cut_by_restarts_too_sees_every_event_once(tmp_path: Path) -> None:
    dice = random.Random(11)
    with running(tmp_path) as service:
        thread = service.start_thread(chain("restarted", 30, sleep=0.1))
        reader = sse.CutReader(service.port, thread)
        for kill in (True, False):
            for _ in waiting("some more events", 30):
                reader.read(dice.randrange(2_000, 16_000))
                if len(reader.seen) > (10 if kill else 30):
                    break
            service.kill() if kill else service.stop()
            reader.read(5_000)
            service.start().ready()
        for _ in waiting("the end"):
            reader.read(dice.randrange(2_000, 30_000))
            if reader.ended:
                break
        found = service.status(thread)
        assert found["status"] == "completed"
        assert reader.seen == list(range(1, found["last_seq"] + 1))


Found = list[sse.Message]


def read_feed(url: str, found: Found, stop: threading.Event, cursor: str | None = None, **params: str) -> None:
    """Put the messages of the feed into `found` until `stop` is set or the service goes."""
    headers = {"Last-Event-ID": cursor} if cursor else {}
    try:
        with httpx.stream("GET", f"{url}/api/stream", headers=headers, params=params, timeout=30) as answer:
            assert answer.status_code == 200
            for message in sse.live(answer):
                found.append(message)
                if stop.is_set():
                    break
    except httpx.TransportError:
        return


def reading_feed(*arguments: Any, **params: str) -> threading.Thread:
    """`read_feed` in a thread that is on its way."""
    reader = threading.Thread(target=read_feed, args=arguments, kwargs=params)
    reader.start()
    return reader


def test_the_feed_goes_on_from_its_cursor_across_a_restart(tmp_path: Path) -> None:
    with running(tmp_path, SSE_HEARTBEAT_SECONDS=0.2) as service:
        stop, first, second = threading.Event(), Found(), Found()
        reader = reading_feed(service.url, first, stop)
        for _ in waiting("the feed to begin"):
            if any(message.id for message in first):
                break
        thread = service.run(chain("fed", 2))["thread_id"]
        service.stop()
        reader.join(20)
        cursor = [message.id for message in first if message.id][-1]
        service.start().ready()
        others = [service.run(chain("fed", 2))["thread_id"] for _ in range(3)]
        again = reading_feed(service.url, second, stop, cursor)
        for _ in waiting("the events of three threads"):
            if sum(message.event == "workflow_complete" for message in second) >= 3:
                break
        stop.set()
        again.join(20)
    told = [(message.data["thread_id"], message.data["seq"]) for message in first + second if message.data]
    assert len(told) == len(set(told))
    for name in (thread, *others):
        numbers = [seq for one, seq in told if one == name]
        assert numbers == list(range(1, 7)), numbers
    for message in first + second:
        if message.data:
            check(message.data, Open(EVENT))
            assert message.id


def test_the_feed_filters_by_workflow_and_status(service: Service) -> None:
    stop, found = threading.Event(), Found()
    reader = reading_feed(service.url, found, stop, workflow="wanted")
    for _ in waiting("the feed to begin"):
        if any(message.id for message in found):
            break
    service.run(chain("unwanted", 1))
    thread = service.run(chain("wanted", 1))["thread_id"]
    for _ in waiting("its end"):
        if any(message.event == "workflow_complete" for message in found):
            break
    stop.set()
    reader.join(30)
    told = [message.data for message in found if message.data]
    assert {one["thread_id"] for one in told} == {thread}
    sse.without_gap(told)


@pytest.mark.parametrize("query", [{"after": "zzz"}, {"status": "zzz"}, {"colour": "red"}])
def test_the_feed_refuses_what_it_does_not_know(service: Service, query: dict[str, str]) -> None:
    refused(service.http.get("/api/stream", params=query), 422, "invalid_request")


def test_the_snapshot_is_the_status_document(service: Service, tmp_path: Path) -> None:
    thread = service.start_thread(held(tmp_path, "snapped"))
    with service.http.stream("GET", f"/api/invoke/stream/{thread}") as answer:
        first = next(sse.live(answer))
    assert (first.event, first.id) == ("snapshot", None)
    check(first.data, STATUS)
    (tmp_path / "go").touch()
    service.until(thread)
