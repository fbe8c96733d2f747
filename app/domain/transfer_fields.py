"""The types of the fields in a thread's file: from the JSON of a line, strictly, and to it.

What is read goes into a database and, some of it as it stands, into the frames of streams: so names are names, and stored
JSON is on one line.
"""

from __future__ import annotations

import base64
import re
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from app.domain import jsontext
from app.domain.ids import THREAD_ID
from app.domain.queues import MAX_PRIORITY
from app.domain.status import Status, StepStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("not a text")
    return value


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ValueError("not a list of texts")  # noqa: TRY004 - it is the file that is wrong
    return [_text(each) for each in cast("list[Any]", value)]


def _json(value: Any) -> str:
    text = _plain(value)
    if "\n" in text or "\r" in text:  # a stream tells it as one line
        raise ValueError("not on one line")
    jsontext.loads(text)
    return text


def _object(value: Any) -> str:
    text = _json(value)
    if not (text.startswith("{") and text.endswith("}")):
        raise ValueError("not an object")
    return text


def _matching(pattern: str, what: str) -> Callable[[Any], str]:
    form = re.compile(pattern)

    def read(value: Any) -> str:
        if not isinstance(value, str) or form.fullmatch(value) is None:
            raise ValueError(f"not {what}")
        return value

    return read


def _within(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"not an integer from {least} to {most}")
        return value

    return read


def _plain(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not JSON as text")  # noqa: TRY004 - it is the file that is wrong
    return value


def _uuid(value: Any) -> str:
    if not isinstance(value, str) or str(UUID(value)) != value:
        raise ValueError("not a UUID in small letters")
    return value


def _thread(value: Any) -> str:
    if not isinstance(value, str) or THREAD_ID.match(value) is None:
        raise ValueError("not a thread's id")
    return value


def _time(value: Any) -> datetime:
    at = datetime.fromisoformat(_plain(value))
    if at.tzinfo is None:
        raise ValueError("a time without an offset")
    if not MINYEAR < at.year < MAXYEAR:  # in any time zone it must still be one
        raise ValueError("not a time that could be")
    return at.astimezone(UTC)


def _up_to(most: int) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise ValueError(f"not a number from 0 to {most}")
        return float(value)

    return read


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("neither true nor false")  # noqa: TRY004 - it is the file that is wrong
    return value


def _digest(value: Any) -> bytes:
    found = bytes.fromhex(_plain(value))
    if len(found) != _SHA256:
        raise ValueError("not a SHA-256")
    return found


_SHA256: Final = 32
_ROOM: Final = 2**30
"""The highest version and event that a thread may come in with: there is to be room for more."""
_SPENT: Final = 2**53
"""The most tokens, or dollars, that a step run may come in with: sums of them are to stay numbers."""
FROM_JSON: Final[Mapping[str, Callable[[Any], Any]]] = {
    "text": _text,
    "texts": _texts,
    "json": _json,
    "uuid": _uuid,
    "thread": _thread,
    "time": _time,
    "object": _object,
    "name": _matching(r"[A-Za-z_][A-Za-z0-9_]{0,199}(\.undo)?", "a name"),
    "queue": _matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", "the name of a queue"),
    "kind": _matching("invoke|resume|rollback|fork|migrate", "a kind of execution"),
    "priority": _within(-MAX_PRIORITY, MAX_PRIORITY),
    "number": _within(1, _ROOM),
    "int": _within(-(2**31), 2**31 - 1),
    "long": _within(-(2**63), 2**63 - 1),
    "count": _within(0, _SPENT),
    "amount": _up_to(_SPENT),
    "bool": _bool,
    "digest": _digest,
    "data": lambda value: base64.b64decode(_plain(value), validate=True),
    "status": Status,
    "step": StepStatus,
}
TO_JSON: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(FROM_JSON, lambda value: value),
    "time": lambda value: None if value is None else value.astimezone(UTC).isoformat(),
    "digest": lambda value: None if value is None else value.hex(),
    "data": lambda value: None if value is None else base64.b64encode(value).decode(),
    "uuid": lambda value: None if value is None else str(value),
    "status": str,
    "step": str,
}
