"""From a message to a thread: what a trigger makes of it, and the start, whose id is derived from both."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol

from app.domain import jsontext
from app.domain.commands import StartCommand
from app.domain.errors import BackstitchError, JsonError, QueueFull, Unavailable
from app.domain.known_secrets import KNOWN
from app.domain.queues import DEFAULT
from app.domain.template import ExpressionError
from app.domain.times import utc_now
from app.domain.triggers import LONGEST_CHAIN, MAX_ATTEMPTS, MAX_KEY, SELF, Compiled, Firing, Outcome, firing_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.commands import Accepted
    from app.domain.messages import Message
    from app.domain.triggers import Trigger

_log: Final = logging.getLogger(__name__)
_MESSAGE: Final = 1_000
_UNEXPECTED: Final = "internal_error"
_FULL_FOR: Final = 1.0
"""Seconds for which a queue that was full is not tried again."""
_SOONEST: Final = 2.0
_LATEST: Final = 20.0
"""Bounds of the seconds after which what waits is tried again: a tenth of the time that it has waited."""
_PROBLEMS: Final = 20


class Starter(Protocol):
    """The engine's control, as far as triggers ask it."""

    async def start_once(self, command: StartCommand) -> Accepted:
        """See Control.start_once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A thread that a message is to start, and the deduplication key that goes with it, if any."""

    firing: Firing
    command: StartCommand
    key: str | None = None


def judge(
    compiled: Compiled, message: Message, scope: Mapping[str, Any], chain: tuple[str, ...]
) -> Wanted | Firing | None:
    """What a trigger makes of a message on its topic: a thread to start, a failure to record, or nothing.

    `chain` are the triggers that have led to the thread that the message tells of.
    """
    firing = begun(compiled.trigger, message)
    try:
        if compiled.condition is not None and not compiled.condition.test(scope):
            return None
        if len(chain) >= LONGEST_CHAIN or chain.count(compiled.trigger.id) >= SELF:
            return failed(firing, "trigger_loop", _loop(compiled.trigger, chain))
        key = None if compiled.key is None else key_of(compiled, scope)
        value = compiled.input.render(scope)
        jsontext.dumps(value)
    except (ExpressionError, JsonError) as error:
        return failed(firing, error.code, error.message)
    return Wanted(firing=firing, command=_command(compiled.trigger, firing.id, value, chain), key=key)


def key_of(compiled: Compiled, scope: Mapping[str, Any]) -> str:
    """The deduplication key of a message.  Raises ExpressionError."""
    assert compiled.key is not None
    value = compiled.key.render(scope)
    key = value if isinstance(value, str) else jsontext.dumps(value)
    if len(key) > MAX_KEY or "\0" in key:
        raise ExpressionError(f"a deduplication key has at most {MAX_KEY} characters, and no NUL")
    return key


class Begin:
    """Starts threads; one for the process.  A queue that was full is not tried again for a moment."""

    def __init__(self, starter: Starter) -> None:
        self._starter = starter
        self._full: dict[str | None, float] = {}

    async def __call__(self, wanted: Wanted) -> Firing:
        """Start the thread, unless that has been done; what came of it.  What cannot be started now waits."""
        firing, queue = wanted.firing, wanted.command.queue
        if monotonic() < self._full.get(queue, 0.0):
            return waiting(wanted, QueueFull.code, f"the queue {queue or DEFAULT} was full a moment ago")
        try:
            await self._starter.start_once(wanted.command)
        except Unavailable as error:
            if isinstance(error, QueueFull):
                self._full = {**_later(self._full), queue: monotonic() + _FULL_FOR}
            return waiting(wanted, error.code, error.message)
        except BackstitchError as error:
            return failed(firing, error.code, error.message, getattr(error, "problems", ()))
        except Exception as error:  # noqa: BLE001 - it must not hold up the others; it is told, and tried again
            if firing.attempts + 1 < MAX_ATTEMPTS:
                _log.warning("trigger start %s failed and is tried again", firing.id, exc_info=error)
                return replace(waiting(wanted, _UNEXPECTED, type(error).__name__), attempts=firing.attempts + 1)
            _log.exception("trigger start %s failed and is given up", firing.id)
            return failed(firing, _UNEXPECTED, f"{type(error).__name__}; the service's log tells more")
        return replace(firing, outcome=Outcome.STARTED, error=None, start=None)


def begun(trigger: Trigger, message: Message) -> Firing:
    """A firing of which nothing is known yet."""
    return Firing(
        id=firing_id(trigger.id, message),
        trigger_id=trigger.id,
        source=message.source,
        message_id=message.id,
        topic=message.topic,
        outcome=Outcome.STARTED,
    )


def failed(firing: Firing, kind: str, message: str, problems: Any = ()) -> Firing:
    """It came to nothing, and why."""
    error: dict[str, Any] = {"kind": kind, "message": KNOWN.excerpt(jsontext.clean(message)[:_MESSAGE])}
    if problems:
        told = [{"pointer": one.pointer, "message": KNOWN.excerpt(one.message)} for one in problems[:_PROBLEMS]]
        error["problems"] = told
    return replace(firing, outcome=Outcome.FAILED, error=error, start=None)


def waiting(wanted: Wanted, kind: str, message: str) -> Firing:
    """It cannot be started now; it is kept with all that the start needs."""
    command = wanted.command
    start = {
        "workflow": command.workflow,
        "input": jsontext.dumps(command.input),  # as text: it may be as deep as JSON may be here
        "queue": command.queue,
        "priority": command.priority,
        "delay": command.delay,
        "chain": list(command.chain),
        "triggered_by": command.triggered_by,
    }
    error = {"kind": kind, "message": KNOWN.excerpt(jsontext.clean(message)[:_MESSAGE])}
    since = wanted.firing.at
    waited = 0.0 if since is None else (utc_now() - since).total_seconds()
    pause = min(max(_SOONEST, waited / 10), _LATEST)
    return replace(wanted.firing, outcome=Outcome.WAITING, error=error, start=jsontext.dumps(start), pause=pause)


def again(firing: Firing) -> Wanted:
    """What a firing that waits is to start.  Raises JsonError when that cannot be read."""
    told: dict[str, Any] = jsontext.loads(firing.start or "{}")
    told |= {"chain": tuple(told["chain"]), "input": jsontext.loads(told["input"])}
    command = StartCommand(thread_id=firing.id, has_input=True, **told)
    return Wanted(firing=firing, command=command)


def _later(full: Mapping[str | None, float]) -> dict[str | None, float]:
    now = monotonic()
    return {queue: until for queue, until in full.items() if until > now}


def _command(trigger: Trigger, thread_id: str, value: Any, chain: tuple[str, ...]) -> StartCommand:
    return StartCommand(
        workflow=trigger.workflow,
        input=value,
        has_input=True,
        thread_id=thread_id,
        triggered_by=f"trigger:{trigger.name}",
        queue=trigger.queue,
        priority=trigger.priority,
        delay=trigger.delay,
        chain=(*chain, trigger.id),
    )


def _loop(trigger: Trigger, chain: tuple[str, ...]) -> str:
    if len(chain) >= LONGEST_CHAIN:
        return (
            f"a chain of {LONGEST_CHAIN} threads that triggers started one by the other has led to this: it ends here"
        )
    return f"trigger {trigger.name} is in the chain that has led to this {SELF} times already: it would never end"
