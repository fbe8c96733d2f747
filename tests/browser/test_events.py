"""The events of all threads, and the tree that their data is shown as, in a browser."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import expect

from tests.browser.conftest import window

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Route

    from tests.acceptance.service import Service
    from tests.browser.conftest import Window


async def shown(page: Page) -> list[str]:
    """The events in the list, from the top."""
    return cast(
        "list[str]", await page.locator("[data-event]").evaluate_all("all => all.map(one => one.dataset.event)")
    )


def written(service: Service, *threads: str) -> list[str]:
    """All events of these threads, the newest thread first."""
    listed = [service.http.get("/api/events", params={"thread_id": one, "order": "desc"}).json() for one in threads]
    return [f"{event['thread_id']}:{event['seq']}" for found in listed for event in found["events"]]


async def test_a_restart_under_an_open_page_loses_no_event_and_doubles_none(browser: Browser, mortal: Service) -> None:
    async with window(browser, mortal.url) as at:
        first = mortal.run("chain", {})["thread_id"]
        await at.open("/events")
        await expect(at.page.locator("[data-event]")).to_have_count(10)
        at.away = True
        mortal.kill()
        await expect(at.page.locator(".live")).to_have_attribute("data-state", "lost")
        mortal.start().ready()
        second = mortal.run("chain", {})["thread_id"]
        await expect(at.page.locator("[data-event]")).to_have_count(20)
        assert await shown(at.page) == written(mortal, second, first)


async def test_a_service_that_was_away_for_a_moment_is_asked_again(at: Window, service: Service) -> None:
    away = asyncio.Event()
    away.set()

    async def refuse(route: Route) -> None:
        await (route.fulfill(status=503, body="{}") if away.is_set() else route.continue_())

    at.away = True
    await at.page.route("**/api/events?*", refuse)
    await at.open("/events?workflow=chain")
    await expect(at.page.get_by_role("heading", name="The events could not be listed")).to_be_visible()
    away.clear()
    first = service.run("chain", {})["thread_id"]
    await expect(at.page.locator(f'[data-event="{first}:1"]')).to_be_visible()
    await expect(at.page.locator(".face.wrong")).to_have_count(0)
    away.set()
    async with at.page.expect_response(lambda one: one.status == 503):
        second = service.run("chain", {})["thread_id"]
    away.clear()
    await expect(at.page.locator(f'[data-event^="{second}"]')).to_have_count(len(written(service, second)))


async def test_what_comes_while_the_flow_is_paused_is_counted_and_held(at: Window, service: Service) -> None:
    await at.open("/events?workflow=fragile")
    await at.page.get_by_role("button", name="Pause").click()
    thread = service.run("fragile", {})["thread_id"]
    count = len(written(service, thread))
    await expect(at.page.locator(".flow")).to_contain_text(f"paused, {count} events came meanwhile")
    assert not [one for one in await shown(at.page) if one.startswith(thread)]
    await at.page.get_by_role("button", name="Go on").click()
    await expect(at.page.locator(f'[data-event="{thread}:1"]')).to_be_visible()
    assert [one for one in await shown(at.page) if one.startswith(thread)] == written(service, thread)


async def test_the_filters_stand_in_the_address_and_hold_for_what_comes(at: Window, service: Service) -> None:
    await at.open("/events")
    await at.page.get_by_role("button", name="error", exact=True).click()
    await at.page.get_by_label("By text of the data").fill("the ink is blue")
    await expect(at.page).to_have_url(f"{service.url}/events?type=error&text=the+ink+is+blue")
    await expect(at.page.get_by_role("heading", name="No event matches")).to_be_visible()
    service.run("fragile", {"message": "the ink is red"})
    thread = service.run("fragile", {"message": "the ink is blue"})["thread_id"]
    await expect(at.page.locator(f'[data-event^="{thread}"]')).to_have_count(2)
    assert {one.rpartition(":")[0] for one in await shown(at.page)} == {thread}


async def test_data_is_a_tree_that_keys_walk_and_search(at: Window, service: Service) -> None:
    given = {"value": {"markup": "<b>bold</b>", "list": [1, {"needle": "found"}], "long": "word " * 60}}
    thread = service.run("chain", given)["thread_id"]
    await at.open(f"/events?thread={thread}&event=step_complete")
    await at.page.locator(f'[data-event="{thread}:3"]').click()
    tree = at.page.get_by_role("tree")
    await expect(tree).to_contain_text('"<b>bold</b>"')
    await at.page.get_by_label("Find in this value").fill("needle")
    await expect(at.page.locator(".detail [role=status]")).to_have_text("1 of 1")
    needle = at.page.locator('[role=treeitem][aria-selected="true"]')
    await expect(needle).to_contain_text('needle"found"')
    await tree.focus()
    await at.page.keyboard.press("ArrowLeft")
    await expect(needle).to_have_attribute("aria-expanded", "true")
    await at.page.keyboard.press("ArrowLeft")
    await expect(needle).to_have_attribute("aria-expanded", "false")
    await expect(tree).not_to_contain_text("needle")
    long = at.page.get_by_role("treeitem").filter(has_text="long")
    await expect(long).to_contain_text("300 characters")
    await long.click()
    await expect(long).to_have_attribute("aria-expanded", "true")


async def test_logs_are_found_by_their_agent_and_level(at: Window, service: Service) -> None:
    task = service.http.post("/api/tasks", json={"agent": "analyst", "input": {"topic": "logs"}, "wait": "20s"}).json()
    await at.open(f"/events?tab=logs&thread={task['task_id']}")
    line = at.page.locator(".log-row", has_text="reading the brief")
    await expect(line).to_have_count(1)
    await line.click()
    await expect(at.page.get_by_role("complementary", name="The entry")).to_contain_text("analyst")
    await at.page.get_by_label("By level").select_option("error")
    await expect(at.page.get_by_role("heading", name="No entry matches")).to_be_visible()
    await at.open("/events?tab=logs&step=analyst")
    await expect(at.page.get_by_label("By step")).to_have_value("analyst")


def entry(number: int, at: str) -> dict[str, Any]:
    """A log entry of no thread."""
    place = dict.fromkeys(("thread_id", "execution_id", "workflow", "step_id", "index", "attempt", "agent", "context"))
    return {"id": f"e{number}", "at": at, "level": "info", "logger": "tests", "message": f"entry {number}", **place}


async def test_entries_on_short_pages_and_late_ones_are_put_into_their_place(at: Window) -> None:
    first, late, last = (entry(number, f"2026-01-01T00:00:0{number}.000Z") for number in (1, 2, 3))
    told: list[dict[str, Any]] = [first]

    async def tell(route: Route) -> None:
        asked = {name: given[0] for name, given in parse_qs(urlsplit(route.request.url).query).items()}
        page = told if asked.get("cursor") == "deeper" or told == [first] or asked["limit"] == "1" else []
        more = None if page else "deeper"
        await route.fulfill(json={"logs": page, "dropped": 0, "next_cursor": more})

    await at.page.clock.install()
    await at.page.route("**/api/logs?*", tell)
    await at.open("/events?tab=logs&text=entry")
    lines = at.page.locator(".log-row .name")
    await expect(lines).to_have_text(["entry 1"])
    told[:] = [last, first]
    await at.page.clock.run_for(4_000)
    await expect(lines).to_have_text(["entry 3", "entry 1"])
    told[:] = [last, late, first]
    await at.page.clock.run_for(4_000)
    await expect(lines).to_have_text(["entry 3", "entry 2", "entry 1"])


async def test_more_than_can_be_held_while_paused_is_told_of_and_then_shown(at: Window, service: Service) -> None:
    await at.open("/events")
    await at.page.get_by_role("button", name="Pause").click()
    before = await shown(at.page)
    page = service.http.get("/api/events", params={"limit": 1, "order": "desc"}).json()
    seqs = count(1_000_000)

    async def flood(route: Route) -> None:
        await route.fulfill(json={**page, "events": [{**page["events"][0], "seq": next(seqs)}], "next_cursor": "more"})

    await at.page.route("**/api/events?*order=asc*", flood)
    thread = service.run("chain", {})["thread_id"]
    await expect(at.page.locator(".flow")).to_contain_text("paused, more than 20 events came meanwhile")
    assert await shown(at.page) == before
    await at.page.unroute("**/api/events?*order=asc*")
    await at.page.get_by_role("button", name="Go on").click()
    await expect(at.page.locator(f'[data-event="{thread}:1"]')).to_be_visible()
    assert (await shown(at.page))[:10] == written(service, thread)
