"""Watches the tables for who takes over what a killed process was driving, and how long after the kill."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from contextlib import suppress
from typing import Any, Self

import asyncpg

from tests.chaos.frame import Outcome, percentile

_DRIVEN = """
    SELECT thread_id, incarnation_id FROM threads
    WHERE incarnation_id IN (SELECT id FROM incarnations WHERE process LIKE $1)
"""
_NOW = "SELECT thread_id, incarnation_id, completed_at IS NOT NULL FROM threads JOIN workflow_executions AS e \
USING (thread_id) WHERE e.id = execution_id AND thread_id = ANY($1)"


class Recoveries:
    """`killed` tells it of a kill; `seconds` has how long each thread was without a driver that lives."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._kills: queue.SimpleQueue[tuple[int, float]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._runner = threading.Thread(target=lambda: asyncio.run(self._watch()))
        self._orphans: dict[str, tuple[Any, float]] = {}
        self.seconds: list[float] = []

    def __enter__(self) -> Self:
        self._runner.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._runner.join(30)

    def killed(self, pid: int) -> None:
        """A process has just been killed."""
        self._kills.put((pid, time.monotonic()))

    def tell(self, outcome: Outcome, bound: float) -> None:
        """The figures, and a failure when the 99th percentile is over `bound` seconds or somebody was left behind."""
        p99 = percentile(self.seconds, 0.99)
        outcome.figures |= {
            "recovered": len(self.seconds),
            "recovery p50": f"{percentile(self.seconds, 0.5):.2f} s",
            "recovery p99": f"{p99:.2f} s",
        }
        outcome.expect(bool(self.seconds), "no thread was driven by a process that was killed: nothing was tried")
        outcome.expect(p99 <= bound, f"recovery p99 is {p99:.2f} s, over {bound:g} s")
        outcome.expect(not self._orphans, f"never recovered: {list(self._orphans)[:5]}")

    async def _watch(self) -> None:
        connection = await asyncpg.connect(self._dsn)
        try:
            while not self._stop.is_set() or not self._kills.empty():
                await self._look(connection)
                await asyncio.sleep(0.03)
            await self._look(connection)
        finally:
            await connection.close()

    async def _look(self, connection: asyncpg.Connection[Any]) -> None:
        with suppress(queue.Empty):
            while True:
                pid, at = self._kills.get_nowait()
                for thread, incarnation in await connection.fetch(_DRIVEN, f"{pid}@%"):
                    self._orphans.setdefault(thread, (incarnation, at))
        if not self._orphans:
            return
        for thread, incarnation, ended in await connection.fetch(_NOW, list(self._orphans)):
            dead, at = self._orphans[thread]
            if ended or (incarnation is not None and incarnation != dead):
                self.seconds.append(time.monotonic() - at)
                del self._orphans[thread]
