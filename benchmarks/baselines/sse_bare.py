"""A bare sse-starlette server: every reader has a queue, and one producer spreads `--rate` events a second over them.

Each event carries the time just before it was put into its reader's queue (`t_ns`), and ~250 B like an event of ours.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from fastapi import FastAPI
from sse_starlette import EventSourceResponse, ServerSentEvent

from benchmarks.baselines.serve import serve

TICK_SECONDS = 0.001
FILLER = {"type": "status", "event": "step_complete", "step_id": "step_3", "attempt": 1, "data": {"result": "x" * 120}}


class Board:
    """The readers' queues, filled in turn once `readers` of them are there."""

    def __init__(self, rate: float, readers: int) -> None:
        self.rate = rate
        self.readers = readers
        self.queues: list[asyncio.Queue[ServerSentEvent]] = []
        self.complete = asyncio.Event()

    async def produce(self) -> None:
        """Put the events that are due into the queues, every millisecond, for ever."""
        await self.complete.wait()
        begin, sent = time.perf_counter(), 0
        turn = itertools.cycle(self.queues)
        while True:
            due = int((time.perf_counter() - begin) * self.rate)
            for number in range(sent, due):
                data = orjson.dumps({"seq": number, "t_ns": time.time_ns(), **FILLER}).decode()
                next(turn).put_nowait(ServerSentEvent(data=data, event="step_complete", id=str(number)))
            sent = due
            await asyncio.sleep(TICK_SECONDS)

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        """One reader's stream."""
        queue: asyncio.Queue[ServerSentEvent] = asyncio.Queue()
        self.queues.append(queue)
        if len(self.queues) == self.readers:
            self.complete.set()
        while True:
            yield await queue.get()


def build(board: Board) -> FastAPI:
    """The app; its producer lives as long as it does."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            producer = tasks.create_task(board.produce())
            yield
            producer.cancel()

    app = FastAPI(lifespan=lifespan)

    @app.get("/stream")
    async def stream() -> EventSourceResponse:
        return EventSourceResponse(board.events())

    return app


def main() -> None:
    """Read the rate and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=1000.0, help="events a second in all")
    parser.add_argument("--readers", type=int, default=200, help="how many readers to wait for")
    given = parser.parse_args()
    serve(build(Board(given.rate, given.readers)))


if __name__ == "__main__":
    main()
