"""A whole service behind a real uvicorn, and the stock clients of LangGraph's SDK on it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk._async import http as async_http
from langgraph_sdk._sync import http as sync_http

from app.domain.runner import StepContext
from app.runners.registration import function
from tests.api.real import open_real
from tests.serving import served

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from langgraph_sdk.client import LangGraphClient
    from langgraph_sdk.schema import StreamPart

    from tests.api.real import Real

SEWING = {
    "name": "sewing",
    "description": "three stitches",
    "input": {"type": "object", "properties": {"topic": {"type": "string"}}},
    "steps": [
        {"id": "cut", "python": "echo_of", "input": {"of": "{input.topic}"}, "assign": "cloth"},
        {"id": "stitch", "python": "echo_of", "input": {"of": "{context.cloth.of}"}},
        {"id": "iron", "python": "echo_of", "input": {"of": "{stitch.output.of}"}},
    ],
    "output": {"made": "{iron.output.of}"},
}
ASKING = {
    "name": "asking",
    "steps": [
        {"id": "draft", "python": "echo_of", "input": {"of": "{input}"}},
        {
            "id": "approve",
            "gate": {
                "title": "Publish?",
                "show": "{draft.output}",
                "form": {"type": "object", "required": ["yes"], "properties": {"yes": {"type": "boolean"}}},
            },
        },
        {"id": "publish", "python": "echo_of", "input": {"of": "{approve.output.yes}"}},
    ],
    "output": {"published": "{publish.output.of}"},
}
SLOW = {"name": "slow", "steps": [{"id": "first", "python": "echo_of"}, {"id": "hold", "python": "held"}]}
TALKING = {"name": "talking", "steps": [{"id": "talk", "python": "talking"}, {"id": "after", "python": "echo_of"}]}


@function("echo_of")
async def echo_of(given: Any) -> Any:
    """Gives what it was given."""
    return given


class Held:
    """Steps that wait for the test, by thread."""

    def __init__(self) -> None:
        self.entered: asyncio.Event = asyncio.Event()
        self.go: asyncio.Event = asyncio.Event()


HELD: dict[str, Held] = {}


def held_of(thread_id: str) -> Held:
    return HELD.setdefault(thread_id, Held())


@function("held")
async def held(given: Any, ctx: StepContext) -> str:
    """Waits until the test lets it go."""
    one = held_of(ctx.thread_id)
    one.entered.set()
    await one.go.wait()
    return "let go"


@function("talking")
async def talking(given: Any, ctx: StepContext) -> dict[str, str]:
    """Says something in pieces, waiting for the test before the last."""
    one = held_of(ctx.thread_id)
    ctx.progress(0.5, "half")
    for piece in ("one ", "two "):
        ctx.chunk(piece)
    one.entered.set()
    await one.go.wait()
    ctx.chunk("three")
    return {"text": "one two three", "model": "mouth"}


class Wire:
    """What lies between the clients and the service: `cut` breaks all connections that are open, as a network does."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()
        self.url = ""
        self.connections = 0

    def cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._open |= {writer, back}
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pass(reader, back))
                tasks.create_task(self._pass(there, writer))
        finally:
            self._open -= {writer, back}

    @staticmethod
    async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await source.read(65_536):
                sink.write(piece)
                await sink.drain()
        sink.close()


@asynccontextmanager
async def wire_to(url: str) -> AsyncGenerator[Wire]:
    """A wire to a service."""
    wire = Wire(int(url.rpartition(":")[2]))
    server = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
    wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield wire
    finally:
        server.close()
        wire.cut()


@dataclass
class Lang:
    """A service with its clients; whatever goes over the `wire` can be cut."""

    real: Real
    url: str
    client: LangGraphClient
    sync: Any
    wire: Wire

    async def register(self, *documents: dict[str, Any]) -> None:
        for document in documents:
            await self.real.post("/api/workflows", document, expect=201)

    async def aside(self, call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """A call of the synchronous client, which must not hold up the loop that serves it."""
        return await asyncio.to_thread(call, *arguments, **more)

    async def followed(self, thread_id: str) -> None:
        """Wait until somebody follows the thread."""
        async with asyncio.timeout(30):
            while not self.real.services.bus._threads.get(thread_id):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.001)

    async def paused_at_gate(self, **more: Any) -> tuple[str, dict[str, Any]]:
        """A thread that asks, and the state that tells of it."""
        thread = await self.client.threads.create()
        await self.client.runs.wait(thread["thread_id"], "asking", input={"n": 1}, **more)
        return thread["thread_id"], dict(await self.client.threads.get_state(thread["thread_id"]))


@asynccontextmanager
async def open_lang(**settings: Any) -> AsyncGenerator[Lang]:
    """All of it; the workflows above are registered."""
    given = {
        "modules": "tests.api.agents,tests.api.lang",
        "sse_heartbeat_seconds": 0.2,
        "http_allow_private": True,
        "shutdown_grace_seconds": 0.05,
        **settings,
    }
    async with open_real(**given) as real, served(real.application) as at, wire_to(at) as wire:
        url = f"{wire.url}/langgraph"
        client, sync = get_client(url=url, api_key=None), get_sync_client(url=url, api_key=None)
        lang = Lang(real, url, client, sync, wire)
        await lang.register(SEWING, ASKING, SLOW, TALKING)
        async with client:
            yield lang
        sync.http.client.close()


async def shared_lang() -> AsyncGenerator[Lang]:
    """One for all tests of a module, which find their own threads in it."""
    async with open_lang() as found:
        yield found


async def parts(stream: AsyncIterator[StreamPart]) -> list[StreamPart]:
    """All of a stream, each part with its id."""
    return [part async for part in stream]


def told(found: list[StreamPart], event: str) -> list[Any]:
    """The data of the parts of one name."""
    return [part.data for part in found if part.event == event]


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients come again at once when they are cut off."""
    for module in (async_http, sync_http):
        monkeypatch.setattr(module, "_reconnect_delay", lambda *_, **__: 0.0)
