"""How the values of a graph are written and read: msgpack with a list of the classes that may come out of it, nothing else.

A serialiser that builds whatever its bytes name runs code of whoever can write to the database.  This one reads only plain
values, LangGraph's and LangChain's own, and the classes that the graph itself declares; anything else is refused, when it
is written already, rather than come back as something else after a crash.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, Final, get_args, get_type_hints

import ormsgpack
from langgraph.checkpoint.serde._msgpack import SAFE_MSGPACK_METHODS, SAFE_MSGPACK_TYPES  # the library's own lists
from langgraph.checkpoint.serde.jsonplus import (
    EXT_CONSTRUCTOR_KW_ARGS,
    EXT_CONSTRUCTOR_POS_ARGS,
    EXT_CONSTRUCTOR_SINGLE_ARG,
    EXT_DELTA_SNAPSHOT,
    EXT_METHOD_SINGLE_ARG,
    EXT_NUMPY_ARRAY,
    EXT_PYDANTIC_V1,
    EXT_PYDANTIC_V2,
    JsonPlusSerializer,
)
from pydantic import BaseModel

from app.domain.retry import CONFIGURATION
from app.domain.runner import StepFailure

_PLAIN: Final = {"null", "bytes", "bytearray"}
_MSGPACK: Final = "msgpack"
_OF_CLASSES: Final = {
    EXT_CONSTRUCTOR_SINGLE_ARG,
    EXT_CONSTRUCTOR_POS_ARGS,
    EXT_CONSTRUCTOR_KW_ARGS,
    EXT_PYDANTIC_V1,
    EXT_PYDANTIC_V2,
}


class StrictSerializer(JsonPlusSerializer):
    """Reads and writes values of the classes in `allowed` and of those that LangGraph holds to be safe.

    Raises StepFailure (kind `configuration`, never retried) for all others, and for what was pickled or written as JSON.
    """

    def __init__(self, allowed: Iterable[type] = ()) -> None:
        self._named = {(each.__module__, each.__name__) for each in allowed}
        super().__init__(
            pickle_fallback=False,
            allowed_json_modules=None,
            # None: the safe ones only.  Left out, it would depend on the environment, and by default allow all.
            allowed_msgpack_modules=sorted(self._named) or None,
        )

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """The kind of the text, and the bytes."""
        try:
            kind, data = super().dumps_typed(obj)
        except (TypeError, ValueError) as error:  # MsgpackEncodeError is a TypeError
            raise _refused(f"a value of the graph cannot be stored: {error}") from error
        if kind == _MSGPACK:
            self._inspect(data)
        return kind, data

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value again."""
        kind, content = data
        if kind == _MSGPACK:
            self._inspect(content)
        elif kind not in _PLAIN:
            raise _refused(f"a stored value of the graph is of the kind {kind!r}, which is never read")
        return super().loads_typed(data)

    def _inspect(self, data: bytes) -> None:
        """Look at the names of all classes in it without building anything."""
        unknown: list[str] = []  # a list, because whatever the hook raises comes out as a bare ValueError

        def look(code: int, inner: bytes) -> None:
            if code == EXT_NUMPY_ARRAY:  # numbers: its own hook makes no arrays of objects
                return
            value = ormsgpack.unpackb(inner, ext_hook=look, option=ormsgpack.OPT_NON_STR_KEYS)
            if code != EXT_DELTA_SNAPSHOT and not self._is_known(code, value):
                unknown.append(".".join(str(part) for part in value[:2]))

        ormsgpack.unpackb(data, ext_hook=look, option=ormsgpack.OPT_NON_STR_KEYS)
        if unknown:
            raise _refused(
                f"the graph's state holds a {unknown[0]}, which is not known to be safe to load: declare it in the graph's "
                "state, or name it in `allow` where the graph is registered"
            )

    def _is_known(self, code: int, value: Any) -> bool:
        named = (value[0], value[1])
        if code == EXT_METHOD_SINGLE_ARG:
            return (*named, value[3]) in SAFE_MSGPACK_METHODS
        return code in _OF_CLASSES and (named in SAFE_MSGPACK_TYPES or named in self._named)


def classes_of(graph: Any) -> set[type]:
    """The classes that a compiled graph and its subgraphs declare: of their states, inputs, outputs, contexts and nodes."""
    found: set[Any] = set()
    for each in (graph, *(subgraph for _, subgraph in graph.get_subgraphs(recurse=True))):
        for declared in _declared(each):
            _collect(declared, found)
    return {each for each in found if isinstance(each, type) and _holds_state(each)}


def _declared(graph: Any) -> Iterator[Any]:
    for channel in graph.channels.values():
        yield getattr(channel, "ValueType", None)
        yield getattr(channel, "UpdateType", None)
    builder = getattr(graph, "builder", None)
    for name in ("state_schema", "input_schema", "output_schema", "context_schema"):
        yield getattr(builder, name, None)
    for node in getattr(builder, "nodes", {}).values():
        yield getattr(node, "input_schema", None)


def _collect(declared: Any, found: set[Any]) -> None:
    """`declared`, and all that its fields and parameters name."""
    try:
        if declared in found:
            return
        found.add(declared)
    except TypeError:  # not hashable: no class, and no parameters that name one
        return
    inner: list[Any] = [*get_args(declared)]
    if isinstance(declared, type):
        inner += _hints(declared).values()
    for each in inner:
        _collect(each, found)


def _hints(declared: type) -> dict[str, Any]:
    try:
        return get_type_hints(declared, vars(sys.modules.get(declared.__module__, object())), include_extras=True)
    except Exception:  # noqa: BLE001 - annotations are anything; a class that they hide can still be named in allow=
        return {}


def _holds_state(declared: type[Any]) -> bool:
    return dataclasses.is_dataclass(declared) or issubclass(declared, BaseModel | Enum | tuple)


def _refused(message: str) -> StepFailure:
    return StepFailure(message, kind=CONFIGURATION, retryable=False)
