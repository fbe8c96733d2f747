"""A closed loop over HTTP: C keep-alive clients that each POST a start, wait until the feed tells its end, and go on.

All ends come through one connection, `GET /api/stream?status=completed`. One JSON line tells throughput and how long a
whole workflow took, from the first byte of its POST to the arrival of its last event.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from typing import cast
from urllib.parse import SplitResult, urlsplit

import httptools
import orjson
import uvloop

from benchmarks.load import head_of
from benchmarks.stats import latencies_ms, own_cpu_s, say

LIMIT_SECONDS = 120
THREAD = re.compile(rb'"thread_id":"([^"]+)"')


class Ends:
    """Who waits for which thread; ends that came before the answer to the POST did are kept."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._early: set[str] = set()

    def came(self, thread_id: str) -> None:
        """A thread has completed."""
        waiting = self._waiting.pop(thread_id, None)
        if waiting is None:
            self._early.add(thread_id)
        else:
            waiting.set_result(None)

    async def wait(self, thread_id: str) -> None:
        """Until the thread has completed."""
        if thread_id in self._early:
            self._early.discard(thread_id)
            return
        waiting = self._waiting[thread_id] = asyncio.get_running_loop().create_future()
        await waiting


class Connection(asyncio.Protocol):
    """What both kinds of connection share."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self.parser.feed_data(data)

    def send(self, data: bytes) -> None:
        """Send bytes."""
        assert self.transport is not None
        self.transport.write(data)

    def close(self) -> None:
        """Close it."""
        if self.transport is not None:
            self.transport.close()


class Poster(Connection):
    """Sends one POST after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._body = b""
        self._answer: asyncio.Future[bytes] | None = None

    async def post(self, request: bytes) -> str:
        """The id of the started thread."""
        self._answer = asyncio.get_running_loop().create_future()
        self.send(request)
        return orjson.loads(await self._answer)["thread_id"]

    def on_body(self, body: bytes) -> None:
        """A piece of the answer."""
        self._body += body

    def on_message_complete(self) -> None:
        """The answer is whole."""
        body, self._body = self._body, b""
        assert self._answer is not None
        if self.parser.get_status_code() == 202:
            self._answer.set_result(body)
        else:
            self._answer.set_exception(RuntimeError(body.decode()))

    def connection_lost(self, exc: Exception | None) -> None:
        """The server closed it."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("closed by the server"))


class Feed(Connection):
    """Reads the feed of all threads and tells `ends` of those that completed."""

    def __init__(self, ends: Ends) -> None:
        super().__init__()
        self._ends = ends
        self._rest = b""

    def on_headers_complete(self) -> None:
        """The feed is open."""
        if self.parser.get_status_code() == 200:
            self.opened.set_result(None)
        else:
            self.opened.set_exception(RuntimeError(f"the feed answered {self.parser.get_status_code()}"))

    def on_body(self, body: bytes) -> None:
        """Look through the whole frames for ends."""
        *frames, self._rest = (self._rest + body).split(b"\n\n")
        for frame in frames:
            if b"event: workflow_complete\n" in frame and (found := THREAD.search(frame)):
                self._ends.came(found[1].decode())


async def drive(url: SplitResult, body: str, *, workflows: int, in_flight: int) -> tuple[float, list[float]]:
    """Run all workflows; the seconds that it took, and those of each workflow."""
    loop = asyncio.get_running_loop()
    host, port = url.hostname or "127.0.0.1", url.port or 80
    ends = Ends()
    _, feed = await loop.create_connection(lambda: Feed(ends), host, port)
    feed.send(f"GET /api/stream?status=completed HTTP/1.1\r\nHost: {url.netloc}\r\n\r\n".encode())
    await feed.opened
    posters = [(await loop.create_connection(Poster, host, port))[1] for _ in range(in_flight)]
    request = head_of(url, []) + f"Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()
    numbers = iter(range(workflows))
    took: list[float] = []

    async def client(poster: Poster) -> None:
        for _ in numbers:
            begin = time.perf_counter()
            await ends.wait(await poster.post(request))
            took.append(time.perf_counter() - begin)

    begin = time.perf_counter()
    async with asyncio.timeout(LIMIT_SECONDS), asyncio.TaskGroup() as clients:
        for poster in posters:
            clients.create_task(client(poster))
    seconds = time.perf_counter() - begin
    for connection in (feed, *posters):
        connection.close()
    return seconds, took


async def main(given: argparse.Namespace) -> None:
    """Drive and print."""
    cpu = own_cpu_s()
    url = urlsplit(f"{given.url}/api/invoke/async")
    seconds, took = await drive(url, given.body, workflows=given.workflows, in_flight=given.in_flight)
    say(
        workflows_per_s=round(len(took) / seconds, 1),
        steps_per_s=round(len(took) * given.steps / seconds, 1),
        client_cpu_s=round(own_cpu_s() - cpu, 3),
        **latencies_ms(took),
    )


if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--url", required=True, help="of the service, such as http://127.0.0.1:8000")
    words.add_argument("--body", required=True)
    words.add_argument("--steps", type=int, default=5)
    words.add_argument("--workflows", type=int, default=500)
    words.add_argument("--in-flight", type=int, default=100)
    uvloop.run(main(words.parse_args()))
