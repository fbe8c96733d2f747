"""Ports for tests, also when several runs share the machine."""

from __future__ import annotations

import random
import socket
from contextlib import suppress


def free_port() -> int:
    """A port that nobody has or gets, below the ephemeral ones: whoever takes one here keeps its number in UDP meanwhile."""
    for port in random.sample(range(20_000, 32_000), 1_000):
        held = socket.socket(type=socket.SOCK_DGRAM)
        with suppress(OSError), socket.socket() as tried:
            held.bind(("127.0.0.1", port))
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("127.0.0.1", port))
            held.detach()  # until this process ends
            return port
        held.close()
    raise AssertionError("no free port")
