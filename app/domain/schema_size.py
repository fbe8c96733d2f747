"""How much work a JSON Schema can make: how often its parts are evaluated at one place of a value.

A few lines of `$ref` that refer to each other twice unroll to more than any machine can evaluate.  So a schema is unrolled here
first, with counts in place of copies: all that is evaluated at one place together, then at each place below it, until nothing
new comes.  Parts of one place add up; places beside each other do not.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_AT_ONE_PLACE: Final = 5_000
"""Evaluations of parts of a schema at one place of a value."""
MAX_PLACES: Final = 5_000
"""Kinds of places that differ in what is evaluated there."""

_SAME_LISTS: Final = ("allOf", "anyOf", "oneOf")
_SAME_ONES: Final = ("not", "if", "then", "else")
_BELOW_ONES: Final = (
    "items", "additionalItems", "contains", "additionalProperties", "unevaluatedItems", "unevaluatedProperties", "propertyNames"
)  # fmt: skip
_ANYWHERE: Final = ""
_Parts = Counter[int]


class TooMuchWork(ValueError):
    """The schema would take too long to apply."""


def check_size(schema: Any) -> None:
    """Raises TooMuchWork."""
    unroller = _Unroller(schema)
    todo: list[_Parts] = [Counter({unroller.number(schema): 1})]
    seen: set[frozenset[tuple[int, int]]] = set()
    while todo:
        here = unroller.at_one_place(todo.pop())
        for below in unroller.below(here):
            mark = frozenset(below.items())
            if mark not in seen:
                seen.add(mark)
                todo.append(below)
        if len(seen) > MAX_PLACES:
            raise TooMuchWork("a schema of too many parts that depend on each other")


class _Unroller:
    """Parts of a schema by number, in the order of meeting them."""

    def __init__(self, schema: Any) -> None:
        self._root = schema
        self._parts: list[Mapping[str, Any]] = []
        self._numbers: dict[int, int] = {}
        self._named: dict[str, Any] = {}
        self._find_names(schema, 0)

    def number(self, part: Any) -> int:
        """The number of a part; true, false and what is no schema has none (-1)."""
        if not isinstance(part, dict):
            return -1
        known = self._numbers.get(id(cast("Any", part)))
        if known is None:
            known = self._numbers[id(cast("Any", part))] = len(self._parts)
            self._parts.append(cast("dict[str, Any]", part))
        return known

    def at_one_place(self, given: _Parts) -> _Parts:
        """All that is evaluated where the given parts are.  Raises TooMuchWork."""
        found: _Parts = Counter()
        todo, total = list(given.items()), 0
        while todo:
            number, times = todo.pop()
            if number < 0:
                continue
            total += times
            if total > MAX_AT_ONE_PLACE:
                message = (
                    f"a schema that refers to itself so that more than {MAX_AT_ONE_PLACE:,} parts apply to one value"
                )
                raise TooMuchWork(message)
            found[number] += times
            todo += [(self.number(part), times) for part in self._same(self._parts[number])]
        return found

    def below(self, here: _Parts) -> Iterator[_Parts]:
        """What is evaluated at each kind of place below: of a property by name, and of all others."""
        places: dict[str, _Parts] = {_ANYWHERE: Counter()}
        for number, times in here.items():
            for name, part in self._children(self._parts[number]):
                places.setdefault(name, Counter())[self.number(part)] += times
        everywhere = places.pop(_ANYWHERE)
        for parts in (everywhere, *(each + everywhere for each in places.values())):
            parts.pop(-1, None)
            if parts:
                yield parts

    def _same(self, part: Mapping[str, Any]) -> Iterator[Any]:
        for key in _SAME_LISTS:
            yield from _list(part.get(key))
        yield from (part[key] for key in _SAME_ONES if key in part)
        for key in ("dependentSchemas", "dependencies"):
            yield from _table(part.get(key)).values()
        for key in ("$ref", "$dynamicRef", "$recursiveRef"):
            if isinstance(part.get(key), str):
                yield self._referred(part[key])

    def _children(self, part: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, child in _table(part.get("properties")).items():
            yield f"/{name}", child
        for child in _table(part.get("patternProperties")).values():
            yield _ANYWHERE, child
        for key in _BELOW_ONES:
            if key in part:
                yield from ((_ANYWHERE, child) for child in (_list(part[key]) or [part[key]]))
        for place, child in enumerate(_list(part.get("prefixItems"))):
            yield f"#{place}", child

    def _referred(self, reference: str) -> Any:
        """The part that a reference names, None for one that is not in this schema."""
        if reference in self._named:
            return self._named[reference]
        base, _, fragment = reference.partition("#")
        found: Any = self._named.get(base) if base else self._root
        for token in fragment.split("/")[1:] if fragment.startswith("/") else ():
            key = token.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict):
                found = cast("dict[str, Any]", found).get(key)
            elif isinstance(found, list) and key.isdecimal() and int(key) < len(cast("list[Any]", found)):
                found = cast("list[Any]", found)[int(key)]
            else:
                return None
        return found if not fragment or fragment.startswith("/") else None

    def _find_names(self, value: Any, depth: int) -> None:
        if depth > 200:  # noqa: PLR2004 - no document is deeper
            return
        if isinstance(value, dict):
            table = cast("dict[str, Any]", value)
            for key in ("$anchor", "$dynamicAnchor"):
                if isinstance(table.get(key), str):
                    self._named.setdefault(f"#{table[key]}", table)
            if isinstance(table.get("$id"), str):
                self._named.setdefault(table["$id"].removesuffix("#"), table)
        for child in _values(value):
            self._find_names(child, depth + 1)


def _values(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).values()
    return _list(value)


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _table(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
