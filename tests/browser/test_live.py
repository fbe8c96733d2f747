"""A page that is left alone: nobody looks at it, or the service goes away under it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from playwright.async_api import expect

from tests.browser.conftest import window

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser

    from tests.acceptance.service import Service
    from tests.browser.conftest import Window

_SEEN = """(hidden) => {
  Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
  document.dispatchEvent(new Event("visibilitychange"));
}"""


# Open streams are counted by the page itself.
_COUNTED: Final = """(() => {
  const ask = window.fetch;
  const count = (by) => {
    const { dataset } = document.documentElement;
    dataset.streams = Number(dataset.streams ?? 0) + by;
  };
  window.fetch = async (address, given) => {
    const answer = await ask(address, given);
    if (String(address).includes("/stream")) {
      count(1);
      given.signal.addEventListener("abort", () => count(-1));
    }
    return answer;
  };
})()"""
# From the list to a thread and back, before either was painted.
_FLIPPED: Final = """async (thread) => {
  const to = (address) => { history.pushState(null, "", address); dispatchEvent(new PopStateEvent("popstate")); };
  const turn = () => new Promise((done) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = done;
    channel.port2.postMessage(0);
  });
  for (let count = 0; count < 30; count += 1) {
    to(`/threads/${thread}`);
    await turn();
    to("/threads");
    await turn();
  }
}"""
BURST: Final = 70
"""Threads that begin while a page is away: more than it asks for at first."""


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
        silent = re.compile(r"reconnecting, last heard ([2-9](\.\d)?|\d\d+) s ago")
        await expect(at.page.locator(".live")).to_contain_text(silent)
        await at.page.evaluate("dispatchEvent(new Event('online'))")  # one more attempt, of which nothing is heard
        await at.page.wait_for_timeout(1200)
        assert silent.search(await at.page.locator(".live").inner_text())
        mortal.start().ready()
        mortal.run("chain", {"title": "meanwhile"})
        await expect(at.page.locator(".thread-row")).to_have_count(2)
        assert await titles(at) == ["meanwhile", "before"]
        await expect(at.page.locator(".live")).to_have_attribute("data-state", "live")


async def test_a_tab_that_nobody_looks_at_catches_up_when_it_is_looked_at(browser: Browser, mortal: Service) -> None:
    mortal.run("chain", {"title": "before"})
    async with window(browser, mortal.url) as at:
        at.away = True
        await at.open("/threads")
        await expect(at.page.locator(".live")).to_have_attribute("data-state", "live")
        await at.page.evaluate(_SEEN, True)
        mortal.kill()
        await expect(at.page.locator(".live")).to_have_attribute("data-state", "lost")
        mortal.start().ready()
        for _ in range(BURST):
            mortal.start_thread("chain", {"title": "while nobody looked"})
        await at.page.evaluate(_SEEN, False)
        await expect(at.page.locator(".item").first).to_have_attribute("aria-setsize", str(BURST + 1))
        await expect(at.page.locator(".live")).to_have_attribute("data-state", "live")


async def test_tabs_that_nobody_looks_at_leave_their_connections_to_the_one_that_is(at: Window) -> None:
    await at.open("/threads")
    await expect(at.page.locator(".live")).to_have_attribute("data-state", "live")
    await at.page.evaluate(_SEEN, True)
    other = await at.page.context.new_page()
    await other.goto(f"{at.url}/threads")
    await expect(other.locator(".live")).to_have_attribute("data-state", "live")
    await expect(at.page.locator(".live")).to_have_attribute("data-state", "connecting")
    await at.page.evaluate(_SEEN, False)
    await expect(at.page.locator(".live")).to_have_attribute("data-state", "live")


async def test_a_tab_opened_behind_others_connects_once_it_is_looked_at(at: Window) -> None:
    asked: list[str] = []
    at.page.on("request", lambda one: asked.append(one.url))
    await at.page.add_init_script(f"({_SEEN})(true)")
    await at.open("/threads")
    await expect(at.page.get_by_role("heading", name="Threads", exact=True)).to_be_visible()
    await at.page.wait_for_load_state("networkidle")
    assert not [url for url in asked if "/stream" in url]
    await at.page.evaluate(_SEEN, False)
    await expect(at.page.locator(".live")).to_have_attribute("data-state", "live")


async def test_pages_left_before_they_were_painted_leave_no_stream_open(
    at: Window, service: Service, tmp_path: Path
) -> None:
    thread = service.start_thread("waiting", {"until": str(tmp_path / "never")})
    await at.page.add_init_script(_COUNTED)
    await at.open(f"/threads/{thread}")
    await expect(at.page.locator(".thread-head")).to_be_visible()
    streams = at.page.locator("html")
    await expect(streams).to_have_attribute("data-streams", "2")
    await at.page.evaluate(_FLIPPED, thread)
    await expect(at.page.locator(".thread-row").first).to_be_visible()
    await at.page.wait_for_timeout(1000)  # answers may come late
    await expect(streams).to_have_attribute("data-streams", "1")


async def test_what_could_not_be_had_of_a_thread_comes_once_the_service_is_back(
    browser: Browser, mortal: Service, tmp_path: Path
) -> None:
    thread = mortal.start_thread("waiting", {"until": str(tmp_path / "never")})
    async with window(browser, mortal.url) as at:
        at.away = True
        await at.page.route("**/thread/timeline.js", lambda route: route.abort())
        await at.open(f"/threads/{thread}?step=begin")
        wrong = at.page.locator(".face.wrong")
        await expect(wrong).to_contain_text("This part could not be loaded")
        await expect(at.page.locator(".graph-box[data-step=hold]")).to_be_visible()
        await at.page.unroute("**/thread/timeline.js")
        mortal.kill()
        await at.page.get_by_role("button", name="hold: running").click()
        await expect(wrong.nth(1)).to_be_visible()
        mortal.start()
        await expect(wrong).to_have_count(0)
        await expect(at.page.locator(".tl-lanes")).to_be_visible()
        await expect(at.page.get_by_label("Step hold")).to_contain_text("running")


async def test_the_end_of_a_thread_is_not_told_as_a_lost_connection(
    at: Window, service: Service, tmp_path: Path
) -> None:
    told = (
        "window.told = []; new MutationObserver(() => told.push(document.querySelector('.figures')?.textContent ?? ''))"
    )
    go_on = tmp_path / "go on"
    thread = service.start_thread("waiting", {"until": str(go_on)})
    await at.page.add_init_script(f"{told}.observe(document, {{childList: true, subtree: true, characterData: true}})")
    async with at.page.expect_response(lambda one: one.status == 204, timeout=20_000):
        await at.open(f"/threads/{thread}")
        await expect(at.page.locator(".figures")).to_contain_text("running")
        go_on.touch()
    figures = await at.page.evaluate("told")
    assert any("completed" in one for one in figures)
    assert not any("Reconnecting" in one for one in figures)
