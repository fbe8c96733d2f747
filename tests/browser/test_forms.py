"""Forms made from a JSON Schema: what is written into them starts a workflow, exactly so."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from playwright.async_api import expect

from tests.browser.world import registered

if TYPE_CHECKING:
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


PASTE: Final = """(field, text) => {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text/plain", text);
  field.focus();
  field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
}"""


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


MANY: Final = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["plain", "long"]},
        "brief": {"type": "string"},
        "any": True,
        "labels": {"type": "object", "additionalProperties": {"type": "integer"}},
        "to": {"type": "array", "items": {"oneOf": FORM["properties"]["target"]["oneOf"]}},
        "code": {"oneOf": [{"type": "string", "minLength": 3}, {"type": "integer"}]},
    },
    "if": {"properties": {"kind": {"const": "long"}}, "required": ["kind"]},
    "then": {"properties": {"why": {"type": "string"}}, "required": ["why"]},
}


async def test_nothing_that_was_written_into_a_form_is_lost_or_changed(at: Window, service: Service) -> None:
    registered(service, "many", input=MANY)
    await at.open("/start/many")
    page = at.page
    await page.get_by_role("radio", name="long").check()
    await page.get_by_label("Brief").evaluate(PASTE, "one\ntwo")
    await page.keyboard.type("!")
    await page.get_by_label("Any").fill("[1, ")
    await page.get_by_label("Why").fill("since")
    await page.get_by_label("as JSON").first.check()
    await expect(page.get_by_label("Input as JSON")).to_have_value(re.compile(r'"any": \[1, ,'))
    await page.get_by_label("as JSON").first.uncheck()
    await page.get_by_role("link", name="version 1").click()
    await page.go_back()
    await page.get_by_label("Any").fill("[1, 2]")
    await page.get_by_label("Why").press("Enter")
    await page.wait_for_url("**/threads/*")
    given = {"kind": "long", "brief": "one\ntwo!", "any": [1, 2], "why": "since"}
    thread = page.url.rpartition("/")[2]
    assert service.until(thread, "completed")["output"] == {"two": given}
    await at.open(f"/start/many?from={thread}")
    await expect(page.get_by_label("Why")).to_have_value("since")


async def test_entries_keep_what_was_chosen_and_what_they_were_called(at: Window, service: Service) -> None:
    registered(service, "many", input=MANY)
    await at.open("/start/many")
    page = at.page
    for kind, field in (("Mail", "Mail"), ("Hook", "Url")):
        await page.get_by_role("group", name="To").get_by_role("button", name="Add an entry").last.click()
        await page.get_by_role("combobox", name="Which kind of To").last.select_option(label=kind)
        await page.get_by_role("textbox", name=field).fill(field)
    await page.get_by_role("button", name="Remove entry 1").click()
    await expect(page.get_by_role("combobox", name="Which kind of To 1")).to_have_value("1")
    for kind in ("Mail", "Hook"):
        await page.get_by_role("combobox", name="Which kind of To 1").select_option(label=kind)
    await page.get_by_role("combobox", name="Which kind of Code").select_option(label="text")
    await page.get_by_role("textbox", name="Code").fill("ab")
    await page.get_by_role("button", name="Add Labels").click()
    await page.get_by_role("group", name="Labels").get_by_role("button", name="Add an entry").click()
    await page.get_by_role("textbox", name="Value").fill("5")
    await page.get_by_role("textbox", name="Name").fill("mine")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_role("textbox", name="Code")).to_have_accessible_description(re.compile("At least 3"))
    await expect(page.locator(".fault")).to_have_count(1)
    await page.get_by_role("textbox", name="Code").fill("abc")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/threads/*")
    given = {"labels": {"mine": 5}, "to": [{"url": "Url"}], "code": "abc"}
    assert service.until(page.url.rpartition("/")[2], "completed")["output"] == {"two": given}


async def test_a_field_of_few_answers_shows_no_other_than_it_has(at: Window, service: Service) -> None:
    registered(service, "many", input=MANY)
    await at.open("/start/many")
    await at.page.get_by_label("as JSON").first.check()
    await at.page.get_by_label("Input as JSON").fill('{"kind": "odd"}')
    await at.page.get_by_label("as JSON").first.uncheck()
    await expect(at.page.get_by_label("Kind", exact=False).first).to_have_value('"odd"')


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
