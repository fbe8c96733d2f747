"""The agents, in a browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from tests.acceptance.service import Service
    from tests.browser.conftest import Window

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "title": "The text"}}}


def register(service: Service, name: str) -> None:
    """An agent of the test's own that gives back what it gets."""
    document = {"name": name, "kind": "python", "config": {"function": "collect"}, "input": TEXT}
    assert service.http.post("/api/agents", json=document).status_code == 201


async def test_an_agent_is_disabled_and_enabled_again_with_a_reason(at: Window, service: Service) -> None:
    register(service, "shouter")
    await at.open("/agents/shouter")
    await at.page.get_by_role("button", name="Disable…").click()
    dialog = at.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("It has no steps now.")
    await dialog.get_by_label("Reason").fill("it is too loud")
    await dialog.get_by_role("button", name="Disable").click()
    await expect(at.page.get_by_text("its steps wait, and none fails")).to_be_visible()
    await at.open("/agents")
    first = at.page.locator(".agent-row:not(.heads)").first
    await expect(first).to_contain_text("disabled: it is too loud")
    await first.get_by_role("link").click()
    await at.page.get_by_role("button", name="Enable…").click()
    await at.page.get_by_role("dialog").get_by_role("button", name="Enable").click()
    await expect(at.page.locator(".head")).to_contain_text("works")
    assert service.http.get("/api/agents/shouter").json()["enabled"]


async def test_what_a_tried_agent_gives_is_shown_as_text_whatever_it_is(at: Window, service: Service) -> None:
    register(service, "echo")
    await at.open("/agents/echo")
    await at.page.get_by_role("button", name="Run it once").click()
    await expect(at.page.locator("#try")).to_contain_text("required")
    await at.page.get_by_label("The text").fill("<img src=x onerror=alert(1)>")
    await at.page.get_by_role("button", name="Run it once").click()
    await expect(at.page.get_by_role("tree", name="output")).to_contain_text('"<img src=x onerror=alert(1)>"')
    await at.page.get_by_role("link", name="Its thread").click()
    await expect(at.page).to_have_url(
        f"{service.url}/threads/{service.http.get('/api/tasks').json()['tasks'][0]['task_id']}"
    )


async def test_an_agent_that_streams_is_read_while_it_speaks(at: Window, service: Service) -> None:
    never = service.folder / "never"
    await at.open("/agents/marketer")
    await at.page.get_by_label("Input as JSON").fill(f'{{"text": "word by <b>word</b>", "until": "{never}"}}')
    await at.page.get_by_role("button", name="Run it once").click()
    await expect(at.page.locator("pre.stream")).to_have_text("word by <b>word</b> ")
    await at.page.locator("#try").get_by_role("button", name="Cancel").click()
    await expect(at.page.locator("#try")).to_contain_text("cancelled")


async def test_what_does_not_hold_of_a_new_agent_is_told_at_its_place(at: Window, service: Service) -> None:
    await at.open("/agents")
    await at.page.get_by_role("button", name="Register an agent").click()
    dialog = at.page.get_by_role("dialog")
    document = dialog.get_by_label("The agent as JSON")
    await document.fill('{"name": "x",\n "kind": }')
    await dialog.get_by_role("button", name="Register").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("This is no JSON")
    at.refused = True
    await document.fill('{"name": "made-here", "kind": "python", "config": {"function": "nobody"}}')
    await dialog.get_by_role("button", name="Register").click()
    await expect(dialog.get_by_role("alert")).to_contain_text(
        "/config no function of this process is registered as 'nobody'"
    )
    given = '"input": {"maximum": 9223372036854775807}'
    await document.fill(f'{{"name": "made-here", "kind": "python", "config": {{"function": "collect"}}, {given}}}')
    await dialog.get_by_role("button", name="Register").click()
    await expect(at.page).to_have_url(f"{service.url}/agents/made-here")
    await at.page.get_by_role("button", name="Change…").click()
    await expect(document).to_have_value(re.compile('"maximum": 9223372036854775807'))


PAST, AHEAD = "2026-01-01T00:00:00.000Z", "2126-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("state", "probe", "told", "untold"),
    [
        ("open", AHEAD, "It is probed in", "next step"),
        ("open", PAST, "It is probed by its next step", "ago."),
        ("half_open", AHEAD, "one step is let through", "probed"),
    ],
)
async def test_a_breaker_says_when_it_is_probed(at: Window, state: str, probe: str, told: str, untold: str) -> None:
    breaker = {
        "agent": "analyst",
        "state": state,
        "forced": False,
        "reason": "overloaded",
        "opened_at": PAST,
        "trips": 2,
    }
    await at.page.route("**/api/breakers/analyst", lambda route: route.fulfill(json={**breaker, "probe_at": probe}))
    await at.open("/agents/analyst")
    stands = at.page.locator(".stands")
    await expect(stands).to_contain_text("2 times in a row")
    await expect(stands).to_contain_text(told)
    await expect(stands).not_to_contain_text(untold)


async def test_an_agent_whose_state_cannot_be_read_is_neither_well_nor_unknown(at: Window) -> None:
    away = {"code": "unavailable", "detail": "the database cannot be reached"}
    await at.page.route("**/api/breakers/analyst", lambda route: route.fulfill(status=503, json=away))
    at.away = True
    await at.open("/agents/analyst")
    await expect(at.page.get_by_role("heading", name="The agent could not be read")).to_be_visible()


async def test_all_versions_of_an_agent_are_led_to(at: Window, service: Service) -> None:
    register(service, "changed-often")
    for number in range(25):
        change = {"description": f"for the {number}th time"}
        service.http.patch("/api/agents/changed-often", json=change).raise_for_status()
    await at.open("/agents/changed-often")
    await at.page.get_by_role("button", name="Further back").click()
    await at.page.get_by_role("link", name="version 1", exact=True).click()
    await expect(at.page.locator(".head")).to_contain_text("version 1, not the current one")
