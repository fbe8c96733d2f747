"""The figures of the parts: the store is asked seldom and never waited for for long; the journal's lanes add up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.errors import Unavailable
from app.domain.queues import QueueReport, QueueSettings
from app.store.memory_metrics import MemoryMetrics
from app.store.memory_tables import MemoryTables
from app.telemetry import metrics_parts as module
from app.telemetry.figures import Figure, Page, counter, frozen, gauge
from app.telemetry.metrics_parts import JournalFigures, PoolFigures, StoreFigures
from tests.builders import a_thread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Store(MemoryMetrics):
    """Counts how often it is asked; can be away."""

    def __init__(self) -> None:
        super().__init__(MemoryTables(threads={"a": a_thread("a")}))
        self.asked = 0
        self.trouble: Exception | None = None
        self.free = asyncio.Event()
        self.free.set()

    async def thread_counts(self) -> dict[str, int]:
        self.asked += 1
        await self.free.wait()
        if self.trouble is not None:
            raise self.trouble
        return await super().thread_counts()


async def queues() -> list[QueueReport]:
    names = ["mail", *(f"q{number}" for number in range(3))]
    return [
        QueueReport(settings=QueueSettings(name=name), depth=2, delayed=1, running=0, oldest_wait=wait)
        for name, wait in zip(names, (5.0, None, 1.0, 9.0), strict=True)
    ]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def figures(store: Store) -> AsyncGenerator[StoreFigures]:
    found = StoreFigures(store, queues)
    running = asyncio.create_task(found.run())
    yield found
    running.cancel()
    await asyncio.wait([running])


def told(figures: StoreFigures) -> dict[str, dict[tuple[str, ...], Any]]:
    return {one.name.removeprefix("backstitch_"): dict(one.samples) for one in figures.figures()}


async def test_scrapes_share_what_the_store_was_asked(store: Store, figures: StoreFigures) -> None:
    for _ in range(3):
        await asyncio.gather(*(figures.look() for _ in range(5)))
    assert store.asked == 1
    assert told(figures)["threads"][("running",)] == 1
    assert told(figures)["threads"][("failed",)] == 0


async def test_nobody_asks_while_nobody_scrapes(store: Store, figures: StoreFigures) -> None:
    await asyncio.sleep(0)
    assert store.asked == 0
    assert list(told(figures)) == ["store_up"]


@pytest.mark.parametrize("trouble", [Unavailable("away"), ValueError("broken")])
async def test_a_store_that_is_away_leaves_what_was_known(
    store: Store, figures: StoreFigures, trouble: Exception
) -> None:
    await figures.look()
    figures._next, store.trouble = 0.0, trouble
    await figures.look()
    assert told(figures)["store_up"] == {(): 0}
    assert told(figures)["threads"][("running",)] == 1


async def test_a_store_that_hangs_holds_up_no_scrape(
    store: Store, figures: StoreFigures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.001)
    store.free.clear()
    await figures.look()
    assert list(told(figures)) == ["store_up"]


async def test_a_store_that_does_not_answer_at_all_is_down_after_a_while(
    store: Store, figures: StoreFigures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.001)
    store.free.clear()
    await figures.look()
    assert told(figures)["store_up"] == {(): 1}
    monkeypatch.setattr(module, "_LATE", 0.0)
    assert told(figures)["store_up"] == {(): 0}


@pytest.mark.parametrize(
    ("looks", "rest"),
    [
        ([(True, 0.02)], 5),  # quick
        ([(True, 2.0)], 200),  # there is much to count
        ([(True, 0.5), (True, 30.0)], 50),  # it waited for a connection: that costs nothing
        ([(True, 30.0), (True, 30.0)], 3000),
        ([(True, 0.5), (False, 15.0)], 20),  # the database is back soon, as a rule
    ],
)
async def test_the_store_is_asked_again_as_soon_as_its_answers_are_cheap(
    store: Store, monkeypatch: pytest.MonkeyPatch, looks: list[tuple[bool, float]], rest: float
) -> None:
    figures, now = StoreFigures(store, queues), 0.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    for answers, seconds in looks:
        store.trouble = None if answers else Unavailable("away")
        store.free.clear()
        figures._next = 0.0
        figures._wanted.set()
        running = asyncio.create_task(figures.run())
        await asyncio.sleep(0)
        now += seconds
        store.free.set()
        await figures._news.wait()
        figures._news.clear()
        running.cancel()
    assert figures._next - now == rest


async def test_queues_beyond_a_bound_are_summed(figures: StoreFigures) -> None:
    figures._name.limit = 2
    await figures.look()
    assert told(figures)["queue_depth"] == {("mail",): 2, ("q0",): 2, ("_other",): 4}
    assert told(figures)["queue_oldest_wait_seconds"] == {("mail",): 5.0, ("q0",): 0.0, ("_other",): 9.0}


def test_without_a_database_the_journal_and_the_pool_show_nothing() -> None:
    found = {one.name: one.samples[0][1] for one in (*JournalFigures([]).figures(), *PoolFigures(None).figures())}
    assert found["backstitch_journal_up"] == 1
    assert found["backstitch_pool_limit"] == 0


def test_a_page_shows_what_was_counted_when_it_was_asked_for() -> None:
    [histogram] = [one for one in JournalFigures([]).figures() if one.name == "backstitch_journal_batch_size"]
    before = frozen(histogram)
    _, counted = histogram.samples[0]
    assert not isinstance(counted, int | float)
    counted.note(3)
    shown = [before, gauge("backstitch_g", "A gauge.", 1.5), counter("backstitch_c_total", "A counter.", 2)]
    text = Page().render([*shown, Figure("backstitch_l", "gauge", "L.", [(('a\n"b',), 1)], ("x",))], "")[0].decode()
    assert "backstitch_journal_batch_size_count 0.0" in text
    assert "backstitch_g 1.5" in text
    assert "backstitch_c_total 2.0" in text
    assert 'backstitch_l{x="a\\n\\"b"} 1.0' in text
