"""JSON in and out without loss: big integers, key order and \\u0000 survive; NaN, infinities and lone surrogates are refused.

orjson does the work; the standard library takes over where orjson would lose something (integers beyond 64 bits).
"""

from __future__ import annotations

import hashlib
import json
import math
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from app.domain.errors import JsonError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_DEPTH: Final = 200
"""Levels of nesting."""
_ORJSON_DEPTH: Final = 254
"""Levels that orjson writes at most."""
_MAX_DIGITS: Final = 4_000
_A_VALUE: Final = 50
"""Characters of a long text that take about as long as one value, however short."""
_BITS_OF_A_DIGIT: Final = 3
_DIGITS_AS_ZERO: Final = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_NUMBER: Final = b"0" * 16
"""Sixteen digits in a row, once every digit is a zero: so they are found in a twentieth of the time that `re` takes."""
_WRITE: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


def dumps(value: Any) -> str:
    """The JSON text of `value` on one line.  Raises JsonError for what JSON cannot carry."""
    try:
        text = orjson.dumps(value, option=_WRITE)
    except TypeError as error:
        return _dumps_slowly(value, error)
    if b"null" in text and not _finite(value):  # orjson writes NaN and infinities as null
        raise JsonError("not a number or infinite: JSON has no such value")
    return text.decode()


def loads(text: bytes | str) -> Any:
    """The value of a JSON text.  Raises JsonError for what is not JSON or could not be written again."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        value = _loads_slowly(raw) if _LONG_NUMBER in raw.translate(_DIGITS_AS_ZERO) else orjson.loads(raw)
    except (ValueError, RecursionError) as error:
        raise JsonError(f"not valid JSON: {str(error)[:200]}") from None
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _too_deep(value):
        raise JsonError(f"nested more than {MAX_DEPTH} levels deep")
    return value


def weight(value: Any, most: int) -> int:
    """How much there is to write and read of a value, in characters of a long text; counted little further than `most`."""
    found = 0
    stack: list[Any] = [value]
    while stack and found <= most:
        item = stack.pop()
        found += _A_VALUE
        if isinstance(item, str):
            found += len(item)
        elif isinstance(item, dict):
            table = cast("dict[Any, Any]", item)
            found += _A_VALUE * min(len(table), most // _A_VALUE + 1)
            if found <= most:
                found += sum(len(key) for key in table if isinstance(key, str))
                stack += table.values()
        elif isinstance(item, list | tuple):
            stack += islice(cast("list[Any]", item), most // _A_VALUE)
        elif isinstance(item, int):
            found += item.bit_length() // _BITS_OF_A_DIGIT
    return found


def sha256(text: str) -> bytes:
    """The 32-byte digest that is stored beside every value."""
    return hashlib.sha256(text.encode()).digest()


def clean(text: str) -> str:
    """`text` with lone surrogates replaced, so that any text from outside can be written."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _loads_slowly(raw: bytes) -> Any:
    value = json.loads(raw.decode("utf-8"), parse_constant=_refuse, parse_int=_integer, parse_float=_finite_float)
    json.dumps(value, ensure_ascii=False).encode()  # the standard library lets lone surrogates pass: a ValueError
    return value


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"an integer of more than {_MAX_DIGITS} digits")
    return int(digits)


def _finite_float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number beyond the range of a double")
    return value


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _dumps_slowly(value: Any, first: TypeError) -> str:
    if "64-bit" not in str(first):
        raise JsonError(f"not a JSON value: {str(first)[:200]}") from None
    if _depth_exceeds(value, MAX_DEPTH):
        raise JsonError(f"nested more than {MAX_DEPTH} levels deep")
    try:
        text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise JsonError(f"not a JSON value: {str(error)[:200]}") from None
    return text


def _plain(value: Any) -> Any:
    """`value` if it holds only what JSON has; json.dumps alone would take keys that are numbers."""
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value)
        if not all(isinstance(key, str) for key in items):
            raise TypeError("a key that is not text")
        return {key: _plain(item) for key, item in items.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("list[Any]", value)]
    if isinstance(value, int) and len(str(value)) > _MAX_DIGITS:
        raise ValueError(f"an integer of more than {_MAX_DIGITS} digits")
    return value


def _finite(value: Any) -> bool:
    stack: list[Iterable[Any]] = [(value,)]
    while stack:
        for item in stack.pop():
            kind = type(item)  # pyright: ignore[reportUnknownVariableType] - orjson writes no subclass of these
            if kind is float:
                if not math.isfinite(item):
                    return False
            elif kind is dict:
                stack.append(item.values())
            elif kind is list or kind is tuple:
                stack.append(item)
    return True


def _too_deep(value: Any) -> bool:
    wrapped = value
    for _ in range(_ORJSON_DEPTH - MAX_DEPTH):
        wrapped = [wrapped]
    try:
        orjson.dumps(wrapped)  # it counts as it writes, which is many times quicker than to walk here
    except TypeError:  # too deep, or an integer beyond its range
        return _depth_exceeds(value, MAX_DEPTH)
    return False


def _depth_exceeds(value: Any, limit: int) -> bool:
    stack: list[tuple[Any, int]] = [(value, 1)]
    while stack:
        item, depth = stack.pop()
        if isinstance(item, dict):
            children = list(cast("dict[str, Any]", item).values())
        elif isinstance(item, list | tuple):
            children = list(cast("list[Any]", item))
        else:
            continue
        if depth > limit:
            return True
        stack.extend((child, depth + 1) for child in children)
    return False
