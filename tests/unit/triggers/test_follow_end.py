"""A follower and who begins to want something in the very moment in which it reads: nothing is passed over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.domain.messages import Message, Messages
from app.domain.ports import FeedPosition
from app.triggers.follow import Follower

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence


def message(xact: int, topic: str) -> Message:
    return Message(
        id=str(xact),
        topic=topic,
        source="s",
        type="t",
        time=datetime.now(UTC),
        data_json="1",
        place=FeedPosition(xact, "t", 1),
    )


class Log:
    """Transactions in a row; `between` happens between the consumer's word and the reading."""

    def __init__(self) -> None:
        self.items: list[Message] = []
        self.between: Callable[[], None] = lambda: None

    async def end(self) -> FeedPosition:
        return FeedPosition(len(self.items) + 1, "", 0)

    async def read(self, after: FeedPosition, patterns: Collection[str], limit: int) -> Messages:
        self.between()
        self.between = lambda: None
        found = [one for one in self.items if one.place is not None and one.place > after and one.topic in patterns]
        return Messages(found, await self.end())


class Wants:
    """Wants topics, and takes them down."""

    def __init__(self, *topics: str) -> None:
        self.topics = list(topics)
        self.took: list[str] = []

    async def wants(self) -> Collection[str]:
        return tuple(self.topics)

    async def take(self, messages: Sequence[Message]) -> None:
        self.took += [one.id for one in messages]


class Place:
    """Where it is."""

    def __init__(self) -> None:
        self.at = self.written_until = FeedPosition(0, "", 0)

    async def take(self, name: str, owner: str, seconds: float) -> FeedPosition | None:
        return self.at

    async def renew(self, name: str, owner: str, seconds: float) -> bool:
        return True

    async def begun(self) -> FeedPosition:
        return self.written_until

    async def move(self, name: str, owner: str, place: FeedPosition) -> bool:
        self.at = place
        return True

    async def release(self, name: str, owner: str) -> None: ...


async def test_what_is_written_with_the_wish_for_it_comes_though_others_wanted_something_before() -> None:
    log, consumer, place = Log(), Wants("a"), Place()
    follower = Follower("f", log, consumer, place, owner="me", lease=1)
    log.items.append(message(1, "a"))

    def one_transaction() -> None:
        consumer.topics.append("b")
        log.items.append(message(2, "b"))

    log.between = one_transaction
    for _ in range(3):
        await follower._step()
    assert consumer.took == ["1", "2"]


async def test_what_comes_beyond_the_end_is_taken_with_the_next_turn_and_once() -> None:
    log, consumer, place = Log(), Wants("a"), Place()
    follower = Follower("f", log, consumer, place, owner="me", lease=1)
    log.items.append(message(1, "a"))
    log.between = lambda: log.items.append(message(2, "a"))
    assert await follower._step()
    assert consumer.took == ["1"]
    assert await follower._step()
    assert not await follower._step()
    assert consumer.took == ["1", "2"]


async def test_what_is_written_after_nothing_was_wanted_and_before_the_end_is_known_comes() -> None:
    log, consumer, place = Log(), Wants(), Place()
    follower = Follower("f", log, consumer, place, owner="me", lease=1)
    wants = consumer.wants

    async def one_transaction_right_after() -> Collection[str]:
        found = await wants()
        if not log.items:
            consumer.topics.append("a")
            log.items.append(message(1, "a"))
        return found

    consumer.wants = one_transaction_right_after  # type: ignore[method-assign]
    for _ in range(2):
        await follower._step()
    assert consumer.took == ["1"]


async def test_who_wants_nothing_is_moved_to_the_end_that_was_there_before_it_was_asked() -> None:
    log, consumer, place = Log(), Wants(), Place()
    follower = Follower("f", log, consumer, place, owner="me", lease=1)
    log.items.append(message(1, "a"))
    await follower._step()
    consumer.topics.append("a")
    log.items.append(message(2, "a"))
    await follower._step()
    assert consumer.took == ["2"]


async def test_what_cannot_be_read_yet_since_an_older_transaction_is_open_is_looked_for_soon_and_told_of() -> None:
    log, consumer, place = Log(), Wants("a"), Place()
    follower = Follower("f", log, consumer, place, owner="me", lease=1)
    log.items.append(message(1, "a"))
    follower.hint()
    await follower._step()
    assert follower._behind is None
    place.written_until = FeedPosition(3, "", 0)  # the second is written, and shows when a third transaction is over
    follower.hint()
    await follower._step()
    assert follower._behind is not None
    assert [follower._behind.pause() for _ in range(7)] == [0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0]
    follower._behind.since -= 30
    assert follower.lag >= 30
    log.items.append(message(2, "a"))
    await follower._step()
    assert (consumer.took, follower._behind, follower.lag) == (["1", "2"], None, 0.0)
