"""What is worked out of an agent's config once, and kept for as long as the agent stays as it is."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from app.domain.template import MAX_HOLES, Holes

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.agents import Agent

T = TypeVar("T")
_KEPT: Final = 1_000


class PerAgent(Generic[T]):
    """`make` of each agent, of the newest version only; the last thousand agents that were asked for are kept.

    A new version is another object (see AgentStore.load).
    """

    def __init__(self, make: Callable[[Agent], T]) -> None:
        self._make = make
        self._kept: OrderedDict[str, tuple[Agent, T]] = OrderedDict()

    def of(self, agent: Agent) -> T:
        """What was made of it.  Raises what `make` raises, each time."""
        known = self._kept.get(agent.name)
        if known is None or known[0] is not agent:
            known = self._kept[agent.name] = (agent, self._make(agent))
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(agent.name)
        return known[1]


def holes_of(agent: Agent) -> Holes:
    """For the templates of an agent: bounded where the API is to store it, not once it is stored, nor in code or a file."""
    return Holes(MAX_HOLES if agent.source == "api" and agent.version == 0 else None)
