"""Waiting for a run within a request, for hours if need be: white space goes out meanwhile, and then the answer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from app.api.langgraph.state import result_of
from app.api.langgraph.views import Document
from app.domain.errors import BackstitchError, Unavailable
from app.domain.events import Event
from app.domain.sdk_threads import SdkStatus
from app.domain.status import ENDED, Status
from app.domain.views.common import encode
from app.engine.bus import Lagged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from app.api.services import Services
    from app.engine.bus import Subscription

_LOOK_AGAIN: Final = 2.0
"""Seconds after which the table is asked: another process may drive the thread."""
_SPACE: Final = b"\n"


async def rested(services: Services, thread_id: str, run_id: str) -> None:
    """Wait until the run rests: it has ended, is paused, asks, has been taken the place of, or its thread is gone."""
    while True:
        with suppress(Lagged), services.bus.subscribe(thread_id) as subscription:
            while not await _rests(services, thread_id, run_id):
                await _news(subscription)
            return


async def _rests(services: Services, thread_id: str, run_id: str) -> bool:
    try:
        thread = await services.reads.thread(thread_id)
        if thread is None or thread.execution_id != run_id or thread.status in ENDED or thread.status is Status.PAUSED:
            return True
        statuses = await services.sdk_threads.statuses([thread_id])
    except Unavailable:  # whoever waits outlives an outage of the store
        await asyncio.sleep(_LOOK_AGAIN)
        return False
    return statuses.get(thread_id) is SdkStatus.INTERRUPTED


async def _news(subscription: Subscription) -> None:
    """An event, or the time to look anyway; pieces of text say nothing."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LOOK_AGAIN):
            items = await subscription.next()
            while items and not any(isinstance(item, Event) for item in items):
                items = await subscription.next()


class Waited(Response):
    """The result of a run, once it rests.  `cut` is awaited when the client goes before that.

    Of a service that shuts down the client gets no end, and asks elsewhere or again (`Location`).
    """

    media_type = "application/json"

    def __init__(
        self,
        services: Services,
        run: tuple[str, str],
        headers: Mapping[str, str],
        cut: Callable[[], Awaitable[None]] | None = None,
        *,
        empty: bool = False,
    ) -> None:
        super().__init__(headers=dict(headers))
        del self.headers["content-length"]
        self._services, self._cut, self._empty = services, cut, empty
        self._thread_id, self._run_id = run

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI has it
        """Send."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body: bytes | None = None
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(self._result())
            going = tasks.create_task(_gone(receive))
            closing = tasks.create_task(self._services.shutting_down.wait())
            beat = self._services.limits.heartbeat_seconds
            done: set[asyncio.Task[Any]] = set()
            while not done:
                done, _ = await asyncio.wait(
                    (waiting, going, closing), timeout=beat, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    await send({"type": "http.response.body", "body": _SPACE, "more_body": True})
            body = waiting.result() if waiting in done else None
            left = going in done
            for task in (waiting, going, closing):
                task.cancel()
        if body is not None:
            await send({"type": "http.response.body", "body": body, "more_body": False})
        elif left and self._cut is not None:
            await self._cut()

    async def _result(self) -> bytes:
        await rested(self._services, self._thread_id, self._run_id)
        if self._empty:
            return b"null"
        return encode(await _told(self._services, self._run_id))


async def _told(services: Services, run_id: str) -> Document:
    """The result; what it cannot be told for is told in its stead, since the answer has begun."""
    while True:
        try:
            execution = await services.reads.execution(run_id)
            if execution is None:
                return {"__error__": {"error": "execution_not_found", "message": f"run {run_id} is gone"}}
            return await result_of(services, execution)
        except Unavailable:
            await asyncio.sleep(_LOOK_AGAIN)
        except BackstitchError as error:
            return {"__error__": {"error": error.code, "message": error.message}}


async def _gone(receive: Receive) -> None:
    """Until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
