"""What changed between two states, as an RFC 6902 patch: applied to the one it gives the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.template import escape
from app.domain.views.history import history_entry, told
from app.domain.views.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from app.domain.records import CheckpointRecord
    from app.domain.state import Refs, State

Operation = dict[str, Any]
DETAIL: Final = 256 * 1024
"""Characters of JSON that two values may have together to be told apart in detail; others are replaced as a whole."""
_ABSENT: Final = object()
_METADATA: Final = ("current_step", "completed_steps", "progress", "trigger")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A version: all that it refers to, and of its values those that the other does not share."""

    checkpoint: CheckpointRecord
    refs: Refs
    state: State

    def steps(self) -> dict[str, Any]:
        """The steps as the whole state shows them."""
        return {name: told(self.state.scope[name]) for name in self.state.refs.steps}

    def metadata(self) -> dict[str, Any]:
        """What the whole state says of itself."""
        entry = history_entry(self.checkpoint, self.refs, on_timeline=True)
        return {name: entry[name] for name in _METADATA}


def changed(operations: list[Operation]) -> dict[str, Any]:
    """What a patch changes: whether the input, which variables, which steps."""
    places = [each[name].split("/", 3) for each in operations for name in ("path", "from") if name in each]
    return {
        "input": any(place[1] == "input" for place in places),
        **{
            part: list(dict.fromkeys(_unescaped(place[2]) for place in places if place[1] == part))
            for part in ("context", "steps")
        },
    }


def unlike(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The names that do not stand for the same in both, those of `one` first."""
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]


def patch(one: Moment, other: Moment) -> list[Operation]:
    """The operations from one state to the other; large values take their time."""
    found: list[Operation] = []
    patches = Patches()
    if one.refs.input != other.refs.input:
        found += _values("/input", one.state.scope["input"], other.state.scope["input"], patches)
    found += _members("/context", one.state.context, other.state.context, patches)
    found += _members("/steps", one.steps(), other.steps(), patches)
    found += _members("/metadata", one.metadata(), other.metadata(), patches)
    return found


def _unescaped(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def _members(path: str, one: Mapping[str, Any], other: Mapping[str, Any], patches: Patches) -> Iterator[Operation]:
    for name in {**one, **other}:
        yield from _values(f"{path}/{escape(name)}", one.get(name, _ABSENT), other.get(name, _ABSENT), patches)


def _values(path: str, one: Any, other: Any, patches: Patches) -> list[Operation]:
    if other is _ABSENT:
        return [{"op": "remove", "path": path}]
    if one is _ABSENT:
        return [{"op": "add", "path": path, "value": other}]
    texts = jsontext.dumps(one), jsontext.dumps(other)
    if texts[0] == texts[1]:
        return []
    detailed = patches.between(one, other) if len(texts[0]) + len(texts[1]) <= DETAIL else None
    if detailed is None:
        return [{"op": "replace", "path": path, "value": other}]
    return [{**each, **{name: path + each[name] for name in ("path", "from") if name in each}} for each in detailed]
