"""Text of agents, documents and callers is text on every page: no element is made of it, nothing of it runs, no page breaks."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.conftest import window
from tests.browser.hostile import NAME, NAMES, PAYLOADS, World, text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from playwright.async_api import Browser, Page

    from tests.acceptance.service import Service
    from tests.browser.conftest import Window

VIEWS: Final = {
    "threads": ("/threads?workflow=hostile", []),
    "failed in the list": ("/threads?workflow=hostile-failing", []),
    "questions": ("/threads?questions=open", []),
    "about": ("/threads/{waiting}?tab=about", []),
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
    "a long name": (f"/threads/{NAME}", []),
    "a long name chosen": (f"/threads/{NAME}?step={NAME}&v=2", []),
    "a long name's workflow": (f"/workflows/{NAME}?step={NAME}", []),
    "a long name's versions": (f"/workflows/{NAME}?tab=threads", []),
    "a long name's form": (f"/start/{NAME}", []),
    "a long name's agent": (f"/agents/{NAME}", []),
    "long names compared": (f"/compare?a={NAME}&b={NAME}", []),
    "a long name's events": (f"/events?thread={NAME}&event=step_failed", [".event-row .name"]),
    "long names in queues": ("/operations?tab=queues", []),
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
    "start": {"input-title": text("input-default")},
    "gate": {"form-title": text("form-default")},
    "editor": {"Workflow document": text("gate-title")},
}
"""What stands in the fields of a label; by their titles, where those are hostile too."""
EXAMPLES: Final = {"start": ["input-example"], "gate": ["form-example"]}
PIECES: Final = {
    "start": {"input-enum": text("input-enum")[:59]},
    "gate": {"form-enum": text("form-enum")[:59]},
    "agents": {"tag": text("tag")[:60]},
    "agent": {"tag": text("tag")[:60]},
    "webhooks": {"the address": "https://hook.invalid/?x=%22><img+src=x+onerror=__pwned=1>"},
}
"""What is shorter than `text` by its nature."""
DIALOGS: Final = {
    "endpoint": (
        "/operations?tab=webhooks",
        "tr:has-text('hook.invalid') >> text=Turn off",
        PIECES["webhooks"]["the address"],
    ),
    "agent": ("/agents/hostile-off", "text=Change…", text("agent-description")),
}
"""What is pressed at an address, and what the dialog says."""
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
REFUSING: Final = (
    'img, iframe, object, embed, base, form[action], body script, [onerror], [onload], [src^="javascript" i], '
)
LISTEN: Final = (
    'window.__reports = []; addEventListener("securitypolicyviolation", (one) => __reports.push(one.blockedURI))'
)
LOOK: Final = f"""() => ({{
  made: [...document.querySelectorAll('{REFUSING}a[href^="javascript" i]')].map((one) => one.outerHTML.slice(0, 200)),
  ran: window.__pwned ?? null, reports: window.__reports, polluted: Object.keys(Object.prototype),
  over: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  links: [...document.querySelectorAll("a")].filter((one) => one.origin !== location.origin).map((one) => one.href),
}})"""
HARMLESS: Final = {"made": [], "ran": None, "reports": [], "polluted": [], "links": []}


ON_PHONES: Final[set[str]] = set()
"""Views that a phone has shown: each once."""


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
    """Nothing was made of any text here, nothing ran, and the page is no wider than its window, nor than a phone."""
    await looked_at(page, view)
    if view in VIEWS and view not in ON_PHONES:
        ON_PHONES.add(view)
        await page.set_viewport_size({"width": 390, "height": 844})
        await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        try:
            await looked_at(page, f"{view} on a phone")
        finally:
            await page.set_viewport_size({"width": 1280, "height": 800})


async def looked_at(page: Page, view: str) -> None:
    """What LOOK finds is nothing."""
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


@pytest.mark.parametrize(("view", "label"), each(HELD))
async def test_a_field_to_be_filled_in_holds_the_text_that_was_given(gallery: Gallery, view: str, label: str) -> None:
    page = await gallery.show(view)
    field = page.get_by_label(text(label) if label.endswith("-title") else label)
    await expect(field).to_have_value(re.compile(f".*{re.escape(HELD[view][label])}.*", re.DOTALL))
    await harmless(page, view)


@pytest.mark.parametrize(("view", "field"), each(EXAMPLES))
async def test_an_example_is_shown_as_the_text_that_it_is(gallery: Gallery, view: str, field: str) -> None:
    page = await gallery.show(view)
    await expect(page.get_by_placeholder(text(field)[:59], exact=True)).to_be_visible()
    await harmless(page, view)


@pytest.mark.parametrize("dialog", DIALOGS)
async def test_a_dialog_shows_the_text_that_it_is(gallery: Gallery, dialog: str) -> None:
    address, press, said = DIALOGS[dialog]
    page = await gallery.go(address)
    await page.locator(press).first.click()
    shown = page.get_by_role("dialog").locator("p, textarea").first
    await expect(shown).to_be_visible()
    assert said in await shown.evaluate("(node) => node.value ?? node.textContent")
    await harmless(page, dialog)


async def test_a_toast_shows_the_text_that_it_is(gallery: Gallery) -> None:
    page = await gallery.go(f"/threads/{gallery.world.threads['waiting']}")
    await refused(page, "pause", {"code": "thread_not_active", "detail": text("toast")})
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator(".toast")).to_contain_text(text("toast"))
    await harmless(page, "toast")
    await overheard(gallery)


async def test_who_was_first_is_shown_as_the_text_that_it_is(gallery: Gallery) -> None:
    page = await gallery.go(f"/threads/{gallery.world.threads['waiting']}?step=ask")
    first = {"code": "gate_answered", "detail": "no", "answer": text("answer"), "answered_by": text("first")}
    await refused(page, "gates", first)
    await page.get_by_label(text("form-title")).fill("typed")
    await page.locator("form.answer button[type=submit]").click()
    note = page.get_by_role("alert").filter(has_text="Somebody was first")
    await expect(note).to_contain_text(text("first"))
    await expect(note).to_contain_text(text("answer"))
    await harmless(page, "first")
    await overheard(gallery)


async def refused(page: Page, what: str, problem: dict[str, str]) -> None:
    """What is sent there is answered by this problem; what is asked there by the service."""
    told = {"status": 409, "json": problem, "content_type": "application/problem+json"}
    await page.route(
        f"**/api/invoke/{what}/**", lambda one: one.fulfill(**told) if one.request.method == "POST" else one.fallback()
    )


async def overheard(gallery: Gallery) -> None:
    """The browser tells of a refusal, and of nothing else."""
    await gallery.at.page.unroute_all()
    assert [one for one in gallery.at.complaints if "409" not in one] == []
    gallery.at.complaints.clear()


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_an_output_shows_each_payload_letter_by_letter(gallery: Gallery, payload: str) -> None:
    VIEWS["payloads"] = ("/threads/{over}?step=constructor&tab=output", [])
    page = await gallery.show("payloads")
    rows = page.get_by_role("treeitem").filter(has_text=payload).first
    await expect(rows).to_be_visible()
    shown = await rows.locator(".value").text_content()
    assert shown == json.dumps(PAYLOADS[payload], ensure_ascii=False).replace("\\u007f", "\x7f")
    await harmless(page, payload)


@pytest.mark.parametrize("view", [view for view in VIEWS if view not in FIELDS and view not in HELD])
async def test_the_other_views_hold_a_word_without_end_too(gallery: Gallery, view: str) -> None:
    page = await gallery.show(view)
    await expect(page.locator(":is(.sheet, .detail, .json, table)").first).to_be_visible()
    await harmless(page, view)


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_that_every_object_has_is_a_name_like_others(gallery: Gallery, name: str) -> None:
    page = await gallery.show("output")
    await expect(page.get_by_role("treeitem").filter(has_text=f'{name}"own {name}"')).to_be_visible()
    box = page.locator(f'.graph-box[data-step="{name}"]')
    await expect(box).to_have_attribute("data-state", "completed")
    page = await gallery.show("workflow")
    await expect(box).to_have_attribute("aria-label", re.compile(f"^{name}, python collect"))
    await expect(page.locator("main")).not_to_contain_text("native code")
    await harmless(page, name)


async def test_a_form_has_fields_of_such_names(gallery: Gallery) -> None:
    page = await gallery.show("start")
    for name in NAMES:
        await page.get_by_label(f"The {name}").fill(f"given {name}")
    said = await page.locator(".same pre").inner_text()
    for name in NAMES:
        assert f'"{name}":"given {name}"' in said
    await harmless(page, "start")


async def test_an_error_of_such_a_kind_is_explained_as_any_other(gallery: Gallery) -> None:
    page = await gallery.go(f"/threads/{gallery.world.threads['proto']}")
    await expect(page.locator(".failure")).to_contain_text("Mend the cause and retry")
    await expect(page.locator("main")).not_to_contain_text("undefined")


@pytest.mark.parametrize("address", ["/operations?window=constructor", "/agents/hostile-well?window=__proto__"])
async def test_a_time_of_such_a_name_is_none(gallery: Gallery, address: str) -> None:
    page = await gallery.go(address)
    await expect(page.get_by_role("button", name="the last hour")).to_have_attribute("aria-pressed", "true")
    await expect(page.locator(".face.wrong")).to_have_count(0)


async def test_a_text_from_right_to_left_turns_nothing_around_beside_it(gallery: Gallery) -> None:
    page = await gallery.show("payloads")
    row = page.get_by_role("treeitem").filter(has_text="right-to-left")
    await row.locator(".value").evaluate("(node) => node.insertAdjacentText('afterend', 'beside it')")
    places = await row.locator(".json-row").evaluate(
        """(node) => [0, 5].map((at) => {
          const range = new Range();
          const text = [...node.childNodes].find((one) => one.data === "beside it");
          range.setStart(text, at);
          range.setEnd(text, at + 1);
          return range.getBoundingClientRect().left;
        })"""
    )
    assert places[0] < places[1]


COLLECTS: Final = [{"id": "one", "python": "collect", "input": "{input}"}]
HARD: Final = {
    "slow": {"type": "string", "pattern": "^(a+)+$"},
    "odd": {"type": "string", "format": "constructor"},
    "wide": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1, "multipleOf": 1},
    "part": {"type": "number", "multipleOf": 12345678901234567890},
    "one-fault": {"type": "string", "title": "Looks like a fault"},
    "one": {"type": "string", "pattern": "^b$"},
    "__proto__": {"type": "string", "default": "mine"},
}


async def test_a_form_takes_a_schema_that_would_stop_or_break_it(gallery: Gallery) -> None:
    document = {"name": "hard", "input": {"type": "object", "properties": HARD}, "steps": COLLECTS}
    gallery.world.service.register(document)
    page = await gallery.go("/start/hard")
    await page.get_by_label("Slow").fill("a" * 60 + "!")
    await page.get_by_label("Odd").fill("text")
    await page.get_by_label("Part").fill("2")
    await page.get_by_label("Wide").press("ArrowUp")
    await expect(page.get_by_label("Wide")).to_have_value(str(-(2**63)))
    await page.locator('[id="input/one"]').fill("a")
    await page.get_by_label("Looks like a fault").fill("b")
    await expect(page.locator(".fault")).to_have_text(["This must fit the pattern ^b$."])
    await page.get_by_role("button", name="Start hard").click()
    await expect(page.locator(":focus")).to_have_id("input/one")
    assert '"__proto__":"mine"' in await page.locator(".same pre").inner_text()


async def test_a_page_that_cannot_draw_what_it_gets_says_so_and_leads_on(browser: Browser, world: World) -> None:
    async with window(browser, world.service.url) as at:
        broken = json.dumps({"workflows": [{"name": "odd", "version": 1, "steps": None}], "next_cursor": None})
        await at.page.route(
            "**/api/workflows?**", lambda one: one.fulfill(body=broken, content_type="application/json")
        )
        await at.open("/workflows")
        await expect(at.page.get_by_role("alert")).to_contain_text("The page could not draw what it was given")
        assert at.complaints
        at.complaints.clear()
        await at.page.get_by_role("navigation").get_by_role("link", name="Agents").click()
        await expect(at.page.get_by_role("heading", name="Agents")).to_be_visible()


async def test_what_somebody_has_put_into_the_storage_breaks_no_page(browser: Browser, world: World) -> None:
    async with window(browser, world.service.url) as at:
        junk = {
            "theme": "<b>",
            "by.json": "7",
            "document.json": "{}",
            "draft.hostile.json": '{"text": 5, "at": "never"}',
        }
        await at.page.add_init_script(
            f"for (const [name, one] of Object.entries({json.dumps(junk)})) localStorage.setItem(`backstitch.${{name}}`, one)"
        )
        await at.open(f"/threads/{world.threads['waiting']}?step=ask")
        await expect(at.page.get_by_label("Who answers")).to_have_value("")
        await at.open("/workflows/hostile/edit")
        await expect(at.page.get_by_label("Workflow document")).to_have_value(re.compile("^name: hostile"))
        await expect(at.page.get_by_text("No faults")).to_be_visible()


REFUSED: Final = {
    "a script within the page": "const one = document.createElement('script'); one.text = '1'; document.body.append(one)",
    "a script from elsewhere": "document.body.append(Object.assign(document.createElement('script'), {src: 'https://x.invalid/'}))",
    "text as code": "eval('1')",
    "a function of a text": "new Function('1')()",
    "text as markup": "document.body.innerHTML = '<b>bold</b>'",
    "markup behind an element": "document.body.insertAdjacentHTML('beforeend', '<b>bold</b>')",
    "a policy of its own": "trustedTypes.createPolicy('mine', {createHTML: (text) => text})",
}


@pytest.mark.parametrize("way", REFUSED)
async def test_the_browser_itself_refuses(browser: Browser, service: Service, way: str) -> None:
    async with window(browser, service.url) as at:
        await at.page.add_init_script(LISTEN)
        await at.open("/start")
        await expect(at.page.locator("h1")).to_be_visible()
        await at.page.evaluate(f"() => {{ setTimeout(() => {{ {REFUSED[way]} }}) }}")
        await at.page.wait_for_timeout(0)
        await expect(at.page.locator("b").filter(has_text="bold")).to_have_count(0)
        for _ in range(100):
            if await at.page.evaluate("() => window.__reports.length"):
                break
        assert await at.page.evaluate("() => window.__reports.length") > 0
        assert at.complaints
        at.complaints.clear()


@pytest.mark.parametrize("place", REFLECTED)
async def test_what_the_address_says_is_never_markup(gallery: Gallery, place: str) -> None:
    escaped = MARKUP.replace(" ", "%20").replace("<", "%3C").replace(">", "%3E")
    gallery.at.refused = True
    page = await gallery.go(REFLECTED[place].replace("{}", escaped))
    await expect(page.locator("h1, .face h2").first).to_be_visible()
    await expect(page.locator("main .loading")).to_have_count(0)
    await harmless(page, place)
