"""A real Chromium looks at a real service: one of each for all tests, a window of its own for each test."""

from __future__ import annotations

import os
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright, expect

from tests.acceptance.service import Service, forked_services, prepare_data
from tests.browser.world import DOCUMENTS
from tests.conftest import shared_folder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Generator

    from playwright.async_api import Browser, ConsoleMessage, Page

HERE = Path(__file__).parent
PATIENCE: Final = 20_000
"""Milliseconds that anything may take to be seen, on a machine that is busy with other tests."""
SETTINGS: Final = {"MODULES": "tests.browser.functions", "SSE_HEARTBEAT_SECONDS": 1}
ARGUMENTS: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first that is there is taken: the shell is the same browser without windows of its own, at half of the time."""


def chromium() -> str | None:
    """Where the browser is; Debian's packages `chromium-headless-shell` and `chromium` have it."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder share one event loop with the browser; what they try runs in other processes."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.acceptance)
            item.add_marker(pytest.mark.no_cover)
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def found_chromium() -> str:
    """Where it is; without one the tests are skipped, but where TESTS_NEED names it they fail."""
    found = chromium()
    if found is None:
        if "chromium" in os.environ.get("TESTS_NEED", "").split(","):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed (apt-get install chromium-headless-shell)")
    return found


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """Services are forked, onto a PostgreSQL that is there already."""
    prepare_data(shared_folder(tmp_path_factory) / "prepared")
    with forked_services():
        yield


@pytest.fixture(scope="session")
def service(prepared: None, found_chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """The service that all tests share which do not end theirs; it knows the workflows of the world."""
    made = Service(tmp_path_factory.mktemp("browser"), dict(SETTINGS))
    try:
        yield settled(made.start().ready())
    finally:
        made.close()


@pytest.fixture
def mortal(prepared: None, found_chromium: str, tmp_path: Path) -> Generator[Service]:
    """A service of the test's own, which it may kill and start again."""
    made = Service(tmp_path, dict(SETTINGS))
    try:
        yield settled(made.start().ready())
    finally:
        made.close()


def settled(service: Service) -> Service:
    """With the workflows of the world."""
    for document in DOCUMENTS:
        assert service.http.post("/api/workflows", content=document).status_code in (200, 201)
    return service


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(found_chromium: str) -> AsyncGenerator[Browser]:
    """One for all tests."""
    expect.set_options(timeout=PATIENCE)
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=found_chromium, args=list(ARGUMENTS))
        yield launched
        await launched.close()


@dataclass
class Window:
    """A page with what the browser complained of; it may note that the service is `away`, or what it `refused` to take."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    away: bool = False
    refused: bool = False

    async def open(self, path: str) -> None:
        """Go there, by the address bar."""
        await self.page.goto(self.url + path, wait_until="load")

    def heard(self, message: ConsoleMessage) -> None:
        """Note an error or a warning of the console."""
        if message.type not in ("error", "warning"):
            return
        if self.away and ("net::ERR_" in message.text or "503" in message.text):
            return
        if self.refused and ("status of 422" in message.text or "status of 404" in message.text):
            return
        self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")


@asynccontextmanager
async def window(browser: Browser, url: str, **options: Any) -> AsyncIterator[Window]:
    """A window of its own; when it closes nothing may have been complained of, nor anything asked of another host."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, **options)
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    made = Window(page, url)
    page.on("console", made.heard)
    page.on("pageerror", lambda error: made.complaints.append(f"uncaught: {error}"))
    page.on(
        "request",
        lambda one: None if one.url.startswith(url) else made.complaints.append(f"asked elsewhere: {one.url}"),
    )
    page.on("dialog", lambda one: made.complaints.append(f"dialog: {one.message}"))
    try:
        yield made
        assert made.complaints == []
    finally:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def at(browser: Browser, service: Service) -> AsyncGenerator[Window]:
    """A window on the shared service."""
    async with window(browser, service.url) as made:
        yield made
