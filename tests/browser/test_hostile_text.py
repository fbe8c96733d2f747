"""Text of agents, documents and callers is text on every page: no element is made of it, nothing of it runs, no page breaks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.conftest import window
from tests.browser.hostile import NAMES, PAYLOADS, World, text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from playwright.async_api import Browser, Page

    from tests.acceptance.service import Service
    from tests.browser.conftest import Window

VIEWS: Final = {
    "threads": ("/threads?workflow=hostile", []),
    "failed in the list": ("/threads?workflow=hostile-failing", []),
    "questions": ("/threads?questions=open", []),
    "about": ("/threads/{over}?tab=about", []),
    "output": ("/threads/{over}?tab=output", []),
    "raw output": ("/threads/{over}?tab=output", [".panel >> text=Raw"]),
    "versions": ("/threads/{over}?v=1&w=4", []),
    "log": ("/threads/{over}?order=oldest", []),
    "event": ("/threads/{over}?order=oldest&event=8", []),
    "running": ("/threads/{running}?step=speak", []),
    "logs": ("/threads/{running}?log=logs", [".log-line"]),
    "failed": ("/threads/{failed}", []),
    "items": ("/threads/{over}?step=hasOwnProperty&tab=items", []),
    "item": ("/threads/{over}?step=hasOwnProperty&tab=items&item=1", []),
    "gate": ("/threads/{waiting}?step=ask", []),
    "answered": ("/threads/{over}?step=ask", []),
    "workflow": ("/workflows/hostile?step=constructor", []),
    "workflows": ("/workflows", []),
    "difference": ("/workflows/hostile?diff=1..2", []),
    "editor": ("/workflows/hostile/edit", []),
    "start": ("/start/hostile", []),
    "agents": ("/agents?text=hostile", []),
    "agent": ("/agents/hostile-off", []),
    "breaker": ("/agents/hostile-open", []),
    "events": ("/events?thread={failed}&event=step_failed", [".event-row .name"]),
    "entry": ("/events?tab=logs&thread={running}", [".log-row .name"]),
    "compared": ("/compare?a={over}&b={failed}", []),
    "schedules": ("/operations?tab=schedules", []),
    "triggers": ("/operations?tab=triggers", []),
    "webhooks": ("/operations?tab=webhooks", []),
}
"""Where fields are looked for: an address, and what is pressed there."""
FIELDS: Final = {
    "threads": ["thread-title"],
    "failed in the list": ["error-kind"],
    "questions": ["gate-title", "assignee"],
    "about": ["triggered-by"],
    "output": ["output-key", "output-value", "output-item", "part-one"],
    "versions": ["output-key", "output-item"],
    "log": ["reason", "answered-by", "gate-title"],
    "running": ["progress", "chunk"],
    "logs": ["log-message", "log-key", "log-value"],
    "failed": ["error-kind", "error-message"],
    "items": ["part-one", "part-two"],
    "item": ["part-two"],
    "gate": ["gate-title", "gate-show", "gate-key", "gate-deep", "assignee", "form-title", "form-description"],
    "answered": ["answer", "answered-by"],
    "workflow": ["workflow-description", "condition", "step-description", "input-title", "gate-title"],
    "workflows": ["workflow-description"],
    "difference": ["workflow-description"],
    "start": ["workflow-description", "input-title", "input-description"],
    "agents": ["agent-description", "disabled-reason", "breaker-reason"],
    "agent": ["agent-description", "disabled-reason", "agent-schema"],
    "breaker": ["breaker-reason"],
    "events": ["error-kind", "error-message"],
    "entry": ["log-message", "log-key", "log-value"],
    "compared": ["output-key", "output-value", "error-message"],
    "schedules": ["schedule-description", "pause-reason"],
    "triggers": ["trigger-description", "trigger-condition"],
    "webhooks": ["webhook-description"],
}
HELD: Final = {
    "start": {"input-default": text("input-default"), "input-example": text("input-example")[:59]},
    "gate": {"form-default": text("form-default"), "form-example": text("form-example")[:59]},
    "editor": {"the document": text("gate-title")},
}
"""What stands in fields that are filled in, or as the example in an empty one."""
PIECES: Final = {
    "start": {"input-enum": text("input-enum")[:59]},
    "gate": {"form-enum": text("form-enum")[:59]},
    "agents": {"tag": text("tag")[:60]},
    "agent": {"tag": text("tag")[:60]},
    "webhooks": {"the address": "https://hook.invalid/?x=%22><img+src=x+onerror=__pwned=1>"},
}
"""What is shorter than `text` by its nature."""
REFLECTED: Final = {
    "search": "/threads?text={}",
    "status": "/threads?status={}",
    "workflow filter": "/threads?workflow={}",
    "thread": "/threads/{}",
    "step": "/threads/<over>?step={}",
    "selection": "/threads/<over>?run={}&step=speak",
    "versions": "/threads/<over>?v={}&w={}&tab={}&event={}&as={}&log={}&type={}",
    "workflow": "/workflows/{}",
    "workflow version": "/workflows/hostile?version={}&diff={}&tab={}&step={}",
    "editor": "/workflows/{}/edit",
    "start": "/start/{}?version={}&from={}",
    "agent": "/agents/{}?window={}",
    "agents": "/agents?text={}&kind={}&tag={}&state={}",
    "events": "/events?text={}&event={}&step={}&agent={}&workflow={}&open={}",
    "logs": "/events?tab=logs&text={}&agent={}&logger={}&level={}",
    "compare": "/compare?a={}&b={}",
    "operations": "/operations?tab={}&window={}",
    "settings": "/operations?tab=settings&text={}",
}
MARKUP: Final = "<img src=x onerror=window.__pwned=1>"
REFUSING: Final = 'img, iframe, object, embed, base, form[action], body script, [onerror], [onload], [src^="javascript" i], '
LISTEN: Final = 'window.__reports = []; addEventListener("securitypolicyviolation", (one) => __reports.push(one.blockedURI))'
LOOK: Final = f"""() => ({{
  made: [...document.querySelectorAll('{REFUSING}a[href^="javascript" i]')].map((one) => one.outerHTML.slice(0, 200)),
  ran: window.__pwned ?? null, reports: window.__reports, polluted: Object.keys(Object.prototype),
  over: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  links: [...document.querySelectorAll("a")].filter((one) => one.origin !== location.origin).map((one) => one.href),
}})"""
HARMLESS: Final = {"made": [], "ran": None, "reports": [], "polluted": [], "links": []}


class Gallery:
    """One window that goes from view to view; a view that is shown already stays."""

    def __init__(self, at: Window, world: World) -> None:
        self.at, self.world = at, world
        self._shown = ""

    async def show(self, view: str) -> Page:
        """Go there, unless it is where we are."""
        page = self.at.page
        if view == self._shown:
            return page
        address, presses = VIEWS[view]
        await self.at.open(address.format(**self.world.threads))
        for press in presses:
            await page.locator(press).first.click()
        self._shown = view
        return page

    async def go(self, address: str) -> Page:
        """Somewhere else."""
        self._shown = ""
        await self.at.open(address.replace("<over>", self.world.threads["over"]))
        return self.at.page


@pytest.fixture(scope="module")
def world(service: Service) -> Generator[World]:
    """The hostile world, for all tests here."""
    made = World(service)
    made.make()
    yield made
    made.clear()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gallery(browser: Browser, world: World) -> AsyncGenerator[Gallery]:
    """One window for all that are only looked at."""
    async with window(browser, world.service.url) as at:
        await at.page.add_init_script(LISTEN)
        yield Gallery(at, world)


async def harmless(page: Page, view: str) -> None:
    """Nothing was made of any text here, nothing ran, and the page is no wider than its window."""
    found: dict[str, Any] = await page.evaluate(LOOK)
    over = found.pop("over")
    assert found == HARMLESS, view
    assert over <= 0, f"{view} is {over} px wider than the window"


def each(fields: dict[str, Any]) -> list[Any]:
    """View and field, with an id that says both."""
    return [pytest.param(view, field, id=f"{field}-in-{view}") for view, all_ in fields.items() for field in all_]


@pytest.mark.parametrize(("view", "field"), each(FIELDS))
async def test_a_field_is_shown_as_the_text_that_it_is(gallery: Gallery, view: str, field: str) -> None:
    page = await gallery.show(view)
    await expect(page.get_by_text(text(field)).filter(visible=True).first).to_be_visible()
    await harmless(page, view)


@pytest.mark.parametrize(("view", "field"), each(PIECES))
async def test_a_short_field_is_shown_as_the_text_that_it_is(gallery: Gallery, view: str, field: str) -> None:
    page = await gallery.show(view)
    await expect(page.get_by_text(PIECES[view][field]).filter(visible=True).first).to_be_visible()
    await harmless(page, view)


@pytest.mark.parametrize(("view", "field"), each(HELD))
async def test_a_field_to_be_filled_in_holds_the_text_that_was_given(gallery: Gallery, view: str, field: str) -> None:
    page = await gallery.show(view)
    wanted = HELD[view][field]
    script = '() => [...document.querySelectorAll("input, textarea")].flatMap((one) => [one.value, one.placeholder])'
    await expect(page.locator("main input, main textarea").first).to_be_visible()
    assert any(wanted in one for one in await page.evaluate(script))
    await harmless(page, view)


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_an_output_shows_each_payload_letter_by_letter(gallery: Gallery, payload: str) -> None:
    VIEWS["payloads"] = ("/threads/{over}?step=constructor&tab=output", [])
    page = await gallery.show("payloads")
    rows = page.get_by_role("treeitem").filter(has_text=payload).first
    await expect(rows).to_be_visible()
    shown = await rows.locator(".value").text_content()
    assert shown == json.dumps(PAYLOADS[payload], ensure_ascii=False).replace("\\u007f", "\x7f")
    await harmless(page, payload)


@pytest.mark.parametrize("view", VIEWS)
async def test_a_word_without_end_makes_no_page_wider_than_a_phone(gallery: Gallery, view: str) -> None:
    page = await gallery.show(view)
    await expect(page.locator("h1").first).to_be_visible()
    await harmless(page, view)
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    try:
        await harmless(page, f"{view} on a phone")
    finally:
        await page.set_viewport_size({"width": 1280, "height": 800})


@pytest.mark.parametrize("place", REFLECTED)
async def test_what_the_address_says_is_never_markup(gallery: Gallery, place: str) -> None:
    escaped = MARKUP.replace(" ", "%20").replace("<", "%3C").replace(">", "%3E")
    gallery.at.refused = True
    page = await gallery.go(REFLECTED[place].replace("{}", escaped))
    await expect(page.locator("h1, .face h2").first).to_be_visible()
    await expect(page.locator("main .loading")).to_have_count(0)
    await harmless(page, place)
