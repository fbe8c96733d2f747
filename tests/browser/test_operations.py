"""Operations, in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import expect

if TYPE_CHECKING:
    from tests.acceptance.service import Service
    from tests.browser.conftest import Window


async def test_the_first_screen_says_what_is_not_well_and_what_to_do(at: Window, service: Service) -> None:
    document = {"name": "let-alone", "kind": "python", "config": {"function": "collect"}}
    assert service.http.post("/api/agents", json=document).status_code == 201
    await at.open("/operations")
    await expect(at.page.locator(".verdict")).to_be_visible()
    await expect(at.page.locator(".verdict")).not_to_contain_text("let-alone")
    service.http.post("/api/breakers/let-alone/open", json={"reason": "maintenance"})
    await expect(at.page.locator(".verdict")).to_contain_text("one part needs somebody")
    await expect(at.page.locator(".todo")).to_contain_text("let-alone")
    await at.page.locator(".todo").get_by_role("link", name="Look").click()
    await expect(at.page.locator(".agent-row:not(.heads)").filter(has_text="let-alone")).to_be_visible()
    service.http.post("/api/breakers/let-alone/close").raise_for_status()
    assert service.http.delete("/api/agents/let-alone").is_success
    await at.open("/operations")
    await expect(at.page.locator(".verdict")).to_be_visible()
    await expect(at.page.locator(".verdict")).not_to_contain_text("let-alone")


async def test_a_queue_is_held_back_after_its_effect_was_told(at: Window, service: Service) -> None:
    service.http.put("/api/queue/mail", json={"limit": 3}).raise_for_status()
    await at.open("/operations?tab=queues")
    row = at.page.get_by_role("row").filter(has_text="mail")
    await row.get_by_role("button", name="Change…").click()
    dialog = at.page.get_by_role("dialog")
    await dialog.get_by_label("Threads driven at once").fill("0")
    await expect(dialog).to_contain_text("Nothing is taken up any more: 0 threads wait")
    await dialog.get_by_role("button", name="Change").click()
    await expect(row).to_contain_text("held back")
    assert service.http.get("/api/queue/mail").json()["limit"] == 0


async def test_a_setting_is_refused_at_its_field_and_changed_with_its_source(at: Window, service: Service) -> None:
    await at.open("/operations?tab=settings&text=log_level")
    row = at.page.get_by_role("row").filter(has_text="LOG_LEVEL").first
    await row.get_by_role("button", name="Change…").click()
    dialog = at.page.get_by_role("dialog")
    await dialog.get_by_label("Value").fill("louder")
    at.refused = True
    await dialog.get_by_role("button", name="Change").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("'debug'")
    await dialog.get_by_label("Value").fill("warning")
    await dialog.get_by_role("button", name="Change").click()
    await expect(row).to_contain_text("changed here")
    service.http.delete("/api/config/log_level").raise_for_status()
    await at.page.reload()
    await expect(row).to_contain_text("default")


async def test_a_schedule_is_run_once_by_hand_and_its_thread_is_led_to(at: Window, service: Service) -> None:
    document = {"name": "nightly", "every": "1h", "workflow": "chain", "input": {}}
    assert service.http.post("/api/schedules", json=document).status_code == 201
    await at.open("/operations?tab=schedules")
    row = at.page.get_by_role("row").filter(has_text="nightly")
    await expect(row).to_contain_text("not yet")
    await row.get_by_role("button", name="Run now…").click()
    await at.page.get_by_role("dialog").get_by_role("button", name="Start 1 thread").click()
    await expect(row.get_by_role("link", name="completed")).to_be_visible()
    service.http.delete("/api/schedules/nightly").raise_for_status()
