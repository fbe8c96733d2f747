"""Readers of a busy stream that take nothing, beside some that keep up: those are not to notice, nor is the memory."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import uvloop

from tests.chaos.frame import Outcome, Row, percentile
from tests.chaos.readers import _part
from tests.chaos.world import services

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service

FAST = 5
PIECES = 1_500
MANY = 200
"""With so many slow readers there is time to see the server cut them; it does so after a minute."""
CUT_AFTER = 75.0
_STAMP = re.compile(rb"<(\d+\.\d+)>")
_MEGA = 1_000_000


def run(slow: int, folder: Path) -> Outcome:
    """The same stream twice: without the slow ones, and with them."""
    outcome = Outcome()
    with (
        services(folder, 1, LEASE_SECONDS=5) as [service],
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_run(service, slow, outcome))
        outcome.expect(service.http.get("/api/health").status_code == 200, "the service is not well afterwards")
    return outcome


async def _run(service: Service, slow: int, outcome: Outcome) -> None:
    assert service.process is not None
    memory = psutil.Process(service.process.pid)
    await _watch(service, 0, outcome, memory)  # the first time is for warming up
    alone, _, _ = await _watch(service, 0, outcome, memory)
    before = memory.memory_info().rss
    beside, grown, connections = await _watch(service, slow, outcome, memory)
    was, now = percentile(alone, 0.95), percentile(beside, 0.95)
    outcome.figures = {
        "fast p95 alone": f"{was * 1000:.1f} ms",
        "fast p95 beside": f"{now * 1000:.1f} ms",
        "memory": f"+{max(0, grown - before) / _MEGA:.0f} MB",
        "pieces to each": PIECES,
    } | outcome.figures
    outcome.expect(now <= max(4 * was, was + 0.05), f"the fast wait {now / max(was, 1e-4):.1f} times as long")
    bound = 60 + 0.15 * slow
    outcome.expect(grown - before <= bound * _MEGA, f"the memory grew by more than {bound:.0f} MB")
    await _look_after(connections, outcome, cut=slow >= MANY)


async def _watch(
    service: Service, slow: int, outcome: Outcome, memory: psutil.Process
) -> tuple[list[float], int, list[socket.socket]]:
    """One busy stream: how late its pieces came to the fast, and the most memory that the service took meanwhile."""
    # What goes out to many is so much that it fills the buffers of the slow soon, and not more than one process can send.
    given = (
        {"count": PIECES, "every": 0.02, "bytes": 4_000}
        if slow >= MANY
        else {"count": PIECES, "every": 0.003, "bytes": 1_000}
    )
    wait = {"id": "wait", "sleep": "5s" if slow >= MANY else "1s"}  # until all have come
    steps = [wait, {"id": "talk", "python": "ticker", "input": given}, {"id": "last", "agent": "hand"}]
    thread = await asyncio.to_thread(service.start_thread, {"name": "busy", "steps": steps}, {})
    path = f"/api/invoke/stream/{thread}"
    connections = [_connect(service.port, path) for _ in range(slow)]
    most = 0
    async with asyncio.TaskGroup() as tasks:
        readers = [tasks.create_task(_fast(service.port, path)) for _ in range(FAST)]
        while not all(reader.done() for reader in readers):
            most = max(most, memory.memory_info().rss)
            await asyncio.sleep(0.1)
    for reader in readers:
        late, whole = reader.result()
        outcome.expect(whole, "a fast reader did not see the end")
        outcome.expect(len(late) == PIECES, f"a fast reader got {len(late)} of {PIECES} pieces")
    # The first half fills the buffers of those who take nothing: until then they are readers like the others.
    return [one for reader in readers for one in reader.result()[0][PIECES // 2 :]], most, connections


async def _fast(port: int, path: str) -> tuple[list[float], bool]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    late: list[float] = []
    rest = b""
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        async with asyncio.timeout(120):
            while piece := await reader.read(262_144):
                now, text = time.time(), rest + piece
                at = 0
                for found in _STAMP.finditer(text):
                    at = found.end()
                    if b"step_chunk" in text[max(0, found.start() - 600) : found.start()]:
                        late.append(now - float(found[1]))
                rest = text[max(at, len(text) - 700) :]
    finally:
        writer.close()
    return late, b"workflow_complete" in rest + text[-3_000:]


def _connect(port: int, path: str) -> socket.socket:
    """One who asks, and then takes nothing."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.connect(("127.0.0.1", port))
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    return connection


async def _look_after(connections: list[socket.socket], outcome: Outcome, *, cut: bool) -> None:
    """Most begin to read at last, and see every durable event; where there is time, the others are found to be cut."""
    late = connections[: len(connections) // 2] if cut else connections
    raws = await asyncio.gather(*(_drain(one, 20.0) for one in late))
    whole = 0
    for raw in raws:
        ids = [int(one) for one in _part(raw).ids]
        fine = ids == list(range(1, len(ids) + 1)) and b"event: workflow_complete" in raw
        whole += fine
        outcome.expect(fine or not raw, f"a slow reader saw {ids}")
    outcome.figures["slow that saw all in the end"] = f"{whole} of {len(late)}"
    outcome.expect(whole == len(late), f"{len(late) - whole} slow readers did not see the end")
    if cut:
        await asyncio.sleep(CUT_AFTER)
        ends = await asyncio.gather(*(_drain(one, 5.0) for one in connections[len(late) :]))
        count = sum(b"event: workflow_complete" not in raw for raw in ends)
        outcome.figures["cut"] = f"{count} of {len(ends)}"
        outcome.expect(count == len(ends), f"{len(ends) - count} slow readers were not cut in {CUT_AFTER:.0f} s")


async def _drain(connection: socket.socket, seconds: float) -> bytes:
    connection.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=connection)
    raw = bytearray()
    try:
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(seconds):
                while piece := await reader.read(65_536):
                    raw += piece
    finally:
        writer.close()
    return bytes(raw)


ROWS = (
    Row(
        name="slow",
        fault="slow SSE readers beside fast ones",
        passes="the fast keep their latency (p95 within 4 times, or 50 ms more), memory bounded, the slow lag without harm "
        "(full: are cut)",
        unit="slow readers",
        doses=(20, 1_000),
        bounds=(90, 300),
        run=run,
    ),
)
