"""Workflows in a browser: their graph, their versions, the editor, and starting them with a form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from playwright.async_api import expect

from tests.browser.world import wide

if TYPE_CHECKING:
    from playwright.async_api import Locator

    from tests.acceptance.service import Service
    from tests.browser.conftest import Window

FORM = {
    "type": "object",
    "required": ["title", "size"],
    "properties": {
        "title": {"type": "string", "minLength": 3},
        "size": {"type": "integer"},
        "address": {"type": "string", "format": "ipv4"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "target": {
            "oneOf": [
                {"title": "Mail", "type": "object", "required": ["mail"], "properties": {"mail": {"type": "string"}}},
                {"title": "Hook", "type": "object", "required": ["url"], "properties": {"url": {"type": "string"}}},
            ]
        },
    },
}


def registered(service: Service, name: str, **more: Any) -> int:
    """A workflow of two steps; its version."""
    steps = [{"id": "one", "python": "collect"}, {"id": "two", "needs": ["one"], "python": "collect"}]
    answer = service.http.post("/api/workflows", json={"name": name, "steps": steps, **more})
    assert answer.status_code in (200, 201), answer.text
    return answer.json()["version"]


def box(at: Window, step: str) -> Locator:
    """The box of a step in the graph."""
    return at.page.locator(f'.graph-box[data-step="{step}"]')


async def test_a_form_starts_a_workflow_with_what_was_written_into_it(at: Window, service: Service) -> None:
    registered(service, "formed", input=FORM)
    await at.open("/start/formed")
    await at.page.get_by_label("Title").fill("A title")
    await at.page.get_by_label("Size").fill("123456789012345678901234567890")
    await at.page.get_by_role("button", name="Add an entry").click()
    await at.page.get_by_label("Tags 1").fill("paper")
    await at.page.get_by_label("Which kind of Target").select_option(label="Hook")
    await at.page.get_by_label("Url").fill("https://example.org")
    said = await at.page.locator(".same pre").inner_text()
    await at.page.keyboard.press("Control+Enter")
    await at.page.wait_for_url("**/threads/*")
    given = {"title": "A title", "size": 123456789012345678901234567890, "tags": ["paper"]}
    given["target"] = {"url": "https://example.org"}
    thread = at.page.url.rpartition("/")[2]
    assert service.until(thread, "completed")["output"] == {"two": given}
    assert json.loads(said[said.index("{") : -1])["input"] == given


async def test_what_is_missing_is_told_at_its_field_before_anything_is_sent(at: Window, service: Service) -> None:
    registered(service, "formed", input=FORM)
    await at.open("/start/formed")
    await at.page.get_by_label("Size").fill("some")
    await at.page.get_by_role("button", name="Start formed").click()
    await expect(at.page.get_by_label("Title")).to_be_focused()
    await expect(at.page.get_by_label("Title")).to_have_accessible_description("This is required.")
    await expect(at.page.get_by_label("Size")).to_have_accessible_description("This must be a whole number.")
    await at.page.get_by_label("Title").fill("ab")
    await at.page.get_by_label("Size").focus()
    await expect(at.page.get_by_label("Title")).to_have_accessible_description("At least 3 characters; these are 2.")


async def test_what_only_the_service_refuses_is_told_at_its_field_too(at: Window, service: Service) -> None:
    registered(service, "formed", input=FORM)
    await at.open("/start/formed")
    await at.page.get_by_label("Title").fill("A title")
    await at.page.get_by_label("Size").fill("1")
    await at.page.get_by_label("Address").fill("nowhere")
    await at.page.get_by_role("button", name="Start formed").click()
    await expect(at.page.get_by_label("Address")).to_be_focused()
    await expect(at.page.get_by_label("Address")).to_have_accessible_description('"nowhere" is not a "ipv4"')
    assert [one for one in at.complaints if "422" not in one] == []
    at.complaints.clear()


async def test_a_form_and_its_json_are_one_value(at: Window, service: Service) -> None:
    registered(service, "formed", input=FORM)
    await at.open("/start/formed")
    await at.page.get_by_label("Title").fill("A title")
    await at.page.get_by_label("as JSON").first.check()
    text = at.page.get_by_label("Input as JSON")
    assert json.loads(await text.input_value()) == {"title": "A title"}
    await text.fill('{"title": "Another", "size": 98765432109876543210, "more": {"kept": null}}')
    await at.page.get_by_label("as JSON").first.uncheck()
    await expect(at.page.get_by_label("Title")).to_have_value("Another")
    await expect(at.page.get_by_label("Size")).to_have_value("98765432109876543210")
    await at.page.get_by_label("as JSON").first.check()
    assert json.loads(await text.input_value())["more"] == {"kept": None}


async def test_a_workflow_without_a_schema_takes_any_json(at: Window, service: Service) -> None:
    registered(service, "open-minded")
    await at.open("/start/open-minded")
    await at.page.get_by_label("Input as JSON").fill("[1")
    await at.page.get_by_role("button", name="Start open-minded").click()
    await expect(at.page.get_by_text("This is no JSON")).to_be_visible()
    await at.page.get_by_label("Input as JSON").fill("[1]")
    await at.page.get_by_role("button", name="Start open-minded").click()
    await at.page.wait_for_url("**/threads/*")
    assert service.until(at.page.url.rpartition("/")[2], "completed")["output"] == {"two": [1]}


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
    await at.open("/workflows/new")
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
    await at.open("/workflows/new")
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
    await text.fill("")
