"""The gates on PostgreSQL.  Who answers one holds the lock of its thread's row: it is waiting then, and is woken by the same
commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext, wishes
from app.domain.errors import NotFound
from app.domain.events import PREVIEW, RESULT_LIMIT
from app.domain.gates import GateBook, GateKey, GateRecord, mark, refusal
from app.domain.ids import uuid7
from app.store import db
from app.store.queries import filtered, load
from app.store.rows import thread_from_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg import Record

    from app.domain.gates import Answer, GateFilter, Question
    from app.domain.records import ThreadRecord
    from app.store.hints import PostgresHints

_SQL: Final = load("gates")
_BEFORE: Final = """
    (gate.opened_at, gate.thread_id, gate.key_execution_id, gate.step_name, gate.item, gate.round) < ($, $, $, $, $, $)
"""


class PostgresGates(GateBook):
    """See domain.gates.GateBook."""

    def __init__(self, pool: db.Pool, hints: PostgresHints) -> None:
        self._pool = pool
        self._hints = hints

    async def open(self, key: GateKey, run_id: str, question: Question) -> GateRecord:
        """See GateBook."""
        q = question
        asked = (run_id, q.title, q.show, q.form, list(q.assignees), q.timeout)
        await self._fetch("open", *_parts(key), *asked)
        return await self._known(key)

    async def find(self, key: GateKey) -> GateRecord | None:
        """See GateBook."""
        rows = await self._fetch("find", *_parts(key), _begins(key))
        return _record(rows[0]) if rows else None

    async def time_out(self, key: GateKey, value: str | None) -> GateRecord:
        """See GateBook."""
        await self._fetch("time_out", *_parts(key), value, None if value is None else jsontext.sha256(value))
        return await self._known(key)

    async def answer(self, key: GateKey, answer: Answer) -> tuple[GateRecord, ThreadRecord]:
        """See GateBook."""
        given = (answer.answer_json, jsontext.sha256(answer.answer_json), answer.by, answer.via)
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                if await connection.fetchrow(_SQL["lock"], key.thread_id) is None:
                    raise NotFound(f"there is no thread {key.thread_id}", code="thread_not_found")
                row = await connection.fetchrow(_SQL["answer"], *_parts(key), *given)
                if row is None:
                    found = await connection.fetchrow(_SQL["find"], *_parts(key), _begins(key))
                    raise refusal(key, None if found is None else _record(found))
                moved: Any = await connection.fetchrow(_SQL["wake"], key.thread_id, wishes.look(uuid7()))
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error
        self._hints.note_steered(key.thread_id, due=True)
        return _record(row), thread_from_row(moved)

    async def listed(self, where: GateFilter) -> list[GateRecord]:
        """See GateBook."""
        given = [
            ("gate.thread_id = $", where.thread_id),
            ("gate.step_name = $", where.step_id),
            ("$ = ANY(gate.assignees)", where.assignee),
            (_BEFORE, where.before and (where.before[0], *_parts(where.before[1]))),
        ]
        query, values = filtered(
            _SQL["listed_open" if where.only_open else "listed"], given, where.limit, RESULT_LIMIT, PREVIEW
        )
        return [_record(row) for row in await self._ask(query, values)]

    async def _known(self, key: GateKey) -> GateRecord:
        record = await self.find(key)
        if record is None:
            raise refusal(key, None)
        return record

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        return await self._ask(_SQL[query], arguments)

    async def _ask(self, query: str, arguments: Sequence[object]) -> list[Any]:
        try:
            return await self._pool.fetch(query, *arguments)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error


def _parts(key: GateKey) -> tuple[str, str, str, int, int]:
    return key.thread_id, key.key_execution_id, key.step_id, key.item, key.round


def _begins(key: GateKey) -> str:
    return jsontext.dumps(mark(key))[:-1] + ","


def _record(row: Record) -> GateRecord:
    told = dict(row)
    return GateRecord(
        key=GateKey(
            thread_id=row["thread_id"],
            key_execution_id=str(row["key_execution_id"]),
            step_id=row["step_name"],
            item=row["item"],
            round=row["round"],
        ),
        run_id=str(row["run_id"]),
        title=row["title"],
        show_json=row["show"],
        form_json=row["form"],
        assignees=tuple(row["assignees"]),
        opened_at=row["opened_at"],
        timeout_at=row["timeout_at"],
        left=told.get("seconds_left"),
        answer_json=row["answer"],
        answer_sha256=row["answer_sha256"],
        answered_by=row["answered_by"],
        answered_at=row["answered_at"],
        via=row["via"],
        waits=told.get("waits", False),
        told_waiting=told.get("told_waiting", False),
        told_answered=told.get("told_answered", False),
    )
