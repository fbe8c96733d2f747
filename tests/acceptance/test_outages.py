"""Worse than a killed service: a power cut, a database that is gone for a while, a first start that is cut."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from app.store.embedded import EmbeddedPostgres
from tests.acceptance import sse
from tests.acceptance.service import Service, chain, running, waiting

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_power_cut_that_ends_service_and_database_loses_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        threads = [service.start_thread(chain("cut", 4, sleep=0.15)) for _ in range(20)]
        for _ in waiting("some steps"):
            if service.calls().total() > 30:
                break
        completed = {thread: service.status(thread)["completed_steps"] for thread in threads}
        before = service.calls()
        postmaster = int((tmp_path / "data" / "postgres" / "postmaster.pid").read_text().split()[0])
        service.kill()
        os.kill(postmaster, signal.SIGKILL)
        service.start().ready()
        assert [service.until(thread)["status"] for thread in threads] == ["completed"] * 20
        after = service.calls()
        for thread, steps in completed.items():
            for step in steps:
                assert after[f"{thread} {step}"] == before[f"{thread} {step}"]
            sse.without_gap(sse.whole(service, thread))


def test_a_database_that_is_gone_for_some_seconds_fails_nothing(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cluster = tmp_path_factory.mktemp("pg")  # a short path, so that its socket stays where it is
    server = EmbeddedPostgres(cluster)
    dsn = server.start()
    try:
        with running(tmp_path, DATABASE_URL=dsn, LEASE_SECONDS=2) as service:
            threads = [service.start_thread(chain("outage", 4, sleep=0.3)) for _ in range(20)]
            for _ in waiting("some steps"):
                if service.calls().total() > 25:
                    break
            postmaster = int((cluster / "postgres" / "postmaster.pid").read_text().split()[0])
            os.kill(postmaster, signal.SIGKILL)
            os.waitpid(postmaster, 0)
            for _ in waiting("the service to notice"):
                if service.http.get("/api/health").status_code == 503:
                    break
            refusal = service.http.post("/api/invoke/async", json={"workflow": chain("outage", 1)})
            assert (refusal.status_code, refusal.json()["code"]) == (503, "unavailable")
            assert refusal.headers["retry-after"]
            time.sleep(3)
            server.start()
            service.ready()
            assert [service.until(thread)["status"] for thread in threads] == ["completed"] * 20
            # What ran when it went away was done once: its results were held, and committed afterwards.
            assert set(service.calls().values()) == {1}
            for thread in threads:
                sse.without_gap(sse.whole(service, thread))
                assert len(service.versions(thread)) == 6
    finally:
        server.stop()


def test_a_first_start_that_is_killed_is_no_harm(tmp_path: Path) -> None:
    service = Service(tmp_path, how="new")
    try:
        for pause in (0.6, 1.0, 1.4):
            service.start()
            time.sleep(pause)
            service.kill()
        assert service.start().ready().run(chain("first", 1))["status"] == "completed"
    finally:
        service.close()
