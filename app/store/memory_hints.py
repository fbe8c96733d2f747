"""Hints of a store in memory: it belongs to one process, so there is nobody to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.hints import Hint, Hints

if TYPE_CHECKING:
    from collections.abc import Callable


class NoHints(Hints):
    """See domain.hints.Hints."""

    def __init__(self) -> None:
        self.wanted, self.sender = False, ""

    def listen(self, heard: Callable[[Hint], None]) -> None:
        """Nothing will be heard."""

    async def tell(self, hint: Hint) -> None:
        """Nobody hears it."""
