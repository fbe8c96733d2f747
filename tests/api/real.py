"""The routes over a whole engine on the memory store."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from app.bootstrap import open_services
from app.settings import load_settings
from tests.api.shared import app_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Real:
    """A client of it; what it asks must be answered as expected."""

    def __init__(self, http: httpx.AsyncClient, services: Any, application: Any) -> None:
        self.http = http
        self.services = services
        self.application = application

    async def post(self, path: str, body: Any = None, *, expect: int = 202, key: str | None = None) -> dict[str, Any]:
        """The answer to a POST."""
        headers = {"Idempotency-Key": key} if key else {}
        answer = await self.http.post(path, json=body, headers=headers)
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def get(self, path: str, *, expect: int = 200, **params: Any) -> dict[str, Any]:
        """The answer to a GET."""
        answer = await self.http.get(path, params=params)
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def run(self, workflow: dict[str, Any], given: Any = None) -> dict[str, Any]:
        """The status of a thread that has ended."""
        return await self.post("/api/invoke", {"workflow": workflow, "input": given}, expect=200)

    async def ended(self, thread_id: str) -> dict[str, Any]:
        """The status of a thread, once it has ended."""
        while (found := await self.get(f"/api/invoke/status/{thread_id}"))["status"] in ("pending", "running"):
            pass
        return found


@asynccontextmanager
async def open_real(**settings: Any) -> AsyncGenerator[Real]:
    """All of it, with the agents of tests.api.agents; in memory unless the settings say otherwise."""
    given = {"modules": "tests.api.agents", **({} if "database_url" in settings else {"checkpointer": "memory"})}
    async with open_services(load_settings(**given | settings)) as services:
        app = app_of(services)
        async with app.router.lifespan_context(app) as state:

            async def call(scope: Any, receive: Any, send: Any) -> None:
                await app({**scope, "state": dict(state or {})}, receive, send)

            transport = httpx.ASGITransport(app=call, raise_app_exceptions=True)
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
                yield Real(http, services, call)
