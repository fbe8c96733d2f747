"""Counts the calls of tools for `/metrics`: by tool and by what came of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.telemetry.figures import Figure

WORKFLOW: Final = "workflow"
"""The label of the tools that are workflows."""
METHODS: Final = ("tasks/get", "tasks/update", "tasks/cancel", "resources/read")


class Calls:
    """One for the process."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def note(self, tool: str, outcome: str) -> None:
        """A call has ended: `ok`, `refused`, `error` or `cancelled`."""
        from app.mcp_server.toolbox import TOOLS  # noqa: PLC0415 - a service that nobody asks over MCP need not load it

        known = tool if tool in TOOLS or tool in METHODS else WORKFLOW
        self._counts[known, outcome] += 1

    @property
    def total(self) -> int:
        """How many there were."""
        return sum(self._counts.values())

    def figures(self) -> Iterator[Figure]:
        """See telemetry.figures.Source."""
        from app.telemetry.figures import Figure  # noqa: PLC0415 - not over stdio

        told = "Calls of MCP tools that have ended."
        yield Figure("backstitch_mcp_calls_total", "counter", told, [*self._counts.items()], ("tool", "outcome"))
