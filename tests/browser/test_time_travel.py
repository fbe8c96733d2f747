"""Going back, trying another way, comparing, answering: time travel on the page of a thread."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playwright.async_api import expect

if TYPE_CHECKING:
    from playwright.async_api import Locator

    from tests.acceptance.service import Service
    from tests.browser.conftest import Window


def asked(service: Service, at: str, **body: Any) -> Any:
    """The answer of a POST."""
    return service.http.post(f"/api/invoke/{at}", json=body).raise_for_status().json()


def version(at: Window, number: int) -> Locator:
    """The knot of a version."""
    return at.page.locator(f'.knot[data-version="{number}"]')


async def test_a_rollback_says_what_it_will_do_and_its_line_grows_in_the_tree(at: Window, service: Service) -> None:
    thread = service.run("chain", {"value": 1})["thread_id"]
    await at.open(f"/threads/{thread}?v=2")
    await at.page.get_by_role("button", name="Roll back to v2…").first.click()
    dialog = at.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("3 steps run again: two, three, four")
    await expect(dialog).to_contain_text("1 step is kept: one")
    await dialog.get_by_label("Reason").fill("another way")
    await dialog.get_by_role("button", name="Roll back to v2").click()
    await expect(version(at, 10)).to_have_accessible_name(re.compile("END, .*the head"))
    await expect(version(at, 6)).to_have_accessible_name(re.compile("END, .*left behind"))
    await expect(at.page.locator(".tree")).to_contain_text("rollback to v2: another way")


async def test_two_versions_lie_side_by_side(at: Window, service: Service) -> None:
    thread = service.run("chain", {"value": 1})["thread_id"]
    asked(service, f"rollback/{thread}", to_version=2, context={"one": {"value": 7}})
    assert service.until(thread, "completed")
    await at.open(f"/threads/{thread}")
    await version(at, 3).click()
    await version(at, 5).click(modifiers=["Shift"])
    await expect(at.page).to_have_url(f"{service.url}/threads/{thread}?v=3&w=5")
    apart = at.page.get_by_role("region", name="Version 3 against version 5")
    await expect(apart).to_contain_text("2 steps (three, four)")
    await version(at, 7).click(modifiers=["Shift"])
    await expect(apart).to_have_count(0)
    await expect(at.page.get_by_role("region", name="Version 3 against version 7")).to_contain_text("context.one.value")


async def test_a_context_is_edited_by_a_rollback_that_says_so(at: Window, service: Service) -> None:
    thread = service.run("chain", {"value": 1})["thread_id"]
    await at.open(f"/threads/{thread}?v=2")
    await at.page.get_by_role("button", name="Edit context…").click()
    dialog = at.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("A version never changes")
    await dialog.get_by_role("button", name="one", exact=True).click()
    field = dialog.get_by_label("Value of one as JSON")
    await field.fill("{")
    await expect(dialog).to_contain_text("This is no JSON")
    await field.fill('{"value": 99}')
    await dialog.get_by_role("button", name="Roll back to v2 with these values").click()
    await expect(version(at, 10)).to_have_accessible_name(re.compile("the head"))
    state = service.http.get(f"/api/invoke/history/{thread}/10").json()["state"]
    assert state["steps"]["two"]["output"]["value"] == 99


async def test_a_thread_that_moved_meanwhile_is_not_rolled_back_by_accident(at: Window, service: Service) -> None:
    thread = service.run("chain", {"value": 1})["thread_id"]
    await at.open(f"/threads/{thread}?v=2")
    await at.page.get_by_role("button", name="Roll back to v2…").first.click()
    dialog = at.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("The head moves from v6 to v2")
    asked(service, f"rollback/{thread}", to_version=3)
    assert service.until(thread, "completed")
    await dialog.get_by_role("button", name="Roll back to v2").click()
    await expect(dialog).to_contain_text("moved on meanwhile: nothing has been changed")
    await expect(dialog).to_contain_text("The head moves from v9 to v2")
    at.complaints[:] = [one for one in at.complaints if "409" not in one]


async def test_a_fork_with_another_agent_is_compared_with_its_source(at: Window, service: Service) -> None:
    thread = service.start_thread("content-strategy-live", {"topic": "Forks"})
    assert service.until(thread, "waiting")
    await at.open(f"/threads/{thread}?v=2")
    await at.page.get_by_role("button", name="Fork from v2…").first.click()
    dialog = at.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("1 step cannot be undone once done: publish")
    await dialog.get_by_role("button", name="Another agent for a step").click()
    await dialog.get_by_label("Step", exact=True).select_option("marketer")
    await dialog.get_by_label("Agent of marketer").select_option("marketer-bold")
    await dialog.get_by_role("button", name="Make 1 thread").click()
    await dialog.get_by_role("link", name="Compare with this thread").click()
    await expect(at.page.get_by_role("region", name="In short")).to_contain_text(f"v2 of {thread[:4]}")
    await expect(at.page.get_by_role("region", name="Side b")).to_contain_text("fork")


async def test_by_keys_alone_a_version_is_found_chosen_and_compared(at: Window, service: Service) -> None:
    thread = service.run("chain", {"value": 1})["thread_id"]
    await at.open(f"/threads/{thread}")
    await expect(version(at, 6)).to_be_visible()
    for key in ("v", "Home", "ArrowRight", "ArrowRight", "Enter"):
        await at.page.keyboard.press(key)
    await expect(at.page).to_have_url(f"{service.url}/threads/{thread}?v=3")
    await expect(version(at, 3)).to_be_focused()
    await at.page.keyboard.press("d")
    await expect(at.page).to_have_url(f"{service.url}/threads/{thread}?v=2&w=3")
    await expect(at.page.get_by_role("region", name="Version 2 against version 3")).to_contain_text("1 step (two)")


async def test_a_gate_is_answered_by_its_form(at: Window, service: Service) -> None:
    thread = service.start_thread("content-strategy-live", {"topic": "Gates"})
    assert service.until(thread, "waiting")
    await at.open(f"/threads/{thread}?step=approve")
    gate = at.page.get_by_role("region", name="Publish this plan?")
    await expect(gate).to_contain_text("Gates: begin with Monday")
    await gate.get_by_label("Yes").check()
    await gate.get_by_label("Note to the writer").fill("well done")
    await gate.get_by_label("Who answers").fill("ana")
    await gate.get_by_role("button", name="Answer").click()
    assert service.until(thread, "completed")["output"]["approved"] is True
    await expect(at.page.locator(".gate .answered")).to_contain_text("by ana")


async def test_a_replay_shows_what_a_step_gives_now_beside_what_it_gave(at: Window, service: Service) -> None:
    thread = service.start_thread("content-strategy-live", {"topic": "Replays"})
    assert service.until(thread, "waiting")
    history = service.http.get(f"/api/invoke/history/{thread}", params={"step": "marketer"}).json()["history"]
    await at.open(f"/threads/{thread}?v={history[0]['version']}")
    await at.page.get_by_role("region", name="Version ").get_by_role("button", name="More").click()
    await at.page.get_by_role("menuitem", name="Do marketer again alone…").click()
    dialog = at.page.get_by_role("dialog")
    await dialog.get_by_label("By which agent").select_option("marketer-bold")
    await dialog.get_by_role("button", name="Do marketer again").click()
    await expect(dialog).to_contain_text("It gave something else")
    await expect(dialog).to_contain_text("Replays. Now.")
