"""Pages of other origins: let in by name or not at all."""

from __future__ import annotations

from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from app.api.app import create_app
from app.api.cross_origin import cross_origin
from app.api.guard import Guard
from app.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.api.service import Service

PAGE = "https://app.example.com"
ASKS = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "idempotency-key"}


@asynccontextmanager
async def open_to(service: Service, *origins: str) -> AsyncGenerator[httpx.AsyncClient]:
    app = create_app(lambda: nullcontext(service), origins=origins)  # type: ignore[arg-type, return-value]
    async with app.router.lifespan_context(app) as state:

        async def call(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": dict(state or {})}, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=call), base_url="http://service") as client:
            yield client


async def test_a_page_of_a_named_origin_may_ask_and_read(service: Service) -> None:
    async with open_to(service, "https://other.example.com", PAGE) as client:
        asked = await client.options("/api/invoke/async", headers=ASKS)
        found = await client.get("/api/invoke/status/nope", headers={"Origin": PAGE})
    assert (asked.status_code, asked.headers["access-control-allow-headers"]) == (200, "idempotency-key")
    assert asked.headers["access-control-allow-origin"] == found.headers["access-control-allow-origin"] == PAGE
    told = found.headers["access-control-expose-headers"].split(", ")
    assert {"Location", "Retry-After", "Link", "Mcp-Session-Id", "Content-Location", "X-Pagination-Next"} <= set(told)
    assert "access-control-allow-credentials" not in {*asked.headers, *found.headers}


async def test_a_page_of_another_origin_may_not(service: Service) -> None:
    async with open_to(service, PAGE) as client:
        asked = await client.options("/api/invoke/async", headers=ASKS | {"Origin": "https://evil.example.com"})
        found = await client.get("/api/health/live", headers={"Origin": "https://evil.example.com"})
    assert asked.status_code == 400
    assert "access-control-allow-origin" not in {*asked.headers, *found.headers}


async def test_what_is_refused_before_all_routes_reaches_the_page_too(service: Service) -> None:
    async with open_to(service, "*") as client:
        found = await client.post(
            "/api/invoke/async", headers={"Origin": PAGE, "Content-Length": "99999999999"}, content=b""
        )
    assert (found.status_code, found.headers["access-control-allow-origin"]) == (413, "*")


def test_without_origins_nothing_stands_before_the_routes() -> None:
    assert cross_origin(load_settings().cors_allow_origins) == []
    app = create_app(nullcontext)  # type: ignore[arg-type, return-value]
    assert [one.cls for one in app.user_middleware] == [Guard]


FOREIGN = {"Origin": "https://evil.example.com"}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({}, 202),
        (FOREIGN, 403),
        (FOREIGN | {"Host": "evil.example.com"}, 202),
        ({"Origin": "null"}, 403),
        ({"Origin": PAGE}, 202),
        ({"Origin": PAGE, "Sec-Fetch-Site": "cross-site"}, 202),
        ({"Origin": "http://service"}, 202),
        ({"Origin": "https://service", "Sec-Fetch-Site": "same-origin"}, 202),
        ({"Origin": "https://outer.example.com", "Sec-Fetch-Site": "same-origin"}, 202),  # a proxy changed the Host
        ({"Origin": "http://service:81", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 202),
    ],
)
async def test_a_page_of_another_origin_starts_nothing(service: Service, sent: dict[str, str], status: int) -> None:
    """A browser sends text/plain without asking first, and CORS would only keep the answer from the page."""
    async with open_to(service, PAGE) as client:
        found = await client.post(
            "/api/invoke/async", content='{"workflow": "sewing"}', headers={"Content-Type": "text/plain", **sent}
        )
    assert found.status_code == status
    assert len(service.control.asked) == (status == 202)


async def test_a_page_of_another_origin_is_told_why_and_may_look(service: Service) -> None:
    async with open_to(service) as client:
        refused = await client.delete("/api/workflows/x", headers=FOREIGN)
        found = await client.get("/api/health/live", headers=FOREIGN)
    assert (refused.json()["code"], refused.json()["status"], found.status_code) == ("cross_origin", 403, 200)
    assert "CORS_ALLOW_ORIGINS" in refused.json()["detail"]


def test_origins_are_given_by_comma() -> None:
    found = load_settings(cors_allow_origins=f"{PAGE}, http://localhost:8080,null").cors_allow_origins
    assert found == (PAGE, "http://localhost:8080", "null")
    assert load_settings(cors_allow_origins="*").cors_allow_origins == ("*",)


@pytest.mark.parametrize("wrong", ["app.example.com", f"{PAGE}/", "https://*.example.com", "ftp://x"])
def test_what_is_no_origin_keeps_the_service_from_starting(wrong: str) -> None:
    with pytest.raises(SettingsError, match="CORS_ALLOW_ORIGINS: should be origins"):
        load_settings(cors_allow_origins=wrong)
