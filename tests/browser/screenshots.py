"""`make screenshots`: every page, light and dark, as a person would find it, into docs/images.

A service of its own on a new data folder, with threads that are under way, wait, have failed and were rolled back.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from playwright.async_api import async_playwright

from tests.acceptance.service import Service, waiting
from tests.browser.conftest import ARGUMENTS, SETTINGS, chromium, settled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwright.async_api import Browser, Page

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
SIZE: Final = {"width": 1280, "height": 800}
PHONE: Final = {"width": 390, "height": 844}
_SETTLE: Final = 1.2
"""Seconds until a page has come to rest."""
_TOPICS: Final = (
    "AI in Education",
    "The quiet return of paper",
    "Railway timetables as interfaces",
    "Why threads hold",
    "Composting at scale",
    "A history of indigo",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One picture: where, and what stands at its top."""

    name: str
    path: str
    scroll: str | None = None
    phone: bool = False


def seeded(service: Service) -> dict[str, str]:
    """Threads by what they show."""
    threads: dict[str, str] = {}
    for number, topic in enumerate(_TOPICS):
        threads[f"asks-{number}"] = service.start_thread(
            "content-strategy-live", {"topic": topic}, triggered_by="lena@example"
        )
    for number in range(8):
        service.run("chain", {"value": number, "title": f"Invoice 20{number}"}, triggered_by="nightly")
    threads["failed"] = service.start_thread(
        "fragile", {"title": "Delivery note A-1042", "message": "the printer is on fire"}
    )
    threads["asks"] = threads["asks-5"]
    for number in range(3):
        _answer(service, threads[f"asks-{number}"])
    _rolled_back(service, threads["asks-0"])
    threads["travelled"] = threads["asks-0"]
    threads["other"] = threads["asks-1"]
    threads["live"] = service.start_thread("content-strategy-live", {"topic": "Night trains in 2027", "pace": 0.45})
    return threads


def _answer(service: Service, thread: str) -> None:
    for _ in waiting("the gate to ask"):
        if any(step.get("gate") for step in service.status(thread)["steps"]):
            break
    service.post(f"/api/invoke/gates/{thread}/approve", {"answer": {"approved": True, "note": "Good."}, "by": "lena"})
    service.until(thread, "completed")


def _rolled_back(service: Service, thread: str) -> None:
    overrides = {"marketer": {"agent": "marketer-bold"}}
    body = {"to_version": 2, "reason": "shorter sentences", "overrides": overrides}
    service.post(f"/api/invoke/rollback/{thread}", body)
    _answer(service, thread)


def shots(threads: Mapping[str, str]) -> list[Shot]:
    """What is taken."""
    travelled, live = threads["travelled"], threads["live"]
    return [
        Shot(name="threads", path="/threads"),
        Shot(name="threads-phone", path="/threads", phone=True),
        Shot(name="thread", path=f"/threads/{live}?step=marketer"),
        Shot(name="timeline", path=f"/threads/{travelled}", scroll=".timeline"),
        Shot(name="thread-phone", path=f"/threads/{live}?step=marketer", phone=True),
        Shot(name="gate", path=f"/threads/{threads['asks']}?step=approve"),
        Shot(name="failed", path=f"/threads/{threads['failed']}?step=second"),
        Shot(name="versions", path=f"/threads/{travelled}?v=3&w=8", scroll=".versions"),
        Shot(name="compare", path=f"/compare?a={travelled}&b={threads['other']}"),
        Shot(name="workflows", path="/workflows"),
        Shot(name="workflow", path="/workflows/content-strategy-live"),
        Shot(name="editor", path="/workflows/content-strategy-live/edit"),
        Shot(name="start", path="/start/content-strategy-live"),
        Shot(name="agents", path="/agents"),
        Shot(name="agent", path="/agents/marketer"),
        Shot(name="operations", path="/operations"),
        Shot(name="events", path="/events"),
    ]


async def take(service: Service, wanted: list[Shot], program: str) -> list[str]:
    """Take them; what the browser complained of."""
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        for scheme in ("light", "dark"):
            for shot in wanted:
                await _take(browser, service.url, shot, scheme, complaints)
        await browser.close()
    return complaints


async def _take(
    browser: Browser, url: str, shot: Shot, scheme: Literal["light", "dark"], complaints: list[str]
) -> None:
    size: Any = PHONE if shot.phone else SIZE
    context = await browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    page = await context.new_page()
    page.on("console", lambda one: complaints.append(f"{shot.name}: {one.text}") if one.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(f"{shot.name}: {error}"))
    await page.goto(url + shot.path, wait_until="load")
    await _rest(page)
    if shot.scroll is not None:
        # To the top of the window, below the bar.
        await page.locator(shot.scroll).first.evaluate("node => scrollBy(0, node.getBoundingClientRect().top - 64)")
        await _rest(page)
    await page.screenshot(path=IMAGES / f"{shot.name}-{scheme}.png")
    await context.close()


async def _rest(page: Page) -> None:
    await page.locator(".loading").first.wait_for(state="detached")
    await asyncio.sleep(_SETTLE)


def main() -> int:
    """Serve, seed, take; 1 when the browser complained."""
    program = chromium()
    if program is None:
        print("chromium is not installed: apt-get install chromium-headless-shell")
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="backstitch-screenshots-"))
    service = Service(folder, dict(SETTINGS))
    try:
        settled(service.start().ready())
        complaints = asyncio.run(take(service, shots(seeded(service)), program))
    finally:
        service.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(*complaints, sep="\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
