"""Recalling how a step was done: what its templates gave, over the state that they saw; for a workflow in Python, what its
function asked for.
"""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import jsontext
from app.domain.errors import InvalidRequest, JsonError, NotFound
from app.domain.integrity import is_text
from app.domain.replay import WITH_INPUT, Recorded
from app.domain.template import ExpressionError
from app.domain.times import utc_now
from app.engine.coded import Coded, course_of
from app.engine.draft import Draft
from app.engine.load import load_thread, manifests
from app.engine.opening import Opening

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.domain.ports import Reads
    from app.domain.records import StepRecord, ThreadRecord
    from app.domain.spec import StepSpec, WorkflowSpec
    from app.engine.flow import Function
    from app.engine.load import Loaded
    from app.engine.openstep import OpenStep

MAX_BYTES: Final = 64 * 1024 * 1024
"""What the state may weigh that a step's templates are filled in from: it passes through memory."""
_PATIENCE: Final = 10.0
"""Seconds that a workflow's function has to ask for the step."""


class Recall:
    """Of one step run; `version` is that of the state that it saw, `flows` gives the functions of workflows in Python."""

    def __init__(self, reads: Reads, thread: ThreadRecord, spec: WorkflowSpec, run: StepRecord, version: int) -> None:
        self._reads = reads
        self._thread = thread
        self._spec = spec
        self._run = run
        self._version = version

    async def recall(self, item: int | None, flows: Callable[[str], Function | None]) -> Recorded:
        """How it, or the part of it at the place `item`, was done.

        Raises NotFound (items_not_found), Corrupt, InvalidRequest (not_replayable, state_too_large, item_required).
        """
        if self._spec.code is not None:
            return self._from_code(await self._called(flows))
        step = self._spec.by_id[self._run.step_id]
        if step.composite and item is None:
            told = f"step {step.id} is done in items or iterations: say which one to replay, `item`"
            raise InvalidRequest(told, code="item_required")
        if not step.composite and item is not None:
            raise NotFound(f"step {step.id} is not done in items", code="items_not_found")
        plain, given = self._recorded_input()
        if plain and item is None and step.kind in WITH_INPUT:
            return Recorded(step=step, agent=self._run.agent, target=step.target.source, input=given)
        return await self._rendered(step, item)

    def _recorded_input(self) -> tuple[bool, Any]:
        """The input as its row holds it; False where the row only says where a long one came from."""
        if self._run.input is None:
            return False, None
        value: Any = jsontext.loads(self._run.input)
        marker = isinstance(value, dict) and {"$template", "size_bytes"} <= cast("dict[str, Any]", value).keys()
        return not marker, cast("Any", value)

    async def _loaded(self) -> Loaded:
        """The thread as whoever drove it had it in memory when the step began."""
        name = self._thread.thread_id
        chain = await manifests(self._reads, name, self._version)
        if chain[-1].size_bytes > MAX_BYTES:
            told = f"the state at version {self._version} holds {chain[-1].size_bytes:,} bytes; at most {MAX_BYTES:,} are read"
            raise InvalidRequest(told, code="state_too_large")
        execution = await self._reads.execution(self._run.execution_id)
        own = execution is not None and execution.thread_id == name  # a fork has step runs of another thread's
        at = chain[-1].execution_id if not own else self._run.execution_id
        then = dataclasses.replace(self._thread, head_version=self._version, execution_id=at)
        return await load_thread(self._reads, then, self._spec)

    async def _rendered(self, step: StepSpec, item: int | None) -> Recorded:
        loaded = await self._loaded()
        opening = Opening(self._thread.thread_id, loaded.state, loaded.parameters)
        known = opening.begun(step, Draft(loaded.thread, utc_now()))
        try:
            if item is not None:
                known.extra = {**known.extra, **await self._part(step, item, loaded, known)}
            scope = known.scope(loaded.state.scope)
            given = opening.input_of(step, scope) if step.kind in WITH_INPUT else None
            target = step.target.render(scope)
        except (ExpressionError, JsonError) as error:
            raise _not_replayable(step.id, f"its templates cannot be filled in: {error}") from None
        return Recorded(step=step, agent=self._run.agent or known.agent, target=target, input=given)

    async def _part(self, step: StepSpec, item: int, loaded: Loaded, known: OpenStep) -> Mapping[str, Any]:
        """What an item or an iteration sees.  Raises ExpressionError, NotFound."""
        if step.for_each is not None:
            values = step.for_each.items.render(known.scope(loaded.state.scope))
            if not isinstance(values, list) or item >= len(cast("list[Any]", values)):
                raise NotFound(f"step {step.id} has no item {item}", code="items_not_found")
            return {"item": values[item], "index": item}
        last = await self._iteration(step.id, item - 1) if item > 0 else None
        return {"iteration": item, step.id: {"output": last, "status": "running", "error": None}}

    async def _iteration(self, step_id: str, place: int) -> Any:
        """The output of an iteration.  Raises NotFound, InvalidRequest."""
        key = (self._run.key_execution_id, step_id)
        found = await self._reads.items(self._thread.thread_id, key, first=place, limit=1)
        if not found or found[0].item != place or found[0].output is None:
            raise NotFound(f"step {step_id} has no iteration {place + 1}", code="items_not_found")
        if not is_text(found[0].output, found[0].output_sha256):
            raise _not_replayable(step_id, f"the output of iteration {place} is damaged")
        return jsontext.loads(found[0].output)

    async def _called(self, flows: Callable[[str], Function | None]) -> StepSpec:
        """The step as the function asks for it, over what the journal held when it began."""
        course = course_of(flows, await self._loaded())
        assert isinstance(course, Coded)
        news = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            course.start(group.create_task, news.set)
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    while course.busy and course.asked_for(self._run.step_id) is None:
                        await news.wait()
                        news.clear()
            spec, failure = course.asked_for(self._run.step_id), course.failure
            course.stop()
        if spec is None:
            why = failure.message if failure is not None else "its workflow's function does not ask for it any more"
            raise _not_replayable(self._run.step_id, why)
        return spec

    def _from_code(self, step: StepSpec) -> Recorded:
        given = None if step.input is None else step.input.source
        return Recorded(step=step, agent=self._run.agent, target=step.target.source, input=given)


def check_run(run: StepRecord) -> None:
    """Raises InvalidRequest for a step run that never ran, or undid another."""
    if run.step_id.endswith(".undo"):
        raise _not_replayable(run.step_id, "it is a compensation")
    if run.status == "skipped" or (run.input is None and run.duration_ms == 0):
        raise _not_replayable(run.step_id, "it never ran: it was skipped, or failed before its first attempt")


def _not_replayable(step_id: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"step {step_id} cannot be replayed: {why}", code="not_replayable")
