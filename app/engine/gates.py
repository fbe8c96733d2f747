"""What people ask of gates: which there are, and to answer one; whoever drives its thread here looks at it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.domain import input_schema, jsontext
from app.domain.errors import InvalidInput, NotFound
from app.domain.gates import GateFilter, GateKey, refusal

if TYPE_CHECKING:
    from app.domain.gates import Answer, GateRecord
    from app.domain.records import ThreadRecord
    from app.engine.deps import Stores
    from app.engine.worker import Worker

_MANY: Final = 1_000
"""Gates of one step that are looked through at most."""


class Gates:
    """One for the engine."""

    def __init__(self, stores: Stores, worker: Worker) -> None:
        self._book = stores.gates
        self._reads = stores.reads
        self._worker = worker

    async def listed(self, where: GateFilter) -> list[GateRecord]:
        """See GateBook.listed."""
        return await self._book.listed(where)

    async def find(self, thread_id: str, step_id: str, round: int | None = None) -> GateRecord:  # noqa: A002
        """The gate of a step, whole: of a round, else the first that can be answered, else the newest.

        Raises NotFound (thread_not_found, gate_not_found).
        """
        for only_open in (True, False):
            where = GateFilter(thread_id=thread_id, step_id=step_id, only_open=only_open, limit=_MANY)
            keys = [gate.key for gate in await self._book.listed(where) if round in (None, gate.key.round)]
            record = await self._book.find(keys[-1 if only_open else 0]) if keys else None
            if record is not None:
                return record
        if await self._reads.thread(thread_id) is None:
            raise NotFound(f"there is no thread {thread_id}", code="thread_not_found")
        raise refusal(GateKey(thread_id=thread_id, key_execution_id="", step_id=step_id), None)

    async def answer(self, thread_id: str, step_id: str, answer: Answer, round: int | None = None) -> ThreadRecord:  # noqa: A002
        """Answer the gate that a step of a thread waits at; the thread's row afterwards.

        Raises InvalidInput where the answer does not fit the form; NotFound, Conflict as GateBook.answer.
        """
        gate = await self.find(thread_id, step_id, round)
        if not gate.closed and gate.form_json is not None:
            problems = input_schema.validate(jsontext.loads(gate.form_json), jsontext.loads(answer.answer_json))
            if problems:
                raise InvalidInput(problems, f"the answer does not fit the form: {problems[0].message}")
        _, thread = await self._book.answer(gate.key, answer)
        if thread.signal is not None:
            self._worker.heed(thread_id, thread.signal)
        self._worker.hint()
        return thread
