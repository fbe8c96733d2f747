"""One compiled expression over a thread's scope.

A plain path (`analyst.output.score`) is walked in Python and hands out the very value; anything else goes to CEL, with
only those parts of the scope that it uses, and never with so much data that it could hold up the event loop.
"""

from __future__ import annotations

import math
import sys
from datetime import datetime, timedelta
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from app.domain import cel_text
from app.domain.errors import BackstitchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MAX_LENGTH: Final = 2_000
"""Characters of an expression."""
_MAX_LINEAR: Final = 200_000
_MAX_WORK: Final = 10_000_000
"""Bounds in units of one list element or 64 bytes; measured, both stand for some 0.4 s at the very worst."""
_MAX_RESULT_DEPTH: Final = 200

_FUNCTIONS: Final = frozenset(
    {
        "bytes", "contains", "double", "duration", "dyn", "endsWith", "getDate", "getDayOfMonth", "getDayOfWeek",
        "getDayOfYear", "getFullYear", "getHours", "getMilliseconds", "getMinutes", "getMonth", "getSeconds", "int",
        "matches", "size", "startsWith", "string", "timestamp", "type", "uint",
    }
)  # fmt: skip


class ExpressionError(BackstitchError):
    """An expression that is right as text fails on the values at hand, or gives what JSON cannot carry."""

    code = "expression_error"


class Expression:
    """One expression.

    `references` are the variables it takes from the scope (`input`, `context`, step ids); `paths` which parts of them.
    """

    __slots__ = ("evaluate", "paths", "references", "text")

    def __init__(
        self, text: str, paths: Iterable[tuple[str, ...]], evaluate: Callable[[Mapping[str, Any]], Any]
    ) -> None:
        self.text = text
        self.paths = frozenset(paths)
        self.references = frozenset(path[0] for path in self.paths)
        self.evaluate = evaluate
        """The value over a scope, a JSON value.  Raises ExpressionError."""


@lru_cache(4096)
def compile_expression(text: str) -> Expression:
    """Compile an expression, given without braces.  Raises ValueError, with a message for its author."""
    text = text.strip()
    if not text:
        raise ValueError("an empty expression")
    if len(text) > MAX_LENGTH:
        raise ValueError(f"an expression of more than {MAX_LENGTH} characters")
    keys = cel_text.plain_path(text)
    if keys is not None:
        names = [key if isinstance(key, str) else None for key in keys]
        stop = names.index(None) if None in names else len(names)
        return Expression(text, [cast("tuple[str, ...]", keys[:stop])], _walker(text, keys))
    return _compile_cel(text)


def _walker(text: str, keys: tuple[str | int, ...]) -> Callable[[Mapping[str, Any]], Any]:
    def walk(scope: Mapping[str, Any]) -> Any:
        value: Any = scope
        try:
            for key in keys:
                value = value[key]
        except (KeyError, IndexError, TypeError):
            raise ExpressionError(f"{text}: {_missing(scope, keys)}") from None
        return value

    def walk_lists(scope: Mapping[str, Any]) -> Any:
        value: Any = scope
        for key in keys:
            if isinstance(key, int) and isinstance(value, str):  # Python would give a letter
                raise ExpressionError(f"{text}: [{key}] of a text")
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                raise ExpressionError(f"{text}: {_missing(scope, keys)}") from None
        return value

    return walk_lists if any(isinstance(key, int) for key in keys) else walk


def _missing(scope: Mapping[str, Any], keys: tuple[str | int, ...]) -> str:
    value = cast("Any", scope)
    for place, key in enumerate(keys):
        try:
            value = value[key]
        except (KeyError, IndexError):
            return f"there is no {key!r}" + (f" in {keys[place - 1]!r}" if place else "")
        except TypeError:
            break
    return "it looks into a value that is no object or list"


def _engine() -> ModuleType:
    """The CEL library, on first use; without its command line, whose terminal toolkit takes 0.4 s to import."""
    sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
    import cel  # noqa: PLC0415

    return cel


def _compile_cel(text: str) -> Expression:
    cel = _engine()
    reading = cel_text.read(cel_text.tokens(text))
    try:
        program = cel.compile(text)
    except ValueError as error:
        lines = str(error).split("ERROR: <input>:1:", 1)[-1].splitlines()
        raise ValueError(f"not a CEL expression: {text[:200]!r}, character {lines[0][:200]}") from None
    unknown = [name for name in program.functions() if name.isidentifier() and name not in _FUNCTIONS]
    if unknown:
        raise ValueError(f"there is no function {unknown[0]!r}")
    trie, inner = _trie(reading.paths), _trie(reading.inner_paths)
    literal_size = text.count(",")

    def evaluate(scope: Mapping[str, Any]) -> Any:
        variables: dict[str, Any] = _pick(scope, trie)
        units = _units(text, variables) + literal_size
        inner_units = _units(text, _pick(scope, inner)) if inner else 0
        if _too_much(reading, units, inner_units):
            raise ExpressionError(f"{text}: too much data for one expression; do this in a step of its own")
        return _result(text, _execute(text, program, variables))

    return Expression(text, reading.paths, evaluate)


def _too_much(reading: cel_text.Reading, units: int, inner_units: int) -> bool:
    """CEL here has no limit of its own; its map and filter copy the list for each element, the square of its length."""
    grown = (units + 1) * reading.growth
    if grown * reading.uses > _MAX_LINEAR:
        return True
    exponent = reading.depth + reading.gathers
    copied = inner_units if reading.gathers else inner_units // 50
    return exponent > 1 and grown**exponent * (1 + copied) > _MAX_WORK


_Trie = dict[str, Any]


def _trie(paths: Iterable[tuple[str, ...]]) -> _Trie:
    """The paths as a tree; None stands where a value is wanted as a whole."""
    root: _Trie = {}
    for path in sorted(paths, key=len, reverse=True):  # a shorter path replaces what longer ones put below it
        node = root
        for key in path[:-1]:
            node = node.setdefault(key, {})
        node[path[-1]] = None
    return root


def picker(paths: Iterable[tuple[str, ...]]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """What takes these parts, as far as they are there, out of a scope, and nothing else."""
    trie = _trie(paths)
    return lambda scope: _pick(scope, trie)


def _pick(source: Any, trie: _Trie | None) -> Any:
    if trie is None or not isinstance(source, dict):
        return source
    values = cast("dict[str, Any]", source)
    return {key: _pick(values[key], below) for key, below in trie.items() if key in values}


def _units(text: str, value: Any) -> int:
    """How much data `value` is, in units of one list element or 64 bytes."""
    try:
        written = orjson.dumps(value)
    except TypeError as error:
        if "64-bit" in str(error):
            raise ExpressionError(
                f"{text}: an integer beyond 64 bits is among its values, which CEL cannot compute with"
            ) from None
        raise ExpressionError(f"{text}: {error}") from None
    return written.count(b",") + len(written) // 64


def _execute(text: str, program: Any, variables: dict[str, Any]) -> Any:
    try:
        return program.execute(variables)
    except KeyError as error:
        raise ExpressionError(f"{text}: there is no {error}") from None
    except Exception as error:  # noqa: BLE001 - CEL raises whatever Python exception comes nearest
        raise ExpressionError(f"{text}: {str(error)[:300]}") from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # how a fault inside the Rust library shows
            raise
        raise ExpressionError(f"{text}: the CEL library failed") from None


def _result(text: str, value: Any, depth: int = 0) -> Any:
    """A CEL result as a JSON value: times and durations become text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if depth > _MAX_RESULT_DEPTH:
        raise ExpressionError(f"{text}: the result is nested more than {_MAX_RESULT_DEPTH} levels deep")
    if isinstance(value, list):
        return [_result(text, item, depth + 1) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value)
        if all(isinstance(key, str) for key in items):
            return {key: _result(text, item, depth + 1) for key, item in items.items()}
        raise ExpressionError(f"{text}: the result has keys that are not text")
    return _scalar(text, value)


def _scalar(text: str, value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "s"
    raise ExpressionError(f"{text}: the result ({type(value).__name__}) is nothing that JSON can carry")
