"""Big values are worked on in a thread, so that the event loop, and with it every other thread, does not stand still."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

from app.domain import input_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.domain.errors import Problem

T = TypeVar("T")

BIG: Final = 256_000
"""Bytes or characters above which reading a JSON text takes too long for the loop."""


async def aside(work: Callable[[], T], size: int) -> T:
    """What `work` gives, which reads `size` bytes; in a thread when they are many.  Raises what it raises."""
    return await asyncio.to_thread(work) if size > BIG else work()


async def misfits(schema: Mapping[str, Any], value: Any) -> list[Problem]:
    """As input_schema.validate; a heavy value in a thread."""
    if input_schema.is_heavy(value):
        return await asyncio.to_thread(input_schema.validate, schema, value)
    return input_schema.validate(schema, value)
