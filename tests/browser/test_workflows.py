"""Workflows in a browser: their graph, their versions, and the editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.browser.world import registered, wide

if TYPE_CHECKING:
    from playwright.async_api import Locator

    from tests.acceptance.service import Service
    from tests.browser.conftest import Window


def box(at: Window, step: str) -> Locator:
    """The box of a step in the graph."""
    return at.page.locator(f'.graph-box[data-step="{step}"]')


async def test_the_list_finds_a_workflow_and_tells_how_it_went(at: Window, service: Service) -> None:
    registered(service, "needle-in-the-list", description="<img src=x onerror=alert(1)>")
    await at.open("/workflows")
    line = at.page.locator(".workflow-row:not(.heads)")
    await expect(line.first).to_be_visible()
    await at.page.keyboard.press("f")
    await expect(at.page.get_by_label("Find a workflow")).to_be_focused()
    await at.page.keyboard.type("needle-in")
    await expect(line).to_have_count(1)
    await expect(line).to_contain_text("<img src=x onerror=alert(1)>")
    await expect(line).to_contain_text("v1 · 2 steps")
    await line.get_by_role("link", name="Start needle-in-the-list").click()
    await expect(at.page).to_have_url(f"{service.url}/start/needle-in-the-list")


async def test_arrow_keys_go_along_the_edges_of_the_graph(at: Window) -> None:
    await at.open("/workflows/content-strategy-live")
    await box(at, "analyst").click()
    await expect(at.page.get_by_role("complementary", name="Step analyst")).to_be_visible()
    for key, step in (("ArrowRight", "research"), ("ArrowRight", "approve"), ("ArrowRight", "publish")):
        await at.page.keyboard.press(key)
        if step == "research" and "step=marketer" in at.page.url:
            await at.page.keyboard.press("ArrowDown")
    await expect(box(at, "publish")).to_be_focused()
    await expect(box(at, "publish")).to_have_attribute("aria-pressed", "true")
    await expect(at.page.get_by_role("complementary")).to_contain_text("approve.output.approved")
    assert "step=publish" in at.page.url


async def test_of_a_thousand_steps_only_those_in_view_are_drawn(at: Window, service: Service) -> None:
    assert service.http.post("/api/workflows", json=wide(1000)).status_code in (200, 201)
    await at.open("/workflows/wide-1000")
    await expect(box(at, "s0")).to_be_visible()
    assert await at.page.locator(".graph-box").count() < 200
    await at.page.get_by_role("button", name="Show all of it").click()
    await expect(at.page.locator(".graph")).to_have_attribute("data-far", "true")
    place = await box(at, "s0").bounding_box()
    assert place is not None
    await at.page.mouse.click(place["x"] + place["width"] * 1.8, place["y"] + place["height"] / 2)
    await expect(at.page.get_by_role("complementary", name="Step s1")).to_be_visible()


async def test_two_versions_are_compared_by_path(at: Window, service: Service) -> None:
    first = registered(service, "grown", description="Before")
    last = registered(service, "grown", description="After", output={"all": "{two.output}"})
    await at.open("/workflows/grown?tab=versions")
    await at.page.get_by_role("link", name="what changed").click()
    await expect(at.page).to_have_url(f"{service.url}/workflows/grown?diff={first}..{last}")
    await expect(at.page.locator(".diff-sum")).to_contain_text("1 changed")
    await expect(at.page.locator(".diff-part", has_text="description")).to_contain_text("Before")
    await expect(at.page.locator(".diff-part[data-kind=added]")).to_contain_text("{two.output}")
    await at.page.get_by_role("button", name="parts the same").click()
    await expect(at.page.locator(".diff-part[data-kind=same]", has_text="steps")).to_be_visible()


async def test_a_new_workflow_is_written_checked_saved_and_changed(at: Window, service: Service) -> None:
    await at.open("/workflows/+")
    text = at.page.get_by_label("Workflow document")
    await text.fill("name: written-here\nsteps:\n  - id: only\n    pyton: collect\n")
    fault = at.page.get_by_role("button", name="unknown key 'pyton'")
    await expect(fault).to_contain_text("4:5")
    await expect(at.page.locator(".code-marks i")).not_to_have_count(0)
    await fault.click()
    await expect(text).to_be_focused()
    await at.page.keyboard.type("python: collect")
    await expect(box(at, "only")).to_be_visible()
    await at.page.get_by_role("button", name="Save as version 1 of written-here").click()
    await expect(at.page).to_have_url(f"{service.url}/workflows/written-here")
    await at.page.get_by_role("link", name="Edit").click()
    await expect(text).to_have_value("name: written-here\nsteps:\n  - id: only\n    python: collect\n")
    await text.press("Control+End")
    await at.page.keyboard.type("description: Changed")
    await expect(at.page.get_by_role("button", name="Save as version 2")).to_be_enabled()
    await at.page.keyboard.press("Control+s")
    await expect(at.page).to_have_url(f"{service.url}/workflows/written-here")
    assert service.http.get("/api/workflows/written-here").json()["document"]["description"] == "Changed"


async def test_unsaved_text_is_kept_in_the_browser_until_it_is_discarded(at: Window, service: Service) -> None:
    registered(service, "kept")
    await at.open("/workflows/kept/edit")
    text = at.page.get_by_label("Workflow document")
    stored = await text.input_value()
    await text.fill(stored + "description: Unsaved\n")
    await at.page.get_by_role("link", name="Workflows", exact=True).first.click()
    await expect(at.page.get_by_text("Your text is not saved.")).to_be_visible()
    await at.page.get_by_role("button", name="Back to it").click()
    await expect(text).to_have_value(stored + "description: Unsaved\n")
    await at.page.get_by_role("button", name="Discard it").click()
    await at.page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    await expect(text).to_have_value(stored)


async def test_tab_indents_and_escape_leads_out_of_the_text(at: Window) -> None:
    await at.open("/workflows/+")
    text = at.page.get_by_label("Workflow document")
    await text.fill("a:")
    await text.press("Enter")
    await at.page.keyboard.type("b: 1")
    await at.page.keyboard.press("Shift+Tab")
    await expect(text).to_have_value("a:\nb: 1")
    await at.page.keyboard.press("Control+z")
    await expect(text).to_have_value("a:\n  b: 1")
    await at.page.keyboard.press("Escape")
    await at.page.keyboard.press("Tab")
    await expect(text).not_to_be_focused()
    await text.focus()
    await at.page.keyboard.press("Escape")
    await at.page.keyboard.press("Shift+Tab")
    await expect(text).not_to_be_focused()
    await text.fill("- a\n" * 1000)
    await at.page.keyboard.press("Control+a")
    await at.page.keyboard.press("Tab")
    await expect(text).to_have_value("  - a\n" * 1000)
    await text.fill("")


async def test_a_version_that_was_saved_meanwhile_is_told_before_another_is_made(at: Window, service: Service) -> None:
    registered(service, "twice")
    await at.open("/workflows/twice/edit")
    await at.page.get_by_label("Workflow document").press("Control+End")
    await at.page.keyboard.type("description: Mine")
    await expect(at.page.get_by_role("button", name="Save as version 2")).to_be_enabled()
    registered(service, "twice", description="Of somebody else")
    await at.page.keyboard.press("Control+s")
    dialog = at.page.get_by_role("dialog", name="Version 2 was saved meanwhile")
    await dialog.get_by_role("button", name="Save as version 3").click()
    await expect(at.page.get_by_text("Saved as version 3 of twice.")).to_be_visible()
    assert service.http.get("/api/workflows/twice").json()["document"]["description"] == "Mine"


async def test_a_workflow_may_be_called_new(at: Window, service: Service) -> None:
    registered(service, "new", description="A workflow of this name")
    await at.open("/workflows/new")
    await expect(at.page.locator(".about")).to_have_text("A workflow of this name")
