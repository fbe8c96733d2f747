"""The figures of messages and triggers: what this process has published and started, and how far who follows has come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from app.telemetry.figures import Figure, Names, gauge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_TRIGGERS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachFigures:
    """`published` gives those that were new and those that were there before; `firings` count by trigger and outcome, `lags`
    are seconds by follower.
    """

    published: Callable[[], tuple[int, int]]
    firings: Mapping[tuple[str, str], int]
    waiting: Callable[[], int]
    lags: Callable[[], Mapping[str, float]]
    _name: Names = field(default_factory=lambda: Names(_TRIGGERS))

    def figures(self) -> Iterator[Figure]:
        """See telemetry.figures.Source."""
        new, known = self.published()
        told = "Messages that were published; a duplicate was in the log before."
        samples = [(("new",), new), (("duplicate",), known)]
        yield Figure("backstitch_messages_published_total", "counter", told, samples, ("outcome",))
        found: dict[tuple[str, ...], float] = {}
        for (trigger, outcome), number in self.firings.items():
            key = (self._name(trigger), outcome)
            found[key] = found.get(key, 0) + number
        told = "What came of messages that a trigger wanted: started, duplicate, waiting, failed."
        yield Figure("backstitch_trigger_firings_total", "counter", told, [*found.items()], ("trigger", "outcome"))
        told = "Firings that wait to be started, of all processes."
        yield gauge("backstitch_trigger_firings_waiting", told, self.waiting())
        lags = [((follower,), seconds) for follower, seconds in self.lags().items()]
        told = "For how long the oldest message has waited that this process follows and has not acted on."
        yield Figure("backstitch_follower_lag_seconds", "gauge", told, lags, ("follower",))
