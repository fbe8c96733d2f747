"""Two processes on one data folder: both start at once and answer, and each shows what the other does."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from tests.acceptance import sse
from tests.acceptance.service import Service, chain, two_running, waiting

if TYPE_CHECKING:
    from pathlib import Path

Pair = tuple[Service, Service]
SETTINGS_OF_PAIR = {"LEASE_SECONDS": 2, "SHUTDOWN_GRACE_SECONDS": 2}


def begun(threads: list[str], *services: Service) -> None:
    """Wait until the first step of each thread has been called there."""
    for _ in waiting("the steps"):
        if all(any(service.calls(thread)["s1"] for service in services) for thread in threads):
            return


def test_two_that_start_at_once_on_a_new_folder_share_its_database(tmp_path: Path) -> None:
    with two_running(tmp_path, "new") as (first, second):
        assert second.until(first.start_thread(chain("both", 1)))["status"] == "completed"


def test_a_thread_of_one_is_followed_and_steered_in_the_other(pair: Pair, tmp_path: Path) -> None:
    first, second = pair
    thread = first.start_thread(chain("shared", 3, until=str(tmp_path / "go")))
    found: list[dict[str, object]] = []
    reader = threading.Thread(target=lambda: found.extend(sse.whole(second, thread)))
    reader.start()
    for _ in waiting("the step to run as the other sees it"):
        if second.status(thread)["current_step"] == "s1":
            break
    (tmp_path / "go").touch()
    reader.join(30)
    sse.without_gap(found)
    assert found[-1]["event"] == "workflow_complete"
    assert second.status(thread) == first.status(thread)
    assert (first.calls(thread).total(), second.calls(thread).total()) == (3, 0)
    second.post(f"/api/invoke/rollback/{thread}", {"to_version": 4})
    assert first.until(thread)["version"] == 6


def test_one_cancels_and_rolls_back_what_the_other_drives(pair: Pair, tmp_path: Path) -> None:
    first, second = pair
    thread = first.start_thread(chain("stopped", 2, until=str(tmp_path / "go")))
    begun([thread], first)
    second.post(f"/api/invoke/cancel/{thread}")
    assert first.status(thread)["status"] == "cancelled"
    (tmp_path / "go").touch()
    second.post(f"/api/invoke/resume/{thread}")
    assert first.until(thread)["status"] == "completed"
    sse.without_gap(sse.whole(first, thread))


def test_one_takes_over_what_the_other_left_when_it_was_killed(pair: Pair, tmp_path: Path) -> None:
    first, second = pair
    threads = [first.start_thread(chain("left", 3, until=str(tmp_path / "go"))) for _ in range(5)]
    begun(threads, first)
    first.kill()
    (tmp_path / "go").touch()
    assert [second.until(thread)["status"] for thread in threads] == ["completed"] * 5
    assert sum(second.calls(thread).total() for thread in threads) == 15


def test_one_takes_over_what_the_other_let_go_when_it_stopped(pair: Pair, tmp_path: Path) -> None:
    first, second = pair
    thread = first.start_thread(chain("handed", 4, sleep=0.5))
    begun([thread], first)
    assert first.stop() == 0
    assert second.until(thread)["status"] == "completed"
    assert (first.calls(thread) + second.calls(thread)) == {"s1": 1, "s2": 1, "s3": 1, "s4": 1}


def test_a_process_that_was_frozen_past_its_lease_writes_nothing_over_the_other(pair: Pair) -> None:
    first, second = pair
    assert first.process is not None
    # A relative name: each process waits for the file in its own folder.
    threads = [first.start_thread(chain("frozen", 2, until="go")) for _ in range(5)]
    begun(threads, first)
    first.process.send_signal(signal.SIGSTOP)
    try:
        (first.folder / "go").touch()
        begun(threads, second)
    finally:
        first.process.send_signal(signal.SIGCONT)
    # The frozen steps end now, in the first; the second still runs them.
    assert first.run(chain("awake", 2, sleep=0.3))["status"] == "completed"
    assert [second.status(thread)["completed_steps"] for thread in threads] == [[]] * 5
    (second.folder / "go").touch()
    assert [second.until(thread)["status"] for thread in threads] == ["completed"] * 5
    assert [first.calls(thread) for thread in threads] == [{"s1": 1}] * 5
    for thread in threads:
        found = sse.whole(first, thread)
        sse.without_gap(found)
        assert sse.names(found).count("step_complete s1") == 1
        assert [one["version"] for one in first.versions(thread)] == [1, 2, 3, 4]


def test_a_key_used_in_both_starts_once(pair: Pair) -> None:
    key = {"Idempotency-Key": "both"}
    answers = [one.http.post("/api/invoke/async", json={"workflow": chain("k", 1)}, headers=key) for one in pair]
    assert len({answer.json()["thread_id"] for answer in answers}) == 1
