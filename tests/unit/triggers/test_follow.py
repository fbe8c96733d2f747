"""Following a log."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from app.domain.errors import Unavailable
from app.domain.messages import Message, Messages
from app.domain.ports import FeedPosition
from app.store.memory_followers import MemoryPlaces
from app.store.memory_tables import MemoryTables
from app.triggers import follow
from app.triggers.follow import _PACE, _REST, Follower

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection, Sequence

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Line:
    """A log of numbered messages, the consumer of them, and what it is to raise."""

    def __init__(self) -> None:
        self.written = 1
        self.wanted: list[str] = ["a"]
        self.taken: list[str] = []
        self.faults: list[Exception] = []
        self.news = asyncio.Event()
        self.hint: Callable[[], None] = self.news.set

    async def end(self) -> FeedPosition:
        return FeedPosition(self.written, "", 0)

    async def read(self, after: FeedPosition, patterns: Collection[str], limit: int) -> Messages:
        assert patterns
        last = min(self.written, after.xact + limit)
        numbers = range(after.xact, last)
        return Messages([_message(number) for number in numbers], FeedPosition(last, "", 0))

    async def wants(self) -> Collection[str]:
        return self.wanted

    async def take(self, messages: Sequence[Message]) -> None:
        self.taken += [one.id for one in messages]
        self.news.set()
        if self.faults:
            self.hint()
            raise self.faults.pop()

    async def until(self, count: int) -> None:
        while len(self.taken) < count:
            self.news.clear()
            await self.news.wait()


def _message(number: int) -> Message:
    return Message(id=str(number), topic="a", source="test", type="test", time=NOW, data_json="null")


class Counted(MemoryPlaces):
    """Counts how often a place is written."""

    moves = 0

    async def move(self, name: str, owner: str, place: FeedPosition) -> bool:
        self.moves += 1
        return await super().move(name, owner, place)


@asynccontextmanager
async def following(line: Line, places: MemoryPlaces, owner: str = "me") -> AsyncGenerator[Follower]:
    follower = Follower("test", line, line, places, owner=owner, lease=10)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(follower.run())
        yield follower
        task.cancel()


async def test_each_message_is_taken_in_order_and_the_place_outlives_the_process() -> None:
    line, places = Line(), MemoryPlaces(MemoryTables())
    async with following(line, places):
        line.written = 4
        await line.until(3)
    line.written = 6
    async with following(line, places, "another"):
        await line.until(5)
    assert line.taken == ["1", "2", "3", "4", "5"]


async def test_what_could_not_be_acted_on_comes_again() -> None:
    line, places = Line(), MemoryPlaces(MemoryTables())
    line.faults = [RuntimeError("broken"), Unavailable("away")]
    line.written = 3
    await places.take("test", "me", 10)
    await places.move("test", "me", FeedPosition(1, "", 0))
    async with following(line, places) as follower:
        line.hint = follower.hint
        await line.until(6)
    assert line.taken == ["1", "2"] * 3


async def test_who_wants_nothing_gets_nothing_of_what_was_written_before_it_did() -> None:
    line, places = Line(), MemoryPlaces(MemoryTables())
    line.wanted = []
    async with following(line, places) as follower:
        line.written = 10
        while (await places.take("test", "me", 10)) != FeedPosition(10, "", 0):
            follower.hint()
            await asyncio.sleep(0)
        line.wanted, line.written = ["a"], 12
        follower.hint()
        await line.until(2)
    assert line.taken == ["10", "11"]


async def test_one_whose_place_another_has_taken_moves_it_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "_TRY", 0.01)
    line, places = Line(), MemoryPlaces(MemoryTables())
    await places.take("test", "other", 10)
    async with following(line, places) as follower:
        line.written = 5
        follower.hint()
        await places.release("test", "other")
        await line.until(4)
        await places.release("test", "me")
        assert await places.take("test", "other", 10) is not None
        line.written = 6
        follower.hint()
        await line.until(5)
        assert await places.take("test", "other", 10) == FeedPosition(5, "", 0)


async def test_while_nothing_is_wanted_the_place_is_not_written_with_each_look() -> None:
    """Of all commits of all threads, who follows for nobody sees some, and tells of few of those."""
    line, places = Line(), Counted(MemoryTables())
    line.wanted = []
    follower = Follower("test", line, line, places, owner="me", lease=10)
    for number in range(2, 50):
        line.written = number
        await follower._step()
    assert (places.moves, follower._pace, line.taken) == (1, _REST, [])
    line.wanted, line.written = ["a"], 51
    await follower._step()
    assert (places.moves, follower._pace, line.taken) == (2, _PACE, ["49", "50"])
