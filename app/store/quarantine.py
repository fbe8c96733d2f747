"""The quarantine in PostgreSQL: damaged texts are put aside, and what a copy can mend is put back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from app.store import queries
from app.store.reads import is_uuid

if TYPE_CHECKING:
    from app.domain.transition import Transition

_SQL: Final = queries.load("quarantine")


class Connection(Protocol):
    """What this needs of a connection inside its transaction."""

    async def execute(self, query: str, *args: Any) -> str:
        """One statement."""
        ...


async def put_aside(connection: Connection, transition: Transition) -> None:
    """Write what a steering found damaged, each damage once."""
    items = transition.quarantined
    if not items:
        return
    found = [item.finding for item in items]
    columns = [
        [item.id for item in items],
        [one.kind for one in found],
        [one.version for one in found],
        [_uuid(one.run_id) for one in found],
        [_uuid(one.execution_id) for one in found],
        [one.step_id for one in found],
        [one.problem for one in found],
        [one.expected for one in found],
        [one.stored for one in found],
    ]
    await connection.execute(_SQL["put_aside"], transition.thread_id, *columns, transition.at)
    for item in items:
        one = item.finding
        if item.mended is not None:
            given = (transition.thread_id, one.execution_id, item.mended, one.expected)
            await connection.execute(_SQL["mend_input"], *given)


def _uuid(text: str | None) -> str | None:
    """A damaged manifest may refer to anything."""
    return text if text is not None and is_uuid(text) else None
