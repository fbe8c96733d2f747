"""Where the step runs of a workflow in Python were called, against which every call of its function is held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.engine.flow import CodeChanged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from app.engine.flow import Call


class Recorded:
    """Where step runs were called, and as what, as their rows hold it; `again` are steps whose runs were taken out."""

    def __init__(self, calls: Mapping[str, str], again: Iterable[str]) -> None:
        self._again = frozenset(again)
        self._at: dict[str, tuple[str, str]] = {}
        self._ids: dict[str, str] = {}
        self._visited: set[str] = set()
        for step_id, call in calls.items():
            place, _, digest = call.partition(" ")
            self._at[place], self._ids[step_id] = (step_id, digest), place

    def unvisited(self) -> str | None:
        """The id of a step that nobody has called, if there is one."""
        lost = sorted(self._at.keys() - self._visited)
        return self._at[lost[0]][0] if lost else None

    def check(self, call: Call) -> None:
        """Hold a call against them.  Raises CodeChanged.

        A call at a place that nothing is known of is new, also where later ones have ended: calls side by side may end in any
        order, and one that had begun and not ended is no more known to the next execution.
        """
        step_id, place = call.spec.id, call.place
        self._visited.add(place)
        known = self._at.get(place)
        if known == (step_id, (call.spec.call or "").partition(" ")[2]):
            return
        if known is not None:
            what = "another input or doer" if known[0] == step_id else f"the step {step_id!r}"
            raise CodeChanged(f"at its call {place} this code asks for {what}, where the journal has {known[0]!r}")
        if step_id in self._ids and step_id not in self._again:
            there = self._ids[step_id]
            raise CodeChanged(
                f"at its call {place} this code asks for the step {step_id!r}, and the journal has it at {there}"
            )
