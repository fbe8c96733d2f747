"""A way to PostgreSQL that a test can cut: before a statement arrives, or after it was carried out but not answered."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class LossyProxy:
    """Forwards bytes to the server's socket; `drop_answers` lets statements in and no answer out, then hangs up."""

    def __init__(self, target: str) -> None:
        self._target = target
        self.drop_answers = False
        self.dropped = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        server_reader, server_writer = await asyncio.open_unix_connection(self._target)
        pumps = {
            asyncio.create_task(self._pump(reader, server_writer, answers=False)),
            asyncio.create_task(self._pump(server_reader, writer, answers=True)),
        }
        _, others = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()
        for end in (writer, server_writer):
            end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if answers and self.drop_answers:
                    self.drop_answers = False
                    self.dropped.set()
                    return
                writer.write(data)
                await writer.drain()


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
