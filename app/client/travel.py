"""Time travel in a Backstitch service, as methods.

async with Backstitch() as service:
    patch = (await Travel(service).diff("post-1", 2, 5))["patch"]
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from urllib.parse import quote

import httpx

from app.client.http import ApiError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from app.client.service import Backstitch

JsonObject: TypeAlias = dict[str, Any]


class Travel:
    """As `Travel(service)`; every method raises what those of Backstitch raise."""

    def __init__(self, service: Backstitch) -> None:
        self._service = service

    async def diff(self, thread_id: str, one: int, other: int) -> JsonObject:
        """The RFC 6902 patch from the state at version `one` to that at `other`."""
        where = f"{_path('history', thread_id)}/diff"
        return await self._service.request("GET", where, params={"from": one, "to": other})

    async def tree(self, thread_id: str, **page: object) -> JsonObject:
        """A page of its timelines, forks, replays and sub-workflows; `page`: limit, cursor, forks_cursor, ..."""
        return await self._service.request("GET", _path("tree", thread_id), params=page)

    async def replay(
        self, thread_id: str, step_id: str, *, idempotency_key: str | None = None, **fields: object
    ) -> JsonObject:
        """Do a step again in a thread of its own; `fields`: execution_id, run_id, item, agent, input, allow_effects, ..."""
        headers = None if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        body = {name: value for name, value in fields.items() if value is not None}
        where = f"{_path('replay', thread_id)}/{quote(step_id, safe='')}"
        return await self._service.request("POST", where, json=body, headers=headers)

    async def replayed(self, thread_id: str) -> JsonObject:
        """A replay, by its own thread's id, beside what it does again."""
        return await self._service.request("GET", _path("replay", thread_id))

    @asynccontextmanager
    async def export(self, thread_id: str, *, gzip: bool = False) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The thread as a file, piece by piece."""
        params = {"gzip": "true"} if gzip else {}
        try:
            async with self._service.http.stream("GET", _path("export", thread_id), params=params) as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise _refused(answer)
                yield answer.aiter_raw()
        except httpx.TransportError as error:
            raise UnreachableError(str(error) or type(error).__name__) from error

    async def take_in(
        self, pieces: AsyncIterator[bytes], *, thread_id: str | None = None, on_conflict: str | None = None
    ) -> JsonObject:
        """Import a file of a thread; it stays paused if it had not ended."""
        given = {"thread_id": thread_id, "on_conflict": on_conflict}
        params = {name: value for name, value in given.items() if value is not None}
        try:
            answer = await self._service.http.post("/api/invoke/import", content=pieces, params=params, timeout=None)
        except httpx.TransportError as error:
            raise UnreachableError(str(error) or type(error).__name__) from error
        if not answer.is_success:
            raise _refused(answer)
        return cast("JsonObject", answer.json())


def _refused(answer: httpx.Response) -> ApiError:
    try:
        found: Any = json.loads(answer.text)
    except ValueError:
        found = None
    problem: Mapping[str, Any] = cast("JsonObject", found) if isinstance(found, dict) else {}
    return ApiError(answer.status_code, dict(problem))


def _path(action: str, thread_id: str) -> str:
    return f"/api/invoke/{action}/{quote(thread_id, safe='')}"
