"""The waits for messages and signals on PostgreSQL, and the signals."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from app.domain import jsontext, topics, wishes
from app.domain.errors import BackstitchError, InvalidRequest
from app.domain.events import PREVIEW, RESULT_LIMIT
from app.domain.ids import uuid7
from app.domain.waiting import WaitKey
from app.domain.waits import (
    BY_MESSAGE,
    MOST_PENDING,
    SPOILT,
    Got,
    MessageWait,
    Sent,
    SignalRecord,
    WaitBook,
    check_again,
    check_open,
    full,
    no_wait,
)
from app.store import db
from app.store.book import BEFORE, PostgresBook, common, key_in, parts_of
from app.store.queries import filtered, load
from app.store.rows import thread_from_row

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from asyncpg import Record

    from app.domain.records import ThreadRecord
    from app.domain.waits import Awaited, Signal, SignalFilter, Taken, WaitFilter
    from app.store.hints import PostgresHints

SQL: Final = load("waiting", "waits", table="waits", waiting="message_waiting", answered="message_received")
_FIRST: Final = ("", datetime(1970, 1, 1, tzinfo=UTC), "00000000-0000-0000-0000-000000000000", "", -2, -1)
_LISTS: Final = {None: "listed", True: "listed_open", False: "listed_closed"}


class PostgresWaits(PostgresBook[MessageWait], WaitBook):
    """See domain.waits.WaitBook."""

    def __init__(self, pool: db.Pool, hints: PostgresHints) -> None:
        super().__init__(pool, hints, SQL)

    async def open(self, key: WaitKey, run_id: str, wanted: Awaited, /) -> MessageWait:
        """See WaitBook."""
        w = wanted
        asked = (run_id, w.topic, w.signal, w.match, w.given_json, w.begin, w.since, w.timeout)
        try:
            if w.signal is None:
                await self._fetch("open", *parts_of(key), *asked)
            else:
                await self._open_for_signal(key, asked)
        except db.REFUSED as error:
            raise InvalidRequest(f"the database does not take it: {db.describe(error)}") from error
        return await self._known(key)

    async def _open_for_signal(self, key: WaitKey, asked: tuple[object, ...]) -> None:
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                if await connection.fetchrow(SQL["lock"], key.thread_id) is None:
                    raise no_wait(key)
                await connection.execute(SQL["open"], *parts_of(key), *asked)
                await connection.execute(SQL["take_signal"], *parts_of(key))
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error

    async def births(self, thread_id: str) -> Mapping[str, int]:
        """See WaitBook."""
        return {str(row["execution_id"]): row["seq"] for row in await self._fetch("births", thread_id)}

    async def take(self, key: WaitKey, taken: Taken) -> tuple[Got, ThreadRecord | None]:
        """See WaitBook."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(SQL["be_quick"])
                if await connection.fetchrow(SQL["lock"], key.thread_id) is None:
                    return Got.CLOSED, None
                if await connection.fetchrow(SQL["take"], *parts_of(key), *_said(taken)) is None:
                    had = await connection.fetch(SQL["had"], key.thread_id, [taken.digest])
                    return Got.HAD if had else Got.CLOSED, None
                moved = await self._wake(connection, key.thread_id)
        except asyncpg.LockNotAvailableError:
            return Got.BUSY, None
        except db.REFUSED as error:
            raise InvalidRequest(f"the database does not take it: {db.describe(error)}") from error
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error
        self._hints.note_steered(key.thread_id, due=True)
        return Got.TAKEN, moved

    async def give(self, offers: Sequence[tuple[WaitKey, Taken]]) -> list[tuple[Got, ThreadRecord | None]]:
        """See WaitBook."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                held = await connection.fetch(SQL["hold"], [key.thread_id for key, _ in offers])
                free = {row["thread_id"] for row in held}
                rows = await self._give(connection, [offer for offer in offers if offer[0].thread_id in free])
        except db.REFUSED as error:
            raise InvalidRequest(f"the database does not take it: {db.describe(error)}") from error
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error
        outcomes = {row["offered_to"]: _outcome(row) for row in rows}
        for thread_id, (got, _) in outcomes.items():
            if got is Got.TAKEN:
                self._hints.note_steered(thread_id, due=True)
        return [outcomes.get(key.thread_id, (Got.BUSY, None)) for key, _ in offers]

    async def _give(self, connection: Any, offers: Sequence[tuple[WaitKey, Taken]]) -> Sequence[Record]:
        """What is said to many at once is sent to the database once."""
        if not offers:
            return []
        numbers = {taken: number for number, taken in enumerate(dict.fromkeys(taken for _, taken in offers), start=1)}
        keys = zip(*[(*parts_of(key), numbers[taken]) for key, taken in offers], strict=True)
        said = zip(*[_said(taken) for taken in numbers], strict=True)
        return await connection.fetch(SQL["give"], *keys, *said, wishes.look(uuid7()))

    async def had(self, thread_id: str, digests: Collection[bytes]) -> Collection[bytes]:
        """See WaitBook."""
        return {row["message_sha256"] for row in await self._fetch("had", thread_id, list(digests))}

    async def looked(self, wait: MessageWait, up_to: int | None) -> bool:
        """See WaitBook."""
        rows = await self._fetch("looked", *parts_of(wait.key), up_to, wait.run_id)
        return not rows or rows[0]["looked"] == up_to

    async def missed(self, wait: MessageWait) -> bool:
        """See WaitBook."""
        return bool(await self._fetch("missed", *parts_of(wait.key), wait.run_id))

    async def behind(self, seconds: float, limit: int) -> list[MessageWait]:
        """See WaitBook."""
        return await self._awake(await self._fetch("behind", seconds, limit))

    async def heads(self, limit: int, *, first: str = "") -> list[str]:
        """See WaitBook."""
        return [row["head"] for row in await self._fetch("heads", limit, first)]

    async def wanted(self, said: Collection[str]) -> list[str]:
        """See WaitBook."""
        exact = [row["topic"] for row in await self._fetch("wanted", list(said))]
        patterns = [row["topic"] for row in await self._fetch("patterns", list(topics.by_stem(said)))]
        return exact + list(topics.meant(patterns, said))

    async def open_for(self, topic: str, after: MessageWait | None, limit: int) -> list[MessageWait]:
        """See WaitBook."""
        place = _FIRST
        if after is not None:
            thread_id, *rest = parts_of(after.key)
            place = (thread_id, after.opened_at, *rest)
        return await self._awake(await self._fetch("open_for", topic, limit, *place))

    async def listed(self, where: WaitFilter) -> list[MessageWait]:
        """See WaitBook."""
        given: list[tuple[str, Any]] = [
            ("gate.thread_id = $", where.thread_id),
            ("gate.step_name = $", where.step_id),
            ("gate.topic = $", where.topic),
            ("gate.signal = $", where.signal),
            (BEFORE, where.before and (where.before[0], *parts_of(where.before[1]))),
        ]
        query, values = filtered(SQL[_LISTS[where.is_open]], given, where.limit, RESULT_LIMIT, PREVIEW)
        return [self._record(row) for row in await self._ask(query, values)]

    async def send(self, thread_id: str, signal: Signal) -> Sent:
        """See WaitBook."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                sent = await self._send(connection, thread_id, signal)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error
        if sent.signal.taken_by is not None and not sent.replayed:
            self._hints.note_steered(thread_id, due=True)
        return sent

    async def _send(self, connection: Any, thread_id: str, signal: Signal) -> Sent:
        thread = thread_from_row(await self._lock(connection, thread_id))
        if signal.key is not None:
            row = await connection.fetchrow(SQL["signal_of_key"], thread_id, signal.key)
            if row is not None:
                before = _signal(row)
                check_again(before, signal)
                return Sent(signal=before, thread=thread, replayed=True)
        check_open(thread)
        if await connection.fetchval(SQL["pending"], thread_id, MOST_PENDING):
            raise full(thread_id)
        value, digest = signal.value_json, jsontext.sha256(signal.value_json)
        request = signal.request_sha256 if signal.key is not None else None
        given = (signal.name, value, digest, signal.by, signal.key, request)
        place = await connection.fetchval(SQL["send"], thread_id, *given)
        waiting = await connection.fetchrow(SQL["waits_for"], thread_id, signal.name)
        if waiting is not None and await connection.fetchrow(SQL["take_signal"], *parts_of(key_in(waiting))):
            thread = await self._wake(connection, thread_id)
        return Sent(signal=_signal(await connection.fetchrow(SQL["signal"], thread_id, place)), thread=thread)

    async def signals(self, where: SignalFilter) -> list[SignalRecord]:
        """See WaitBook."""
        taken = None if where.pending is None else not where.pending
        given: list[tuple[str, Any]] = [
            ("sent.thread_id = $", where.thread_id),
            ("sent.name = $", where.name),
            ("(sent.taken_at IS NOT NULL) = $", taken),
            ("sent.place > $", where.after),
        ]
        query, values = filtered(SQL["signals"], given, where.limit, RESULT_LIMIT, PREVIEW)
        return [_signal(row) for row in await self._ask(query, values)]

    async def _awake(self, rows: list[Any]) -> list[MessageWait]:
        """Those that somebody waits for; the others are looked up no more."""
        found = [self._record(row) for row in rows]
        for wait in found:
            if not wait.waits:
                await self._fetch("rest", *parts_of(wait.key), wait.run_id)
        return found

    def _record(self, row: Record) -> MessageWait:
        return MessageWait(
            **common(row),
            topic=row["topic"],
            signal=row["signal"],
            match=row["match"],
            given_json=row["given"],
            begin=row["begin_seq"],
            since=row["began"],
            looked=row["looked"],
            message_sha256=row["message_sha256"],
            error_json=row["error"],
        )

    def _refusal(self, key: WaitKey, record: MessageWait | None) -> BackstitchError:  # noqa: ARG002 - the base's name
        return no_wait(key)


def _said(taken: Taken) -> tuple[object, ...]:
    """The answer, its digest, who said it, by which way, what tells it from others, an error."""
    answer = taken.answer_json
    digest, via = (None, SPOILT) if answer is None else (jsontext.sha256(answer), BY_MESSAGE)
    return answer, digest, taken.by, via, taken.digest, taken.error_json


def _outcome(row: Record) -> tuple[Got, ThreadRecord | None]:
    if row["thread_id"] is not None:
        return Got.TAKEN, thread_from_row(row)
    return Got.HAD if row["had"] else Got.CLOSED, None


def _signal(row: Record) -> SignalRecord:
    return SignalRecord(
        thread_id=row["thread_id"],
        place=row["place"],
        name=row["name"],
        value_json=row["value"],
        value_sha256=row["value_sha256"],
        sent_by=row["sent_by"],
        sent_at=row["sent_at"],
        at_seq=row["at_seq"],
        key=row["idempotency_key"],
        request_sha256=row["request_sha256"],
        taken_by=None if row["taken_at"] is None else key_in(row),
        taken_at=row["taken_at"],
    )
