"""The lease of this process: one row with a heartbeat, and what dead processes left behind taken over.

A thread names the incarnation that drives it, so a heartbeat costs one write a process, not one a thread.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
from contextlib import suppress
from math import inf
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

import psutil

from app.domain.errors import BackstitchError
from app.domain.ids import uuid7
from app.domain.records import IncarnationRecord
from app.domain.times import utc_now
from app.engine.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from app.domain.ports import Journal

BEATS: Final = 3
"""Heartbeats in the time of a lease, at least."""
_OFTEN: Final = 1.0
"""Seconds between two heartbeats, and two looks at those of the others, at most."""
_SWEEP: Final = 5.0
"""Seconds between two looks for threads whose process nobody knows."""
_log = logging.getLogger(__name__)


def _nothing(*_: object) -> None:
    """For who need not be told."""


class Lease:
    """`alone`: whether it is certain that no other living process uses this store; `freed` is told when threads are due,
    `renewed` whenever the lease was, `company` whether there are other processes.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        seconds: float,
        alone: Callable[[], bool],
        freed: Callable[[], None],
        renewed: Callable[[], None] = _nothing,
        company: Callable[[bool], None] = _nothing,
    ) -> None:
        self._journal = journal
        self._seconds = seconds
        self._alone = alone
        self._freed, self._renewed, self._company = freed, renewed, company
        self._beaten_at = monotonic()
        self._missed = False
        self._held_from = -inf
        self._judging_from = self._swept_at = 0.0
        self._heard: dict[str, tuple[datetime, float]] = {}
        every = min(seconds / BEATS, _OFTEN)
        self.beats, self.looks = Pulse(every), Pulse(every)
        now = utc_now()
        own = process(os.getpid()) or f"{os.getpid()}@?"
        self.own = IncarnationRecord(id=uuid7(), host=host(), process=own, started_at=now, heartbeat_at=now)

    @property
    def holds(self) -> bool:
        """Whether this process may rely on its lease, by its own clock, counted from before the renewal was sent.

        It decides what is started only: whether a write counts is decided by the thread's epoch.
        """
        return monotonic() - self._held_from < self._seconds

    async def is_dead(self, incarnation_id: str) -> bool:
        """Whether a process drives nothing any more: taken off, provably ended, or silent for longer than the lease."""
        for other, silent_for in await self._journal.incarnations():
            if other.id == incarnation_id:
                return silent_for > self._seconds or self._gone(other)
        return True

    async def open(self) -> None:
        """Enter this process, then take over at once what provably dead ones were driving.

        Those that are merely silent get the time of a lease: it may be the store that was away.
        """
        alone, now = await asyncio.to_thread(self._alone), monotonic()
        await self._journal.open_incarnation(self.own)
        self._held_from = now
        await self._judge(alone=alone)

    async def run(self) -> None:
        """Renew the lease and watch those of the others, until cancelled; the one does not wait for the other."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._often(self._beat, self.beats, "the lease could not be renewed: %s"))
            tasks.create_task(self._often(self._judge, self.looks, "the other processes could not be looked at: %s"))

    async def _often(self, look: Callable[[], Awaitable[None]], pulse: Pulse, trouble: str) -> None:
        while True:
            await asyncio.sleep(pulse.every)
            pulse.beat()
            try:
                await look()
            except Exception as error:  # noqa: BLE001 - the next one may succeed
                _log.warning(trouble, error)

    async def close(self) -> None:
        """Leave: what this process drove is due for others at once."""
        with suppress(BackstitchError):
            await self._journal.close_incarnation(self.own.id)

    async def _beat(self) -> None:
        now, missed, self._missed = monotonic(), self._missed, True
        if not await self._journal.heartbeat(self.own.id):
            _log.warning("another process took this one for dead: its threads are driven elsewhere now")
            await self._journal.open_incarnation(self.own)
        if missed or now - self._beaten_at > self._seconds:
            # The store was away, or this process was: the others get the time of a lease to be heard again.
            self._judging_from = now + self._seconds
        self._missed = False
        self._beaten_at = self._held_from = now
        self._renewed()

    async def _judge(self, *, alone: bool = False) -> None:
        """Take off the dead, make what they drove due.

        Silent is whose heartbeat has not changed for the time of a lease by this process's own clock: no step of the
        database's clock makes a living process look dead, nor a dead one alive.
        """
        now = monotonic()
        others = [other for other, _ in await self._journal.incarnations() if other.id != self.own.id]
        known, self._heard = self._heard, {}
        for other in others:
            heartbeat, since = known.get(other.id, (None, now))
            since = since if heartbeat == other.heartbeat_at else now
            self._heard[other.id] = (other.heartbeat_at, since)
            if alone or self._gone(other):
                await self._take_off(other, None)
            elif now - since > self._seconds and now >= self._judging_from and self.holds:
                await self._take_off(other, other.heartbeat_at)
        self._company(bool(others))
        if now - self._swept_at >= _SWEEP:
            self._swept_at = now
            if await self._journal.sweep():
                self._freed()

    async def _take_off(self, other: IncarnationRecord, heard_at: datetime | None) -> None:
        threads = await self._journal.close_incarnation(other.id, heard_at, crashed=True)
        _log.info("incarnation %s is dead: %d of its threads go on", other.id, threads)
        self._freed()

    def _gone(self, other: IncarnationRecord) -> bool:
        """Whether its process has provably ended, on this host."""
        if other.host != self.own.host:
            return False
        present = process(int(other.process.partition("@")[0]))
        return present is not None and present != other.process


def host() -> str:
    """Names what shares its process ids with this process: the host, its boot, its pid namespace."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8])
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def process(pid: int) -> str | None:
    """A process for good: its pid and when it started; "" after the @ when there is none, None when that cannot be told.

    A /proc that hides the processes of others (hidepid) looks as if there were none.

    On Linux the start is in ticks since boot (proc(5), field 22 of stat), which no change of the clock can move.
    """
    try:
        if Path("/proc/self/stat").exists():
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            return f"{pid}@" if fields[0] in (b"Z", b"X") else f"{pid}@{int(fields[19])}"
        return f"{pid}@{psutil.Process(pid).create_time():.0f}"
    except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
        return None if _is_there(pid) else f"{pid}@"
    except (OSError, psutil.Error, ValueError, IndexError):
        return None


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it is somebody else's
        return True
    return True
