"""The gates on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.events import PREVIEW, RESULT_LIMIT
from app.domain.gates import GateBook, GateKey, GateRecord, refusal
from app.store import db
from app.store.book import BEFORE, PostgresBook, begins, common, parts_of
from app.store.queries import filtered, load

if TYPE_CHECKING:
    from asyncpg import Record

    from app.domain.errors import BackstitchError
    from app.domain.gates import Answer, GateFilter, Question
    from app.domain.records import ThreadRecord
    from app.store.hints import PostgresHints

SQL: Final = load("waiting", "gates", table="gates", waiting="gate_waiting", answered="gate_answered")


class PostgresGates(PostgresBook[GateRecord], GateBook):
    """See domain.gates.GateBook."""

    def __init__(self, pool: db.Pool, hints: PostgresHints) -> None:
        super().__init__(pool, hints, SQL)

    async def open(self, key: GateKey, run_id: str, wanted: Question, /) -> GateRecord:
        """See GateBook."""
        q = wanted
        asked = (run_id, q.title, q.show, q.form, list(q.assignees), q.timeout)
        await self._fetch("open", *parts_of(key), *asked)
        return await self._known(key)

    async def answer(self, key: GateKey, answer: Answer) -> tuple[GateRecord, ThreadRecord]:
        """See GateBook."""
        given = (answer.answer_json, jsontext.sha256(answer.answer_json), answer.by, answer.via)
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await self._lock(connection, key.thread_id)
                row = await connection.fetchrow(SQL["answer"], *parts_of(key), *given)
                if row is None:
                    found = await connection.fetchrow(SQL["find"], *parts_of(key), begins(key))
                    raise refusal(key, None if found is None else self._record(found))
                moved = await self._wake(connection, key.thread_id)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error
        self._hints.note_steered(key.thread_id, due=True)
        return self._record(row), moved

    async def listed(self, where: GateFilter) -> list[GateRecord]:
        """See GateBook."""
        given: list[tuple[str, Any]] = [
            ("gate.thread_id = $", where.thread_id),
            ("gate.step_name = $", where.step_id),
            ("$ = ANY(gate.assignees)", where.assignee),
            (BEFORE, where.before and (where.before[0], *parts_of(where.before[1]))),
        ]
        query, values = filtered(
            SQL["listed_open" if where.only_open else "listed"], given, where.limit, RESULT_LIMIT, PREVIEW
        )
        return [self._record(row) for row in await self._ask(query, values)]

    def _record(self, row: Record) -> GateRecord:
        return GateRecord(
            **common(row),
            title=row["title"],
            show_json=row["show"],
            form_json=row["form"],
            assignees=tuple(row["assignees"]),
        )

    def _refusal(self, key: GateKey, record: GateRecord | None) -> BackstitchError:
        return refusal(key, record)
