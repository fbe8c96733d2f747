"""Waiting for a thread's end within a request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.api.services import Services


async def ended(services: Services, thread_id: str, timeout: float) -> bool:  # noqa: ASYNC109 - the engine's own wait
    """Whether the thread ends in time; a service that shuts down does not wait."""
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(_attempt(services, thread_id, timeout))
        closing = tasks.create_task(services.shutting_down.wait())
        await asyncio.wait((waiting, closing), return_when=asyncio.FIRST_COMPLETED)
        found = waiting.result() if waiting.done() else False
        waiting.cancel()
        closing.cancel()
    if isinstance(found, Exception):
        raise found
    return found


async def _attempt(services: Services, thread_id: str, timeout: float) -> bool | Exception:  # noqa: ASYNC109 - as above
    """The engine's wait, with its error as a value: out of a task group it would come in a group."""
    try:
        return await services.control.wait(thread_id, timeout)
    except Exception as error:  # noqa: BLE001 - raised again by the caller
        return error
