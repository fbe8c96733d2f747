"""How each part of the service is, in terms of what its operator can do something about."""

from __future__ import annotations

import asyncio
import shutil
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from app.runners.python import in_thread
from app.store import db
from app.telemetry.health import DEGRADED, UNAVAILABLE, degraded, judged, unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from app.domain.errors import Problem
    from app.domain.queues import QueueReport
    from app.engine.admission import Admission
    from app.engine.breaker import Breakers
    from app.engine.lease import Lease
    from app.engine.pulse import Pulse
    from app.engine.worker import Worker
    from app.runners.mcp_servers import McpServers
    from app.store.pool import Pool
    from app.store.writer import GroupWriter
    from app.telemetry.health import Part

_PING: Final = 1.5
_SLOW: Final = 1.0
"""Seconds that a database which answers at all should not need."""
_BUSY: Final = 5.0
"""Seconds in which a batch should have been written."""
_DEAF: Final = 10.0
"""Seconds in which a line that was lost should have been made anew."""
_LATE: Final = 60.0
"""Seconds that a due thread does not wait where there is room."""
GB: Final = 1_000_000_000
_FULL: Final = 100_000_000
"""Bytes without which PostgreSQL cannot be relied on: it writes its log in files of 16 MB."""


async def database(pool: Pool) -> Part:
    """Whether it answers, how fast, and how the pool of connections is."""
    latency, fault, broken = await _asked(pool)
    stats = pool.stats()
    told = {
        "kind": "postgres",
        "latency_ms": None if latency is None else round(latency * 1000, 3),
        "pool": {
            "size": stats.max_size,
            "open": stats.size,
            "in_use": stats.in_use,
            "waiting": stats.waiting,
            "longest_wait_ms": _ms(stats.longest_recently),
        },
    }
    slow = f"it takes {latency:.1f} s to answer" if latency is not None and latency > _SLOW else None
    return judged(told, (UNAVAILABLE if broken else DEGRADED, fault), (DEGRADED, slow))


async def _asked(pool: Pool) -> tuple[float | None, str | None, bool]:
    """Seconds that an answer took, else why there was none, and whether that is the fault of more than a long line."""
    began = monotonic()
    try:
        async with asyncio.timeout(_PING):
            await pool.ping()
    except TimeoutError:
        if pool.busy:
            stats = pool.stats()
            return None, f"all {stats.max_size} connections are in use: see DATABASE_POOL_SIZE", False
        return None, f"no answer within {_PING:g} s", True
    except (*db.LOST, asyncpg.PostgresError) as error:
        return None, db.describe(error)[:200], True
    return monotonic() - began, None, False


def memory(why: str | None) -> Part:
    """The store that keeps nothing; `why` it stands in for another."""
    told: dict[str, Any] = {"kind": "memory", "latency_ms": 0.0}
    return judged(told, (DEGRADED, why))


def journal(writers: Sequence[GroupWriter], *, durable: bool) -> Part:
    """Whether what happens is written."""
    now = monotonic()
    flushed = [writer.flushed_at for writer in writers if writer.flushed_at is not None]
    busy = max((now - writer.busy_since for writer in writers if writer.busy_since is not None), default=0.0)
    told = {
        "durable": durable,
        "queued": sum(writer.depth for writer in writers),
        "lanes": len(writers),
        "connected": sum(writer.available for writer in writers),
        "last_flush_ms": _ms(now - max(flushed)) if flushed else None,
    }
    down = None if told["connected"] == len(writers) else "the journal has no connection"
    stuck = f"a batch has been on its way for {busy:.0f} s" if busy > _BUSY else None
    return judged(told, (UNAVAILABLE, down), (DEGRADED, stuck))


def worker(one: Worker, pool: Pool | None = None) -> Part:
    """Whether threads are taken up; who only waits for a connection will do so."""
    pulse = one.claims.pulse
    told = {"running": one.running, "free_slots": one.free, "last_claim_ms": _ms(pulse.silent_for)}
    stuck = f"nothing was claimed or looked for since {pulse.silent_for:.0f} s" if pulse.stands_still else None
    busy = pool is not None and pool.busy
    return judged(told, (DEGRADED if busy else UNAVAILABLE, stuck))


def monitor(lease: Lease, loops: Mapping[str, Pulse], *, deaf_since: float | None) -> Part:
    """Whether this process keeps its lease, hears the others, and whether what it does in the background goes on."""
    told = {
        "lease": lease.holds,
        "line": deaf_since is None,
        "loops": {name: _ms(pulse.silent_for) for name, pulse in loops.items()},
    }
    lost = None if lease.holds else "the lease has run out: no step starts until it is renewed"
    deaf = deaf_since is not None and monotonic() - deaf_since > _DEAF
    still = ", ".join(name for name, pulse in loops.items() if pulse.stands_still)
    return judged(
        told,
        (UNAVAILABLE, lost),
        (DEGRADED, f"standing still: {still}" if still else None),
        (DEGRADED, "this process hears the others late: the line to the database is down" if deaf else None),
    )


def breakers(known: Breakers) -> Part:
    """Whether there are agents that attempts are kept from."""
    shut = [record.agent for record in known.listed() if not record.closed]
    return judged({}, (DEGRADED, f"open: {', '.join(shut)}" if shut else None))


def agents(files: Sequence[tuple[str, list[Problem]]]) -> Part:
    """Whether there are files of agents that are refused."""
    refused = [name for name, _ in files]
    return judged({}, (DEGRADED, f"refused: {', '.join(refused)}" if refused else None))


async def queue(admission: Admission, one: Worker) -> Part:
    """How long the lines are."""
    reports = await admission.report()
    told = {
        "depth": sum(report.depth for report in reports),
        "running": sum(report.running for report in reports),
        "oldest_wait_ms": _ms(max((report.oldest_wait or 0.0 for report in reports), default=0.0)),
    }
    full = [each.settings.name for each in reports if each.depth >= (each.settings.max_depth or 1)]
    late = [each.settings.name for each in reports if one.free > 0 and _is_late(each)]
    return judged(
        told,
        (DEGRADED, f"full: {', '.join(full)}" if full else None),
        (DEGRADED, f"threads are due and nobody takes them up: {', '.join(late)}" if late else None),
    )


def _is_late(report: QueueReport) -> bool:
    settings = report.settings
    room = settings.max_running is None or report.running < settings.max_running
    return room and settings.rate_count is None and (report.oldest_wait or 0.0) > _LATE


def mcp(servers: McpServers) -> Part | None:
    """When the operator has configured servers: degraded when one of them failed."""
    reports = [report for report in servers.reports() if report.configured]
    if not reports:
        return None
    failed = [f"{report.name}: {report.error}" for report in reports if report.status == "failed"]
    connected = sum(report.status == "connected" for report in reports)
    told = {"servers": len(reports), "connected": connected}
    return judged(told, (DEGRADED, "; ".join(failed) if failed else None))


class Disk:
    """The file system that the embedded database is on."""

    def __init__(self, folder: Path, usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage) -> None:
        self._folder = folder
        self._usage = usage
        self._looking = False

    async def look(self) -> Part:
        """Degraded below 5 % (at least 1 GB, at most 10 GB), unavailable near none.

        A file system that does not answer holds up one thread, not one for each look.
        """
        if self._looking:
            return unavailable("the file system of the data folder does not answer")
        size, _, free = await in_thread(self._used)
        told = {"free_bytes": free, "size_bytes": size}
        if free < _FULL:
            return unavailable(f"the disk of the data folder is full: {free / GB:.2f} GB are left", **told)
        if free < min(max(GB, size // 20), 10 * GB):
            return degraded(f"the disk of the data folder is nearly full: {free / GB:.1f} GB are left", **told)
        return judged(told)

    def _used(self) -> tuple[int, int, int]:
        self._looking = True
        try:
            return self._usage(self._folder)
        finally:
            self._looking = False


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
