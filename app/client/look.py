"""Looking back, for `app.client`: the events of all threads, log entries, timelines; listed, and followed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from app.client.http import ApiError, UnreachableError, path

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

    from app.client.service import Backstitch

    Page = dict[str, Any]

_PASSING: Final = frozenset({429, 502, 503, 504})
_POLL: Final = 0.5
_LONGEST_WAIT: Final = 5.0
_LATE: Final = timedelta(seconds=10)
"""How much later than it was said a log entry may be written and still be followed."""
_MOST: Final = 1000


class Look:
    """As `Look(service)`; every method raises what those of Backstitch raise.

    `on_cut` is told why, once for each outage, when the service cannot be reached while something is followed.
    """

    def __init__(self, service: Backstitch, on_cut: Callable[[str], None] | None = None) -> None:
        self._service = service
        self._on_cut = on_cut

    async def timeline(self, thread_id: str, **filters: object) -> Page:
        """A page of a thread's timeline; `filters`: execution_id, items, limit, cursor."""
        return await self._service.request("GET", path("/api/invoke/timeline", thread_id), params=filters)

    async def events(self, **filters: object) -> Page:
        """A page of events; `filters`: thread_id, workflow, event, type, step_id, agent, status, since, until, order, ..."""
        return await self._service.request("GET", "/api/events", params=filters)

    async def logs(self, **filters: object) -> Page:
        """A page of log entries, newest first; `filters`: level, thread_id, step_id, agent, logger, text, since, ..."""
        return await self._service.request("GET", "/api/logs", params=filters)

    async def last_events(self, count: int, **filters: object) -> tuple[list[Page], str]:
        """The newest events, oldest first, and the cursor from which on to follow: some of them come there again."""
        found, cursor = await self._last(self.events, "events", count, {**filters, "order": "desc"})
        return found, cursor or ""

    async def last_logs(self, count: int, **filters: object) -> list[Page]:
        """The newest log entries, oldest first."""
        return (await self._last(self.logs, "logs", count, filters))[0]

    async def follow_events(self, cursor: str | None = None, **filters: object) -> AsyncGenerator[Page, None]:
        """Every event after a cursor, without one from the first, each once, as they come; whatever outage comes between."""
        while True:
            page = await self._surely(lambda: self.events(limit=_MOST, cursor=cursor, **filters))  # noqa: B023 - awaited here
            for event in page["events"]:
                yield event
            cursor = page["cursor"]
            if page["next_cursor"] is None:
                await asyncio.sleep(_POLL)

    async def follow_logs(self, shown: Iterable[Page] = (), **filters: object) -> AsyncGenerator[Page, None]:
        """The log entries after those that were shown, or from now on, each once, as they come.

        One that is written more than ten seconds after it was said may be passed over.
        """
        seen = {str(one["id"]): _time(one["at"]) for one in shown}
        floor = max(seen.values(), default=datetime.now(UTC))
        first = min(((at, name) for name, at in seen.items()), default=(floor, ""))
        while True:
            since = (floor - _LATE).isoformat()
            found, _ = await self._surely(lambda: self._last(self.logs, "logs", None, {**filters, "since": since}))  # noqa: B023
            news = [one for one in found if one["id"] not in seen and (_time(one["at"]), str(one["id"])) > first]
            for one in news:
                yield one
            seen |= {str(one["id"]): _time(one["at"]) for one in news}
            floor = max([floor, *seen.values()])
            seen = {name: at for name, at in seen.items() if at >= floor - 2 * _LATE}
            await asyncio.sleep(_POLL)

    async def _last(
        self, ask: Callable[..., Awaitable[Page]], name: str, count: int | None, filters: dict[str, object]
    ) -> tuple[list[Page], str | None]:
        """The newest `count` of a list that gives the newest first (None: all), oldest first; and its first page's cursor."""
        page = await ask(**filters, limit=min(count or _MOST, _MOST))
        found, cursor = list(page[name]), page.get("cursor")
        while page["next_cursor"] is not None and (count is None or len(found) < count):
            page = await ask(**filters, limit=min(count or _MOST, _MOST), cursor=page["next_cursor"])
            found += page[name]
        return found[:count][::-1], cursor

    async def _surely(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """The answer, however long the service is away."""
        failures = 0
        while True:
            try:
                return await ask()
            except (UnreachableError, ApiError) as error:
                if isinstance(error, ApiError) and error.status not in _PASSING:
                    raise
                if failures == 0 and self._on_cut is not None:
                    self._on_cut(str(error))
                await asyncio.sleep(min(_POLL * 2**failures, _LONGEST_WAIT))
                failures = min(failures + 1, 10)


def _time(text: object) -> datetime:
    return datetime.fromisoformat(str(text))
