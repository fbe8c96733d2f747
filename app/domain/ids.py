"""Identifiers: UUIDv7 (RFC 9562, section 5.7) as text, in the order of their making within a process."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
import uuid
from typing import Final

THREAD_ID: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._:-]{1,128}\Z")
"""What a client may choose as a thread id; `.` and `..` could not stand in a path."""

_COUNTER_MAX: Final = 0xFFF
_POOL: Final = 8 * 512


class _Source:
    """The counter that keeps ids of one millisecond in order, and random bytes bought 512 ids at a time."""

    def __init__(self) -> None:
        self.last_ms = 0
        self.counter = 0
        self.pool = b""
        self.used = 0

    def random(self) -> int:
        """62 random bits."""
        if self.used >= len(self.pool):
            self.pool, self.used = os.urandom(_POOL), 0
        self.used += 8
        return int.from_bytes(self.pool[self.used - 8 : self.used]) >> 2

    def tick(self) -> None:
        """Move on to the next millisecond, or the next place in this one."""
        now = time.time_ns() // 1_000_000
        if now > self.last_ms:
            self.last_ms, self.counter = now, 0
        elif self.counter < _COUNTER_MAX:
            self.counter += 1
        else:
            self.last_ms, self.counter = self.last_ms + 1, 0


_source = _Source()
_lock = threading.Lock()


def uuid7() -> str:
    """A new UUIDv7: 48 bits of milliseconds, a 12-bit counter within the millisecond, 62 random bits."""
    with _lock:
        _source.tick()
        high, low = (_source.last_ms << 16) | 0x7000 | _source.counter, 0x8000000000000000 | _source.random()
    text = f"{high:016x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def derived_id(*parts: object) -> str:
    """The id that belongs to these parts and to no others: a UUIDv8 (RFC 9562, section 5.8) of their SHA-256."""
    digest = bytearray(hashlib.sha256("\0".join(map(str, parts)).encode()).digest()[:16])
    digest[6], digest[8] = digest[6] & 0x0F | 0x80, digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


def _after_fork() -> None:
    _source.pool = b""  # two processes must not draw the same bytes


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
