"""A way to PostgreSQL that a test can slow, hold up, reset, or cut after a statement was carried out but not answered.

It reads the protocol (PostgreSQL, chapter "Message Formats") as far as it takes to know which statement an answer is of.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable


@dataclass(frozen=True, slots=True)
class Unit:
    """What one answer is of: the last statement, and those before it in the same transaction."""

    sql: str
    before: tuple[str, ...] = ()


@dataclass(slots=True)
class Drop:
    """An answer that is to be lost: the first of a unit that `matches`, if it has a row and `holding` somewhere in it.

    The statement has been carried out, and committed unless it stands in a transaction, when the connection is cut.
    """

    matches: Callable[[Unit], bool]
    with_rows: bool = False
    holding: bytes = b""
    done: asyncio.Event = field(default_factory=asyncio.Event)


class LossyProxy:
    """Forwards bytes to the server's socket.  `latency` is in seconds, for each piece and way."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._drops: list[Drop] = []
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._open: set[asyncio.StreamWriter] = set()
        self.latency = 0.0
        self.drop_answers = False
        self.dropped = asyncio.Event()

    def drop(self, matches: Callable[[Unit], bool], *, with_rows: bool = False, holding: bytes = b"") -> Drop:
        """Lose the next answer that matches; its `done` is set when that has happened."""
        drop = Drop(matches, with_rows, holding)
        self._drops.append(drop)
        return drop

    def stall(self) -> None:
        """Hold everything up, both ways, with the connections open; until `flow`."""
        self._flowing.clear()

    def flow(self) -> None:
        """Go on."""
        self._flowing.set()

    def reset(self) -> int:
        """Reset every connection, as a firewall would; how many there were."""
        found = list(self._open)
        for writer in found:
            writer.transport.abort()
        return len(found)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        try:
            server_reader, server_writer = await asyncio.open_unix_connection(self._target)
        except OSError:
            writer.transport.abort()
            return
        talk = _Talk()
        self._open.add(writer)
        pumps = {
            asyncio.create_task(self._ask(talk, reader, server_writer)),
            asyncio.create_task(self._answer(talk, server_reader, writer)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open.discard(writer)
            for pump in pumps:
                pump.cancel()
            for end in (writer, server_writer):
                end.close()

    async def _ask(self, talk: _Talk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await self._piece(reader):
                talk.asked(data)
                writer.write(data)
                await writer.drain()

    async def _answer(self, talk: _Talk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await self._piece(reader):
                if self.drop_answers:
                    self.drop_answers = False
                    self.dropped.set()
                    return
                for message in talk.answered(data):
                    if message.last and self._loses(message):
                        return
                    if not self._awaited(message.unit):
                        writer.write(message.take())
                await writer.drain()

    async def _piece(self, reader: asyncio.StreamReader) -> bytes:
        data = await reader.read(65536)
        if self.latency:
            await asyncio.sleep(self.latency)
        await self._flowing.wait()
        return data

    def _awaited(self, unit: Unit | None) -> bool:
        return unit is not None and any(drop.matches(unit) for drop in self._drops)

    def _loses(self, message: _Message) -> bool:
        for drop in self._drops:
            unit = message.unit
            if unit is None or not drop.matches(unit) or message.failed:
                continue
            if (drop.with_rows and not message.rows) or drop.holding not in message.held:
                continue
            self._drops.remove(drop)
            drop.done.set()
            return True
        if self._awaited(message.unit):
            message.unit = None  # not this time: the whole answer is let through
        return False


@dataclass(slots=True)
class _Message:
    """A piece of an answer; `take` gives what has been held back of it so far.  `last`: the server is ready again."""

    held: bytearray
    unit: Unit | None
    last: bool
    rows: bool
    failed: bool

    def take(self) -> bytes:
        """Once."""
        data = bytes(self.held)
        self.held.clear()
        return data


class _Talk:
    """One connection's protocol: which statement each answer is of."""

    def __init__(self) -> None:
        self._asking, self._answering, self._held = bytearray(), bytearray(), bytearray()
        self._begun = False
        self._prepared: dict[bytes, str] = {}
        self._bound: str | None = None
        self._units: deque[str | None] = deque([None])  # the answer to the start-up is of no statement
        self._transaction: list[str] = []
        self._rows = self._failed = False

    def asked(self, data: bytes) -> None:
        """Bytes of the client."""
        self._asking += data
        if not self._begun:  # the first message has no type
            if len(self._asking) < 4 or len(self._asking) < int.from_bytes(self._asking[:4]):
                return
            del self._asking[: int.from_bytes(self._asking[:4])]
            self._begun = True
        for kind, body in _messages(self._asking):
            self._asked(kind, body)

    def _asked(self, kind: bytes, body: bytes) -> None:
        if kind == b"P":
            name, sql, _ = body.split(b"\0", 2)
            self._prepared[name] = sql.decode()
        elif kind == b"B":
            _, name, _ = body.split(b"\0", 2)
            self._bound = self._prepared.get(name)
        elif kind == b"Q":
            self._units.append(body.rstrip(b"\0").decode())
        elif kind == b"S":
            self._units.append(self._bound)
            self._bound = None

    def answered(self, data: bytes) -> list[_Message]:
        """Bytes of the server, cut into messages; those of one answer share what is held back."""
        self._answering += data
        found: list[_Message] = []
        for kind, body in _messages(self._answering):
            self._held += kind + (len(body) + 4).to_bytes(4) + body
            self._rows |= kind == b"D"
            self._failed |= kind == b"E"
            sql = self._units[0] if self._units else None
            unit = Unit(sql, tuple(self._transaction)) if sql is not None else None
            found.append(_Message(self._held, unit, kind == b"Z", self._rows, self._failed))
            if kind == b"Z":
                self._over(sql, in_transaction=body != b"I")
        return found

    def _over(self, sql: str | None, *, in_transaction: bool) -> None:
        if self._units:
            self._units.popleft()
        if in_transaction and sql is not None:
            self._transaction.append(sql)
        elif not in_transaction:
            self._transaction.clear()
        self._held, self._rows, self._failed = bytearray(), False, False


def _messages(buffer: bytearray) -> list[tuple[bytes, bytes]]:
    """The whole messages at its beginning, taken out."""
    found: list[tuple[bytes, bytes]] = []
    at = 0
    while len(buffer) >= at + 5:
        end = at + 1 + int.from_bytes(buffer[at + 1 : at + 5])
        if len(buffer) < end:
            break
        found.append((bytes(buffer[at : at + 1]), bytes(buffer[at + 5 : end])))
        at = end
    del buffer[:at]
    return found


@asynccontextmanager
async def lossy_proxy(dsn: str) -> AsyncGenerator[tuple[LossyProxy, str]]:
    """The proxy and a DSN that leads through it."""
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)
    folder, port = query["host"][0], parts.port or query.get("port", ["5432"])[0]
    proxy = LossyProxy(f"{folder}/.s.PGSQL.{port}")
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    own = server.sockets[0].getsockname()[1]
    try:
        yield proxy, f"postgresql://{parts.username or 'postgres'}@127.0.0.1:{own}{parts.path}?sslmode=disable"
    finally:
        server.close()
