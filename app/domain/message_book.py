"""The log of the messages that are published, and the port that a broker can take the place of.

A message is known by its source and id for as long as it is kept: published again it is not written again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

from app.domain import jsontext, topics
from app.domain.messages import Log

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from app.domain.messages import Message
    from app.domain.ports import FeedPosition

LOOK: Final = 5_000
"""Messages that one read or one page looks at."""
READ_BYTES: Final = 8_000_000
"""Bytes of data after which a read takes no more."""
LONGEST: Final = 8 * 1024
"""Bytes of data that a list shows; of more it shows the beginning."""
PREVIEW: Final = 1024
_MANY: Final = 100
"""Patterns with wildcards above which a store does not choose by them: whoever reads chooses again anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """Which messages, newest first; `before` is the place of the last one seen."""

    pattern: str | None = None
    source: str | None = None
    since: datetime | None = None
    before: FeedPosition | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePage:
    """What was found; `next` is where to go on, None at the end.  A page may be short, or empty, and not be the end."""

    items: Sequence[Message]
    next: FeedPosition | None = None


class MessageBook(Log, Protocol):
    """Keeps what is published.  All raise Unavailable."""

    async def publish(self, messages: Sequence[Message]) -> list[bool]:
        """Keep them, in their order; for each whether it was new.  Once this returns they are durable.

        Raises InvalidRequest for what the store cannot hold.
        """
        ...

    async def listed(self, where: MessageFilter) -> MessagePage:
        """A page, newest first, with the data of long ones shortened (see `preview`)."""
        ...

    async def find(self, message_id: str, *, source: str | None = None, topic: str | None = None) -> list[Message]:
        """Those of that id, of which each source may have one; newest first, ten at most."""
        ...

    async def prune(self, days: float, followers: Collection[str], limit: int) -> int:
        """Delete some of those older than that, oldest first; how many.

        None is deleted that one of `followers`, or whoever else has followed in that time, has not passed.
        """
        ...

    def listen(self, news: Callable[[], None]) -> None:
        """Call `news`, which must be quick and must not raise, when messages were published here."""
        ...


def preview(size: int, beginning: str) -> str:
    """What a list shows of data of `size` bytes that is longer than LONGEST."""
    return jsontext.dumps({"truncated": True, "size_bytes": size, "preview": jsontext.clean(beginning)[:PREVIEW]})


def exact_and_expression(patterns: Collection[str]) -> tuple[list[str], str | None]:
    """Patterns as a store can choose by them: topics as they are, and a regular expression for the others, if any.

    Above some number of others the expression is one that fits all.
    """
    exact = sorted(one for one in patterns if "*" not in one and ">" not in one)
    others = sorted(set(patterns).difference(exact))
    if not others:
        return exact, None
    if ">" in others or len(others) > _MANY:
        return [], ".*"
    return exact, f"^(?:{'|'.join(map(topics.expression, others))})$"
