"""The main way, by keys alone: a workflow is started, watched, answered, rolled back, and watched to its end again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.async_api import expect

if TYPE_CHECKING:
    from playwright.async_api import Locator

    from tests.acceptance.service import Service
    from tests.browser.conftest import Window


async def tab_to(at: Window, wanted: Locator) -> None:
    """Go on by Tab until it has the focus, as somebody without a mouse does."""
    for _ in range(80):
        if await wanted.evaluate("node => node === document.activeElement"):
            return
        await at.page.keyboard.press("Tab")
    raise AssertionError("Tab does not lead there")


async def start(at: Window) -> str:
    """From the list, by the form, to the page of the new thread, whose id it gives."""
    await expect(at.page.locator(".live")).to_have_attribute("data-state", "live")
    await at.page.keyboard.press("n")
    choice = at.page.get_by_role("link", name="content-strategy-live").first
    await expect(choice).to_be_visible()
    await tab_to(at, choice)
    await at.page.keyboard.press("Enter")
    await expect(at.page.get_by_label("Topic")).to_be_focused()
    await at.page.keyboard.type("By keys alone")
    await at.page.keyboard.press("Control+Enter")
    await expect(at.page).to_have_url(re.compile(r"/threads/[0-9a-f-]{36}"))
    return at.page.url.rsplit("/", 1)[1].split("?")[0]


async def say_yes(at: Window) -> None:
    """By its key to the question, and through its form."""
    await at.page.keyboard.press("?")
    keys = at.page.get_by_role("dialog")
    await expect(keys.get_by_text("answer", exact=True)).to_be_visible()
    await at.page.keyboard.press("Escape")
    await expect(keys).to_have_count(0)
    await at.page.keyboard.press("a")
    gate = at.page.get_by_role("region", name="Publish this plan?")
    yes = gate.get_by_role("radio", name="Yes")
    await expect(gate.get_by_role("radio").first).to_be_focused()
    await at.page.keyboard.press("Space")
    await expect(yes).to_be_checked()
    await at.page.keyboard.press("Control+Enter")


async def roll_back(at: Window) -> None:
    """To version 2, chosen in the tree."""
    await expect(at.page.locator('.knot[data-version="7"]')).to_be_visible()
    for key in ("v", "Home", "ArrowRight", "Enter"):
        await at.page.keyboard.press(key)
    await expect(at.page).to_have_url(re.compile(r"[?&]v=2"))
    await at.page.keyboard.press("b")
    dialog = at.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("1 step is kept: analyst")
    await expect(dialog).to_contain_text("cannot be undone")
    await tab_to(at, dialog.get_by_role("button", name="Roll back to v2"))
    await at.page.keyboard.press("Enter")


async def test_from_the_start_to_the_end_and_back_by_keys_alone(at: Window, service: Service) -> None:
    state = at.page.locator(".thread-head .figures .state")
    await at.open("/threads")
    thread = await start(at)
    await expect(state).to_have_attribute("data-state", "waiting")
    await say_yes(at)
    await expect(state).to_have_attribute("data-state", "completed")
    await roll_back(at)
    await expect(state).to_have_attribute("data-state", "waiting")
    assert service.status(thread)["version"] == 9, "v8 and v9 are those of marketer and research, done again"
