"""A service, and clients of it with and without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.service import Served, Service, in_process, new_service, over_http

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import httpx


@pytest.fixture
async def service() -> Service:
    """A service on an empty memory store with the workflow `sewing`."""
    return await new_service()


@pytest.fixture
async def client(service: Service) -> AsyncGenerator[httpx.AsyncClient]:
    """A client without a server."""
    async with in_process(service) as client:
        yield client


@pytest.fixture
async def served(service: Service) -> AsyncGenerator[Served]:
    """The service behind uvicorn."""
    async with over_http(service) as served:
        yield served
