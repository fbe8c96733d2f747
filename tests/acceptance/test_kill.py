"""kill -9 in the middle of the work: all completes, nothing that was reported completed is called again, nothing is lost.

DOSE=full makes it 20 kills during 200 workflows.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from typing import TYPE_CHECKING

import httpx

from tests.acceptance import sse
from tests.acceptance.service import Service, chain, running, waiting

if TYPE_CHECKING:
    from pathlib import Path

FULL = os.environ.get("DOSE") == "full"
KILLS, WORKFLOWS = (20, 200) if FULL else (4, 40)
STEPS = 6


class Reported:
    """What readers of the feed and of statuses were told to be completed, and the calls there were by then."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stop = threading.Event()
        self.completed: set[str] = set()
        self._readers = [threading.Thread(target=self._feed), threading.Thread(target=self._look)]
        self.threads: list[str] = []

    def __enter__(self) -> Reported:
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for reader in self._readers:
            reader.join(30)

    def _feed(self) -> None:
        cursor = None
        while not self._stop.is_set():
            try:
                headers = {"Last-Event-ID": cursor} if cursor else {}
                with httpx.stream("GET", f"{self._service.url}/api/stream", headers=headers, timeout=5) as answer:
                    for message in sse.live(answer):
                        cursor = message.id or cursor
                        if message.event == "step_complete":
                            self.completed.add(f"{message.data['thread_id']} {message.data['step_id']}")
                        if self._stop.is_set():
                            return
            except httpx.TransportError:
                time.sleep(0.02)

    def _look(self) -> None:
        dice = random.Random(3)
        with httpx.Client(base_url=self._service.url, timeout=5) as http:
            while not self._stop.is_set():
                try:
                    thread = dice.choice(self.threads or ["none"])
                    found = http.get(f"/api/invoke/status/{thread}")
                except httpx.TransportError:
                    time.sleep(0.02)
                    continue
                if found.status_code == 200:
                    self.completed |= {f"{thread} {step}" for step in found.json()["completed_steps"]}
                time.sleep(0.01)


def branching(index: int) -> dict[str, object]:
    """A row, or a fan of steps side by side: both of STEPS steps with small sleeps."""
    if index % 2:
        return chain("row", STEPS, sleep=0.08)
    steps = [{"id": f"s{number}", "needs": [], "agent": "worker", "input": {"sleep": 0.1 * number}} for number in range(1, STEPS)]
    return {"name": "fan", "steps": [*steps, {"id": "last", "agent": "worker", "needs": [one["id"] for one in steps]}]}


def test_kills_lose_nothing_and_repeat_nothing_that_was_reported(tmp_path: Path) -> None:
    dice = random.Random(5)
    with running(tmp_path, SSE_HEARTBEAT_SECONDS=0.5) as service, Reported(service) as reported:
        at_kill: list[tuple[set[str], dict[str, int]]] = []
        for kill in range(KILLS):
            share = WORKFLOWS // KILLS
            for index in range(share):
                reported.threads.append(service.start_thread(branching(index)))
            time.sleep(dice.uniform(0.05, 0.5))
            service.kill()
            at_kill.append((set(reported.completed), dict(service.calls())))
            service.start().ready()
            assert kill < KILLS
        for thread in reported.threads:
            assert service.until(thread)["status"] == "completed"
        for told, calls in at_kill:
            after = service.calls()
            again = {step for step in told if after[step] != calls[step]}
            assert not again
        judge(service, reported.threads)


def judge(service: Service, threads: list[str]) -> None:
    """Versions and events have no gap, over HTTP and in the tables; every step completed exactly once."""
    for thread in threads:
        found = sse.whole(service, thread)
        sse.without_gap(found)
        done = [one["step_id"] for one in found if one["event"] == "step_complete"]
        assert len(done) == len(set(done)) == STEPS
        assert [one["version"] for one in service.versions(thread)] == list(range(1, STEPS + 3))
    gaps = """
        SELECT t.thread_id FROM threads t
        WHERE (SELECT array_agg(version ORDER BY version) FROM checkpoints c WHERE c.thread_id = t.thread_id)
              IS DISTINCT FROM (SELECT array_agg(n) FROM generate_series(1, t.last_version) n)
           OR (SELECT array_agg(seq ORDER BY seq) FROM workflow_events e WHERE e.thread_id = t.thread_id)
              IS DISTINCT FROM (SELECT array_agg(n::bigint) FROM generate_series(1, t.last_seq) n)
    """
    assert service.sql(gaps) == []
    assert service.sql("SELECT id FROM workflow_steps WHERE status NOT IN ('completed')") == []
    assert service.sql("SELECT id FROM workflow_executions WHERE status <> 'completed'") == []
    assert service.sql("SELECT count(*) FROM threads")[0][0] == len(threads)


def test_a_killed_step_runs_again_with_the_same_key_in_the_same_execution(tmp_path: Path) -> None:
    steps = [{"id": "a", "agent": "worker"}, {"id": "b", "agent": "worker", "input": {"until": str(tmp_path / "go")}}]
    with running(tmp_path) as service:
        thread = service.start_thread({"name": "killed", "steps": steps})
        for _ in waiting("b runs"):
            if service.calls(thread)["b"]:
                break
        before = service.status(thread)
        service.kill()
        (tmp_path / "go").touch()
        service.start().ready()
        after = service.until(thread)
        assert (after["status"], after["execution_id"]) == ("completed", before["execution_id"])
        assert service.calls(thread) == {"a": 1, "b": 2}
        first, second = service.keys(thread, "b")
        assert first == second
        assert after["steps"][0] == before["steps"][0]


def test_what_was_accepted_and_not_started_when_it_was_killed_is_run(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with running(tmp_path, MAX_CONCURRENT_THREADS=1) as service:
        threads = [service.start_thread(chain("queued", 1, until=str(go))) for _ in range(5)]
        assert service.status(threads[-1])["status"] == "pending"
        assert sum(service.calls().values()) <= 1
        service.kill()
        go.touch()
        service.start().ready()
        assert [service.until(thread)["status"] for thread in threads] == ["completed"] * 5
        assert max(service.calls().values()) <= 2


def test_a_paused_and_a_cancelled_thread_stay_so_over_a_kill(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        done = service.run(chain("steady", 2))["thread_id"]
        service.post(f"/api/invoke/rollback/{done}", {"to_version": 2, "resume": False})
        held = service.start_thread(chain("held", 1, until=str(tmp_path / "never")))
        service.post(f"/api/invoke/cancel/{held}")
        service.kill()
        service.start().ready()
        assert (service.status(done)["status"], service.status(held)["status"]) == ("paused", "cancelled")
        service.post(f"/api/invoke/resume/{done}")
        assert service.until(done)["status"] == "completed"


def test_a_sleeping_workflow_and_a_retry_wait_go_on_after_a_kill(tmp_path: Path) -> None:
    retry = {"max_attempts": 30, "initial_interval": "200ms", "max_interval": "200ms"}
    steps = [
        {"id": "nap", "sleep": "2s", "needs": []},
        {
            "id": "again",
            "needs": [],
            "agent": "worker",
            "input": {"unless": str(tmp_path / "go"), "retryable": True},
            "retry": retry,
        },
    ]
    with running(tmp_path) as service:
        thread = service.start_thread({"name": "naps", "steps": steps})
        for _ in waiting("a second attempt"):
            if service.calls(thread)["again"] > 1:
                break
        service.kill()
        (tmp_path / "go").touch()
        service.start().ready()
        found = service.until(thread)
        assert found["status"] == "completed", found["error"]


def test_a_start_that_the_kill_cut_off_is_repeated_with_its_key_and_starts_once(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        threads: dict[str, str] = {}

        def start(key: str) -> None:
            body = {"workflow": chain("keyed", 1), "triggered_by": key}
            with httpx.Client(base_url=service.url, timeout=10) as http:
                for _ in waiting(f"{key} to be accepted"):
                    try:
                        answer = http.post("/api/invoke/async", json=body, headers={"Idempotency-Key": key})
                    except httpx.TransportError:
                        continue
                    if answer.status_code == 202:
                        assert threads.setdefault(key, answer.json()["thread_id"]) == answer.json()["thread_id"]
                        return

        clients = [threading.Thread(target=start, args=(f"key-{number}",)) for number in range(60)]
        for number, client in enumerate(clients):
            client.start()
            if number == 30:
                service.kill()
                service.start()
        for client in clients:
            client.join(60)
        assert len(threads) == 60
        assert [service.until(thread)["status"] for thread in threads.values()] == ["completed"] * 60
        rows = service.sql("SELECT triggered_by, count(*) AS n FROM workflow_executions GROUP BY 1 HAVING count(*) > 1")
        assert rows == []


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


def test_a_first_start_that_is_killed_is_no_harm(tmp_path: Path) -> None:
    with running(tmp_path / "sizing", CHECKPOINTER="memory"):
        pass
    service = Service(tmp_path)
    try:
        for pause in (0.4, 0.8, 1.2, 1.6):
            service.start()
            time.sleep(pause)
            service.kill()
        assert service.start().ready().run(chain("first", 1))["status"] == "completed"
    finally:
        service.close()


def test_a_parent_and_its_child_go_on_after_a_kill(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        service.register(chain("inner", 2, until=str(tmp_path / "go")))
        steps = [{"id": "before", "agent": "worker"}, {"id": "sub", "workflow": "inner", "input": {}}]
        thread = service.start_thread({"name": "outer", "steps": steps})
        for _ in waiting("the child's step"):
            if service.calls().total() == 2:
                break
        service.kill()
        (tmp_path / "go").touch()
        service.start().ready()
        assert service.until(thread)["status"] == "completed"
        assert service.get("/api/workflow/executions", workflow="inner")["total"] == 1
        assert service.calls(thread) == {"before": 1}
