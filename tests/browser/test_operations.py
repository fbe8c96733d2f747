"""Operations, in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from playwright.async_api import Route

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
    await at.page.clock.install()
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
    await at.page.clock.run_for(11_000)
    await expect(row).to_contain_text("default")
    await at.page.get_by_label("By name").fill("no such setting")
    await at.page.get_by_role("button", name="Show all").click()
    await expect(row).to_be_visible()


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


async def test_a_service_that_does_not_answer_is_waited_for_and_not_called_well(at: Window, service: Service) -> None:
    await at.page.clock.install()
    await at.open("/operations")
    await expect(at.page.locator(".verdict")).to_be_visible()
    asked: list[Route] = []
    await at.page.route("**/api/health", lambda route: asked.append(route))  # noqa: PLW0108 - it looks at what it is given
    for _ in range(3):
        await at.page.clock.run_for(6_000)
    assert len(asked) == 1, "each further question takes the answer of the one before away"
    at.away = True
    await asked[0].abort()
    await expect(at.page.locator(".verdict")).to_have_text("It does not say how it isBelow is what it said last.")
    await expect(at.page.get_by_role("alert")).to_contain_text("What you see may be old")


async def test_the_state_of_a_database_that_is_away_is_told_without_it(at: Window) -> None:
    state = {"kind": "postgres", "durable": True, "reachable": False, "latency_ms": None, "error_rate": 0.5}
    gone = {**state, "size_bytes": None, "error": "connection refused", "fallback": None}
    await at.page.route("**/api/health/checkpointer", lambda route: route.fulfill(status=503, json=gone))
    away = {"code": "unavailable", "detail": "the database cannot be reached"}
    await at.page.route("**/api/retention", lambda route: route.fulfill(status=503, json=away))
    at.away = True
    await at.open("/operations?tab=database")
    await expect(at.page.locator(".figures")).to_contain_text("answersno")
    await expect(at.page.get_by_text("connection refused")).to_be_visible()
    await expect(at.page.get_by_role("alert")).to_contain_text("the database cannot be reached")


async def test_a_preview_of_retention_says_how_many_threads_and_why(at: Window) -> None:
    run = {
        "id": "r",
        "status": "completed",
        "dry_run": True,
        "asked": {},
        "started_at": "2026-01-01T00:00:00.000Z",
        "error": None,
    }
    plan = {
        **run,
        "ended_at": None,
        "threads": 7,
        "size_bytes": 10,
        "reasons": {"count": 5, "age": 2},
        "workflows": {"chain": 7},
    }
    policy = {
        "days": 30,
        "status_days": {},
        "max_per_workflow": 9,
        "max_bytes": None,
        "every_ms": 3_600_000,
        "workflows": [],
    }
    told = {"policy": policy, "runs": [], "size_bytes": 10, "tables": [], "would_delete": plan}
    await at.page.route("**/api/retention*", lambda route: route.fulfill(json=told))
    await at.open("/operations?tab=database")
    await at.page.get_by_role("button", name="What would a run delete now?").click()
    dialog = at.page.get_by_role("dialog", name="Delete 7 threads?")
    await expect(dialog).to_contain_text("5 more than their workflow keeps, 2 older than their days.")


QUEUE = {"limit_scope": "all", "delayed": 0, "oldest_wait_ms": 5, "max_depth": 9, "rate_limit": None}
QUEUES = [
    {**QUEUE, "name": "default", "limit": 10, "running": 12, "depth": 0, "limit_scope": "process"},
    {**QUEUE, "name": "busy", "limit": 2, "running": 2, "depth": 1},
    {**QUEUE, "name": "brimming", "limit": 2, "running": 2, "depth": 9},
]
FIRING = {
    "fire_time": "2026-01-01T00:00:00.000Z",
    "decided_at": "2026-01-01T02:00:00.000Z",
    "reason": None,
    "error": None,
}
MISSED = {**FIRING, "outcome": "missed", "missed": 12, "until": "2026-01-01T01:00:00.000Z", "thread_id": None}
GONE = {**FIRING, "outcome": "started", "missed": None, "thread_id": "deleted", "thread_status": None}
SCHEDULE = {"workflow": "chain", "cron": "0 9 * * *", "timezone": "UTC", "state": "active", "paused": False}
DUE = {"next_due_at": "2026-01-02T09:00:00.000Z", "description": None}
SCHEDULES = [
    {**SCHEDULE, **DUE, "name": "held-up", "last_firing": MISSED},
    {**SCHEDULE, **DUE, "name": "tidied", "last_firing": GONE},
]


@pytest.mark.parametrize(
    ("tab", "route", "answer", "told"),
    [
        (
            "queues",
            "queue",
            {"queues": QUEUES, "depth": 1, "running": 26, "delayed": 0, "oldest_wait_ms": 5},
            {"default": "12 of 10 in each process", "busy": "all slots are taken", "brimming": "starts are refused"},
        ),
        (
            "schedules",
            "schedules?*",
            {"schedules": SCHEDULES, "next_cursor": "more"},
            {"held-up": "missed 12 times", "tidied": "late, due"},
        ),
    ],
    ids=["queues", "schedules"],
)
async def test_a_row_says_what_an_operator_must_know_of_it(
    at: Window, tab: str, route: str, answer: dict[str, Any], told: dict[str, str]
) -> None:
    await at.page.route(f"**/api/{route}", lambda asked: asked.fulfill(json=answer))
    await at.open(f"/operations?tab={tab}")
    for name, words in told.items():
        await expect(at.page.get_by_role("row").filter(has=at.page.get_by_text(name, exact=True))).to_contain_text(
            words
        )
    await expect(at.page.locator("main a[href='/threads/deleted']")).to_have_count(0)


async def test_each_of_many_triggers_says_what_came_of_its_last_message(at: Window) -> None:
    one = {"workflow": "chain", "topic": "a.b", "condition": None, "description": None, "enabled": True}
    names = [f"trigger-{number:02}" for number in range(40)]
    listed = {"triggers": [{**one, "name": name} for name in names], "next_cursor": None}
    came = {
        "outcome": "failed",
        "thread_id": None,
        "at": "2026-01-01T00:00:00.000Z",
        "error": {"message": "no such thing"},
    }
    await at.page.route("**/api/triggers?*", lambda asked: asked.fulfill(json=listed))
    asked: list[str] = []

    async def tell(route: Route) -> None:
        asked.append(route.request.url)
        await route.fulfill(json={"firings": [came], "next_cursor": None})

    await at.page.route("**/api/triggers/*/firings*", tell)
    await at.open("/operations?tab=triggers")
    await expect(at.page.get_by_role("row").nth(1)).to_contain_text("no such thing")
    assert len(asked) < len(names), "only what is in view is asked for"
    await at.page.get_by_role("row").last.scroll_into_view_if_needed()
    await expect(at.page.get_by_role("row").last).to_contain_text("no such thing")


async def test_what_a_chart_draws_is_told_in_words_and_its_lines_have_names_of_their_own(
    at: Window, service: Service
) -> None:
    service.run("chain", {})
    await at.open("/operations?window=24h")
    await expect(at.page.locator(".summary")).to_contain_text("The charts go by the hour.")
    await expect(at.page.get_by_role("figure", name="Executions")).to_contain_text("in all, at most")
    doubles = """async () => {
      const script = document.querySelector("script[type=module]").src;
      const { STEPS, lineOf } = await import(new URL("kit/chart.js", script));
      const names = (unit, step) => Array.from({ length: 6 }, (_, at) => lineOf(at * step, unit, step));
      return Object.entries(STEPS).flatMap(([unit, steps]) => steps.map((step) => names(unit, step)))
        .filter((all) => new Set(all).size < all.length);
    }"""
    assert await at.page.evaluate(doubles) == []
