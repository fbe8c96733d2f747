"""What is seen at first: nothing cut, nothing that another page left behind, the focus where one goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.async_api import expect

from tests.acceptance.service import waiting
from tests.browser.conftest import window

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.acceptance.service import Service
    from tests.browser.conftest import Window

PHONE: Any = {"width": 375, "height": 800}
_LOOK: Final = """() => Object.fromEntries(["main .figures", "main .steps", "main .panel"].map((one) => {
  const {padding, margin, gap, position, fontSize} = getComputedStyle(document.querySelector(one));
  return [one, [padding, margin, gap, position, fontSize].join(" ")];
}))"""
_PAPER: Final = "() => getComputedStyle(document.body).backgroundColor"


async def test_a_page_looks_the_same_whatever_was_seen_before(at: Window, service: Service) -> None:
    thread = service.run("chain", {"value": 1})["thread_id"]
    await at.open(f"/threads/{thread}")
    await expect(at.page.locator(".panel")).to_be_visible()
    fresh = await at.page.evaluate(_LOOK)
    for key, heading in (("a", "Agents"), ("o", "Operations"), ("e", "Events"), ("w", "Workflows")):
        await at.page.keyboard.press("g")
        await at.page.keyboard.press(key)
        await expect(at.page.get_by_role("heading", level=1, name=heading)).to_be_visible()
    await at.page.evaluate("history.go(-4)")
    await expect(at.page.locator(".panel")).to_be_visible()
    assert await at.page.evaluate(_LOOK) == fresh


async def test_six_steps_in_a_row_are_seen_at_once(at: Window, service: Service) -> None:
    steps = [{"id": f"s{n}", "python": "collect", "needs": [f"s{n - 1}"] if n else [], "input": {}} for n in range(6)]
    assert service.http.post("/api/workflows", json={"name": "six", "steps": steps}).is_success
    thread = service.run("six", {})["thread_id"]
    await at.open(f"/threads/{thread}?step=s0")
    last = at.page.locator('.graph-box[data-step="s5"]')
    await expect(last).to_be_visible()
    box, graph = await last.bounding_box(), await at.page.locator(".graph").bounding_box()
    assert box is not None
    assert graph is not None
    assert box["x"] + box["width"] <= graph["x"] + graph["width"], "the last one is not cut"


async def test_the_theme_is_the_system_s_until_one_is_chosen(at: Window) -> None:
    await at.page.emulate_media(color_scheme="dark")
    await at.open("/threads")
    dark = await at.page.evaluate(_PAPER)
    await at.page.emulate_media(color_scheme="light")
    await expect(at.page.locator("html")).to_have_attribute("data-theme", "light")
    light = await at.page.evaluate(_PAPER)
    assert light != dark
    await at.page.get_by_role("button", name="Theme: system. Change to light").click()
    await at.page.get_by_role("button", name="Theme: light. Change to dark").click()
    assert await at.page.evaluate(_PAPER) == dark
    await at.page.reload()
    await expect(at.page.get_by_role("button", name="Theme: dark. Change to system")).to_be_visible()
    assert await at.page.evaluate(_PAPER) == dark


@pytest.mark.parametrize(
    ("path", "what"), [("/threads/none", "thread"), ("/start/none", "workflow"), ("/agents/none", "agent")]
)
async def test_what_is_not_there_is_said_with_the_way_to_what_is(at: Window, path: str, what: str) -> None:
    at.refused = True
    await at.open(path)
    await expect(at.page.get_by_role("heading", level=1, name=f"There is no such {what}")).to_be_visible()
    await at.page.get_by_role("link", name=f"All {what}s").click()
    await expect(at.page).to_have_url(f"{at.url}/{what}s")


async def test_dialogs_begin_where_one_goes_on_and_never_on_what_destroys(at: Window, service: Service) -> None:
    thread = service.start_thread("waiting", {"until": "/nowhere"})
    for _ in waiting("its first step to be done"):
        if service.status(thread)["version"] >= 2:
            break
    await at.open(f"/threads/{thread}?v=1")
    cancel = at.page.get_by_role("button", name="Cancel…")
    await cancel.click()
    dialog = at.page.get_by_role("dialog")
    await expect(dialog.get_by_role("button", name="Cancel", exact=True)).to_be_focused()
    await at.page.keyboard.press("Escape")
    await expect(cancel).to_be_focused()
    await at.page.keyboard.press("?")
    await expect(dialog.locator("footer").get_by_role("button", name="Close")).to_be_focused()
    await at.page.keyboard.press("Escape")
    service.post(f"/api/invoke/cancel/{thread}", {})
    await at.open("/agents")
    await at.page.get_by_role("button", name="Register an agent").click()
    await expect(dialog.get_by_role("textbox")).to_be_focused()


async def test_on_a_phone_a_row_still_says_what_it_is_about(browser: Browser, service: Service) -> None:
    thread = service.start_thread("content-strategy-live", {"topic": "Tea"})
    async with window(browser, service.url, is_mobile=True, has_touch=True) as at:
        await at.page.set_viewport_size(PHONE)
        await at.open("/threads")
        title = at.page.locator(f'[data-thread="{thread}"] .title')
        await expect(title).to_have_text("Tea")
        assert await title.evaluate("node => node.scrollWidth <= node.clientWidth"), "it is not cut"
        select = await at.page.locator(".thread-row input").first.bounding_box()
        assert select is not None
        assert select["width"] >= 20
