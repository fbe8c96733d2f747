"""What axe finds on every page, in both themes, and on a phone: nothing serious."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import axe_playwright_python
import pytest

from tests.acceptance.service import waiting
from tests.browser.conftest import window

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

    from tests.acceptance.service import Service

SERIOUS = {"serious", "critical"}
PHONE: Any = {"width": 390, "height": 844}
_RUN = """async (rules) => {
  const found = await axe.run(document, {resultTypes: ["violations"], ...(rules ? {runOnly: rules} : {})});
  return found.violations.map((one) => ({
    id: one.id, impact: one.impact, help: one.help, nodes: one.nodes.slice(0, 4).map((node) => node.html.slice(0, 160)),
  }));
}"""
PAGES = {
    "threads": "/threads",
    "threads-empty": "/threads?text=nothing-is-like-this",
    "questions": "/threads?questions=open",
    "thread": "/threads/{asks}?step=marketer&tab=output",
    "gate": "/threads/{asks}?step=approve",
    "failed": "/threads/{failed}?step=second&tab=error",
    "versions": "/threads/{travelled}?v=3&w=5",
    "compare": "/compare?a={travelled}&b={failed}",
    "workflows": "/workflows",
    "workflow": "/workflows/content-strategy-live?step=marketer",
    "editor": "/workflows/content-strategy-live/edit",
    "start": "/start/content-strategy-live",
    "agents": "/agents",
    "agent": "/agents/marketer",
    "operations": "/operations",
    "queues": "/operations?tab=queues",
    "database": "/operations?tab=database",
    "settings": "/operations?tab=settings",
    "events": "/events",
    "logs": "/events?tab=logs",
    "nothing": "/threads/there-is-none",
}


@cache
def axe() -> str:
    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def threads(service: Service) -> dict[str, str]:
    """Threads by what they are at."""
    asks = service.start_thread("content-strategy-live", {"topic": "Accessible"})
    failed = service.run("fragile", {"title": "Failed"})["thread_id"]
    travelled = service.run("chain", {"value": 1})["thread_id"]
    service.post(f"/api/invoke/rollback/{travelled}", {"to_version": 2})
    service.until(travelled, "completed")
    for _ in waiting("the gate to ask"):
        if any(step.get("gate") for step in service.status(asks)["steps"]):
            break
    return {"asks": asks, "failed": failed, "travelled": travelled}


async def findings(page: Page, *rules: str) -> list[dict[str, Any]]:
    """What axe has to say by these rules, or by all, but for what is minor."""
    await page.locator(".loading").first.wait_for(state="detached")
    found = await page.evaluate(_RUN, rules or None)
    return [one for one in found if one["impact"] in SERIOUS]


@pytest.mark.parametrize("name", PAGES)
async def test_axe_finds_nothing_serious(
    browser: Browser, service: Service, threads: dict[str, str], name: str
) -> None:
    # The checker is put into the page from outside: the policy of the page itself would not let it in.
    async with window(browser, service.url, bypass_csp=True, reduced_motion="reduce") as at:
        at.away = name == "nothing"
        await at.page.add_init_script(axe())
        await at.open(PAGES[name].format(**threads))
        await at.page.locator("h1, .face h2").first.wait_for()
        assert await findings(at.page) == [], "light"
        await at.page.emulate_media(color_scheme="dark")
        assert await findings(at.page, "color-contrast") == [], "dark"
        await at.page.set_viewport_size(PHONE)
        assert await findings(at.page) == [], "on a phone"
        width = await at.page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], "the page is as wide as the phone"
        at.complaints[:] = [one for one in at.complaints if name != "nothing" or "404" not in one]
