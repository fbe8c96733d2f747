"""Which versions of a thread people are shown: a policy that thins history and never the journal.

Every step that ends writes a version all the same, for recovery needs it; one that the policy does not show is `hidden`.
START and END are always shown, and so is the head for as long as it is the head.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from app.domain import times
from app.domain.errors import NotFound, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from app.domain.records import CheckpointRecord


class Frequency(StrEnum):
    """When a version is shown."""

    EVERY_STEP = "every_step"
    EVERY_N_STEPS = "every_n_steps"
    ON_GATES = "on_gates"
    TIME_BASED = "time_based"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class CheckpointPolicy:
    """`interval`: steps for every_n_steps, seconds for time_based, nothing for the others."""

    frequency: Frequency = Frequency.EVERY_STEP
    interval: float = 1.0

    def shows(self, kind: str, ended: int, born_at: datetime, before: datetime, at: datetime) -> bool:
        """Whether the version that a step of a `kind` writes is shown.

        `ended` steps have ended with it; `before` is when the version before it was written, `at` when this one is.  Nothing
        has to be remembered: time is cut into intervals from the thread's birth, and the first version of each is shown.
        """
        match self.frequency:
            case Frequency.EVERY_STEP:
                return True
            case Frequency.EVERY_N_STEPS:
                return ended % max(1, int(self.interval)) == 0
            case Frequency.TIME_BASED:
                return _slot(born_at, before, self.interval) < _slot(born_at, at, self.interval)
            case Frequency.ON_GATES:
                return kind == "gate"
            case Frequency.MANUAL:
                return False


EVERY_STEP: Final = CheckpointPolicy()


class Versions(Protocol):
    """Versions as people see them."""

    async def show_head(self, thread_id: str) -> int | None:
        """History shows the thread's present head from now on, whatever the policy; its version, None for no such thread."""
        ...


def is_shown(checkpoint: CheckpointRecord, head: int) -> bool:
    """Whether people can look at a version and return to it."""
    return not checkpoint.hidden or checkpoint.version == head


def hidden(version: int, known: Iterable[CheckpointRecord], head: int) -> NotFound:
    """There is such a version and it is not shown; `known` are some around it, by which the nearest that are can be named."""
    shown = [each.version for each in known if is_shown(each, head)]
    below = max((each for each in shown if each < version), default=None)
    above = min((each for each in shown if each > version), default=None)
    near = " and ".join(str(each) for each in (below, above) if each is not None)
    told = f"; the nearest that are: {near}" if near else ""
    return NotFound(
        f"version {version} is not shown under the checkpoint policy of this thread{told}", code="version_not_found"
    )


def read(value: Any, problems: list[Problem]) -> CheckpointPolicy | None:
    """The `checkpoint` of a workflow document, None where it says none; what the schema does not see goes to `problems`."""
    given = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    try:
        frequency = Frequency(given.get("frequency", ""))
    except ValueError:
        return None
    interval = given.get("interval")
    fault = _fault(frequency, interval)
    if fault is not None:
        problems.append(Problem("/checkpoint/interval", fault))
        return None
    return CheckpointPolicy(frequency, times.seconds(interval) if interval is not None else 1.0)


def _fault(frequency: Frequency, interval: Any) -> str | None:
    if frequency is Frequency.EVERY_N_STEPS:
        whole = isinstance(interval, int) and not isinstance(interval, bool) and interval >= 1
        return None if whole else "with every_n_steps it is a number of steps, at least 1"
    if frequency is not Frequency.TIME_BASED:
        return f"it has no meaning with {frequency}" if interval is not None else None
    try:
        held = isinstance(interval, int | float | str) and times.seconds(interval) > 0
    except (ValueError, OverflowError):
        held = False
    return None if held else 'with time_based it is a duration: seconds, or "500ms", "30s", "5m", "24h"'


def _slot(born_at: datetime, at: datetime, interval: float) -> int:
    return int((at - born_at).total_seconds() // interval)
