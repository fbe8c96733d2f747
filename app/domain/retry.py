"""Whether a failed attempt is tried again, and after how long: a policy is data, the decision a pure function.

Also the names of the kinds of error that Backstitch itself gives; a step's own code may add others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from app.domain.records import ErrorInfo

TIMEOUT: Final = "timeout"
SILENT: Final = "silent"
"""Neither ended nor reported within the step's `max_silence`."""
EXPRESSION: Final = "expression"
CONFIGURATION: Final = "configuration"
VALIDATION: Final = "validation"
OUTPUT_TOO_LARGE: Final = "output_too_large"
INVALID_OUTPUT: Final = "invalid_output"
EXCEPTION: Final = "exception"
CHILD_FAILED: Final = "workflow_failed"
NETWORK: Final = "network"
HTTP: Final = "http"
"""The kind of a status of 400 or above is `http.` and the number: `http.503`."""

REPEAT_EXHAUSTED: Final = "repeat_exhausted"
"""The condition of a `repeat` did not hold within its iterations."""

CORRUPT: Final = "state_corrupt"
"""What the step is to have from elsewhere is not what was written there."""
ITEMS_CHANGED: Final = "items_changed"
"""The list of a `for_each` is not the one that the step began with."""
CODE_CHANGED: Final = "code_changed"
"""A workflow's Python function asks for other steps than those that its thread's journal holds."""

INTERNAL: Final = "internal"
EXHAUSTED: Final = "recovery_exhausted"
"""Why a thread is interrupted: its run broke, or it was recovered too often in a row without getting any further."""

MAX_RETRY_AFTER: Final = 3600.0
"""The longest Retry-After, in seconds, that is honoured in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how fast; `max_attempts` counts the first one, intervals are in seconds.

    `on` names the kinds to retry (None: all that can get better); what cannot get better is never retried.
    """

    max_attempts: int = 3
    initial_interval: float = 1.0
    backoff_factor: float = 2.0
    max_interval: float = 30.0
    jitter: bool = True
    on: tuple[str, ...] | None = None


def decide(
    policy: RetryPolicy, error: ErrorInfo, attempt: int, *, random: float, retry_after: float | None = None
) -> float | None:
    """Seconds to wait before the attempt after `attempt` (the first is 1), or None to give up.

    `random` is a number in [0, 1).  Jitter is "equal": half of the interval is kept and the other half drawn, so that
    many that failed together spread out and none comes back at once.  `retry_after` (seconds, what the other side asked
    for) is a floor, up to MAX_RETRY_AFTER.
    """
    if not error.retryable or attempt >= policy.max_attempts or not names(policy.on, error.kind):
        return None
    wait = interval(policy, attempt)
    if policy.jitter:
        wait = wait / 2 + wait / 2 * random
    if retry_after is not None and math.isfinite(retry_after):
        wait = max(wait, min(retry_after, MAX_RETRY_AFTER))
    return wait


def interval(policy: RetryPolicy, attempt: int) -> float:
    """The wait after `attempt` without jitter, in seconds."""
    try:
        grown = policy.initial_interval * policy.backoff_factor ** (attempt - 1)
    except OverflowError:
        return policy.max_interval
    return min(policy.max_interval, grown)


def names(kinds: tuple[str, ...] | None, kind: str) -> bool:
    """Whether one of `kinds` names `kind`: itself, a family (`http` for `http.404`), or `http.5xx`; None names all."""
    if kinds is None:
        return True
    family = f"{kind[:-2]}xx" if kind.startswith(f"{HTTP}.") else kind
    return any(name in {kind, family} or kind.startswith(f"{name}.") for name in kinds)
