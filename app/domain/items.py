"""Pages of the parts that a step is done in, the items of a `for_each` or the iterations of a `repeat`, for showing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import jsontext
from app.domain.errors import JsonError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.domain.records import ItemRecord
    from app.domain.status import StepStatus

LONGEST: Final = 8 * 1024
"""Bytes of an output that a list shows; a longer one is told by its size and a preview."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFilter:
    """From the place `first` on, at most `limit`, of one status; `longest` is how many bytes of an output are shown."""

    first: int = 0
    limit: int = 50
    status: StepStatus | None = None
    longest: int | None = LONGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPage:
    """Some of them, how many there are in each status, and the input that the step run's row holds (JSON text)."""

    items: Sequence[ItemRecord]
    counts: Mapping[StepStatus, int]
    given: str | None

    @property
    def total(self) -> int | None:
        """How many items the list of a `for_each` has, as far as the row tells."""
        try:
            value = None if self.given is None else jsontext.loads(self.given)
        except JsonError:
            return None
        match value:
            case list():
                return len(cast("list[Any]", value))
            case {"items": int(number)}:
                return number
            case _:
                return None
