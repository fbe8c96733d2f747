"""Settings that are changed while the service runs: what is kept of such a change, and the port that keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChange:
    """One setting that has changed, from `old` to `new` (JSON values); `source` is api or file, `by` who asked for it."""

    id: str
    at: datetime
    name: str
    old: Any
    new: Any
    source: str
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSetting:
    """A setting as people are shown it: a secret is masked.

    `source`: default, file, environment, command_line or api; `reloadable`: whether it can be changed while the service runs.
    """

    name: str
    value: Any
    source: str
    reloadable: bool


class ConfigStore(Protocol):
    """What was set over the API, for all processes, and what has ever changed.  All raise Unavailable."""

    async def overrides(self) -> dict[str, Any]:
        """The values that go before all others, by setting."""
        ...

    async def put(self, values: Mapping[str, Any], dropped: Sequence[str], changes: Sequence[ConfigChange]) -> None:
        """Set some, take others back, and write down what that changes, all at once."""
        ...

    async def changes(self, before: tuple[datetime, str] | None, limit: int) -> list[ConfigChange]:
        """What has changed, newest first, before the (at, id) of the last one seen."""
        ...
