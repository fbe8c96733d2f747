"""The health of the service by part: each look is bounded in time, who ask at the same time share one, dear ones are kept.

A part is a mapping with a `status` (ready, degraded or unavailable) and, unless it is ready, a `detail` in words.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from app.domain.known_secrets import KNOWN, without_passwords

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Part = Mapping[str, Any]
    Look = Callable[[], Part | Awaitable[Part | None] | None]

LIMIT: Final = 2.0
"""Seconds for one look."""
READY: Final = "ready"
DEGRADED: Final = "degraded"
UNAVAILABLE: Final = "unavailable"
_MASK: Final = "***"
_SHORTEST: Final = 4
_log = logging.getLogger(__name__)


class Probe:
    """One part.  `keep`: for how many seconds what was found is told without looking again."""

    def __init__(self, look: Look, *, limit: float = LIMIT, keep: float = 0.0) -> None:
        self._look = look
        self._limit = limit
        self._keep = keep
        self._looking = asyncio.Lock()
        self._found: Part | None = None
        self._found_at = float("-inf")

    async def part(self) -> Part | None:
        """How it is; None for a part that there is not.  Never raises."""
        came_at = monotonic()
        try:
            async with asyncio.timeout(self._limit), self._looking:
                # What somebody has found since this one came is new enough for it.
                if self._found_at < came_at - self._keep:
                    began = monotonic()
                    found = self._look()
                    self._found = await found if inspect.isawaitable(found) else found
                    self._found_at = began
        except TimeoutError:
            self._found, self._found_at = unavailable(f"no answer within {self._limit:g} s"), came_at
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a part is its health
            _log.debug("the health of a part cannot be told", exc_info=error)
            self._found, self._found_at = unavailable(f"it cannot be told: {type(error).__name__}"), came_at
        return self._found


class Health:
    """All parts.  `secrets` are texts that no part may tell, beside those that the process knows."""

    def __init__(self, secrets: Callable[[], list[str]] | None = None) -> None:
        self._probes: dict[str, Probe] = {}
        self._secrets = secrets or list[str]

    def add(self, name: str, look: Look, *, limit: float = LIMIT, keep: float = 0.0) -> None:
        """One more part, or another look at one."""
        self._probes[name] = Probe(look, limit=limit, keep=keep)

    async def report(self) -> dict[str, Part]:
        """Every part by name; takes no longer than the slowest look may."""
        names = list(self._probes)
        parts = await asyncio.gather(*(self._probes[name].part() for name in names))
        found = {name: part for name, part in zip(names, parts, strict=True) if part is not None}
        hidden = [text for text in self._secrets() if len(text) >= _SHORTEST]
        return {name: _masked(part, hidden) for name, part in found.items()}


def degraded(detail: str, **more: Any) -> Part:
    """It works, and something is wrong."""
    return {"status": DEGRADED, "detail": detail, **more}


def unavailable(detail: str, **more: Any) -> Part:
    """It does not work."""
    return {"status": UNAVAILABLE, "detail": detail, **more}


def judged(part: dict[str, Any], *faults: tuple[str, str | None]) -> Part:
    """A part that is ready but for the first of these (status, detail) that has a detail."""
    for status, detail in faults:
        if detail is not None:
            return {"status": status, "detail": detail, **part}
    return {"status": READY, **part}


def _masked(part: Part, hidden: list[str]) -> Part:
    detail = part.get("detail")
    if not isinstance(detail, str):
        return part
    detail = KNOWN.text(without_passwords(detail))
    for text in hidden:
        detail = detail.replace(text, _MASK)
    return {**part, "detail": detail}
