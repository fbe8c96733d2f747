"""From text to the document as a JSON value: JSON, or YAML read by the rules of YAML 1.2's core schema.

So `on`, `yes` and dates are text, keys are always text, a key may stand once only, and aliases cannot blow the document up.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final, cast

from app.domain import jsontext
from app.domain.errors import InvalidWorkflow, JsonError, Problem

MAX_BYTES: Final = 1_000_000
MAX_NODES: Final = 400_000
_MAX_DEPTH: Final = 100

_NULL: Final = re.compile(r"(?:null|Null|NULL|~|)\Z")
_BOOL: Final = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT: Final = re.compile(r"[-+]?[0-9]{1,4000}\Z")
_OTHER_INT: Final = re.compile(r"0o[0-7]{1,1000}\Z|0x[0-9a-fA-F]{1,1000}\Z")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")


def load(
    source: str | bytes, *, no_object: str = "a workflow document is an object with name and steps"
) -> dict[str, Any]:
    """The document in a YAML or JSON text.  Raises InvalidWorkflow for what is neither, or too large, or `no_object`."""
    text = _decoded(source)
    document = _from_json(text) if text.lstrip().startswith("{") else None
    if document is None:
        document = _from_yaml(text)
    if not isinstance(document, dict):
        raise _invalid(no_object)
    return cast("dict[str, Any]", document)


def _invalid(message: str, mark: Any = None) -> InvalidWorkflow:
    if mark is None:
        return InvalidWorkflow([Problem("", message)])
    return InvalidWorkflow([Problem("", message, mark.line + 1, mark.column + 1)])


def _at(mark: Any, message: str) -> InvalidWorkflow:
    return _invalid(f"line {mark.line + 1}: {message}", mark)


def _decoded(source: str | bytes) -> str:
    raw = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    if len(raw) > MAX_BYTES:
        raise _invalid(f"the document is larger than {MAX_BYTES:,} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _invalid(f"the document is not UTF-8: {error.reason} at byte {error.start}") from None


def _from_json(text: str) -> Any:
    """None for what is not JSON: it may still be YAML, which can begin with a brace too."""
    try:
        value = jsontext.loads(text)
    except JsonError:
        return None
    json.loads(text, object_pairs_hook=_once_each)
    return value


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _invalid(f"the key {twice!r} stands twice in one object")
    return found


def _from_yaml(text: str) -> Any:
    import yaml  # noqa: PLC0415 - only who reads YAML pays for its import

    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            builder.take(event)
    except yaml.YAMLError as error:
        raise _invalid(f"not valid YAML: {_shown(error)}", getattr(error, "problem_mark", None)) from None
    return builder.document


def _shown(error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or error)[:200]
    return problem if mark is None else f"{problem} (line {mark.line + 1}, column {mark.column + 1})"


@dataclass(slots=True)
class _Open:
    """A list or an object that is still being filled, and the key that its next value belongs to."""

    value: list[Any] | dict[str, Any]
    anchor: str | None
    first_node: int
    key: str | None = None


class _Builder:
    """The value of a stream of YAML events, made without recursion, for the text may be nested as deep as it is long."""

    def __init__(self) -> None:
        self.document: Any = None
        self._documents = 0
        self._nodes = 0
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}

    def take(self, event: Any) -> None:
        """The next event of the stream."""
        mark = event.start_mark
        match type(event).__name__:
            case "ScalarEvent":
                self._scalar(event, mark)
            case "SequenceStartEvent":
                self._begin([], event, mark)
            case "MappingStartEvent":
                self._begin({}, event, mark)
            case "SequenceEndEvent" | "MappingEndEvent":
                done = self._open.pop()
                self._put(done.value, done.anchor, self._nodes - done.first_node + 1)
            case "AliasEvent":
                self._alias(event.anchor, mark)
            case "DocumentStartEvent":
                self._documents += 1
                if self._documents > 1:
                    raise _at(mark, "a second document begins")
            case _:
                pass

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise _invalid(f"more than {MAX_NODES:,} values, aliases counted as often as they are used")

    def _awaits_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and self._open[-1].key is None

    def _begin(self, value: list[Any] | dict[str, Any], event: Any, mark: Any) -> None:
        if self._awaits_key():
            raise _at(mark, "a key must be text")
        if event.tag not in {None, "!"}:
            raise _at(mark, f"the tag {event.tag} is not allowed")
        if len(self._open) >= _MAX_DEPTH:
            raise _at(mark, f"nested more than {_MAX_DEPTH} levels deep")
        self._count(1)
        self._open.append(_Open(value, event.anchor, self._nodes))

    def _scalar(self, event: Any, mark: Any) -> None:
        if event.tag not in {None, "!", "tag:yaml.org,2002:str"}:
            raise _at(mark, f"the tag {event.tag} is not allowed")
        if self._awaits_key():
            self._key(event.value, mark)
            return
        self._count(1)
        plain = event.tag is None and event.implicit[0]
        self._put(_resolved(event.value, mark) if plain else event.value, event.anchor, 1)

    def _alias(self, anchor: str, mark: Any) -> None:
        if anchor not in self._anchors:
            raise _at(mark, f"the alias *{anchor} stands for nothing before it")
        value, nodes = self._anchors[anchor]
        if self._awaits_key():
            raise _at(mark, "a key must be text")
        self._count(nodes)
        self._put(value, None, nodes)

    def _key(self, key: str, mark: Any) -> None:
        opened = self._open[-1]
        if key in opened.value:
            raise _at(mark, f"the key {key!r} stands twice in one object")
        opened.key = key

    def _put(self, value: Any, anchor: str | None, nodes: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, nodes)
        if not self._open:
            self.document = value
            return
        opened = self._open[-1]
        if isinstance(opened.value, list):
            opened.value.append(value)
        elif opened.key is not None:
            opened.value[opened.key] = value
            opened.key = None


def _resolved(text: str, mark: Any) -> Any:
    """What a plain scalar stands for."""
    if _NULL.match(text):
        return None
    if _BOOL.match(text):
        return text.lower() == "true"
    if _INT.match(text):
        return int(text)
    if _OTHER_INT.match(text):
        return int(text, 0)
    if not _FLOAT.match(text):
        return text
    value = float(text)
    if math.isinf(value):
        raise _at(mark, f"{text[:40]} is beyond the range of a double")
    return value
