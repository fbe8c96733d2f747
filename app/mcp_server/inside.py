"""A client of the application in this process: no socket, and what is long is written and read aside, off the loop."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, cast

import httpx

from app.client import ApiError, Backstitch
from app.domain import jsontext
from app.domain.errors import JsonError
from app.runners.aside import BIG, aside

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from starlette.types import ASGIApp

    Fields = Mapping[str, Any] | None

_URL: Final = "http://backstitch.internal"


class Inside(Backstitch):
    """See Backstitch."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Fields = None,
        params: Fields = None,
        headers: Fields = None,
        content: str | bytes | None = None,
    ) -> dict[str, Any]:
        """See Backstitch.  The application always answers."""
        given = {name: value for name, value in (params or {}).items() if value is not None}
        if json is not None:
            content = await aside(lambda: jsontext.dumps(json), jsontext.weight(json, BIG))
            headers = {"Content-Type": "application/json", **(headers or {})}
        answer = await self.http.request(method, path, params=given, headers=headers, content=content)
        try:
            found: Any = await aside(lambda: jsontext.loads(answer.content), len(answer.content))
        except JsonError:
            found = None
        document = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        if answer.is_success:
            return document
        raise ApiError(answer.status_code, document)


@asynccontextmanager
async def inside(application: ASGIApp) -> AsyncGenerator[Backstitch]:
    """The client, until the block ends."""
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with Inside(_URL, retry_for=0, transport=transport) as service:
        yield service
