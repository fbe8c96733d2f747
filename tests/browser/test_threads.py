"""The list of threads, in a browser."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from playwright.async_api import expect

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Locator, Route

    from tests.acceptance.service import Service
    from tests.browser.conftest import Window


def row(at: Window, thread: str) -> Locator:
    """The line of a thread."""
    return at.page.locator(".thread-row", has=at.page.locator(f'[data-thread="{thread}"]'))


async def test_a_thread_that_somebody_else_starts_comes_to_the_top(at: Window, service: Service) -> None:
    await at.open("/threads")
    await expect(at.page.get_by_role("heading", name="Threads", exact=True)).to_be_visible()
    thread = service.start_thread("chain", {"title": "From elsewhere"})
    await expect(row(at, thread)).to_contain_text("From elsewhere")
    await expect(row(at, thread)).to_have_attribute("data-state", "completed")


async def test_a_row_tells_what_happens_without_a_reload(at: Window, service: Service, tmp_path: Path) -> None:
    go = tmp_path / "go"
    thread = service.start_thread("waiting", {"until": str(go)})
    # This browser's clock is an hour behind: times are told by the service's all the same.
    await at.page.add_init_script("const real = Date.now; Date.now = () => real() - 3_600_000")
    await at.open("/threads")
    await expect(row(at, thread)).to_have_attribute("data-state", "running")
    await expect(row(at, thread)).to_contain_text("hold ·")
    await expect(row(at, thread).locator(".age")).to_have_text(re.compile(r"now|\d+ s ago"))
    go.touch()
    await expect(row(at, thread)).to_have_attribute("data-state", "completed")
    await expect(row(at, thread)).to_contain_text("3/3")


async def test_the_address_keeps_the_filters(at: Window, service: Service) -> None:
    failed = service.run("fragile", {"title": "needle in a haystack"})["thread_id"]
    other = service.run("chain", {"title": "hay"})["thread_id"]
    await at.open("/threads")
    await at.page.get_by_role("button", name="failed").click()
    await at.page.get_by_label("By text").fill("needle")
    await expect(row(at, failed)).to_be_visible()
    await expect(row(at, other)).to_have_count(0)
    await expect(at.page).to_have_url(f"{service.url}/threads?status=failed&text=needle")
    await at.page.reload()
    await expect(row(at, failed)).to_be_visible()
    await expect(row(at, other)).to_have_count(0)
    await expect(at.page.get_by_role("button", name="failed")).to_have_attribute("aria-pressed", "true")


async def test_many_are_cancelled_at_once_after_their_number_was_told(
    at: Window, service: Service, tmp_path: Path
) -> None:
    never = {"until": str(tmp_path / "never"), "title": "bulk"}
    threads = [service.start_thread("waiting", never) for _ in range(3)]
    done = service.run("chain", {"title": "bulk"})["thread_id"]
    await at.open("/threads?text=bulk")
    for thread in (*threads, done):
        await row(at, thread).get_by_role("checkbox").check()
    await (
        at.page.get_by_role("region", name="Selected threads").get_by_role("button", name="Cancel", exact=True).click()
    )
    dialog = at.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("3 threads are stopped for good")
    await expect(dialog).to_contain_text("1 thread cannot")
    await dialog.get_by_role("button", name="Cancel 3 threads").click()
    for thread in threads:
        await expect(row(at, thread)).to_have_attribute("data-state", "cancelled")
        assert service.until(thread, "cancelled")


async def test_by_keys_alone_a_thread_is_found_and_opened(at: Window, service: Service) -> None:
    first = service.run("chain", {"title": "keyhole"})["thread_id"]
    second = service.run("chain", {"title": "keyhole"})["thread_id"]
    await at.open("/threads")
    await expect(row(at, second)).to_be_visible()
    await at.page.keyboard.press("f")
    await expect(at.page.get_by_label("By text")).to_be_focused()
    await at.page.keyboard.type("keyhole")
    await expect(at.page.locator(".thread-row")).to_have_count(2)
    await at.page.keyboard.press("Escape")
    await at.page.keyboard.press("j")
    await expect(at.page.locator(f'[data-thread="{second}"]')).to_be_focused()
    await at.page.keyboard.press("j")
    await at.page.keyboard.press("x")
    await expect(row(at, first).get_by_role("checkbox")).to_be_checked()
    await at.page.keyboard.press("Enter")
    await expect(at.page).to_have_url(f"{service.url}/threads/{first}")
    await at.page.keyboard.press("g")
    await at.page.keyboard.press("t")
    await expect(at.page.get_by_role("heading", name="Threads", exact=True)).to_be_visible()


async def test_keys_mean_the_thread_they_came_to_when_another_begins(at: Window, service: Service) -> None:
    first = service.run("chain", {"title": "keystone"})["thread_id"]
    await at.open("/threads?text=keystone")
    await expect(row(at, first)).to_be_visible()
    await at.page.keyboard.press("j")
    await expect(at.page.locator(f'[data-thread="{first}"]')).to_be_focused()
    await expect(row(at, service.start_thread("chain", {"title": "keystone"}))).to_be_visible()
    await at.page.keyboard.press("x")
    await expect(row(at, first).get_by_role("checkbox")).to_be_checked()
    await expect(at.page.locator(".thread-row [type=checkbox]:checked")).to_have_count(1)


async def test_who_types_slowly_loses_no_space(at: Window, service: Service) -> None:
    await at.open("/threads")
    field = at.page.get_by_label("By text")
    await field.press_sequentially("two ")
    await expect(at.page).to_have_url(f"{service.url}/threads?text=two")
    await field.press_sequentially("words")
    await expect(at.page).to_have_url(f"{service.url}/threads?text=two+words")
    await at.page.get_by_role("button", name="Clear the filters").click()
    await expect(field).to_have_value("")


async def test_all_that_match_are_those_that_were_told_of(at: Window, service: Service) -> None:
    async def few(route: Route) -> None:
        await route.continue_(url=re.sub(r"limit=\d+", "limit=1", route.request.url))

    for _ in range(3):
        service.run("fragile", {"title": "brittle"})
    await at.page.set_viewport_size({"width": 1280, "height": 400})
    await at.page.route("**/api/threads?*limit=*", few)
    await at.page.route("**/api/threads?*cursor=*", lambda route: route.fulfill(status=503, body="{}"))
    at.away = True
    await at.open("/threads?text=brittle&status=failed")
    # What is further down could not be had: the list does not look as if it were all.
    await expect(at.page.get_by_role("heading", name="Older threads could not be listed")).to_be_visible()
    await at.page.locator(".thread-row").get_by_role("checkbox").first.check()
    await at.page.get_by_role("button", name="Resume all that match").click()
    dialog = at.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("3 threads go on")
    late = service.run("fragile", {"title": "brittle"})["thread_id"]
    await dialog.get_by_role("button", name="Resume 3 threads").click()
    await expect(at.page.locator(".toast")).to_contain_text("3 threads go on")
    assert service.status(late)["last_seq"] == service.until(late, "failed")["last_seq"]
    assert len(service.get(f"/api/invoke/events/{late}")["events"]) == service.status(late)["last_seq"]
    assert "workflow_resumed" not in [one["event"] for one in service.get(f"/api/invoke/events/{late}")["events"]]


async def test_an_answer_that_fails_once_loses_no_thread(at: Window, service: Service) -> None:
    away = asyncio.Event()

    async def refuse(route: Route) -> None:
        await (route.fulfill(status=503, body="{}") if away.is_set() else route.continue_())

    at.away = True
    await at.page.route("**/api/threads?*limit=50*", refuse)
    await at.open("/threads")
    await expect(at.page.locator(".live")).to_have_attribute("data-state", "live")
    away.set()
    async with at.page.expect_response(lambda one: one.status == 503):
        thread = service.run("chain", {"title": "Asked for again"})["thread_id"]
    away.clear()
    await expect(row(at, thread)).to_contain_text("Asked for again")


async def test_who_reads_further_down_is_told_of_new_threads_and_not_moved(at: Window, service: Service) -> None:
    for number in range(60):
        service.start_thread("chain", {"title": f"many {number}"})
    await at.open("/threads?text=many")
    await expect(at.page.locator(".thread-row").first).to_be_visible()
    await at.page.mouse.wheel(0, 1000)
    place = at.page.locator("[data-index='30']")
    await expect(place).to_be_visible()
    before = await place.locator(".title").inner_text()
    thread = service.start_thread("chain", {"title": "many more"})
    told = at.page.get_by_role("button", name="1 new thread")
    await expect(told).to_be_visible()
    assert await place.locator(".title").inner_text() == before
    await told.click()
    await expect(row(at, thread)).to_be_visible()


async def test_a_failed_thread_is_resumed_from_its_row(at: Window, service: Service, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    thread = service.run("fragile", {"unless": str(mended), "title": "resumed"})["thread_id"]
    await at.open("/threads?text=resumed")
    mended.touch()
    await row(at, thread).get_by_role("button", name="Resume").click()
    await expect(row(at, thread)).to_have_attribute("data-state", "completed")


async def test_no_thread_at_all_says_how_to_start_one(at: Window) -> None:
    await at.open("/threads?workflow=nothing-like-it")
    await expect(at.page.get_by_role("heading", name="No thread matches")).to_be_visible()
    await at.page.get_by_role("button", name="Clear the filters").click()
    await expect(at.page).not_to_have_url("nothing-like-it")


async def test_a_list_by_status_takes_in_who_comes_to_it_and_lets_go_of_who_leaves(
    at: Window, service: Service, tmp_path: Path
) -> None:
    go, mended = tmp_path / "go", tmp_path / "mended"
    leaves = service.start_thread("waiting", {"until": str(go), "title": "leaves"})
    comes = service.run("fragile", {"unless": str(mended), "until": str(tmp_path / "never")})["thread_id"]
    await at.open("/threads?status=running,completed")
    await expect(row(at, leaves)).to_be_visible()
    await expect(row(at, comes)).to_have_count(0)
    mended.touch()
    service.post(f"/api/invoke/resume/{comes}")
    await expect(row(at, comes)).to_have_attribute("data-state", "completed")
    await at.open("/threads?status=running")
    await expect(row(at, leaves)).to_be_visible()
    go.touch()
    await expect(row(at, leaves)).to_have_count(0)
