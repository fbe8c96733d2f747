"""One attempt of a step: a pipeline over one value (breaker -> resolve -> perform -> normalise) whose end is an outcome.

Outcomes are data: whatever a step does, its siblings go on.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from app.domain import jsontext, retry
from app.domain.errors import InvalidRequest, JsonError
from app.domain.known_secrets import KNOWN
from app.domain.records import ErrorInfo
from app.domain.runner import Asleep, Attempt, Completed, Failed, StepFailure
from app.domain.spec import WAITING
from app.domain.template import ExpressionError
from app.engine.outcome import Ending, OutOfBudget, Result
from app.engine.values import BIG_JSON, off_loop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from app.domain.runner import Outcome
    from app.engine.context import Context
    from app.engine.deps import Deps
    from app.engine.openstep import OpenStep

_log = logging.getLogger(__name__)


async def attempt(deps: Deps, step: OpenStep, scope: Mapping[str, Any], context: Context) -> Ending:
    """Try a step once, if its agent's breaker lets it in; else it is asleep and no attempt is spent.

    Never raises but CancelledError, when it is cancelled from outside.
    """
    agent = step.agent
    try:
        if agent is None or step.spec.kind != "agent":
            return await _try(deps, step, scope, context)
        ticket = await deps.breakers.admit(agent, step)
        if isinstance(ticket, Asleep):
            return ticket
        with ticket:
            ending = await _try(deps, step, scope, context)
            ticket.settle(ending)
        return ending
    finally:
        context.close()
        step.agent_version = context.agent_version or step.agent_version


async def _try(deps: Deps, step: OpenStep, scope: Mapping[str, Any], context: Context) -> Ending:
    ending = await _ended(deps, step, scope, context)
    if isinstance(ending, Failed) and KNOWN:
        error = ending.error
        error.message, error.kind = KNOWN.excerpt(error.message), KNOWN.text(error.kind)
    return ending


async def _ended(deps: Deps, step: OpenStep, scope: Mapping[str, Any], context: Context) -> Ending:
    try:
        outcome = await _perform(deps, step, scope, context)
        if isinstance(outcome, Completed):
            return await _normalise(outcome, deps.max_value_bytes)
    except BaseException as error:  # noqa: BLE001 - whatever a step raises is an outcome, sys.exit() too
        return _raised(step, error)
    if isinstance(outcome, Asleep) and outcome.gate is None and step.spec.timeout is not None:
        left = max(0.0, step.spec.timeout - _age(deps, step))
        outcome.seconds = left if outcome.seconds is None else min(outcome.seconds, left)
    if isinstance(outcome, Failed) and outcome.error.step_id is None:
        outcome.error.step_id = step.spec.id
    return outcome


def _raised(step: OpenStep, error: BaseException) -> Failed | Asleep:
    """The ending that an exception stands for; raised again when it is not the step's own."""
    match error:
        case asyncio.CancelledError() | GeneratorExit():
            if step.stopping:
                raise error
            return Failed(error=_error(step, retry.EXCEPTION, "the step cancelled itself", retryable=True))
        case KeyboardInterrupt():
            raise error
        case OutOfBudget():
            return Asleep(seconds=0.0)
        case _:
            return _failure(step, error)


def _failure(step: OpenStep, error: BaseException) -> Failed:
    match error:
        case StepFailure():
            told = _error(step, jsontext.clean(str(error.kind)), _text(error), retryable=bool(error.retryable))
            pause = error.retry_after
            return Failed(error=told, retry_after=float(pause) if isinstance(pause, int | float) else None)
        case ExpressionError():
            return Failed(error=_error(step, retry.EXPRESSION, str(error)))
        case JsonError():
            return Failed(error=_error(step, retry.INVALID_OUTPUT, f"the output is {error}"))
        case InvalidRequest():
            return Failed(error=_error(step, retry.VALIDATION, str(error)))
        case TimeoutError():
            limit = step.spec.timeout
            message = f"not done within {limit:g} s" if limit else _text(error) or "timed out"
            return Failed(error=_error(step, retry.TIMEOUT, message, retryable=True))
        case _:
            _log.debug("step %s raised", step.spec.id, exc_info=error)
            message = f"{type(error).__name__}: {_text(error)}"
            return Failed(error=_error(step, retry.EXCEPTION, message, retryable=True))


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a step's own exception may be broken too
        return "(its message cannot be told)"


async def _perform(deps: Deps, step: OpenStep, scope: Mapping[str, Any], context: Context) -> Outcome:
    target = step.agent_override or step.spec.target.render(scope)
    step.asked = []
    what = Attempt(
        step=step.spec,
        target=target,
        input=step.input,
        context=context,
        waited=_age(deps, step),
        asked=step.asked,
    )
    runner = deps.runners[step.spec.kind]
    timeout = None if step.spec.kind in WAITING else step.spec.timeout
    if timeout is None and step.spec.max_silence is None:
        return await runner.perform(what)
    async with asyncio.timeout(timeout), _listening(step, context):
        return await runner.perform(what)


@asynccontextmanager
async def _listening(step: OpenStep, context: Context) -> AsyncGenerator[None]:
    """Stop an attempt that says nothing for the step's `max_silence`.  Raises StepFailure then."""
    limit = step.spec.max_silence
    if limit is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def heard() -> None:
        step.heard_at = loop.time()
        if not patience.expired():
            patience.reschedule(step.heard_at + limit)

    patience = asyncio.timeout(limit)
    try:
        async with patience:
            context.heard = heard
            yield
    except TimeoutError:
        if not patience.expired():
            raise
        raise StepFailure(f"neither ended nor reported for {limit:g} s", kind=retry.SILENT) from None


def _age(deps: Deps, step: OpenStep) -> float:
    return (deps.now() - step.started_at).total_seconds()


async def _normalise(outcome: Completed, limit: int) -> Result | Failed:
    def written() -> tuple[str, Any]:
        text = KNOWN.json(jsontext.dumps(outcome.output))
        return text, jsontext.loads(text) if len(text) <= limit else None

    text, value = await off_loop(written, jsontext.weight(outcome.output, BIG_JSON), BIG_JSON)
    if len(text) > limit:
        message = f"the output has {len(text):,} characters of JSON; at most {limit:,} are kept"
        return Failed(error=ErrorInfo(kind=retry.OUTPUT_TOO_LARGE, message=message))
    session = outcome.session_id and KNOWN.text(outcome.session_id)
    return Result(value=value, text=text, session_id=session and jsontext.clean(session).replace("\0", ""))


def _error(step: OpenStep, kind: str, message: str, *, retryable: bool = False) -> ErrorInfo:
    return ErrorInfo(kind=kind, message=jsontext.clean(message[:4_000]), step_id=step.spec.id, retryable=retryable)
