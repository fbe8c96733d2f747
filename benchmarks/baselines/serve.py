"""Serve one of the baselines as a production run would: uvicorn, uvloop, httptools, one process, no access log."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

from benchmarks.stats import say


def serve(app: FastAPI) -> None:
    """Serve `app` on a free port of the loopback until SIGTERM; prints {"port": N} when connections are queued."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(2048)
        say(port=listener.getsockname()[1])
        config = uvicorn.Config(
            app, loop="uvloop", http="httptools", access_log=False, log_level="warning", timeout_graceful_shutdown=2
        )
        uvicorn.Server(config).run(sockets=[listener])
