"""The figures of the schedules: what this process has made of firings, and when the next is due."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from app.domain.schedules import OPEN, Outcome
from app.telemetry.figures import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.domain.schedules import Tally


@dataclass(frozen=True, slots=True)
class ScheduleFigures:
    """Of the scheduler of this process."""

    tally: Tally

    def figures(self) -> Iterator[Figure]:
        """See telemetry.figures.Source."""
        tally = self.tally
        told = "Firings of schedules by what this process has made of them."
        outcomes = [one for one in Outcome if one not in OPEN or one is Outcome.BUFFERED]
        samples = [((one.value,), float(tally.outcomes.get(one, 0))) for one in outcomes]
        yield Figure("backstitch_schedule_firings_total", "counter", told, samples, ("outcome",))
        told = "How late the threads of due firings were started."
        yield Figure("backstitch_schedule_lateness_seconds", "histogram", told, [((), tally.lateness)])
        told = "Seconds until the next schedule is due, as far as this process knows."
        due = [] if tally.next_at is None else [((), max(0.0, tally.next_at - monotonic()))]
        yield Figure("backstitch_schedule_next_due_seconds", "gauge", told, due)
