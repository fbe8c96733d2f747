"""The schedules of a Backstitch service, as methods.

async with Backstitch() as service:
    firing = await Schedules(service).run("morning-briefing")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from app.client.http import given_only, path
from app.client.part import Part

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Literal, Unpack

    from app.client.pages import Pages
    from app.client.part_fields import FiringFilters, PreviewFields, ScheduleChanges, ScheduleFields, ScheduleFilters
    from app.client.schedule_types import (
        BackfillAnswer,
        DeletedScheduleAnswer,
        ScheduleAnswer,
        ScheduleFiringAnswer,
        SchedulePreviewAnswer,
    )

_AT: Final = "/api/schedules"


class Schedules(Part):
    """The routes under /api/schedules."""

    def list(self, **filters: Unpack[ScheduleFilters]) -> Pages[ScheduleAnswer]:
        """The schedules, by name."""
        return self._service.pages(_AT, "schedules", **filters)

    async def create(self, document: ScheduleFields | Mapping[str, Any]) -> ScheduleAnswer:
        """Make one: name, workflow, cron or every, and what else is to be said; the same again changes nothing."""
        return cast("ScheduleAnswer", await self._service.request("POST", _AT, json=document))

    async def show(self, name: str) -> ScheduleAnswer:
        """A schedule with its last firing."""
        return cast("ScheduleAnswer", await self._service.request("GET", path(_AT, name)))

    async def change(
        self, name: str, *, expected_revision: int | None = None, **fields: Unpack[ScheduleChanges]
    ) -> ScheduleAnswer:
        """Change what is given and leave the rest (None: as usual), only while it is in `expected_revision`, if given."""
        body = {**fields, **given_only({"expected_revision": expected_revision})}
        return cast("ScheduleAnswer", await self._service.request("PATCH", path(_AT, name), json=body))

    async def delete(self, name: str) -> DeletedScheduleAnswer:
        """Take it away; its threads stay."""
        return cast("DeletedScheduleAnswer", await self._service.request("DELETE", path(_AT, name)))

    async def pause(self, name: str, reason: str | None = None) -> ScheduleAnswer:
        """Make none of its times until it is resumed."""
        found = await self._service.request("POST", path(_AT, name, "pause"), json={"reason": reason})
        return cast("ScheduleAnswer", found)

    async def resume(self, name: str) -> ScheduleAnswer:
        """Go on with its times from now on."""
        return cast("ScheduleAnswer", await self._service.request("POST", path(_AT, name, "resume")))

    async def run(self, name: str) -> ScheduleFiringAnswer:
        """Fire now: the firing, whose `outcome` tells what came of it."""
        return cast("ScheduleFiringAnswer", await self._service.request("POST", path(_AT, name, "run")))

    async def backfill(
        self,
        name: str,
        first: datetime | str,
        last: datetime | str,
        *,
        overlap: Literal["buffer_all", "allow"] | None = None,
        dry_run: bool = False,
    ) -> BackfillAnswer:
        """Make its times from `first` to `last` (RFC 3339) for which nothing was started."""
        body = given_only({"from": first, "to": last, "dry_run": dry_run, "overlap": overlap})
        return cast("BackfillAnswer", await self._service.request("POST", path(_AT, name, "backfill"), json=body))

    def firings(self, name: str, **filters: Unpack[FiringFilters]) -> Pages[ScheduleFiringAnswer]:
        """What became of its times, the latest first."""
        return self._service.pages(path(_AT, name, "firings"), "firings", **filters)

    async def preview(self, **fields: Unpack[PreviewFields]) -> SchedulePreviewAnswer:
        """When something would fire; `fields`: cron, every, timezone, start_at, end_at, count, after."""
        return cast("SchedulePreviewAnswer", await self._service.request("POST", path(_AT, "preview"), json=fields))
