"""RFC 6902 patches between two values, as far as finding them takes no more time than it is worth."""

from __future__ import annotations

from typing import Any, Final, cast

MEMBERS: Final = 10_000
"""Members of objects and lists that two values may have together: the time that a patch takes grows with their square."""
_ALL: Final = 5 * MEMBERS**2


class Patches:
    """Those of one answer, which take a few seconds together at most."""

    def __init__(self) -> None:
        self._left = _ALL

    def between(self, one: Any, other: Any) -> list[dict[str, Any]] | None:
        """The operations from the one to the other; None where there is too much to tell apart."""
        import jsonpatch  # noqa: PLC0415 - only who asks for a difference pays for its import

        members = _members(one) + _members(other)
        if members > MEMBERS or members**2 > self._left:
            return None
        self._left -= members**2
        return list(jsonpatch.make_patch(one, other).patch)


def _members(value: Any) -> int:
    """How many there are in it, at any depth; counted little further than `MEMBERS`."""
    found = 0
    stack: list[Any] = [value]
    while stack and found <= MEMBERS:
        item = stack.pop()
        if isinstance(item, dict | list):
            inner = cast("dict[str, Any] | list[Any]", item)
            found += len(inner)
            stack += inner.values() if isinstance(inner, dict) else inner
    return found
