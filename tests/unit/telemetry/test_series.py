"""What comes of agents and workflows: counted as it happens, written in the background, kept while the store is away."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.domain.errors import Unavailable
from app.domain.histogram import percentile
from app.domain.metrics import ALL, OTHER, Kind, Resolution, Span
from app.domain.records import ErrorInfo, Usage
from app.domain.runner import Asleep, Failed
from app.domain.status import Status
from app.engine.outcome import Result
from app.store.memory_metrics import MemoryMetrics
from app.store.memory_tables import MemoryTables
from app.telemetry import series as module
from app.telemetry.series import Series
from tests.agents import FunctionAgents
from tests.unit.engine.house import Clock

DONE = Result(value=1, text="1")
WINDOW = timedelta(minutes=15)


class Store(MemoryMetrics):
    """Can be away, or not answer."""

    away: Any = None
    writes = 0

    async def write(self, writer: str, tallies: Any) -> None:
        self.writes += 1
        if self.away is not None:
            raise self.away
        await super().write(writer, tallies)


class All(FunctionAgents):
    """Knows every agent but `stranger`."""

    def __init__(self) -> None:
        return

    def find(self, name: str) -> Any:
        return None if name == "stranger" else name


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Store:
    return Store(MemoryTables(clock=clock))


@pytest.fixture
def series(store: Store, clock: Clock) -> Series:
    return Series(store, All(), clock)


def failed(*, retryable: bool) -> Failed:
    return Failed(error=ErrorInfo(kind="http.503", message="busy", step_id="a", retryable=retryable))


async def sums(series: Series, clock: Clock, kind: Kind) -> dict[str, Any]:
    await series.flush()
    span = Span(since=clock() - timedelta(hours=40), until=clock() + WINDOW, resolution=Resolution.MINUTE)
    return dict(await series.store.sums(kind, span, limit=9_999))


async def test_endings_are_told_apart(series: Series) -> None:
    for ending in (DONE, DONE, failed(retryable=True), failed(retryable=False), Asleep(seconds=1)):
        series.attempt("analyst", ending, 0.1)
    series.attempt("stranger", DONE, 0.1)
    found = await series.over("analyst", WINDOW)
    assert (found.ok, found.failed, found.rejected, sum(found.buckets)) == (2, 1, 1, 3)
    assert found.error == failed(retryable=False).error.value()
    assert (await series.over("stranger", WINDOW)).count == 0


async def test_executions_and_what_they_cost_are_counted_by_workflow_and_agent(series: Series, clock: Clock) -> None:
    for status in (Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.INTERRUPTED):
        series.execution("sewing", status, 2.0)
    series.execution("sewing", Status.CANCELLED, None)
    usage = Usage(input_tokens=10, output_tokens=5, cost_usd=0.5)
    for agent in ("analyst", "stranger", None):
        series.spent("sewing", agent, usage, retries=1)
    workflow = (await sums(series, clock, Kind.WORKFLOW))["sewing"]
    assert (workflow.count, workflow.errors, sum(workflow.buckets), workflow.retries) == (5, 2, 4, 3)
    agents = await sums(series, clock, Kind.AGENT)
    assert {name: (one.cost_usd, one.input_tokens, one.output_tokens) for name, one in agents.items()} == {
        "analyst": (0.5, 10, 5)
    }


async def test_what_happened_before_the_window_does_not_count(series: Series, clock: Clock) -> None:
    series.attempt("analyst", DONE, 0.1)
    clock.advance(1000)
    series.attempt("analyst", failed(retryable=True), 5)
    found = await series.over("analyst", WINDOW)
    assert (found.ok, found.failed) == (0, 1)
    assert percentile(found.buckets, 0.5) == pytest.approx(5000, rel=0.1)


async def test_all_of_a_kind_are_summed_under_no_name(series: Series, store: Store) -> None:
    for name in ("analyst", "marketer"):
        series.attempt(name, DONE, 0.1)
        await series.flush()
    assert (await store.over(Kind.AGENT, ALL, WINDOW)).count == 2


@pytest.mark.parametrize("error", [Unavailable("away"), TimeoutError(), asyncio.CancelledError()])
async def test_what_could_not_be_written_waits(series: Series, store: Store, error: BaseException) -> None:
    series.attempt("analyst", DONE, 0.1)
    store.away = error
    with pytest.raises((Unavailable, asyncio.CancelledError)):
        await series.flush()
    store.away = None
    assert (await series.over("analyst", WINDOW)).count == 1


async def test_of_a_long_outage_the_last_hour_is_kept(series: Series, store: Store, clock: Clock) -> None:
    store.away = Unavailable("away")
    series.attempt("analyst", DONE, 0.1)
    clock.advance(4000)
    series.attempt("analyst", DONE, 0.1)
    with pytest.raises(Unavailable):
        await series.flush()
    assert ([len(book.tallies) for book in series._books], series.unwritten) == ([1, 0], 1)


async def test_what_has_not_changed_is_not_written_again(series: Series, store: Store, clock: Clock) -> None:
    series.attempt("analyst", DONE, 0.1)
    for _ in range(3):
        await series.flush()
    clock.advance(61)
    series.attempt("marketer", DONE, 0.1)
    await series.flush()
    assert store.writes == 2
    assert [[*book.tallies] for book in series._books] == [["marketer"], []]  # what is over and written is forgotten


async def test_names_beyond_a_bound_are_counted_together(
    series: Series, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NAMES", 2)
    for name in ("a", "b", "c", "d", "a"):
        series.execution(name, Status.COMPLETED, 1.0)
    found = await sums(series, clock, Kind.WORKFLOW)
    assert {name: tally.count for name, tally in found.items()} == {OTHER: 2, "a": 2, "b": 1}


async def test_a_clock_that_is_set_back_loses_nothing(series: Series, clock: Clock) -> None:
    series.attempt("analyst", DONE, 0.1)
    await series.flush()
    clock.advance(-120)
    series.attempt("analyst", DONE, 0.1)
    clock.advance(120)
    assert (await series.over("analyst", WINDOW)).count == 2


async def test_rolling_up_and_dropping_happen_in_the_background(series: Series, store: Store, clock: Clock) -> None:
    series.attempt("analyst", DONE, 0.1)
    await series.flush()
    clock.advance(55 * 3600)
    await series._keep_up()
    assert {key.resolution for key in store._rows} == {Resolution.HOUR, Resolution.DAY}


async def test_what_was_counted_last_is_written_when_the_process_ends(series: Series, store: Store) -> None:
    running = asyncio.create_task(series.run())
    await asyncio.sleep(0)
    series.attempt("analyst", DONE, 0.1)
    running.cancel()
    await asyncio.wait([running])
    assert (await store.over(Kind.AGENT, "analyst", WINDOW)).count == 1


async def test_a_store_that_is_broken_takes_nothing_down(
    series: Series, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.away = RuntimeError("broken")
    series.attempt("analyst", DONE, 0.1)
    await series._try(series.flush)
    assert "could not be written" in caplog.text
    assert series.unwritten == 1


class Slow(Store):
    """Answers when it is told to."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(MemoryTables(clock=clock))
        self.free, self.sizes = asyncio.Event(), list[int]()

    async def write(self, writer: str, tallies: Any) -> None:
        self.sizes.append(len(tallies))
        await self.free.wait()
        await super().write(writer, tallies)


async def test_who_asks_while_the_store_hangs_does_not_wait_for_all_who_asked_before(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Slow(clock)
    series = Series(store, All(), clock)
    series.attempt("analyst", DONE, 0.1)
    first = asyncio.create_task(series.flush())
    await asyncio.sleep(0)
    monkeypatch.setattr(module, "_PATIENCE", 0.001)
    async with asyncio.timeout(5):
        with pytest.raises(Unavailable):
            await series.flush()
    store.free.set()
    await first
    assert store.sizes == [2]


async def test_what_an_outage_has_held_back_is_written_a_piece_at_a_time(clock: Clock) -> None:
    store = Slow(clock)
    store.free.set()
    series = Series(store, All(), clock)
    for _ in range(10):
        for name in range(200):
            series.execution(f"w{name}", Status.COMPLETED, 1.0)
        clock.advance(60)
    await series.flush()
    assert (sum(store.sizes), len(store.sizes), max(store.sizes)) == (10 * 201, 5, 402)


async def test_a_store_that_is_broken_does_not_break_the_end(
    series: Series, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    running = asyncio.create_task(series.run())
    await asyncio.sleep(0)
    series.attempt("analyst", DONE, 0.1)
    store.away = RuntimeError("broken")
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert "the last counts of agents and workflows were not written" in caplog.text
