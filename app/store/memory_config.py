"""Settings that are changed while the service runs, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.domain.config import ConfigChange, ConfigStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


class MemoryConfig(ConfigStore):
    """See domain.config.ConfigStore."""

    def __init__(self) -> None:
        self._overrides: dict[str, Any] = {}
        self._changes: list[ConfigChange] = []

    async def overrides(self) -> dict[str, Any]:
        """See ConfigStore."""
        return dict(sorted(self._overrides.items()))

    async def put(self, values: Mapping[str, Any], dropped: Sequence[str], changes: Sequence[ConfigChange]) -> None:
        """See ConfigStore."""
        self._overrides.update(values)
        for name in dropped:
            self._overrides.pop(name, None)
        known = {each.id for each in self._changes}
        self._changes += (each for each in changes if each.id not in known)

    async def changes(self, before: tuple[datetime, str] | None, limit: int) -> list[ConfigChange]:
        """See ConfigStore."""
        found = sorted(self._changes, key=_place, reverse=True)
        return [each for each in found if before is None or _place(each) < before][:limit]


def _place(change: ConfigChange) -> tuple[datetime, str]:
    return change.at, change.id
