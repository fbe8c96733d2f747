"""Time travel in a Backstitch service, as methods.

async with Backstitch() as service:
    patch = (await Travel(service).diff("post-1", 2, 5))["patch"]
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import httpx

from app.client.http import document, given_only, path, unreachable
from app.client.part import Part

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from app.client.http import JsonObject

_AT: Final = "/api/invoke"


class Travel(Part):
    """As `Travel(service)`."""

    async def diff(self, thread_id: str, one: int, other: int) -> JsonObject:
        """The RFC 6902 patch from the state at version `one` to that at `other`."""
        where = path(_AT, "history", thread_id, "diff")
        return await self._service.request("GET", where, params={"from": one, "to": other})

    async def tree(self, thread_id: str, **page: object) -> JsonObject:
        """A page of its timelines, forks, replays and sub-workflows; `page`: limit, cursor, forks_cursor, ..."""
        return await self._service.request("GET", path(_AT, "tree", thread_id), params=page)

    async def replay(
        self, thread_id: str, step_id: str, *, idempotency_key: str | None = None, **fields: object
    ) -> JsonObject:
        """Do a step again in a thread of its own; `fields`: execution_id, run_id, item, agent, input, allow_effects, ..."""
        where = path(_AT, "replay", thread_id, step_id)
        return await self._service.post_once(where, given_only(fields), idempotency_key)

    async def replayed(self, thread_id: str) -> JsonObject:
        """A replay, by its own thread's id, beside what it does again."""
        return await self._service.request("GET", path(_AT, "replay", thread_id))

    @asynccontextmanager
    async def export(self, thread_id: str, *, gzip: bool = False) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The thread as a file, piece by piece."""
        params = {"gzip": "true"} if gzip else {}
        try:
            async with self._service.http.stream("GET", path(_AT, "export", thread_id), params=params) as answer:
                if not answer.is_success:
                    await answer.aread()
                    document(answer)
                yield answer.aiter_raw()
        except httpx.RequestError as error:
            raise unreachable(error) from error

    async def take_in(
        self, pieces: AsyncIterator[bytes], *, thread_id: str | None = None, on_conflict: str | None = None
    ) -> JsonObject:
        """Import a file of a thread; it stays paused if it had not ended."""
        params = given_only({"thread_id": thread_id, "on_conflict": on_conflict})
        try:
            answer = await self._service.http.post("/api/invoke/import", content=pieces, params=params, timeout=None)
        except httpx.RequestError as error:
            raise unreachable(error) from error
        return document(answer)
