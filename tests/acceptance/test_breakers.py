"""Circuit breakers of a real service: they open, outlive a crash, are shared, and steps wait for them without an attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.service import Service, running, two_running, waiting

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

SETTINGS = {"BREAKER_FAILURES": 3, "BREAKER_OPEN_SECONDS": 2, "BREAKER_RAMP_SECONDS": 1}
Pair = tuple[Service, Service]


@pytest.fixture
def pair(tmp_path: Path) -> Generator[Pair]:
    """Two services on one data folder."""
    with two_running(tmp_path, **SETTINGS) as found:
        yield found


def failing_without(file: Path) -> dict[str, Any]:
    """A workflow of one step, which fails as long as the file is not there."""
    step = {"id": "s1", "agent": "worker", "input": {"unless": str(file), "retryable": True}}
    return {"name": "fragile", "steps": [{**step, "retry": {"max_attempts": 1}}]}


def state(service: Service) -> str:
    """Of the breaker of the agent `worker`."""
    return service.get("/api/breakers/worker")["state"]


def until_state(service: Service, wanted: str) -> None:
    """Wait for that state."""
    for _ in waiting(f"the breaker to be {wanted}"):
        if state(service) == wanted:
            return


def test_a_breaker_that_opened_is_still_open_after_a_crash(tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    with running(tmp_path / "service", **SETTINGS) as service:
        for _ in range(3):
            assert service.run(failing_without(mended))["status"] == "failed"
        until_state(service, "open")
        [row] = service.sql("SELECT state, trips, reason FROM agent_breakers WHERE agent = 'worker'")
        assert (row["state"], row["trips"], row["reason"]) == ("open", 1, "3 failures in a row: refused: not yet")
        service.kill()
        service.start().ready()
        assert state(service) == "open"
        health = service.get("/api/health")
        assert (health["status"], health["parts"]["breakers"]["detail"]) == ("degraded", "open: worker")
        mended.touch()
        step = service.run(failing_without(mended))["steps"][0]
        assert (step["status"], step["attempt"], step["retry_count"]) == ("completed", 1, 0)
        until_state(service, "closed")
        assert service.get("/api/health")["parts"]["breakers"] == {"status": "ready"}


def test_what_waits_for_a_breaker_outlives_a_crash_and_spends_no_attempt(tmp_path: Path) -> None:
    with running(tmp_path, **SETTINGS) as service:
        service.post("/api/breakers/worker/open", {"reason": "maintenance"}, expect=200)
        threads = [service.start_thread(failing_without(tmp_path)) for _ in range(20)]
        for thread in threads:
            service.until(thread, "waiting")
        service.kill()
        service.start().ready()
        assert service.get("/api/breakers/worker")["reason"] == "maintenance"
        assert service.calls().total() == 0
        service.post("/api/breakers/worker/close", expect=200)
        for thread in threads:
            step = service.until(thread, "completed")["steps"][0]
            assert (step["attempt"], step["retry_count"]) == (1, 0)
        assert service.calls().total() == 20


def test_a_breaker_that_is_opened_in_one_process_holds_in_the_other(pair: Pair, tmp_path: Path) -> None:
    first, second = pair
    first.post("/api/breakers/worker/open", expect=200)
    until_state(second, "open")
    threads = [service.start_thread(failing_without(tmp_path)) for service in pair for _ in range(5)]
    for thread in threads:
        first.until(thread, "waiting")
    second.post("/api/breakers/worker/close", expect=200)
    for thread in threads:
        assert first.until(thread)["steps"][0]["attempt"] == 1
    until_state(first, "closed")
    assert first.calls().total() + second.calls().total() == 10
