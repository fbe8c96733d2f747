"""When a loop that works in the background last turned, so that one that stands still can be told from one that is quiet."""

from __future__ import annotations

from time import monotonic
from typing import Final

_TURNS: Final = 3
_SLACK: Final = 5.0
"""Seconds in which a statement that takes long may still be answered."""


class Pulse:
    """Of a loop that turns every so many seconds at least, whatever becomes of each turn."""

    __slots__ = ("every", "turned_at")

    def __init__(self, every: float) -> None:
        self.every = every
        self.turned_at = monotonic()

    def beat(self) -> None:
        """It turns."""
        self.turned_at = monotonic()

    @property
    def silent_for(self) -> float:
        """Seconds since it last turned."""
        return monotonic() - self.turned_at

    @property
    def stands_still(self) -> bool:
        """Whether it should have turned several times since."""
        return self.silent_for > _TURNS * self.every + _SLACK
