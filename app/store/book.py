"""What the books of gates and of waits have in common on PostgreSQL.  Who answers one holds the lock of its thread's row: it is
waiting then, and is woken by the same commit.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from app.domain import jsontext, wishes
from app.domain.errors import BackstitchError, NotFound
from app.domain.ids import uuid7
from app.domain.waiting import WaitKey, WaitRecord, mark
from app.store import db
from app.store.rows import thread_from_row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asyncpg import Record

    from app.domain.records import ThreadRecord
    from app.store.hints import PostgresHints

R = TypeVar("R", bound=WaitRecord)
Parts = tuple[str, str, str, int, int]
BEFORE = """
    (gate.opened_at, gate.thread_id, gate.key_execution_id, gate.step_name, gate.item, gate.round) < ($, $, $, $, $, $)
"""


class PostgresBook(Generic[R]):
    """`sql` are the statements of waiting.sql, and those of the table itself."""

    def __init__(self, pool: db.Pool, hints: PostgresHints, sql: Mapping[str, str]) -> None:
        self._pool = pool
        self._hints = hints
        self._sql = sql

    @abstractmethod
    def _record(self, row: Record) -> R:
        """What a row says."""

    @abstractmethod
    def _refusal(self, key: WaitKey, record: R | None) -> BackstitchError:
        """Why there is no such one, or it cannot be answered."""

    async def find(self, key: WaitKey) -> R | None:
        """See domain.waiting.Book."""
        rows = await self._fetch("find", *parts_of(key), begins(key))
        return self._record(rows[0]) if rows else None

    async def time_out(self, key: WaitKey, value: str | None) -> R:
        """See domain.waiting.Book."""
        await self._fetch("time_out", *parts_of(key), value, None if value is None else jsontext.sha256(value))
        return await self._known(key)

    async def _known(self, key: WaitKey) -> R:
        record = await self.find(key)
        if record is None:
            raise self._refusal(key, None)
        return record

    async def _lock(self, connection: Any, thread_id: str) -> Record:
        """Hold a thread's row; raises NotFound."""
        row = await connection.fetchrow(self._sql["lock"], thread_id)
        if row is None:
            raise NotFound(f"there is no thread {thread_id}", code="thread_not_found")
        return row

    async def _wake(self, connection: Any, thread_id: str) -> ThreadRecord:
        """Make its thread look, whoever drives it."""
        row: Any = await connection.fetchrow(self._sql["wake"], thread_id, wishes.look(uuid7()))
        return thread_from_row(row)

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        return await self._ask(self._sql[query], arguments)

    async def _ask(self, query: str, arguments: Sequence[object]) -> list[Any]:
        try:
            return await self._pool.fetch(query, *arguments)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error


def common(row: Record) -> dict[str, Any]:
    """What a row says that every record has."""
    told = dict(row)
    return {
        "key": key_in(row),
        "run_id": str(row["run_id"]),
        "opened_at": row["opened_at"],
        "timeout_at": row["timeout_at"],
        "left": told.get("seconds_left"),
        "answer_json": row["answer"],
        "answer_sha256": row["answer_sha256"],
        "answered_by": row["answered_by"],
        "answered_at": row["answered_at"],
        "via": row["via"],
        "waits": told.get("waits", False),
        "told_waiting": told.get("told_waiting", False),
        "told_answered": told.get("told_answered", False),
    }


def key_in(row: Record) -> WaitKey:
    """The key in a row."""
    return WaitKey(
        thread_id=row["thread_id"],
        key_execution_id=str(row["key_execution_id"]),
        step_id=row["step_name"],
        item=row["item"],
        round=row["round"],
    )


def parts_of(key: WaitKey) -> Parts:
    """The key as the first parameters of a statement."""
    return key.thread_id, key.key_execution_id, key.step_id, key.item, key.round


def begins(key: WaitKey) -> str:
    """How the data of an event begins that tells of it."""
    return jsontext.dumps(mark(key))[:-1] + ","
