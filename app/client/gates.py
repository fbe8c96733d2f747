"""The gates of a service, for `app.client`: which questions are open, and the answer to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from app.client.http import given_only, path
from app.client.part import Part

if TYPE_CHECKING:
    from typing import Unpack

    from app.client.fields import GateFields, GateFilters, PageFilters
    from app.client.listed import GateAnswer
    from app.client.pages import Pages
    from app.client.types import GateAnsweredAnswer

_OF_THREADS: Final = "/api/invoke/gates"


class Gates(Part):
    """As `Gates(service)`."""

    def open(self, **filters: Unpack[GateFilters]) -> Pages[GateAnswer]:
        """The gates of all threads that can be answered, newest first."""
        return self._service.pages("/api/gates", "gates", **filters)

    def of(self, thread_id: str, **page: Unpack[PageFilters]) -> Pages[GateAnswer]:
        """A thread's gates with their answers, newest first."""
        return self._service.pages(path(_OF_THREADS, thread_id), "gates", **page)

    async def show(self, thread_id: str, step_id: str, **which: int | None) -> GateAnswer:
        """The gate of a step, whole; `which`: the item of a `for_each`, the round of a step that asks several questions."""
        found = await self._service.request("GET", path(_OF_THREADS, thread_id, step_id), params=which)
        return cast("GateAnswer", found)

    async def answer(
        self, thread_id: str, step_id: str, answer: object, **fields: Unpack[GateFields]
    ) -> GateAnsweredAnswer:
        """Answer the gate of a step with any JSON value; `fields`: by, via, item, round."""
        body = {"answer": answer, **given_only(fields)}
        found = await self._service.request("POST", path(_OF_THREADS, thread_id, step_id), json=body)
        return cast("GateAnsweredAnswer", found)
