"""An ASGI application behind a real uvicorn in the test's own loop."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@asynccontextmanager
async def served(app: Any, port: int = 0) -> AsyncGenerator[str]:
    """The base URL.  At the end whatever is open is cut at once: uvicorn's own way out takes some tenths of a second."""
    config = uvicorn.Config(app, port=port, log_config=None, lifespan="off", ws="none")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        for listener in server.servers:
            listener.close()
        tasks = list(server.server_state.tasks)
        for task in tasks:
            task.cancel()
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
