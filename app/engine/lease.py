"""The lease of this process: one row with a heartbeat, and what dead processes left behind taken over.

A thread names the incarnation that drives it, so a heartbeat costs one write a process, not one a thread.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from app.domain.errors import BackstitchError
from app.domain.ids import uuid7
from app.domain.records import IncarnationRecord
from app.domain.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.ports import Journal

BEATS: Final = 3
"""Heartbeats in the time of a lease."""
_log = logging.getLogger(__name__)


class Lease:
    """`alone`: whether it is certain that no other living process uses this store; `freed` is told when threads are due."""

    def __init__(
        self, journal: Journal, *, seconds: float, alone: Callable[[], bool], freed: Callable[[], None]
    ) -> None:
        self._journal = journal
        self._seconds = seconds
        self._alone = alone
        self._freed = freed
        now = utc_now()
        self.own = IncarnationRecord(
            id=uuid7(), host=host(), process=process(os.getpid()), started_at=now, heartbeat_at=now
        )

    async def open(self) -> None:
        """Enter this process, then take over at once what provably dead ones were driving."""
        alone = await asyncio.to_thread(self._alone)
        await self._journal.open_incarnation(self.own)
        for other, silent_for in await self._journal.incarnations():
            if other.id != self.own.id and (alone or self._dead(other, silent_for)):
                await self._take_off(other)

    async def run(self) -> None:
        """Renew the lease and watch those of the others, until cancelled."""
        while True:
            await asyncio.sleep(self._seconds / BEATS)
            try:
                await self._beat()
            except BackstitchError as error:
                _log.warning("the lease could not be renewed: %s", error)

    async def close(self) -> None:
        """Leave: what this process drove is due for others at once."""
        with suppress(BackstitchError):
            await self._journal.close_incarnation(self.own.id)

    async def _beat(self) -> None:
        if not await self._journal.heartbeat(self.own.id):
            _log.warning("another process took this one for dead: its threads are driven elsewhere now")
            await self._journal.open_incarnation(self.own)
        for other, silent_for in await self._journal.incarnations():
            if other.id != self.own.id and self._dead(other, silent_for):
                await self._take_off(other)

    async def _take_off(self, other: IncarnationRecord) -> None:
        threads = await self._journal.close_incarnation(other.id)
        _log.info("incarnation %s is dead: %d of its threads go on", other.id, threads)
        self._freed()

    def _dead(self, other: IncarnationRecord, silent_for: float) -> bool:
        if silent_for > self._seconds:
            return True
        return other.host == self.own.host and process(int(other.process.partition("@")[0])) != other.process


def host() -> str:
    """Names what shares its process ids with this process: the host, its boot, its pid namespace."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8])
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def process(pid: int) -> str:
    """A process for good: its pid and when it started, "" after the @ when there is none."""
    try:
        return f"{pid}@{psutil.Process(pid).create_time():.2f}"
    except psutil.Error:
        return f"{pid}@"
