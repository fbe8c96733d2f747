"""Health by part: bounded, shared, without secrets, and each part says what an operator can do something about."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.known_secrets import KNOWN
from app.domain.queues import QueueReport, QueueSettings
from app.engine import pulse
from app.engine.pulse import Pulse
from app.telemetry import parts
from app.telemetry.health import Health, Probe

if TYPE_CHECKING:
    from collections.abc import Mapping

GB = parts.GB


async def test_a_part_that_hangs_is_unavailable_and_holds_up_nothing() -> None:
    health = Health()
    health.add("stuck", asyncio.Event().wait, limit=0.05)  # type: ignore[arg-type]
    health.add("fine", lambda: {"status": "ready"})
    async with asyncio.timeout(5):
        found = await health.report()
    assert found["stuck"] == {"status": "unavailable", "detail": "no answer within 0.05 s"}
    assert found["fine"] == {"status": "ready"}


async def test_a_part_that_breaks_is_unavailable_and_its_words_are_not_told() -> None:
    def broken() -> Mapping[str, Any]:
        raise RuntimeError("canary")

    health = Health()
    health.add("broken", broken)
    assert await health.report() == {"broken": {"status": "unavailable", "detail": "it cannot be told: RuntimeError"}}


async def test_those_who_ask_at_the_same_time_share_a_look() -> None:
    looks: list[int] = []

    async def look() -> Mapping[str, Any]:
        looks.append(1)
        await asyncio.sleep(0.01)
        return {"status": "ready"}

    probe = Probe(look)
    await asyncio.gather(*(probe.part() for _ in range(50)))
    assert len(looks) <= 2


async def test_what_is_dear_to_find_is_kept_for_a_while() -> None:
    looks: list[int] = []

    def look() -> Mapping[str, Any]:
        looks.append(1)
        return {"status": "ready"}

    kept, fresh = Probe(look, keep=60), Probe(look)
    for _ in range(3):
        await kept.part()
    assert len(looks) == 1
    await fresh.part()
    await fresh.part()
    assert len(looks) == 3


async def test_a_secret_in_the_words_of_a_part_is_hidden() -> None:
    health = Health(lambda: ["hunter22", ""])
    health.add("database", lambda: {"status": "unavailable", "detail": "no entry for me:hunter22@db"})
    assert (await health.report())["database"]["detail"] == "no entry for me:***@db"


async def test_no_secret_that_the_process_knows_is_in_the_words_of_a_part() -> None:
    KNOWN.learn("sk-canary-4711")
    health = Health()
    health.add("mcp", lambda: {"status": "degraded", "detail": "web: 401 for sk-canary-4711 at https://me:pw@host/"})
    assert (await health.report())["mcp"]["detail"] == "web: 401 for *** at https://me:***@host/"


async def test_a_part_that_there_is_not_is_not_told() -> None:
    health = Health()
    health.add("mcp", lambda: None)
    assert await health.report() == {}


@pytest.mark.parametrize(
    ("size", "free", "status"),
    [
        (100 * GB, 50 * GB, "ready"),
        (100 * GB, 4 * GB, "degraded"),  # below 5 %
        (10 * GB, 900_000_000, "degraded"),  # below 1 GB
        (4_000 * GB, 100 * GB, "ready"),  # 5 % of a large one are no reason
        (4_000 * GB, 9 * GB, "degraded"),
        (100 * GB, 50_000_000, "unavailable"),
    ],
)
async def test_a_disk_that_fills_is_told_of_before_it_is_full(size: int, free: int, status: str) -> None:
    disk = parts.Disk(Path("data"), lambda _: (size, size - free, free))
    found = await disk.look()
    assert (found["status"], found["free_bytes"], found["size_bytes"]) == (status, free, size)


async def test_a_file_system_that_does_not_answer_holds_up_one_thread_only() -> None:
    held, looks = threading.Event(), list[int]()

    def hang(_: Path) -> tuple[int, int, int]:
        looks.append(1)
        held.wait(10)
        return (1, 1, 1)

    probe = Probe(parts.Disk(Path("data"), hang).look, limit=0.05)
    found = [await probe.part() for _ in range(3)]
    held.set()
    assert [part["status"] for part in found if part is not None] == ["unavailable"] * 3
    assert len(looks) == 1


def test_a_loop_that_stands_still_degrades_the_monitor(monkeypatch: pytest.MonkeyPatch) -> None:
    lease: Any = SimpleNamespace(holds=True)
    loops = {"heartbeat": Pulse(1.0), "claims": Pulse(2.0)}
    assert parts.monitor(lease, loops, deaf_since=None)["status"] == "ready"
    now = pulse.monotonic()
    monkeypatch.setattr(pulse, "monotonic", lambda: now + 9)
    assert parts.monitor(lease, loops, deaf_since=None)["detail"] == "standing still: heartbeat"
    loops["heartbeat"].beat()
    assert parts.monitor(lease, loops, deaf_since=None)["status"] == "ready"


def test_without_its_lease_a_process_is_unavailable() -> None:
    lease: Any = SimpleNamespace(holds=False)
    found = parts.monitor(lease, {}, deaf_since=None)
    assert (found["status"], found["lease"]) == ("unavailable", False)


def test_a_worker_that_claims_no_more_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    worker: Any = SimpleNamespace(running=1, free=9, claims=SimpleNamespace(pulse=Pulse(2.0)))
    assert parts.worker(worker)["status"] == "ready"
    now = pulse.monotonic()
    monkeypatch.setattr(pulse, "monotonic", lambda: now + 60)
    assert parts.worker(worker)["status"] == "unavailable"


def test_a_journal_without_a_connection_is_unavailable_and_one_that_hangs_degraded() -> None:
    def writer(**state: Any) -> Any:
        usual = {"available": True, "depth": 0, "busy_since": None, "flushed_at": parts.monotonic()}
        return SimpleNamespace(**{**usual, **state})

    assert parts.journal([writer(), writer()], durable=True)["status"] == "ready"
    assert parts.journal([writer(available=False), writer()], durable=True)["status"] == "unavailable"
    found = parts.journal([writer(busy_since=parts.monotonic() - 8, depth=3)], durable=True)
    assert (found["status"], found["queued"]) == ("degraded", 3)


@pytest.mark.parametrize(
    ("more", "free", "detail"),
    [
        ({"depth": 3, "oldest_wait": 5.0}, 10, None),
        ({"depth": 3, "oldest_wait": 90.0}, 10, "threads are due and nobody takes them up: mail"),
        ({"depth": 3, "oldest_wait": 90.0}, 0, None),  # there is no slot
        ({"depth": 3, "oldest_wait": 90.0, "running": 5}, 10, None),  # the queue's own limit
        ({"depth": 100, "oldest_wait": 5.0}, 10, "full: mail"),
    ],
)
async def test_a_queue_is_in_trouble_when_it_is_full_or_nobody_takes_up_what_is_due(
    more: dict[str, Any], free: int, detail: str | None
) -> None:
    settings = QueueSettings(name="mail", max_running=5, max_depth=100)
    usual = {"settings": settings, "depth": 0, "delayed": 0, "running": 0, "oldest_wait": None}

    async def report() -> list[QueueReport]:
        return [QueueReport(**{**usual, **more})]

    admission: Any = SimpleNamespace(report=report)
    worker: Any = SimpleNamespace(free=free)
    found = await parts.queue(admission, worker)
    assert found.get("detail") == detail
