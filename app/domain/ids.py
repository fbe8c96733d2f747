"""Identifiers: UUIDv7 (RFC 9562, section 5.7) as text, in the order of their making within a process."""

from __future__ import annotations

import os
import re
import time
from typing import Final

THREAD_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}\Z")
"""What a client may choose as a thread id."""

_COUNTER_MAX: Final = 0xFFF
_last_ms = 0
_counter = 0


def uuid7() -> str:
    """A new UUIDv7: 48 bits of milliseconds, a 12-bit counter within the millisecond, 62 random bits."""
    global _last_ms, _counter  # noqa: PLW0603 - the counter that keeps ids of one millisecond in order
    now = time.time_ns() // 1_000_000
    if now > _last_ms:
        _last_ms, _counter = now, 0
    else:
        _counter += 1
        if _counter > _COUNTER_MAX:
            _last_ms, _counter = _last_ms + 1, 0
    value = (_last_ms << 80) | (0x7000 | _counter) << 64 | 0x8000000000000000 | int.from_bytes(os.urandom(8)) >> 2
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
