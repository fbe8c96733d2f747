"""What people ask of gates: which there are, and to answer one; whoever drives its thread here looks at it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.domain import jsontext
from app.domain.errors import Conflict, InvalidInput, NotFound
from app.domain.gates import GateFilter, GateKey, refusal
from app.engine.asked import misfits

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

    async def find(
        self,
        thread_id: str,
        step_id: str,
        *,
        item: int | None = None,
        round: int | None = None,  # noqa: A002
    ) -> GateRecord:
        """The gate of a step, whole: of an item and a round, else the first that can be answered, else the newest.

        Raises NotFound (thread_not_found, gate_not_found), Conflict (gate_ambiguous) when several items can be answered.
        """
        for only_open in (True, False):
            where = GateFilter(thread_id=thread_id, step_id=step_id, only_open=only_open, limit=_MANY)
            keys = [gate.key for gate in await self._book.listed(where)]
            keys = [key for key in keys if item in (None, key.item) and round in (None, key.round)]
            if only_open and len({key.item for key in keys}) > 1:
                message = f"several items of step {step_id} wait for an answer: name one by `item`"
                raise Conflict(message, code="gate_ambiguous", items=sorted({key.item for key in keys}))
            record = await self._book.find(keys[-1 if only_open else 0]) if keys else None
            if record is not None:
                return record
        if await self._reads.thread(thread_id) is None:
            raise NotFound(f"there is no thread {thread_id}", code="thread_not_found")
        raise refusal(GateKey(thread_id=thread_id, key_execution_id="", step_id=step_id), None)

    async def answer(
        self,
        thread_id: str,
        step_id: str,
        answer: Answer,
        *,
        item: int | None = None,
        round: int | None = None,  # noqa: A002
    ) -> ThreadRecord:
        """Answer the gate that a step of a thread waits at; the thread's row afterwards.

        Raises InvalidInput where the answer does not fit the form; NotFound, Conflict as `find` and GateBook.answer.
        """
        gate = await self.find(thread_id, step_id, item=item, round=round)
        if not gate.closed and gate.form_json is not None:
            problems = await misfits(jsontext.loads(gate.form_json), jsontext.loads(answer.answer_json))
            if problems:
                raise InvalidInput(problems, f"the answer does not fit the form: {problems[0].message}")
        _, thread = await self._book.answer(gate.key, answer)
        if thread.signal is not None:
            self._worker.heed(thread_id, thread.signal)
        self._worker.hint()
        return thread
