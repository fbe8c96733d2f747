"""`make bench-page`: the page in a real Chromium on 10,000 threads and on a thread of 1,000 steps.

For each view: bytes over the wire of a first load (nothing cached), milliseconds until it shows what it is for, and the long
tasks (over 50 ms, as browsers count them) while it is scrolled from one end to the other. A service of its own on loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from playwright.async_api import async_playwright

from tests.acceptance.service import Service
from tests.browser.conftest import ARGUMENTS, SETTINGS, chromium, settled
from tests.browser.world import wide

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

_WATCH: Final = """
window.__long = [];
const note = (list) => list.getEntries().forEach((one) => window.__long.push(one.duration));
new PerformanceObserver(note).observe({type: "longtask", buffered: true});
"""
_SCROLL: Final = """
async () => {
  window.__long.length = 0;
  const frames = [];
  let last = performance.now();
  for (let step = 0; step < 150; step += 1) {
    scrollBy(0, 700);
    await new Promise((done) => requestAnimationFrame(done));
    const now = performance.now();
    frames.push(now - last);
    last = now;
  }
  return {long: window.__long, frames, y: scrollY};
}
"""


@dataclass
class View:
    """One address, and the selector of what it is for."""

    name: str
    path: str
    shows: str
    first: list[float] = field(default_factory=list[float])
    long_first: list[float] = field(default_factory=list[float])
    long_scroll: list[float] = field(default_factory=list[float])
    wire: int = 0
    requests: int = 0
    code: int = 0

    def told(self) -> str:
        """What was measured, on one line."""
        first = f"first view {statistics.median(self.first):.0f} ms (slowest {max(self.first):.0f})"
        longest = (
            f"longest task {max(self.long_first, default=0):.0f} ms, scrolled {max(self.long_scroll, default=0):.0f} ms"
        )
        wire = (
            f"{self.wire / 1000:.0f} kB in {self.requests} requests, {self.code / 1000:.0f} kB of them the page itself"
        )
        return f"{self.name}: {first}; {longest}; {wire}"


async def seed(service: Service, count: int) -> None:
    """So many threads that have completed, by 32 at a time."""
    async with httpx.AsyncClient(base_url=service.url, timeout=120, trust_env=False) as http:
        left = iter(range(count))

        async def some() -> None:
            for number in left:
                body = {"workflow": "chain", "input": {"value": number, "title": f"Order {number}"}}
                (await http.post("/api/invoke/async", json=body)).raise_for_status()

        await asyncio.gather(*(some() for _ in range(32)))


async def measure(browser: Browser, url: str, view: View) -> None:
    """One first load in a window that has nothing cached, then a scroll through it."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    await page.add_init_script(_WATCH)
    session = await context.new_cdp_session(page)
    await session.send("Network.enable")
    sizes: dict[str, int] = {}
    kinds: dict[str, str] = {}
    session.on("Network.responseReceived", lambda event: kinds.update({event["requestId"]: event["response"]["url"]}))
    session.on(
        "Network.loadingFinished", lambda event: sizes.update({event["requestId"]: int(event["encodedDataLength"])})
    )
    await page.goto(url + view.path, wait_until="commit")
    await page.locator(view.shows).first.wait_for()
    view.first.append(await page.evaluate("performance.now()"))
    await asyncio.sleep(1)
    view.long_first += await page.evaluate("window.__long")
    view.wire = sum(sizes.values())
    view.requests = len(sizes)
    view.code = sum(size for request, size in sizes.items() if "/api/" not in kinds.get(request, ""))
    view.long_scroll += (await scrolled(page))["long"]
    await context.close()


async def scrolled(page: Page) -> dict[str, Any]:
    """From the top towards the end, a screen a frame."""
    return await page.evaluate(_SCROLL)


async def run(service: Service, program: str, threads: int, rounds: int, only: str) -> None:
    """Seed, measure each view so many times, print."""
    await seed(service, threads)
    document = wide(1000)
    service.register(document)
    small = service.run("chain", {"value": 1})["thread_id"]
    large = service.run(document["name"], {})["thread_id"]
    views = [
        View("threads", "/threads", ".thread-row"),
        View("thread of 4 steps", f"/threads/{small}", ".thread-head"),
        View("thread of 1,000 steps", f"/threads/{large}", ".step-line"),
    ]
    views = [view for view in views if view.name.startswith(only)]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        for _ in range(rounds):
            for view in views:
                await measure(browser, service.url, view)
        await browser.close()
    for view in views:
        print(view.told())


def main() -> int:
    """Serve, measure; 1 without a browser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="the view whose name begins so")
    given = parser.parse_args()
    program = chromium()
    if program is None:
        print("chromium is not installed: apt-get install chromium-headless-shell")
        return 1
    folder = Path(tempfile.mkdtemp(prefix="backstitch-page-"))
    service = Service(folder, dict(SETTINGS))
    try:
        settled(service.start().ready())
        asyncio.run(run(service, program, given.threads, given.rounds, given.only))
    finally:
        service.close()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
