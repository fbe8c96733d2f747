"""An HTTP load generator light enough to share two cores with what it measures: raw sockets, httptools, keep-alive.

N clients in a closed loop POST one JSON body to one URL until R requests are answered; one JSON line tells throughput
and latency. `{n}` in the body becomes the request's number, so that ids can differ.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import time
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import SplitResult, urlsplit

import httptools
import uvloop

from benchmarks.stats import latencies_ms, own_cpu_s, say

LIMIT_SECONDS = 120


@dataclass(slots=True, kw_only=True)
class Run:
    """One run's target and what it has seen so far; shared by its clients."""

    head: bytes
    body: str
    requests: int
    sent: int = 0
    took: list[float] = field(default_factory=list)
    statuses: collections.Counter[int] = field(default_factory=collections.Counter)

    def next_request(self) -> bytes | None:
        """The next request's bytes, or None when enough were sent."""
        if self.sent >= self.requests:
            return None
        body = self.body.replace("{n}", str(self.sent)).encode()
        self.sent += 1
        return self.head + b"Content-Length: %d\r\n\r\n" % len(body) + body


class Client(asyncio.Protocol):
    """One keep-alive connection that sends its next request as soon as the last one is answered."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self.parser = httptools.HttpResponseParser(self)
        self.began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self.transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls on_message_complete."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._finish(error)

    def on_message_complete(self) -> None:
        """Note the answer and go on, on a new connection's parser state where the server wants to close."""
        self.run.took.append(time.perf_counter() - self.began)
        self.run.statuses[self.parser.get_status_code()] += 1
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """The server closed the connection: an error while requests are left."""
        self._finish(exc or (ConnectionError("closed by the server") if self.began else None))

    def _send(self) -> None:
        request = self.run.next_request()
        assert self.transport is not None
        if request is None:
            self.began = 0.0
            self._finish(None)
            self.transport.close()
            return
        self.began = time.perf_counter()
        self.transport.write(request)

    def _finish(self, error: Exception | None) -> None:
        if self.done.done():
            return
        if error:
            self.done.set_exception(error)
        else:
            self.done.set_result(None)


def head_of(url: SplitResult, headers: list[str]) -> bytes:
    """The request line and headers that all requests share, without Content-Length and the empty line."""
    path = url.path or "/"
    target = f"{path}?{url.query}" if url.query else path
    lines = [f"POST {target} HTTP/1.1", f"Host: {url.netloc}", "Content-Type: application/json", *headers]
    return "".join(f"{line}\r\n" for line in lines).encode()


async def drive(run: Run, url: SplitResult, clients: int) -> float:
    """Run `clients` clients to their end; the seconds it took.

    ExceptionGroup when a connection fails, TimeoutError after LIMIT_SECONDS.
    """
    loop = asyncio.get_running_loop()
    host, port = url.hostname or "127.0.0.1", url.port or 80
    begin = time.perf_counter()

    async def one() -> None:
        _, client = await loop.create_connection(lambda: Client(run), host, port)
        await client.done

    async with asyncio.timeout(LIMIT_SECONDS), asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(one())
    return time.perf_counter() - begin


async def main(given: argparse.Namespace) -> None:
    """Warm up, measure, print."""
    url = urlsplit(given.url)
    head = head_of(url, given.header)
    if given.warmup:
        await drive(Run(head=head, body=given.body, requests=given.warmup), url, given.clients)
    run = Run(head=head, body=given.body, requests=given.requests)
    cpu = own_cpu_s()
    seconds = await drive(run, url, given.clients)
    say(
        requests=len(run.took),
        seconds=round(seconds, 3),
        per_s=round(len(run.took) / seconds, 1),
        failed=sum(count for status, count in run.statuses.items() if status >= 400),
        statuses={str(status): count for status, count in run.statuses.items()},
        client_cpu_s=round(own_cpu_s() - cpu, 3),
        **latencies_ms(run.took),
    )


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--body", default="{}")
    parser.add_argument("--header", action="append", default=[], help="a header line, 'Name: value'")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--warmup", type=int, default=500)
    return parser.parse_args()


if __name__ == "__main__":
    uvloop.run(main(arguments()))
