"""Where in the text of a document its problems are: line and column of what their JSON pointers name.

A member of an object is at its key, an entry of a list where it begins; what is not there is at the nearest part around it.
The text is gone through once, whatever the number of problems; an alias is a place of its own and is not followed.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from app.domain.errors import Problem

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_DECODER: Final = json.JSONDecoder()
_Spot = tuple[int, int]
"""Line and column from 0."""


@dataclass(slots=True)
class _Place:
    """A part of the document that a problem is in; `at` once it is found: a spot, or in JSON first its offset."""

    parts: dict[str, _Place] = field(default_factory=dict[str, "_Place"])
    at: _Spot | None = None
    offset: int | None = None


def located(text: str, problems: Sequence[Problem]) -> list[Problem]:
    """The problems with line and column, from 1, as far as they can be told; those that have them keep them."""
    sought = [problem for problem in problems if problem.line is None]
    if not sought:
        return list(problems)
    text = text.removeprefix("\ufeff")
    root = _wanted(sought)
    if not _found_in_json(text, root):
        root = _wanted(sought)
        _find_in_yaml(text, root)
    return [_told(problem, root) for problem in problems]


def _wanted(problems: Sequence[Problem]) -> _Place:
    root = _Place()
    for problem in problems:
        place = root
        for part in _parts(problem.pointer):
            place = place.parts.setdefault(part, _Place())
    return root


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _told(problem: Problem, root: _Place) -> Problem:
    if problem.line is not None:
        return problem
    place, at = root, root.at
    for part in _parts(problem.pointer):
        place = place.parts[part]
        at = place.at or at
    return problem if at is None else replace(problem, line=at[0] + 1, column=at[1] + 1)


def _found_in_json(text: str, root: _Place) -> bool:
    """False where the text is not JSON."""
    try:
        root.offset = _after_space(text, 0)
        if text[root.offset] not in "{[":
            return False
        _look(text, root.offset, root)
    except (ValueError, IndexError, RecursionError):
        return False
    lines = [match.start() for match in re.finditer("\n", text)]
    for place in _all(root):
        if place.offset is not None:
            line = bisect_left(lines, place.offset)
            place.at = (line, place.offset - (lines[line - 1] + 1 if line else 0))
    return True


def _all(root: _Place) -> Iterator[_Place]:
    todo = [root]
    while todo:
        place = todo.pop()
        yield place
        todo += place.parts.values()


def _look(text: str, at: int, place: _Place) -> int:
    """Where the value ends that begins at `at`; what is sought in it is marked.  Raises ValueError, IndexError."""
    if text[at] not in "{[" or not place.parts:
        return _DECODER.raw_decode(text, at)[1]
    end, number = "}" if text[at] == "{" else "]", 0
    at = _after_space(text, at + 1)
    while text[at] != end:
        begins, key = at, str(number)
        if end == "}":
            key, at = _DECODER.raw_decode(text, _after(text, at, '"') - 1)
            at = _after_space(text, _after(text, _after_space(text, at), ":"))
        part = place.parts.get(key)
        if part is not None:
            part.offset = begins
        at = _after_space(text, _look(text, at, part or _Place()))
        at, number = at if text[at] == end else _after_space(text, _after(text, at, ",")), number + 1
    return at + 1


def _after(text: str, at: int, sign: str) -> int:
    if text[at] != sign:
        raise ValueError(at)
    return at + 1


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


@dataclass(slots=True)
class _Open:
    """A list or an object that the events are in; `place` where something in it is sought."""

    place: _Place | None
    is_list: bool
    number: int = 0
    key: str | None = None
    key_at: _Spot = (0, 0)


def _find_in_yaml(text: str, root: _Place) -> None:
    import yaml  # noqa: PLC0415 - only who has a problem in YAML pays for its import

    walk, left = _Walk(root), sum(1 for _ in _all(root))
    with suppress(yaml.YAMLError):  # what came before the fault is found all the same
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            walk.take(type(event).__name__, event)
            if walk.found == left:
                return


class _Walk:
    """Goes over the events of a YAML text, without recursion: it may be nested as deep as it is long."""

    def __init__(self, root: _Place) -> None:
        self.found = 0
        self._root: _Place | None = root
        self._open: list[_Open] = []

    def take(self, name: str, event: Any) -> None:
        """The next event."""
        if name in {"SequenceEndEvent", "MappingEndEvent"}:
            self._open.pop()
        elif name in {"ScalarEvent", "AliasEvent", "SequenceStartEvent", "MappingStartEvent"}:
            mark = event.start_mark
            place = self._value((mark.line, mark.column), getattr(event, "value", None))
            if name.endswith("StartEvent"):
                self._open.append(_Open(place, name == "SequenceStartEvent"))

    def _value(self, at: _Spot, text: str | None) -> _Place | None:
        """The place of the value that begins now, if something is sought there; a key is kept for its value."""
        if not self._open:
            place, self._root = self._root, None
            return self._mark(place, at)
        within = self._open[-1]
        if within.is_list:
            within.number += 1
            return self._mark(_part(within, str(within.number - 1)), at)
        if within.key is None:
            within.key, within.key_at = text or "", at
            return None
        place = _part(within, within.key)
        within.key = None
        return self._mark(place, within.key_at)

    def _mark(self, place: _Place | None, at: _Spot) -> _Place | None:
        if place is not None and place.at is None:
            place.at = at
            self.found += 1
        return place


def _part(within: _Open, key: str) -> _Place | None:
    return None if within.place is None else within.place.parts.get(key)
