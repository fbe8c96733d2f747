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
        self._last: dict[str, tuple[int, str]] = {}
        self._visited: set[str] = set()
        for step_id, call in calls.items():
            place, _, digest = call.partition(" ")
            self._at[place], self._ids[step_id] = (step_id, digest), place
            branch, _, number = place.rpartition(".")
            self._last[branch] = max(self._last.get(branch, (-1, "")), (int(number), step_id))

    def unvisited(self) -> str | None:
        """The id of a step that nobody has called, if there is one."""
        lost = sorted(self._at.keys() - self._visited)
        return self._at[lost[0]][0] if lost else None

    def check(self, call: Call) -> None:
        """Hold a call against them.  Raises CodeChanged."""
        step_id, place = call.spec.id, call.place
        self._visited.add(place)
        known = self._at.get(place)
        if known == (step_id, (call.spec.call or "").partition(" ")[2]):
            return
        if known is not None:
            what = "another input or doer" if known[0] == step_id else f"the step {step_id!r}"
            raise CodeChanged(f"at its call {place} this code asks for {what}, where the journal has {known[0]!r}")
        if step_id in self._again:
            return
        branch, _, number = place.rpartition(".")
        later, at_end = self._last.get(branch, (-1, ""))
        if step_id in self._ids or later > int(number):
            other = self._ids.get(step_id)
            where = f"has it at {other}" if other is not None else f"has gone on to {at_end!r}"
            raise CodeChanged(f"at its call {place} this code asks for the step {step_id!r}, and the journal {where}")
