"""The waits for messages and signals in memory, and the signals."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.domain import events, jsontext, topics
from app.domain.errors import NotFound
from app.domain.waits import (
    BY_MESSAGE,
    BY_SIGNAL,
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
    head_of,
    is_wild,
    no_wait,
)
from app.store.memory_book import SECOND, MemoryBook, short
from app.store.memory_transfer_waits import began

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from app.domain.errors import BackstitchError
    from app.domain.records import ThreadRecord
    from app.domain.waiting import WaitKey
    from app.domain.waits import Awaited, Signal, SignalFilter, Taken, WaitFilter
    from app.store.memory_tables import MemoryTables


class MemoryWaits(MemoryBook[MessageWait], WaitBook):
    """See domain.waits.WaitBook; each call happens at once."""

    def __init__(self, tables: MemoryTables) -> None:
        super().__init__(tables, tables.waits, (events.MESSAGE_WAITING, events.MESSAGE_RECEIVED))
        self._missed = tables.messages_missed

    async def open(self, key: WaitKey, run_id: str, wanted: Awaited, /) -> MessageWait:
        """See WaitBook."""
        known, now, w = self._rows.get(key), self._tables.clock(), wanted
        if key.thread_id not in self._tables.threads:
            raise no_wait(key)
        fresh = MessageWait(
            key=key,
            run_id=run_id,
            topic=w.topic,
            signal=w.signal,
            match=w.match,
            given_json=w.given_json,
            begin=w.begin,
            since=began(self._tables, key.thread_id, w.begin) if w.since is None else w.since,
            opened_at=now,
            timeout_at=None if w.timeout is None else now + w.timeout * SECOND,
        )
        if known is None:
            self._rows[key] = fresh
        elif not known.closed and known.run_id != run_id and self._is_open(run_id, key):
            self._missed.discard(key)
            self._rows[key] = replace(fresh, begin=known.begin, since=known.since)
        self._take_signal(self._rows[key])
        return self._read(key)

    async def births(self, thread_id: str) -> Mapping[str, int]:
        """See WaitBook."""
        found = self._tables.events.get(thread_id, ())
        return {event.execution_id: event.seq for event in found if event.name == events.WORKFLOW_START}

    async def take(self, key: WaitKey, taken: Taken) -> tuple[Got, ThreadRecord | None]:
        """See WaitBook."""
        thread, wait = self._tables.threads.get(key.thread_id), self._rows.get(key)
        if taken.digest in self._tables.messages_taken.get(key.thread_id, ()):
            return Got.HAD, None
        if thread is None or wait is None or wait.topic is None or not self._waits(wait):
            return Got.CLOSED, None
        via = BY_MESSAGE if taken.answer_json is not None else SPOILT
        told = {"message_sha256": taken.digest, "error_json": taken.error_json}
        self._close(key, taken.answer_json, taken.by, via, **told)
        self._tables.messages_taken.setdefault(key.thread_id, {})[taken.digest] = key
        self._wake(thread)
        return Got.TAKEN, replace(thread)

    async def give(self, offers: Sequence[tuple[WaitKey, Taken]]) -> list[tuple[Got, ThreadRecord | None]]:
        """See WaitBook."""
        return [await self.take(key, taken) for key, taken in offers]

    async def had(self, thread_id: str, digests: Collection[bytes]) -> Collection[bytes]:
        """See WaitBook."""
        return self._tables.messages_taken.get(thread_id, {}).keys() & set(digests)

    async def looked(self, wait: MessageWait, up_to: int | None) -> bool:
        """See WaitBook."""
        known = self._rows.get(wait.key)
        if known is None or known.run_id != wait.run_id or known.closed:
            return True
        missed = up_to is not None and wait.key in self._missed
        self._missed.discard(wait.key)
        self._rows[wait.key] = replace(known, looked=None if missed else up_to)
        return not missed

    async def missed(self, wait: MessageWait) -> bool:
        """See WaitBook."""
        known = self._rows.get(wait.key)
        if known is None or known.run_id != wait.run_id or known.closed or known.looked is not None:
            return False
        self._missed.add(wait.key)
        return True

    async def behind(self, seconds: float, limit: int) -> list[MessageWait]:
        """See WaitBook."""
        before = self._tables.clock() - seconds * SECOND
        found = [one for one in self._open() if one.looked is None and one.opened_at < before]
        found.sort(key=lambda one: one.opened_at)
        return [self._read(one.key) for one in found[:limit]]

    async def heads(self, limit: int, *, first: str = "") -> list[str]:
        """See WaitBook."""
        found = {head_of(one.topic) for one in self._open() if one.topic is not None}
        return sorted(head for head in found if head >= first)[:limit]

    async def wanted(self, said: Collection[str]) -> list[str]:
        """See WaitBook."""
        known = {one.topic for one in self._open() if one.topic is not None}
        return sorted(known & set(said)) + list(topics.meant(sorted(filter(is_wild, known)), said))

    async def open_for(self, topic: str, after: MessageWait | None, limit: int) -> list[MessageWait]:
        """See WaitBook."""
        place = None if after is None else _order(after)
        found = [one for one in self._open() if one.topic == topic and (place is None or _order(one) > place)]
        return [self._read(one.key) for one in sorted(found, key=_order)[:limit]]

    async def listed(self, where: WaitFilter) -> list[MessageWait]:
        """See WaitBook."""
        found = [wait for wait in self._rows.values() if self._matches(wait, where)]
        found.sort(key=lambda wait: (wait.opened_at, wait.key), reverse=True)
        return [
            replace(wait, answer_json=short(wait.answer_json), given_json=None, waits=self._waits(wait))
            for wait in found[: where.limit]
        ]

    async def send(self, thread_id: str, signal: Signal) -> Sent:
        """See WaitBook."""
        thread = self._tables.threads.get(thread_id)
        if thread is None:
            raise NotFound(f"there is no thread {thread_id}", code="thread_not_found")
        sent = self._tables.signals.setdefault(thread_id, [])
        for before in sent:
            if signal.key is not None and before.key == signal.key:
                check_again(before, signal)
                return Sent(signal=before, thread=replace(thread), replayed=True)
        check_open(thread)
        if sum(one.taken_by is None for one in sent) >= MOST_PENDING:
            raise full(thread_id)
        record = SignalRecord(
            thread_id=thread_id,
            place=len(sent) + 1,
            name=signal.name,
            value_json=signal.value_json,
            value_sha256=jsontext.sha256(signal.value_json),
            sent_by=signal.by,
            sent_at=self._tables.clock(),
            at_seq=thread.last_seq,
            key=signal.key,
            request_sha256=signal.request_sha256 if signal.key is not None else None,
        )
        sent.append(record)
        waiting = [one for one in self._of(thread_id) if one.signal == signal.name and self._waits(one)]
        if waiting:
            first = min(waiting, key=lambda one: (one.opened_at, one.key.step_id, one.key.item, one.key.round))
            if self._take_signal(first):
                self._wake(thread)
        return Sent(signal=sent[record.place - 1], thread=replace(thread))

    async def signals(self, where: SignalFilter) -> list[SignalRecord]:
        """See WaitBook."""
        found = [
            replace(one, value_json=short(one.value_json) or "null")
            for one in self._tables.signals.get(where.thread_id, ())
            if where.name in (None, one.name)
            and (where.pending is None or where.pending == (one.taken_by is None))
            and one.place > where.after
        ]
        return found[: where.limit]

    def _take_signal(self, wait: MessageWait) -> bool:
        """Give a wait the oldest signal that is there for it, if it waits."""
        if wait.signal is None or not self._waits(wait):
            return False
        sent = self._tables.signals.get(wait.key.thread_id, [])
        for number, one in enumerate(sent):
            if one.name == wait.signal and one.taken_by is None and one.at_seq >= wait.begin:
                sent[number] = replace(one, taken_by=wait.key, taken_at=self._tables.clock())
                self._close(wait.key, one.value_json, one.sent_by, BY_SIGNAL)
                return True
        return False

    def _open(self) -> Iterator[MessageWait]:
        """Those for messages that can be answered."""
        return (one for one in self._rows.values() if one.topic is not None and self._waits(one))

    def _of(self, thread_id: str) -> Iterator[MessageWait]:
        return (one for one in self._rows.values() if one.key.thread_id == thread_id)

    def _matches(self, wait: MessageWait, where: WaitFilter) -> bool:
        return (
            where.thread_id in (None, wait.key.thread_id)
            and where.step_id in (None, wait.key.step_id)
            and where.topic in (None, wait.topic)
            and where.signal in (None, wait.signal)
            and (where.before is None or (wait.opened_at, wait.key) < where.before)
            and (where.is_open is None or where.is_open == self._waits(wait))
        )

    def _refusal(self, key: WaitKey, record: MessageWait | None) -> BackstitchError:  # noqa: ARG002 - the base's name
        return no_wait(key)


def _order(wait: MessageWait) -> tuple[object, ...]:
    key = wait.key
    return key.thread_id, wait.opened_at, key.key_execution_id, key.step_id, key.item, key.round
