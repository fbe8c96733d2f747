"""SIGTERM: the streams end, the steps reach a boundary or are cut, nothing is lost, and the process is gone in time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from tests.acceptance import sse
from tests.acceptance.service import chain, running, waiting

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service

BUSY = 10
"""Seconds more for a machine that has much else to do; what must not be waited for lasts longer than that."""


def watchers(
    service: Service, threads: list[str], begun: threading.Semaphore, goodbyes: list[bool]
) -> list[threading.Thread]:
    """Readers of each thread; each says when its stream has begun, and notes whether it was ended in order."""

    def watch(thread: str) -> None:
        with service.http.stream("GET", f"/api/invoke/stream/{thread}", timeout=60) as answer:
            messages = sse.live(answer)
            first = next(messages)
            begun.release()
            list(messages)
        goodbyes.append(first.event == "snapshot")

    started = [threading.Thread(target=watch, args=(thread,)) for thread in threads]
    for one in started:
        one.start()
    return started


def test_sigterm_ends_in_time_with_streams_and_steps_open(tmp_path: Path) -> None:
    with running(tmp_path, SHUTDOWN_GRACE_SECONDS=2) as service:
        threads = [service.start_thread(chain("held", 2, until=str(tmp_path / "go"))) for _ in range(20)]
        for _ in waiting("all steps run"):
            if sum(service.calls().values()) == 20:
                break
        begun, goodbyes = threading.Semaphore(0), list[bool]()
        readers = watchers(service, threads, begun, goodbyes)
        assert all(begun.acquire(timeout=60) for _ in readers)
        began = time.monotonic()
        code = service.stop()
        took = time.monotonic() - began
        for reader in readers:
            reader.join(10)
        assert code == 0
        assert took < 2 + 2 + BUSY, took
        assert goodbyes == [True] * 20
        (tmp_path / "go").touch()
        service.start().ready()
        for thread in threads:
            assert service.until(thread)["status"] == "completed"
            sse.without_gap(sse.whole(service, thread))
        assert set(service.calls().values()) <= {1, 2}


def test_a_step_that_ends_within_the_grace_is_kept(tmp_path: Path) -> None:
    with running(tmp_path, SHUTDOWN_GRACE_SECONDS=25) as service:
        thread = service.start_thread(chain("short", 2, sleep=1))
        for _ in waiting("s1 runs"):
            if service.calls(thread)["s1"]:
                break
        began = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - began < 20
        service.start().ready()
        assert service.until(thread)["status"] == "completed"
        assert service.calls(thread) == {"s1": 1, "s2": 1}


def test_steps_that_cannot_be_stopped_do_not_hold_the_exit(tmp_path: Path) -> None:
    with running(tmp_path, SHUTDOWN_GRACE_SECONDS=1) as service:
        threads = [
            service.start_thread({"name": function, "steps": [{"id": "a", "python": function, "input": {"sleep": 30}}]})
            for function in ("blocking", "deaf")
        ]
        for _ in waiting("both run"):
            if all(service.calls(thread)["a"] for thread in threads):
                break
        began = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - began < 1 + 2 + BUSY


def test_a_client_that_waits_is_answered_when_the_service_goes(tmp_path: Path) -> None:
    with running(tmp_path, SHUTDOWN_GRACE_SECONDS=1) as service:
        document = chain("waits", 1, until=str(tmp_path / "never"))
        statuses: list[int] = []

        def wait() -> None:
            statuses.append(service.http.post("/api/invoke?timeout=60s", json={"workflow": document}).status_code)

        client = threading.Thread(target=wait)
        client.start()
        for _ in waiting("its step"):
            if service.calls():
                break
        assert service.stop() == 0
        client.join(10)
        assert statuses == [202]
