"""Leases with real processes: long and busy steps keep theirs, a hanging process loses its own, a killing step ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.acceptance import sse
from tests.acceptance.hostile import MODULES
from tests.acceptance.service import Service, chain, running, waiting

if TYPE_CHECKING:
    from pathlib import Path

LEASE = 1.5
SETTINGS_OF_PAIR = {"LEASE_SECONDS": LEASE, "SHUTDOWN_GRACE_SECONDS": 1, "MODULES": MODULES}


def row(service: Service, thread: str) -> tuple[int, int]:
    """Epoch and recoveries."""
    [found] = service.sql("SELECT epoch, recoveries FROM threads WHERE thread_id = $1", thread)
    return found["epoch"], found["recoveries"]


def test_a_step_of_many_leases_is_never_taken_for_stale(pair: tuple[Service, Service]) -> None:
    first, second = pair
    thread = first.start_thread(chain("long", 1, sleep=3 * LEASE))
    assert second.until(thread)["status"] == "completed"
    assert (row(first, thread), first.calls(thread), second.calls(thread)) == ((1, 0), {"s1": 1}, {})


def test_busy_threads_do_not_starve_the_heartbeat(pair: tuple[Service, Service]) -> None:
    first, second = pair
    steps = [{"id": f"s{n}", "needs": [], "python": "busy", "input": {"sleep": 2 * LEASE}} for n in range(8)]
    thread = first.start_thread({"name": "busy", "steps": steps})
    assert second.until(thread)["status"] == "completed"
    assert (row(first, thread), first.calls(thread).total(), second.calls(thread).total()) == ((1, 0), 8, 0)


def test_a_process_whose_event_loop_hangs_loses_its_threads_and_writes_nothing(pair: tuple[Service, Service]) -> None:
    first, second = pair
    (second.folder / "hung").touch()
    thread = first.start_thread({"name": "hanging", "steps": [{"id": "a", "python": "hang", "input": {"sleep": 6}}]})
    found = second.until(thread)
    assert (found["status"], found["output"]) == ("completed", {"a": "again"})
    for _ in waiting("the first to come back"):
        if first.http.get("/api/health").status_code == 200:
            break
    assert first.status(thread)["output"] == {"a": "again"}
    sse.without_gap(sse.whole(first, thread))
    assert row(first, thread)[0] == 3


def test_a_step_that_ends_within_a_grace_longer_than_the_lease_runs_once(tmp_path: Path) -> None:
    settings: dict[str, object] = {"LEASE_SECONDS": LEASE, "SHUTDOWN_GRACE_SECONDS": 10}
    first, second = (Service(tmp_path / name, settings, data=tmp_path / "data") for name in ("one", "two"))
    try:
        first.start().ready()
        second.start().ready()
        thread = first.start_thread(chain("long", 1, sleep=2 * LEASE))
        for _ in waiting("its step"):
            if first.calls(thread):
                break
        assert first.stop() == 0
        assert second.until(thread)["status"] == "completed"
        assert (first.calls(thread), second.calls(thread)) == ({"s1": 1}, {})
    finally:
        first.close()
        second.close()


def test_a_stream_in_another_process_does_not_wait_for_a_poll(pair: tuple[Service, Service], tmp_path: Path) -> None:
    """A hundred events pass from one to the other: with a poll every two seconds alone, that took minutes."""
    first, second = pair
    thread = first.start_thread(chain("quick", 20, sleep=0.02))
    began = time.monotonic()
    with second.http.stream("GET", f"/api/invoke/stream/{thread}", timeout=30) as answer:
        arrivals = [time.monotonic() - began for message in sse.live(answer) if message.event == "step_complete"]
    assert len(arrivals) == 20
    assert len({round(arrival, 2) for arrival in arrivals}) > 5  # they came as they happened, not in a heap


def test_a_step_that_kills_its_process_is_given_up_in_the_end(tmp_path: Path) -> None:
    with running(tmp_path, MODULES=MODULES, MAX_RECOVERIES=2, LEASE_SECONDS=LEASE) as service:
        thread = service.start_thread({"name": "poison", "steps": [{"id": "a", "python": "killer"}]})
        assert service.process is not None
        for _ in range(3):
            service.process.wait(30)
            service.start()
        found = service.ready().until(thread)
        assert (found["status"], found["error"]["kind"]) == ("interrupted", "recovery_exhausted")
        assert service.calls(thread) == {"a": 3}
        assert service.run(chain("after", 1))["status"] == "completed"
