"""The log of messages on PostgreSQL.  While one batch is being written the next gathers; no timer, alone means at once."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext, message_book, topics
from app.domain.errors import InvalidRequest, Unavailable
from app.domain.message_book import MessageBook, MessagePage
from app.domain.messages import Message, Messages
from app.domain.ports import FeedPosition
from app.store import db, queries

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection, Sequence

    from asyncpg import Record

    from app.domain.message_book import MessageFilter
    from app.store.hints import PostgresHints

_SQL: Final = queries.load("messages")
_BATCH: Final = 500
_BATCH_CHARACTERS: Final = 4_000_000
_TRIES: Final = 3
_PATIENCE: Final = 10.0
"""Seconds after which a message that could not be kept is given up."""
_LAST: Final = 2**63 - 1
_log: Final = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Item:
    messages: Sequence[Message]
    done: asyncio.Future[list[bool]]
    weight: int = field(init=False)

    def __post_init__(self) -> None:
        self.weight = sum(len(one.data_json) for one in self.messages)


class PostgresMessages(MessageBook):
    """See domain.message_book.MessageBook.  `run` writes what is published."""

    def __init__(self, pool: db.Pool, hints: PostgresHints | None = None) -> None:
        self._pool = pool
        self._hints = hints
        self._listeners: list[Callable[[], None]] = []
        self._waiting: deque[_Item] = deque()
        self._arrived = asyncio.Event()
        self._closing = False

    def listen(self, news: Callable[[], None]) -> None:
        """See MessageBook."""
        self._listeners.append(news)

    async def publish(self, messages: Sequence[Message]) -> list[bool]:
        """See MessageBook."""
        if self._closing:
            raise Unavailable("the service is stopping")
        item = _Item(messages, asyncio.get_running_loop().create_future())
        self._waiting.append(item)
        self._arrived.set()
        try:
            async with asyncio.timeout(_PATIENCE):
                return await item.done
        except TimeoutError:
            raise Unavailable("the database does not answer", retry_after=2) from None
        finally:
            if item.done.cancelled():
                with suppress(ValueError):  # it is being written
                    self._waiting.remove(item)

    async def run(self) -> None:
        """Write what is published until closed; what was published by then is written first."""
        while True:
            batch = self._take()
            if batch:
                await self._write(batch)
            elif self._closing:
                return
            else:
                self._arrived.clear()
                await self._arrived.wait()

    def close(self) -> None:
        """Let `run` end."""
        self._closing = True
        self._arrived.set()

    async def end(self) -> FeedPosition:
        """See Log."""
        return FeedPosition((await self._fetch(_SQL["end"]))[0]["xact"], "", 0)

    async def read(self, after: FeedPosition, patterns: Collection[str], limit: int) -> Messages:
        """See Log."""
        exact, expression = message_book.exact_and_expression(patterns)
        bounds = (limit, message_book.LOOK, message_book.READ_BYTES)
        rows = await self._fetch(_SQL["read"], after.xact, after.seq, exact, expression, *bounds)
        first = rows[0]
        found = [_message(row, row["data"]) for row in rows if row["id"] is not None]
        if len(found) < first["wanted"]:
            place = FeedPosition(rows[-1]["xact"], "", rows[-1]["seq"])
        elif first["looked"] == message_book.LOOK:
            place = FeedPosition(first["last_xact"], "", first["last_seq"])
        else:
            place = FeedPosition(first["horizon"], "", 0)
        return Messages([one for one in found if any(topics.matches(each, one.topic) for each in patterns)], place)

    async def listed(self, where: MessageFilter) -> MessagePage:
        """See MessageBook."""
        before = where.before or FeedPosition(_LAST, "", _LAST)
        given = [
            ("topic ~ $", None if where.pattern is None else f"^(?:{topics.expression(where.pattern)})$"),
            ("source = $", where.source),
            ("created_at >= $", where.since),
        ]
        bounds = (message_book.LOOK, where.limit + 1, message_book.LONGEST, message_book.PREVIEW)
        query, values = queries.filtered(_SQL["listed"], given, before.xact, before.seq, *bounds)
        rows = await self._fetch(query, *values)
        found = [_message(row, _shown(row)) for row in rows if row["id"] is not None]
        more: FeedPosition | None = None
        if len(found) > where.limit:
            found = found[: where.limit]
            more = found[-1].place
        elif rows[0]["looked"] == message_book.LOOK:
            more = FeedPosition(rows[0]["last_xact"], "", rows[0]["last_seq"])
        return MessagePage(items=found, next=more)

    async def find(self, message_id: str, *, source: str | None = None, topic: str | None = None) -> list[Message]:
        """See MessageBook."""
        return [_message(row, row["data"]) for row in await self._fetch(_SQL["find"], message_id, source, topic)]

    async def prune(self, days: float, followers: Collection[str], limit: int) -> int:
        """See MessageBook."""
        return len(await self._fetch(_SQL["prune"], days, list(followers), limit))

    def _take(self) -> list[_Item]:
        batch: list[_Item] = []
        count = weight = 0
        while self._waiting and (not batch or (count < _BATCH and weight < _BATCH_CHARACTERS)):
            item = self._waiting.popleft()
            if not item.done.cancelled():  # else nobody waits for it any more
                batch.append(item)
                count += len(item.messages)
                weight += item.weight
        return batch

    async def _write(self, batch: list[_Item]) -> None:
        try:
            new = await self._insert([message for item in batch for message in item.messages])
        except db.REFUSED as error:
            await self._apart(batch, InvalidRequest(f"the message cannot be kept: {db.describe(error)}"))
        except (*db.LOST, *db.AGAIN) as error:
            _fail(batch, db.unavailable(error))  # it may be written all the same: who publishes it again is told
        except BaseException as error:
            _fail(batch, Unavailable("the message could not be kept"))
            if not isinstance(error, Exception):
                raise
            _log.exception("messages could not be kept")
        else:
            self._settle(batch, new)

    async def _apart(self, batch: list[_Item], refusal: InvalidRequest) -> None:
        """One of them is at fault."""
        if len(batch) == 1:
            _fail(batch, refusal)
            return
        for item in batch:
            await self._write([item])

    def _settle(self, batch: list[_Item], new: set[int]) -> None:
        place = 0
        for item in batch:
            places = range(place + 1, place + 1 + len(item.messages))
            place += len(item.messages)
            if not item.done.done():
                item.done.set_result([one in new for one in places])
        if new:
            for news in self._listeners:
                news()
            if self._hints is not None:
                self._hints.note_messages()

    async def _insert(self, messages: Sequence[Message]) -> set[int]:
        """The places, from 1 on, of those that were new."""
        columns = [
            [one.id for one in messages],
            [one.source for one in messages],
            [one.topic for one in messages],
            [one.type for one in messages],
            [one.subject for one in messages],
            [one.time for one in messages],
            [one.data_json for one in messages],
            [jsontext.dumps(dict(one.attributes)) for one in messages],
            [len(one.data_json.encode()) for one in messages],
        ]
        for attempt in range(1, _TRIES + 1):
            try:
                return {row["seq"] for row in await self._pool.fetch(_SQL["publish"], *columns)}
            except db.AGAIN:
                if attempt == _TRIES:
                    raise
        raise AssertionError

    async def _fetch(self, query: str, *arguments: object) -> list[Record]:
        try:
            return await self._pool.fetch(query, *arguments)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error


@asynccontextmanager
async def open_messages(pool: db.Pool, hints: PostgresHints | None = None) -> AsyncGenerator[PostgresMessages]:
    """A log that is written until the block ends."""
    messages = PostgresMessages(pool, hints)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(messages.run())
        try:
            yield messages
        finally:
            messages.close()


def _fail(batch: Sequence[_Item], error: BaseException) -> None:
    for item in batch:
        if not item.done.done():
            item.done.set_exception(error)


def _shown(row: Any) -> str:
    return row["data"] if row["data"] is not None else message_book.preview(row["size_bytes"], row["preview"])


def _message(row: Any, data: str) -> Message:
    return Message(
        id=row["id"],
        topic=row["topic"],
        source=row["source"],
        type=row["type"],
        subject=row["subject"],
        time=row["time"],
        data_json=data,
        attributes=jsontext.loads(row["attributes"]),
        place=FeedPosition(row["xact"], "", row["seq"]),
        kept_at=row["created_at"],
    )
