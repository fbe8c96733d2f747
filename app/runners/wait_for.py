"""The kind `wait_for`: waits for a message or a signal, which is the step's output, without a slot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import integrity, jsontext, topics
from app.domain.document_waits import GIVEN
from app.domain.errors import JsonError, Unavailable
from app.domain.known_secrets import KNOWN
from app.domain.records import ErrorInfo
from app.domain.retry import OUTPUT_TOO_LARGE, TIMEOUT, VALIDATION
from app.domain.runner import Asleep, Completed, Failed, StepFailure
from app.domain.state import resolve
from app.domain.times import seconds
from app.domain.waiting import is_due, key_of, standing
from app.domain.waits import MOST_GIVEN, Awaited, check_signal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.domain.ports import Reads
    from app.domain.runner import Attempt, Outcome
    from app.domain.spec import StepSpec
    from app.domain.waits import Look, MessageWait, WaitBook

DAMAGED: Final = "corrupt"
_OUTAGE_PAUSE: Final = 2.0


class WaitRunner:
    """`looker`, who searches the logs, has to be told after it was made."""

    def __init__(self, waits: WaitBook, reads: Reads) -> None:
        self._waits = waits
        self._reads = reads
        self.looker: Look

    async def perform(self, attempt: Attempt) -> Outcome:
        """Begin to wait, or see whether it has come."""
        try:
            wanted, on_timeout = await self._wanted(attempt)
            wait = await self._standing(attempt, wanted)
            if is_due(wait):  # what came in time, and has not been noticed yet, goes before the timeout
                wait = await self._look(wait)
                wait = wait if wait.closed else await self._waits.time_out(wait.key, on_timeout)
        except Unavailable:  # an outage of the store spends no attempt
            return Asleep(seconds=_OUTAGE_PAUSE)
        attempt.asked.append(wait)
        if not wait.closed:
            return Asleep(seconds=wait.left, gate=wait)
        return _ended(wait, wanted)

    def check(self, step: StepSpec) -> list[str]:  # noqa: ARG002 - the port's name
        """The document's parser has checked it."""
        return []

    async def _standing(self, attempt: Attempt, wanted: Awaited) -> MessageWait:
        """The newest round: what an earlier run of the step has waited for in vain is waited for anew."""
        run_id, place = attempt.context.run_id, 0
        while True:
            wait = await standing(self._waits, key_of(attempt, place), run_id, wanted)
            if not wait.closed and wait.looked is None:
                wait = await self._look(wait)
            if not wait.expired or wait.run_id == run_id:
                return wait
            place += 1
            if wanted.since is not None:  # the step began with its first round
                wanted = replace(wanted, since=wait.since)

    async def _look(self, wait: MessageWait) -> MessageWait:
        return wait if wait.topic is None else await self.looker.look(wait)

    async def _wanted(self, attempt: Attempt) -> tuple[Awaited, str | None]:
        """What is waited for, and the JSON text that stands in for it when the time is over."""
        told = cast("dict[str, Any]", attempt.target)
        limit = attempt.step.timeout if told.get("timeout") is None else seconds(told["timeout"])
        wanted = Awaited(
            topic=_checked(told, "topic", topics.check_pattern),
            signal=_checked(told, "signal", check_signal),
            match=told.get("match"),
            given_json=_given(told),
            begin=await self._begin(attempt.context.thread_id),
            since=(await self._reads.feed_end()).xact if told.get("since") == "step" else None,
            timeout=limit,
        )
        return wanted, jsontext.dumps(told["on_timeout"]) if "on_timeout" in told else None

    async def _begin(self, thread_id: str) -> int:
        """The seq of the event with which the thread began: of its input, where it was given several one after the other."""
        births = await self._waits.births(thread_id)
        if len(births) > 1:
            execution_id = await self._input_of(thread_id)
            return births.get(execution_id or "", max(births.values()))
        return next(iter(births.values()), 1)

    async def _input_of(self, thread_id: str) -> str | None:
        thread = await self._reads.thread(thread_id)
        head = thread and await self._reads.checkpoints(thread_id, first=thread.head_version, last=thread.head_version)
        if not head:
            return None
        chain = await self._reads.checkpoints(thread_id, first=head[0].base_version, last=head[0].version)
        try:
            return resolve([integrity.as_written(one) for one in chain], head[0].version).input
        except (KeyError, JsonError):  # damaged: somebody else says so
            return None


def _checked(told: Mapping[str, Any], name: str, check: Callable[[str], None]) -> str | None:
    if name not in told:
        return None
    value: Any = told[name]
    if value is None:
        raise StepFailure(f"{name} is null", kind=VALIDATION, retryable=False)
    text = value if isinstance(value, str) else jsontext.dumps(value)
    try:
        check(text)
    except ValueError as error:
        raise StepFailure(f"{name} {text[:200]!r}: {error}", kind=VALIDATION, retryable=False) from None
    return KNOWN.text(text) if KNOWN else text


def _given(told: Mapping[str, Any]) -> str | None:
    if GIVEN not in told:
        return None
    text = jsontext.dumps(told[GIVEN])
    if len(text) > MOST_GIVEN:
        message = (
            f"`match` looks at {len(text):,} characters of JSON beside the message; at most {MOST_GIVEN:,} are kept"
        )
        raise StepFailure(message, kind=OUTPUT_TOO_LARGE, retryable=False)
    return text


def _ended(wait: MessageWait, wanted: Awaited) -> Outcome:
    if wait.error_json is not None:
        return Failed(error=ErrorInfo(**jsontext.loads(wait.error_json)))
    if wait.expired:
        within = "in time" if wanted.timeout is None else f"within {wanted.timeout:g} s"
        what = f"signal {wanted.signal}" if wanted.topic is None else f"message on {wanted.topic}"
        return Failed(error=ErrorInfo(kind=TIMEOUT, message=f"no {what} has come {within}"))
    if not wait.sound:
        message = "what was taken is not what was written: give the step an output (`skip`) or wait anew (`from_step`)"
        return Failed(error=ErrorInfo(kind=DAMAGED, message=message))
    return Completed(output=wait.answer)
