"""The list of threads, in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import expect

if TYPE_CHECKING:
    from tests.acceptance.service import Service
    from tests.browser.conftest import Window


async def test_a_thread_that_somebody_else_starts_comes_to_the_top(at: Window, service: Service) -> None:
    await at.open("/threads")
    await expect(at.page.get_by_role("heading", name="Threads", exact=True)).to_be_visible()
    thread = service.start_thread("chain", {"title": "From elsewhere"})
    row = at.page.locator(f'[data-thread="{thread}"]')
    await expect(row).to_be_visible()
    await expect(at.page.locator(".thread-row", has=row)).to_contain_text("From elsewhere")
    await expect(at.page.locator(".thread-row", has=row)).to_have_attribute("data-state", "completed")
