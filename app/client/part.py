"""What the parts of the client have in common: classes beside `Backstitch`, each with the routes that belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.client.service import Backstitch


class Part:
    """As `Agents(service)`; every method raises what those of Backstitch raise.

    Lists are one page when awaited, and every entry of all pages when iterated.
    """

    def __init__(self, service: Backstitch) -> None:
        self._service = service
