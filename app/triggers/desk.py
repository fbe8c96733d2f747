"""What people ask of triggers: make, change, look, try one on a message."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from app.domain import jsontext
from app.domain.errors import Conflict, InvalidTrigger, NotFound, Problem
from app.domain.ids import uuid7
from app.domain.template import ExpressionError
from app.domain.times import utc_now
from app.domain.topics import matches
from app.domain.triggers import Compiled, Outcome, Trigger, firing_id
from app.engine.asked import misfits
from app.triggers.starting import key_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from app.domain.messages import Message
    from app.domain.registry import Registry
    from app.domain.spec import WorkflowSpec
    from app.domain.triggers import Firing, TriggerStore

_TRIES: Final = 5
_MAX_VERSION: Final = 2**31


class Specs(Protocol):
    """The engine's control, as far as it tells of workflows."""

    async def spec(self, definition_id: str) -> WorkflowSpec:
        """A stored definition."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a trigger would make of a message; `fits` is None where the condition cannot be told.

    Without `problems`, and where topic and condition fit, a thread would be started: with `input`, under `thread_id`.
    """

    topic_matches: bool
    fits: bool | None = None
    input: Any = None
    key: str | None = None
    thread_id: str
    problems: list[Problem]

    @property
    def starts(self) -> bool:
        """Whether a thread would be started."""
        return self.topic_matches and self.fits is True and not self.problems


class TriggerDesk:
    """One for the process."""

    def __init__(self, store: TriggerStore, registry: Registry, specs: Specs) -> None:
        self._store = store
        self._registry = registry
        self._specs = specs

    async def listed(self, after: str, limit: int) -> list[Trigger]:
        """Those whose names come after, by name.  Raises Unavailable."""
        return await self._store.listed(after=after, limit=limit)

    async def find(self, name: str) -> Trigger:
        """One by name.  Raises NotFound."""
        found = await self._store.find(name)
        if found is None:
            raise _missing(name)
        return found

    async def create(self, name: str, fields: Mapping[str, Any]) -> tuple[Trigger, bool]:
        """Make one, for what is published from now on; whether it is new: the same again is left as it is.

        Raises InvalidTrigger, Conflict (trigger_exists).
        """
        now = utc_now()
        trigger = Trigger(id=uuid7(), name=name, created_at=now, updated_at=now, **fields)
        await self._check(trigger)
        try:
            return await self._store.create(trigger), True
        except Conflict:
            known = await self._store.find(name)
            if known is None or _said(known) != _said(trigger):
                raise
            return known, False

    async def change(self, name: str, fields: Mapping[str, Any]) -> Trigger:
        """Change some fields and leave the rest.  Raises NotFound, InvalidTrigger, Conflict."""
        for _ in range(_TRIES):
            trigger = replace(await self.find(name), **fields)
            await self._check(trigger)
            changed = await self._store.change(trigger)
            if changed is not None:
                return changed
        raise Conflict(f"trigger {name} is being changed by others", code="trigger_changed")

    async def delete(self, name: str) -> None:
        """Take one away, with what waits of it.  Raises NotFound."""
        if not await self._store.delete(name):
            raise _missing(name)

    async def firings(
        self, name: str, *, outcome: Outcome | None, before: tuple[datetime, str] | None, limit: int
    ) -> list[Firing]:
        """What came of messages for one, newest first.  Raises NotFound."""
        return await self._store.firings((await self.find(name)).id, outcome=outcome, before=before, limit=limit)

    async def test(self, name: str, message: Message) -> Trial:
        """What one would make of a message; nothing is started, no deduplication is asked.  Raises NotFound."""
        trigger = await self.find(name)
        compiled, scope = Compiled(trigger), {"message": message.scope()}
        trial = Trial(
            topic_matches=matches(trigger.topic, message.topic), thread_id=firing_id(trigger.id, message), problems=[]
        )
        try:
            fits = compiled.condition is None or compiled.condition.test(scope)
        except ExpressionError as error:
            return replace(trial, problems=[Problem("/condition", error.message)])
        value, problems = None, list[Problem]()
        try:
            value = compiled.input.render(scope)
        except ExpressionError as error:
            problems.append(Problem("/input", error.message))
        else:
            problems += await self._misfits(trigger, value)
        key = None
        try:
            key = key_of(compiled, scope) if compiled.key is not None else None
        except ExpressionError as error:
            problems.append(Problem("/deduplicate/key", error.message))
        return replace(trial, fits=fits, input=value, key=key, problems=problems)

    async def _misfits(self, trigger: Trigger, value: Any) -> list[Problem]:
        spec = await self._spec(trigger.workflow)
        if spec is None:
            return [Problem("/workflow", f"there is no workflow {trigger.workflow}")]
        found = [] if spec.input_schema is None else await misfits(spec.input_schema, value)
        return [Problem(f"/input{one.pointer}", one.message) for one in found]

    async def _check(self, trigger: Trigger) -> None:
        """Raises InvalidTrigger."""
        problems: list[Problem] = []
        try:
            Compiled(trigger)
        except InvalidTrigger as error:
            problems += error.problems
        if await self._spec(trigger.workflow) is None:
            problems.append(Problem("/workflow", f"there is no workflow {trigger.workflow}: register it first"))
        if problems:
            raise InvalidTrigger(problems)

    async def _spec(self, reference: str) -> WorkflowSpec | None:
        name, _, version = reference.partition("@")
        if version and not (version.isdecimal() and 0 < int(version) < _MAX_VERSION):
            return None
        record = await self._registry.workflow(name, int(version) if version else None)
        return None if record is None else await self._specs.spec(record.id)


def _said(trigger: Trigger) -> str:
    """What its author has said of it, as text: 1 is not True there."""
    own = {"id", "since", "rev", "created_at", "updated_at"}
    return jsontext.dumps({name: value for name, value in asdict(trigger).items() if name not in own})


def _missing(name: str) -> NotFound:
    return NotFound(f"no trigger {name[:128]!r}", code="trigger_not_found")
