"""Hints: what one serving process tells the others, so that they look at the tables at once.

A hint may be lost, come twice or come late: the table is the truth, and everybody also looks now and then unasked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from app.domain import jsontext
from app.domain.errors import JsonError

if TYPE_CHECKING:
    from collections.abc import Callable

_LIMIT: Final = 7_900
"""Bytes of a hint (thread ids are ASCII): PostgreSQL's NOTIFY takes 7,999."""
_FRAME: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """`threads` have moved (None: more than can be named); `steered` were taken from their driver, or wished something of;
    `due`: something may be claimed; `breakers`: a circuit breaker has changed; `agents`: so has an agent.
    """

    sender: str
    threads: tuple[str, ...] | None = ()
    steered: tuple[str, ...] = ()
    due: bool = False
    breakers: bool = False
    agents: bool = False

    def texts(self) -> list[str]:
        """As it travels, in as many pieces as NOTIFY's limit asks for."""
        pieces: list[tuple[list[str], list[str]]] = [([], [])]
        size = _FRAME
        named = [(0, one) for one in self.threads or ()] + [(1, one) for one in self.steered]
        for which, thread_id in named:
            if size + len(thread_id) + 3 > _LIMIT:
                pieces.append(([], []))
                size = _FRAME
            pieces[-1][which].append(thread_id)
            size += len(thread_id) + 3
        return [
            jsontext.dumps([self.sender, None if self.threads is None else threads, steered, *self._flags()])
            for threads, steered in pieces
        ]

    def _flags(self) -> list[int]:
        return [int(self.due), int(self.breakers), int(self.agents)]


def parse(text: str) -> Hint | None:
    """The hint in a text, None if it is none (another release's, or anybody's)."""
    try:
        value = jsontext.loads(text)
    except JsonError:
        return None
    try:
        sender, threads, steered, due, breakers, *later = value  # a release before this one sends none
        named = None if threads is None else tuple(map(str, threads))
        told = tuple(map(str, steered))
    except (TypeError, ValueError):
        return None
    flags = {"due": bool(due), "breakers": bool(breakers), "agents": any(later)}
    return Hint(sender=str(sender), threads=named, steered=told, **flags)


class Hints(Protocol):
    """The line between the serving processes of one store.  `wanted`: whether anybody else is there to hear;
    `sender`: this process, which does not hear what it tells.
    """

    wanted: bool
    sender: str

    def listen(self, heard: Callable[[Hint], None]) -> None:
        """Call `heard` with every hint of the other processes; it must be quick and must not raise."""
        ...

    async def tell(self, hint: Hint) -> None:
        """Tell the others, if there are any.  Never raises: a hint may be lost."""
        ...
