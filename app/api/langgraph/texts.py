"""What steps say while they run, as messages: each piece once, also to a reader that was cut off and comes again.

The bus hands over the whole text so far to whoever subscribes, and then pieces.  How far a reader had heard each text goes into
the ids of its messages; when it comes again, that much of the text is left out if it is the same as it heard (a step that was
run anew may say something else: then that is another message, from its beginning).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from app.domain.ids import derived_id

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGEST: Final = 12
_MOST: Final = 24
"""Texts whose places go into an id: it must fit into a header."""

Place = tuple[str, int]
"""A step, and its item, -1 for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What is new of a message: `text`, after which there is `whole`."""

    message_id: str
    step_id: str
    text: str
    whole: str


@dataclass(slots=True)
class _Said:
    """One text, as far as its reader has heard it; `held` is what was said again and is not known to be the same."""

    attempt: int
    generation: int = 0
    heard: int = 0
    digest: str = ""
    whole: str = ""
    held: str | None = None
    running: Any = field(default_factory=hashlib.sha256)

    def hear(self, text: str) -> str:
        """What is new of it."""
        if self.held is None:
            return self._take(text)
        self.held += text
        return "" if len(self.held) < self.heard else self.settle(self.held)

    def settle(self, text: str) -> str:
        """The text is known to begin so: what is new of it, all of it if it is another one."""
        self.held, self.whole, self.running = None, "", hashlib.sha256()
        head, rest = text[: self.heard], text[self.heard :]
        self._take(head)
        if not self.heard or (len(head) == self.heard and self.marked == self.digest):
            return self._take(rest)
        self.generation, self.heard, self.digest = self.generation + 1, 0, ""
        self.whole, self.running = "", hashlib.sha256()
        return self._take(text)

    @property
    def marked(self) -> str:
        """The digest of what was taken."""
        return self.running.hexdigest()[:_DIGEST]

    def _take(self, text: str) -> str:
        self.whole += text
        self.running.update(text.encode("utf-8", "surrogatepass"))
        return text

    def told(self) -> None:
        """The reader has it now."""
        self.heard, self.digest = len(self.whole), self.marked


class Texts:
    """Those of one run, for one reader; `marks` is what the last id that the reader saw says of them."""

    def __init__(self, run_id: str, marks: str = "") -> None:
        self._run_id = run_id
        self._said: dict[Place, _Said] = {}
        for step_id, item, attempt, generation, heard, digest in _read(marks):
            self._said[step_id, item] = _Said(attempt, generation, heard, digest, held="")

    def begin_again(self) -> None:
        """The bus is about to say all of them from their beginnings."""
        for said in self._said.values():
            said.held = ""

    def hear(self, place: Place, attempt: int, text: str) -> Piece | None:
        """A piece has come; what of it is new to the reader."""
        said = self._said.get(place)
        if said is None or said.attempt != attempt:
            said = self._said[place] = _Said(attempt)
        new = said.hear(text)
        if not new:
            return None
        said.told()
        return self._piece(place, said, new)

    def end(self, step_id: str, attempt: int | None, final: str | None) -> list[Piece]:
        """A step has ended, with a text as its output or without: what is left of it to be told, empty where all was."""
        ended = [place for place in self._said if place[0] == step_id]
        known = {place: self._said.pop(place) for place in ended}
        said = known.get((step_id, -1))
        if final is None:
            return [self._piece(place, each, "") for place, each in known.items() if each.whole]
        if said is None or (attempt is not None and said.attempt != attempt):
            said = _Said(attempt or 1)
        heard = said.whole if said.held is None else None
        if heard is not None and not final.startswith(heard):
            return [self._piece((step_id, -1), said, "")]  # it said more than it gave, in turns with tools
        if heard is not None:
            said.heard, said.digest = len(heard), said.marked
        return [self._piece((step_id, -1), said, said.settle(final))]

    def marks(self) -> str:
        """What an id says of them."""
        open_ = [
            (step_id, item, said.attempt, said.generation, said.heard, said.digest)
            for (step_id, item), said in self._said.items()
            if said.heard
        ]
        return base64.urlsafe_b64encode(orjson.dumps(open_[-_MOST:])).rstrip(b"=").decode() if open_ else ""

    def _piece(self, place: Place, said: _Said, text: str) -> Piece:
        step_id, item = place
        message_id = derived_id("message", self._run_id, step_id, item, said.attempt, said.generation)
        return Piece(message_id=message_id, step_id=step_id, text=text, whole=said.whole)


def _read(marks: str) -> Iterator[tuple[str, int, int, int, int, str]]:
    """The marks of an id; none of one that is not ours."""
    try:
        raw = base64.b64decode(marks + "=" * (-len(marks) % 4), altchars=b"-_", validate=True)
        found: Any = orjson.loads(raw or b"[]")
    except (ValueError, binascii.Error):
        return
    for one in cast("list[Any]", found) if isinstance(found, list) else []:
        match one:
            case [str(step), int(item), int(attempt), int(generation), int(heard), str(digest)]:
                yield step, item, attempt, generation, heard, digest
            case _:
                continue
