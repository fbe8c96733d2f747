"""Going back, trying another way, comparing, answering: time travel on the page of a thread."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playwright.async_api import expect

from tests.browser.world import registered

if TYPE_CHECKING:
    from pathlib import Path

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


async def test_a_rollback_undoes_what_it_says_and_owes_the_next_what_it_could_not(
    at: Window, service: Service, tmp_path: Path
) -> None:
    undo = tmp_path / "undo"
    thread = service.run("trip", {"undo": str(undo), "unless": str(tmp_path / "never")})["thread_id"]
    await at.open(f"/threads/{thread}?v=2")
    back = at.page.get_by_role("button", name="Roll back to v2…").first
    dialog = at.page.get_by_role("dialog")
    await expect(at.page.locator(".tl-lane").first).to_be_visible()
    await back.click()
    await expect(dialog).to_contain_text(
        "1 step cannot be undone: mail. What it has done outside stays done, and is done"
    )
    await expect(dialog).to_contain_text("4 steps run again: flight, hotel, mail, print")  # the last failed: it ran too
    await dialog.get_by_label("First undo what can be undone: 2 compensations").check()
    await expect(dialog).to_contain_text("First 2 steps are undone, one after the other: hotel, flight")
    await dialog.get_by_role("button", name="Roll back to v2").click()
    await expect(at.page.locator(".thread-head")).to_contain_text("A fork of a version begins without it")
    await expect(at.page.locator(".thread-head").get_by_role("button", name="Skip")).to_have_count(0)
    await back.click()
    await expect(dialog).to_contain_text("The head stays at v2")
    await expect(dialog).to_contain_text("First 1 step is undone: flight")
    await expect(dialog).to_contain_text("1 step that cannot be undone ran before")
    undo.touch()
    await dialog.get_by_label("Leave it paused").check()
    await dialog.get_by_role("button", name="Roll back to v2").click()
    await expect(at.page.locator(".thread-head .figures .state")).to_have_attribute("data-state", "paused")
    told = service.http.get("/api/events", params={"thread_id": thread, "step_id": "flight.undo"}).json()["events"]
    assert sorted(one["event"] for one in told) == ["step_complete", "step_failed", "step_start", "step_start"]


async def test_two_versions_lie_side_by_side(at: Window, service: Service) -> None:
    thread = service.run("chain", {"value": 1})["thread_id"]
    asked(service, f"rollback/{thread}", to_version=2, context={"one": {"value": 7}})
    assert service.until(thread, "completed")
    await at.page.route(  # the second execution is on the second page
        "**/invoke/tree/**", lambda route: route.continue_(url=route.request.url.replace("limit=1000", "limit=1"))
    )
    await at.open(f"/threads/{thread}")
    await version(at, 3).click()
    await expect(at.page.get_by_role("region", name="Version 3")).to_be_visible()
    await expect(at.page.locator(".tree-preview")).to_have_count(0)  # it would lie over the buttons
    await version(at, 5).hover()
    await expect(at.page.locator(".tree-preview")).to_contain_text("v5")
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


async def test_what_began_meanwhile_is_told_before_it_is_stopped_also_without_a_new_version(
    at: Window, service: Service, tmp_path: Path
) -> None:
    thread = service.start_thread("waiting", {"until": str(tmp_path / "never")})
    running = at.page.locator(".graph-box[data-step=hold][data-state=running]")
    await at.open(f"/threads/{thread}")
    await expect(running).to_be_visible()
    asked(service, f"rollback/{thread}", to_version=1)  # what stands before v3 is v1 now
    await expect(version(at, 3)).to_have_accessible_name(re.compile("the head"))
    asked(service, f"cancel/{thread}", force=True)
    await expect(at.page.get_by_role("button", name="Resume")).to_be_visible()
    await at.page.keyboard.press("b")
    dialog = at.page.get_by_role("dialog", name="Roll back to v1")
    await expect(dialog).to_contain_text("1 step run counts no more: begin")
    asked(service, f"resume/{thread}")
    await expect(running).to_have_count(1)
    await dialog.get_by_role("button", name="Roll back to v1").click()
    await expect(dialog).to_contain_text("moved on meanwhile: nothing has been changed")
    await expect(dialog).to_contain_text("1 step is running and will be stopped: hold")
    asked(service, f"cancel/{thread}", force=True)


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
    await expect(at.page.locator(".tree-preview")).to_have_count(0)  # it would lie over the buttons
    # What it was written on is known once it is shown.
    await expect(at.page.get_by_role("button", name="Roll back to v3…").first).to_be_visible()
    await at.page.keyboard.press("d")
    await expect(at.page).to_have_url(f"{service.url}/threads/{thread}?v=2&w=3")
    await expect(at.page.get_by_role("region", name="Version 2 against version 3")).to_contain_text("1 step (two)")


async def test_a_thread_whose_output_cannot_be_made_is_moved_to_a_mended_version(at: Window, service: Service) -> None:
    registered(service, "mended", output="{one.output.nothing.there}")
    thread = service.run("mended", {})["thread_id"]
    await at.open(f"/threads/{thread}")
    head = at.page.locator(".thread-head")
    await expect(head.locator(".failure")).to_contain_text("and move this thread to it.")
    await expect(head.get_by_role("button", name="Resume")).to_be_visible()
    more = head.get_by_role("button", name="More actions")
    await more.click()
    to_another = head.get_by_role("menuitem", name="Move to another version")
    await expect(to_another).to_have_attribute("title", re.compile("no other version"))
    await expect(to_another).to_be_disabled()
    await expect(head.get_by_role("menuitem", name="Skip")).to_have_count(0)
    await more.click()
    other = [{"id": "one", "python": "collect", "input": {"value": 2}}]
    service.register({"name": "mended", "steps": other})
    registered(service, "mended", output="{one.output}")
    await more.click()
    await to_another.click()
    dialog = at.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("It can be moved. It stays failed until you resume it")
    await dialog.get_by_label("Version").select_option("2")
    await expect(dialog.get_by_role("alert")).to_contain_text("in version 2 it differs in input")
    await expect(dialog.get_by_role("button", name="Move to version 2")).to_be_disabled()
    await dialog.get_by_label("Version").select_option("3")
    await dialog.get_by_role("button", name="Move to version 3").click()
    await expect(head.get_by_role("heading")).to_contain_text("@3")
    await at.page.keyboard.press("r")
    await expect(head.locator(".figures .state")).to_have_attribute("data-state", "completed")


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


async def test_what_a_workflow_in_python_asks_and_what_items_of_a_step_ask_is_answered_too(
    at: Window, service: Service
) -> None:
    step = {"id": "ask", "for_each": [1, 2], "concurrency": 2, "agent": "asker", "input": {"n": "{item}"}}
    service.register({"name": "asking-items", "steps": [step]})
    asks = at.page.locator(".thread-head .note.asks")
    for name, questions in (("asking", 1), ("asking-items", 2)):
        thread = service.start_thread(name, {})
        assert service.until(thread, "waiting")
        await at.open(f"/threads/{thread}")
        for left in range(questions, 0, -1):
            await expect(asks).to_contain_text("and 1 more question" if left == 2 else "It goes on once somebody has")
            await asks.get_by_role("button", name="Answer").click()
            question = at.page.get_by_role("region", name="Question of").or_(
                at.page.get_by_role("region", name="Go on?")
            )
            await expect(question).to_have_count(left)
            await question.first.get_by_role("button", name="Answer").click()
            await expect(question).to_have_count(left - 1)
        assert service.until(thread, "completed")


async def test_a_form_that_is_half_filled_in_outlives_its_question(at: Window, service: Service) -> None:
    thread = service.start_thread("content-strategy-live", {"topic": "Races"})
    assert service.until(thread, "waiting")
    await at.open(f"/threads/{thread}?step=approve")
    gate = at.page.get_by_role("region", name="Publish this plan?")
    await gate.get_by_label("Note to the writer").fill("three hours of thought")
    asked(service, f"gates/{thread}/approve", answer={"approved": False}, by="ana")
    late = gate.get_by_role("alert")
    await expect(late).to_contain_text("Somebody was first. This answer stands:")
    await expect(late).to_contain_text("by ana")
    await expect(late).to_contain_text("What you entered was not sent:")
    await expect(late).to_contain_text("three hours of thought")
    await expect(late).to_be_focused()
    await late.get_by_role("button", name="Close").click()
    await expect(at.page.locator(".gate .answered")).to_contain_text("by ana")
    await expect(gate).to_have_count(0)


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
