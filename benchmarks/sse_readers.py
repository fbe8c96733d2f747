"""M SSE readers in one process that compare the time written in each event with the clock at its arrival.

It prints {"ready": M} when every stream has answered 200, and its figures when --seconds have passed, --events have
arrived or every stream has ended. The time of an event is found in its data by --path: an integer is nanoseconds of
time.time_ns(), a text is RFC 3339. The clock is the same for all processes of one machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httptools
import orjson
import uvloop

from benchmarks.stats import latencies_ms, own_cpu_s, say


class Measure:
    """The latencies of all readers, and the signals for when all are connected and when it is over."""

    def __init__(self, given: argparse.Namespace, readers: int) -> None:
        self.path: list[str] = given.path.split(".")
        self.also: list[str] | None = given.also.split(".") if given.also else None
        self.only: bytes | None = given.event.encode() if given.event else None
        self.skip: int = given.skip
        self.events: int | None = given.events
        self.readers = readers
        self.seen = 0
        self.took: list[float] = []
        self.also_took: list[float] = []
        self.connected, self.ended = 0, 0
        self.all_connected, self.over = asyncio.Event(), asyncio.Event()
        self.failure: str | None = None

    def event(self, name: bytes, data: bytes, arrived_ns: int) -> None:
        """Count one event, unless its name is not asked for or it carries no time."""
        if self.only is not None and name != self.only:
            return
        value = orjson.loads(data)
        sent_ns = _time_in(value, self.path)
        if sent_ns is None:
            return
        self.seen += 1
        if self.seen > self.skip:
            self.took.append((arrived_ns - sent_ns) / 1e9)
            if self.also is not None and (other_ns := _time_in(value, self.also)) is not None:
                self.also_took.append((arrived_ns - other_ns) / 1e9)
        if self.events is not None and len(self.took) >= self.events:
            self.over.set()

    def answered(self, status: int) -> None:
        """One stream has its status line and headers."""
        if status != 200:
            self.failure = f"a stream answered {status}"
            self.over.set()
        self.connected += 1
        if self.connected == self.readers:
            self.all_connected.set()

    def lost(self) -> None:
        """One stream has ended."""
        self.ended += 1
        if self.ended == self.readers:
            self.over.set()


def _time_in(value: Any, path: list[str]) -> int | None:
    """The nanoseconds at `path`, or None where there is nothing."""
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    if isinstance(value, str):
        return int(datetime.fromisoformat(value).timestamp() * 1e9)
    return value


class Reader(asyncio.Protocol):
    """One stream: HTTP by httptools, frames split at the empty line."""

    def __init__(self, measure: Measure, request: bytes) -> None:
        self.measure = measure
        self.request = request
        self.parser = httptools.HttpResponseParser(self)
        self.rest = b""
        self.arrived_ns = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        """All events in one read arrived now."""
        self.arrived_ns = time.time_ns()
        self.parser.feed_data(data)

    def on_headers_complete(self) -> None:
        """The stream is open."""
        self.measure.answered(self.parser.get_status_code())

    def on_body(self, body: bytes) -> None:
        """Take the whole frames out of what has come."""
        *frames, self.rest = (self.rest + body.replace(b"\r\n", b"\n")).split(b"\n\n")
        for frame in frames:
            name, data = b"", b""
            for line in frame.split(b"\n"):
                if line.startswith(b"data:"):
                    data += line[5:].strip()
                elif line.startswith(b"event:"):
                    name = line[6:].strip()
            if data:
                self.measure.event(name, data, self.arrived_ns)

    def on_message_complete(self) -> None:
        """The server ended the stream."""
        if self.transport:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        del exc
        self.measure.lost()


async def main(given: argparse.Namespace) -> None:
    """Connect the readers, say so, read, print."""
    urls = given.urls.read_text().split() if given.urls else [given.url] * given.readers
    measure = Measure(given, len(urls))
    loop = asyncio.get_running_loop()
    readers: list[Reader] = []
    for number, text in enumerate(urls):
        url = urlsplit(text.replace("{n}", str(number)))
        target = f"{url.path}?{url.query}" if url.query else url.path
        request = f"GET {target} HTTP/1.1\r\nHost: {url.netloc}\r\nAccept: text/event-stream\r\n\r\n".encode()
        host, port = url.hostname or "127.0.0.1", url.port or 80
        _, reader = await loop.create_connection(partial(Reader, measure, request), host, port)
        readers.append(reader)
    await asyncio.wait_for(measure.all_connected.wait(), 60)
    say(ready=len(urls))
    cpu, begin = own_cpu_s(), time.perf_counter()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(measure.over.wait(), given.seconds)
    seconds = time.perf_counter() - begin
    for reader in readers:
        if reader.transport:
            reader.transport.close()
    if measure.failure:
        raise SystemExit(measure.failure)
    say(
        readers=len(urls),
        events=len(measure.took),
        seconds=round(seconds, 3),
        per_s=round(measure.seen / seconds, 1),
        client_cpu_s=round(own_cpu_s() - cpu, 3),
        **latencies_ms(measure.took),
        **({f"also_{key}": each for key, each in latencies_ms(measure.also_took).items()} if given.also else {}),
    )


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="the stream of every reader; {n} becomes the reader's number")
    parser.add_argument("--readers", type=int, default=200, help="with --url: how many readers")
    parser.add_argument("--urls", type=Path, help="instead: a file with one URL a reader")
    parser.add_argument("--path", default="t_ns", help="where in the data the time is, such as at or data.at")
    parser.add_argument("--also", help="a second time in the data: its latencies come beside, as also_p50_ms and so on")
    parser.add_argument("--event", help="measure only events of this name")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--events", type=int, help="end after so many measured events")
    parser.add_argument("--skip", type=int, default=0, help="leave so many first events out, as a warm-up")
    return parser.parse_args()


if __name__ == "__main__":
    uvloop.run(main(arguments()))
