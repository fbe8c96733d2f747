"""One thread, in a browser: watched while it runs, understood when it fails, steered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.browser.conftest import window

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, Locator

    from tests.acceptance.service import Service
    from tests.browser.conftest import Window

MARKUP = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"


async def opened(at: Window, thread: str, query: str = "") -> None:
    """Go to the page of a thread, and wait until all of it is there."""
    await at.open(f"/threads/{thread}{query}")
    await expect(at.page.locator(".tl-lane").first).to_be_visible()
    await expect(at.page.locator(".event-line").first).to_be_visible()


def state(at: Window) -> Locator:
    """How the thread stands, at the head of its page."""
    return at.page.locator(".thread-head .figures .state")


def panel(at: Window) -> Locator:
    """What is told of the chosen step."""
    return at.page.locator(".panel")


async def shown_events(at: Window) -> list[int]:
    """The numbers of all events in the log, from the top down."""
    found: dict[int, int] = {}
    log = at.page.locator(".log .list")
    for top in range(0, await log.evaluate("node => node.scrollHeight"), 200):
        await log.evaluate("(node, top) => { node.scrollTop = top; return new Promise(requestAnimationFrame); }", top)
        await at.page.evaluate("() => new Promise(requestAnimationFrame)")
        for index, text in await log.locator(".item").evaluate_all(
            "all => all.map(n => [+n.dataset.index, n.innerText])"
        ):
            found[index] = int(text.split()[0])
    return [found[index] for index in sorted(found)]


async def test_the_text_of_an_agent_is_read_while_it_writes_and_its_output_afterwards(
    at: Window, service: Service, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    thread = service.start_thread(
        "content-strategy-live", {"topic": "Night trains", "until": str(go), "text": "so far"}
    )
    await opened(at, thread)
    await at.page.locator(".graph-box[data-step=marketer]").click()
    await expect(panel(at).get_by_role("log")).to_contain_text("so far")
    await expect(panel(at).get_by_role("progressbar", name="Progress of marketer")).to_have_attribute("value", "0")
    await expect(panel(at).locator(".said")).to_contain_text("0 %")
    await expect(state(at)).to_have_attribute("data-state", "running")
    go.touch()
    await expect(panel(at)).to_contain_text("Night trains: begin with Monday")
    await expect(state(at)).to_have_attribute("data-state", "waiting")
    await expect(at.page.locator(".tl-lane", has_text="approve")).to_be_visible()
    await expect(at.page.locator(".thread-head .note")).to_contain_text("Publish this plan?")


async def test_a_failure_says_what_it_means_and_is_retried_by_a_key(
    at: Window, service: Service, tmp_path: Path
) -> None:
    mended = tmp_path / "mended"
    thread = service.run("fragile", {"unless": str(mended), "kind": "timeout"})["thread_id"]
    await opened(at, thread)
    await expect(at.page.locator(".thread-head .failure")).to_contain_text("The step took longer than it is given.")
    mended.touch()
    await at.page.keyboard.press("r")
    await expect(state(at)).to_have_attribute("data-state", "completed")
    await expect(at.page.locator(".thread-head .failure")).to_have_count(0)
    await expect(at.page.locator(".log")).to_contain_text("resumed")


async def test_a_failed_step_is_skipped_with_json_and_with_nothing_else(at: Window, service: Service) -> None:
    thread = service.run("fragile", {})["thread_id"]
    await opened(at, thread)
    await at.page.keyboard.press("s")
    dialog = at.page.get_by_role("dialog")
    await dialog.get_by_label("Output").fill("{no json")
    await expect(dialog.get_by_role("alert")).to_contain_text("This is no JSON")
    await expect(dialog.get_by_role("button", name="Skip second")).to_be_disabled()
    await dialog.get_by_label("Output").fill('{"digits": 12345678901234567890}')
    await dialog.get_by_role("button", name="Skip second").click()
    await expect(state(at)).to_have_attribute("data-state", "completed")
    await at.page.locator(".graph-box[data-step=second]").click()
    await expect(panel(at)).to_contain_text("12345678901234567890")


async def test_a_step_is_run_again_after_its_consequences_were_told(at: Window, service: Service) -> None:
    thread = service.run("chain", {"value": 1})["thread_id"]
    await opened(at, thread, "?step=three")
    await at.page.keyboard.press("u")
    dialog = at.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("three, four")
    await expect(dialog).to_contain_text("one, two")
    await dialog.get_by_role("button", name="Run 2 steps").click()
    await panel(at).get_by_role("tab", name="Runs 2").click()
    await panel(at).get_by_role("row").nth(2).get_by_role("button").click()
    await expect(panel(at)).to_contain_text("This is an earlier run of the step.")
    await expect(at.page).to_have_url(re.compile(r"step=three&run="))


async def test_a_cancel_tells_what_it_stops_and_the_page_follows(at: Window, service: Service, tmp_path: Path) -> None:
    thread = service.start_thread("waiting", {"until": str(tmp_path / "never")})
    await opened(at, thread)
    await expect(at.page.locator(".graph-box[data-step=hold]")).to_have_attribute("data-state", "running")
    await at.page.keyboard.press("c")
    dialog = at.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("hold will be stopped")
    await expect(dialog).to_contain_text("1 step that has ended stays as it is")
    await dialog.get_by_role("button", name="Cancel the thread").click()
    await expect(state(at)).to_have_attribute("data-state", "cancelled")
    await expect(at.page.get_by_role("button", name="Resume")).to_be_visible()


async def test_one_choice_is_kept_by_graph_timeline_log_and_address(at: Window, service: Service) -> None:
    thread = service.run("chain", {"value": 1})["thread_id"]
    await opened(at, thread)
    await at.page.locator(".tl-lane .name", has_text="two").click()
    await expect(at.page.locator(".graph-box[data-step=two]")).to_have_attribute("aria-pressed", "true")
    await expect(at.page).to_have_url(f"{service.url}/threads/{thread}?step=two")
    await at.page.keyboard.press("j")
    await expect(panel(at).get_by_role("heading", name="three")).to_be_visible()
    await expect(panel(at).get_by_role("tree")).to_contain_text("from")
    await at.page.keyboard.press("]")
    await expect(panel(at).get_by_role("tab", name="Input")).to_have_attribute("aria-selected", "true")
    await at.page.reload()
    await expect(at.page.locator(".event-line").first).to_be_visible()
    await expect(at.page.locator(".tl-lane[data-selected] .name")).to_have_text("three")
    await expect(panel(at).get_by_role("tab", name="Input")).to_have_attribute("aria-selected", "true")
    await at.page.keyboard.press("Escape")
    await expect(panel(at).get_by_role("heading", name="The thread")).to_be_visible()


async def test_markup_of_agents_is_text_wherever_it_stands(at: Window, service: Service, tmp_path: Path) -> None:
    given = {"topic": MARKUP, "text": MARKUP, "until": str(tmp_path / "never")}
    streaming = service.start_thread("content-strategy-live", given)
    failed = service.run("fragile", {"message": MARKUP, "kind": MARKUP})["thread_id"]
    value = service.run("chain", {"value": MARKUP})["thread_id"]
    await opened(at, streaming, "?step=marketer")
    await expect(panel(at).get_by_role("log")).to_contain_text("onerror")
    await opened(at, failed, "?step=second")
    await expect(at.page.locator(".failure .message")).to_have_text([MARKUP, MARKUP])
    await opened(at, value, "?step=one&event=3")
    await expect(panel(at)).to_contain_text("onerror")
    await expect(at.page.locator(".log .detail")).to_contain_text("onerror")
    assert await at.page.locator("main img, main script").count() == 0
    await expect(at.page).not_to_have_title("run")
    service.post(f"/api/invoke/cancel/{streaming}", {"force": True})


async def test_a_restart_under_an_open_thread_loses_no_event_and_doubles_none(
    browser: Browser, mortal: Service, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    thread = mortal.start_thread("content-strategy-live", {"topic": "Restart", "until": str(go)})
    async with window(browser, mortal.url) as at:
        await opened(at, thread, "?step=marketer")
        await expect(panel(at).get_by_role("log")).to_contain_text("Measure what is revised")
        at.away = True
        mortal.kill()
        await expect(at.page.locator(".thread-head")).to_contain_text("Reconnecting")
        mortal.up()
        await expect(at.page.locator(".log")).to_contain_text("taken up again after its process was lost")
        go.touch()
        await expect(state(at)).to_have_attribute("data-state", "waiting")
        await expect(at.page.locator(".log")).to_contain_text("Publish this plan?")
        last = mortal.status(thread)["last_seq"]
        assert await shown_events(at) == list(range(last, 0, -1))
        await expect(at.page.locator(".tl-span[data-state=failed] [fill='url(#tl-lost)']")).to_have_count(1)
        await expect(at.page.locator(".tl-legend")).to_contain_text("lost with its process")


async def test_a_thread_of_a_thousand_steps_draws_what_is_seen_and_finds_the_rest(at: Window, service: Service) -> None:
    service.register(
        {"name": "wide", "steps": [{"id": f"s{n}", "python": "collect", "needs": []} for n in range(1000)]}
    )
    thread = service.run("wide", {})["thread_id"]
    await opened(at, thread)
    await expect(at.page.locator(".thread-progress")).to_contain_text("1,000 of 1,000 steps")
    await expect(at.page.locator(".tl-lane").nth(5)).to_be_visible()
    assert await at.page.locator(".tl-lane").count() < 60
    assert await at.page.locator(".step-line").count() < 60
    await at.page.get_by_label("Filter the steps by text").fill("s987")
    await at.page.locator(".step-line", has_text="s987").click()
    await expect(at.page.locator(".tl-lane[data-selected]")).to_contain_text("s987")


async def test_an_answer_that_is_being_written_stays_while_another_step_is_looked_at(
    at: Window, service: Service
) -> None:
    form = {"type": "object", "properties": {"note": {"type": "string"}, "mail": {"type": "string", "format": "email"}}}
    steps = [{"id": "say", "python": "collect"}, {"id": "ask", "gate": {"form": form}}]
    thread = service.start_thread({"name": "answered-slowly", "steps": steps}, {})
    service.until(thread, "waiting")
    await at.open(f"/threads/{thread}?step=ask")
    note = at.page.get_by_role("textbox", name="Note")
    await note.fill("So far")
    await at.page.locator('.graph-box[data-step="say"]').click()
    await expect(note).to_have_count(0)
    await at.page.locator('.graph-box[data-step="ask"]').click()
    await expect(note).to_have_value("So far")
    await at.page.get_by_role("textbox", name="Mail").fill("nobody")
    await at.page.get_by_role("textbox", name="Mail").press("Enter")
    await expect(at.page.locator("form.answer .fault")).to_have_text("This must be an e-mail address.")
    await at.page.get_by_role("textbox", name="Mail").fill("")
    await at.page.get_by_role("textbox", name="Mail").press("Enter")
    assert service.until(thread, "completed")["output"] == {"ask": {"note": "So far"}}


async def test_an_item_far_down_the_list_is_shown_where_an_address_names_it(at: Window, service: Service) -> None:
    step = {"id": "many", "for_each": "{input.list}", "concurrency": 50, "python": "collect", "input": {"n": "{item}"}}
    service.register({"name": "items", "steps": [step]})
    thread = service.run("items", {"list": list(range(1000, 1300))})["thread_id"]
    await opened(at, thread, "?step=many&tab=items&item=299")
    await expect(panel(at).locator(".detail")).to_contain_text("1299")
