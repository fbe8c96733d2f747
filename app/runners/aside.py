"""Big values are worked on in a thread, so that the event loop, and with it every other thread, does not stand still."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

BIG: Final = 256_000
"""Bytes or characters above which reading a JSON text takes too long for the loop."""


async def aside(work: Callable[[], T], size: int) -> T:
    """What `work` gives, which reads `size` bytes; in a thread when they are many.  Raises what it raises."""
    return await asyncio.to_thread(work) if size > BIG else work()
