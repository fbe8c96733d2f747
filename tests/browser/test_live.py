"""A page that is left alone: nobody looks at it, or the service goes away under it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.browser.conftest import window

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.acceptance.service import Service
    from tests.browser.conftest import Window

_SEEN = """(hidden) => {
  Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
  document.dispatchEvent(new Event("visibilitychange"));
}"""


async def titles(at: Window) -> list[str]:
    """What the rows are about, from the top."""
    return await at.page.locator(".thread-row .title").all_inner_texts()


async def test_a_list_says_that_it_is_cut_off_and_catches_up_by_itself(browser: Browser, mortal: Service) -> None:
    mortal.run("chain", {"title": "before"})
    async with window(browser, mortal.url) as at:
        at.away = True
        await at.open("/threads")
        await expect(at.page.locator(".live")).to_have_attribute("data-state", "live")
        await expect(at.page.locator(".thread-row")).to_have_count(1)
        mortal.kill()
        await expect(at.page.locator(".live")).to_contain_text("reconnecting, last heard")
        mortal.start().ready()
        mortal.run("chain", {"title": "meanwhile"})
        await expect(at.page.locator(".thread-row")).to_have_count(2)
        assert await titles(at) == ["meanwhile", "before"]
        await expect(at.page.locator(".live")).to_have_attribute("data-state", "live")


async def test_a_tab_that_nobody_looks_at_catches_up_when_it_is_looked_at(browser: Browser, mortal: Service) -> None:
    async with window(browser, mortal.url) as at:
        at.away = True
        await at.open("/threads")
        await expect(at.page.locator(".live")).to_have_attribute("data-state", "live")
        await at.page.evaluate(_SEEN, True)
        mortal.kill()
        await expect(at.page.locator(".live")).to_have_attribute("data-state", "lost")
        mortal.start().ready()
        mortal.run("chain", {"title": "while nobody looked"})
        await at.page.evaluate(_SEEN, False)
        await expect(at.page.locator(".thread-row")).to_have_count(1)
        await expect(at.page.locator(".live")).to_have_attribute("data-state", "live")
