"""Triggers: which messages start which workflow, with what input; and what came of each message, which is a firing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from app.domain import ids, topics
from app.domain.errors import Conflict, InvalidTrigger, InvalidWorkflow, Problem
from app.domain.template import Condition, Template

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from app.domain.messages import Message

MAX_TRIGGERS: Final = 1_000
"""Triggers that there may be: each message is held against all of them."""
MAX_KEY: Final = 500
"""Characters of a deduplication key."""
MAX_WINDOW: Final = 30 * 86_400.0
DEFAULT_INPUT: Final = "{message.data}"
LONGEST_CHAIN: Final = 16
"""Triggers that may lead from one to the next by the threads that they start."""
SELF: Final = 3
"""Times that one trigger may be in such a chain."""
MAX_ATTEMPTS: Final = 5
"""Failures in a row that nobody expected, after which a firing is given up."""


class Outcome(StrEnum):
    """What came of a message that a trigger wanted."""

    STARTED = "started"
    DUPLICATE = "duplicate"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """`input` is a template over `message`; `key` and `window` (seconds) are the deduplication.

    `since`: the messages after this place of the log (its transaction) are meant.  `rev` rises with each change.
    """

    id: str
    name: str
    topic: str
    workflow: str
    condition: str | None = None
    input: Any = DEFAULT_INPUT
    key: str | None = None
    window: float | None = None
    enabled: bool = True
    queue: str | None = None
    priority: int | None = None
    delay: float = 0.0
    description: str | None = None
    since: int = 0
    rev: int = 1
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """What came of a message for a trigger.  `id` is derived from both: it is that of the thread, once there is one.

    `error` is {kind, message, problems?}; of one that waits `start` is what it is to start, as JSON text, and `pause` after how
    many seconds that may be tried again.
    """

    id: str
    trigger_id: str
    source: str
    message_id: str
    topic: str
    outcome: Outcome
    error: Mapping[str, Any] | None = None
    start: str | None = None
    attempts: int = 0
    pause: float = 1.0
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Which firing holds a deduplication key, until when; `mine`: the one for which it was just asked for."""

    mine: bool
    firing_id: str
    until: datetime


class TriggerStore(Protocol):
    """Keeps triggers and firings.  All raise Unavailable."""

    async def create(self, trigger: Trigger) -> Trigger:
        """Keep a new one, for what is published from now on.  Raises Conflict (trigger_exists, too_many_triggers)."""
        ...

    async def find(self, name: str) -> Trigger | None:
        """The trigger of that name."""
        ...

    async def listed(self, *, after: str = "", limit: int = 50) -> list[Trigger]:
        """Those whose names come after, by name."""
        ...

    async def change(self, trigger: Trigger) -> Trigger | None:
        """Write one whose `rev` is that of the last change; None when it is not.  Enabled again, it holds from now on."""
        ...

    async def delete(self, name: str) -> bool:
        """Take one away, with what waits of it; whether there was one."""
        ...

    async def load(self, known: Mapping[str, int]) -> tuple[set[str], list[Trigger]]:
        """The ids of those that are enabled, and those of them whose `rev` is not the `known` one."""
        ...

    async def acted(self, firing_ids: Collection[str]) -> set[str]:
        """Which of these firings are written."""
        ...

    async def record(self, firings: Sequence[Firing]) -> None:
        """Write firings; one that is written stays as it is."""
        ...

    async def claim(self, trigger_id: str, key: str, firing_id: str, at: datetime, until: datetime) -> Claim:
        """Have a key held for a firing unless another one holds it at that time."""
        ...

    async def forgo(self, firing_ids: Collection[str]) -> None:
        """Give back the keys of firings of which nothing came."""
        ...

    async def due(self, limit: int, seconds: float) -> list[tuple[Trigger, Firing]]:
        """Firings of enabled triggers that wait and may be tried again, of each trigger in turn those that wait for longest;
        nobody else gets them for so many seconds.
        """
        ...

    async def settle(self, firings: Sequence[Firing]) -> None:
        """Write what came of some that waited, or that they wait on."""
        ...

    async def firings(
        self,
        trigger_id: str,
        *,
        outcome: Outcome | None = None,
        before: tuple[datetime, str] | None = None,
        limit: int = 50,
    ) -> list[Firing]:
        """The firings of a trigger, newest first."""
        ...

    async def chains(self, thread_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
        """The triggers that have led to these threads, or to those that they are sub-workflows of."""
        ...

    async def waiting(self) -> int:
        """How many firings wait."""
        ...

    async def prune(self, days: float, limit: int) -> int:
        """Delete some firings that are older than that and do not wait, and keys that nobody holds any more; how many."""
        ...


def taken(name: str) -> Conflict:
    """There is a trigger of that name."""
    return Conflict(f"there is a trigger {name} that says something else", code="trigger_exists")


def too_many() -> Conflict:
    """There are as many triggers as may be."""
    return Conflict(f"there are {MAX_TRIGGERS:,} triggers already", code="too_many_triggers")


def firing_id(trigger_id: str, message: Message) -> str:
    """The id of what comes of a message for a trigger, and of the thread that it starts."""
    return ids.derived_id(trigger_id, message.source, message.id)


class Compiled:
    """A trigger that can be held against messages."""

    __slots__ = ("condition", "input", "key", "trigger")

    def __init__(self, trigger: Trigger) -> None:
        """Raises InvalidTrigger with all that does not hold."""
        problems: list[Problem] = []
        try:
            topics.check_pattern(trigger.topic)
        except ValueError as error:
            problems.append(Problem("/topic", str(error)))
        self.trigger = trigger
        self.condition: Condition | None = None
        if trigger.condition is not None:
            try:
                self.condition = Condition.compile(trigger.condition, "/condition")
                problems += _strangers(dict.fromkeys(self.condition.references, "/condition"))
            except InvalidWorkflow as error:
                problems += error.problems
        self.input = _template(trigger.input, "/input", problems)
        self.key = None if trigger.key is None else _template(trigger.key, "/deduplicate/key", problems)
        if problems:
            raise InvalidTrigger(problems)


def _template(value: Any, pointer: str, problems: list[Problem]) -> Template:
    template, found = Template.check(value, pointer)
    problems += [*found, *_strangers(template.places)]
    return template


def _strangers(places: Mapping[str, str]) -> list[Problem]:
    return [
        Problem(pointer, f"there is no {name!r} here: a trigger knows only the `message`")
        for name, pointer in places.items()
        if name != "message"
    ]
