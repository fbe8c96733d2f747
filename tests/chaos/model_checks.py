"""What must be true of the tables after every operation, whatever it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.chaos.world import GAPS

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.chaos.model_world import Reader

TABLES: Final = ("threads", "workflow_executions", "workflow_steps", "checkpoints", "workflow_events", "quarantine")
_TERMINAL: Final = "('workflow_complete', 'workflow_failed', 'workflow_cancelled', 'workflow_interrupted')"
_ENDED: Final = "('completed', 'failed', 'cancelled', 'interrupted')"

_WRONG: Final = {
    "a gap in the versions or events of": GAPS,
    "an ended execution without exactly one terminal event (none, when superseded) in": f"""
        SELECT execution.thread_id FROM workflow_executions AS execution
        LEFT JOIN workflow_events AS event
            ON event.thread_id = execution.thread_id AND event.execution_id = execution.id AND event.name IN {_TERMINAL}
        GROUP BY execution.thread_id, execution.id
        HAVING count(event.seq) <> (
            execution.status IN {_ENDED} AND coalesce(execution.error->>'kind', '') <> 'superseded'
        )::int
    """,
    "a thread and its execution that differ in status:": """
        SELECT thread_id FROM threads AS thread LEFT JOIN workflow_executions AS execution USING (thread_id)
        WHERE execution.id = thread.execution_id AND execution.status <> thread.status
        UNION ALL
        SELECT thread_id FROM threads AS thread WHERE NOT EXISTS (
            SELECT FROM workflow_executions WHERE thread_id = thread.thread_id AND id = thread.execution_id)
    """,
    "an execution that is open beside the thread's own in": f"""
        SELECT thread_id FROM workflow_executions JOIN threads USING (thread_id)
        WHERE id <> execution_id AND workflow_executions.status NOT IN {_ENDED}
    """,
    "an open step under an ended execution of": f"""
        SELECT step.thread_id FROM workflow_steps AS step JOIN workflow_executions AS execution
            ON execution.thread_id = step.thread_id AND execution.id = step.execution_id
        WHERE execution.status IN {_ENDED} AND step.status IN ('pending', 'running', 'retrying', 'waiting')
    """,
    "a running thread that nobody drives or will:": """
        SELECT thread_id FROM threads
        WHERE status IN ('pending', 'running', 'waiting') AND wake_at IS NULL AND NOT EXISTS (
            SELECT FROM incarnations WHERE incarnations.id = threads.incarnation_id)
    """,
    "an ended or paused thread that somebody holds or awaits:": f"""
        SELECT thread_id FROM threads
        WHERE status IN ('paused', {_ENDED[1:-1]}) AND (wake_at IS NOT NULL OR incarnation_id IS NOT NULL)
    """,
    "a step that completed twice in one execution of": """
        SELECT thread_id FROM workflow_events WHERE name = 'step_complete'
        GROUP BY thread_id, execution_id, step_name HAVING count(*) > 1
    """,
}
_ENDED_EXECUTIONS: Final = f"""
    SELECT id::text, row_to_json(workflow_executions)::text FROM workflow_executions WHERE status IN {_ENDED}
"""
_EVENTS: Final = "SELECT seq, name FROM workflow_events WHERE thread_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq"


class Judge:
    """Looks at the tables again and again, and remembers what must not change."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._ended: dict[str, str] = {}

    async def look(self, gone: Collection[str]) -> None:
        """All that must hold, with nothing left of the threads that are gone.  Raises AssertionError."""
        for what, query in _WRONG.items():
            found = sorted({row[0] for row in await self._connection.fetch(query)})
            assert not found, f"{what} {found}"
        ended = {row[0]: row[1] for row in await self._connection.fetch(_ENDED_EXECUTIONS)}
        changed = [key for key in self._ended.keys() & ended.keys() if self._ended[key] != ended[key]]
        assert not changed, f"ended executions changed: {[(self._ended[key], ended[key]) for key in changed]}"
        self._ended = ended
        for table in TABLES:
            query = f"SELECT DISTINCT thread_id FROM {table} WHERE thread_id = ANY($1::text[])"
            found = [row[0] for row in await self._connection.fetch(query, sorted(gone))]
            assert not found, f"deleted threads have rows in {table} again: {found}"

    async def read(self, reader: Reader) -> None:
        """What a reader was told is what the table says, each event once and in order.  Raises AssertionError."""
        rows = await self._connection.fetch(_EVENTS, reader.thread_id, reader.after, reader.cursor)
        wanted = [(row[0], row[1]) for row in rows]
        assert reader.seen == wanted, (
            f"a reader of {reader.thread_id} after {reader.after} saw {reader.seen}, not {wanted}"
        )
