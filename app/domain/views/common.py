"""What the views share: stored JSON as it is, times as the contract writes them, and the bytes of a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from app.domain import jsontext
from app.domain.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

Document = dict[str, Any]
_MESSAGE: Final = 500
"""Characters of an error's message that a list shows."""


def raw(text: str | None) -> orjson.Fragment | None:
    """Stored JSON text for a place in a document; None stays null."""
    return None if text is None else orjson.Fragment(text)


def when(at: datetime | None) -> str | None:
    """RFC 3339 in UTC with milliseconds, or null."""
    return None if at is None else rfc3339(at)


def short_error(error: Document) -> Document:
    """An error for a list: a long message is cut."""
    message = str(error.get("message", ""))
    return error if len(message) <= _MESSAGE else {**error, "message": f"{message[: _MESSAGE - 1]}…"}


def encode(document: Mapping[str, Any]) -> bytes:
    """The document as UTF-8 JSON on one line; integers of any size are written in full."""
    try:
        return orjson.dumps(document)
    except TypeError:  # an integer beyond 64 bits: the slow way, which cannot take ready-made text
        return jsontext.dumps(_parsed(document)).encode()


def _parsed(value: Any) -> Any:
    if isinstance(value, orjson.Fragment):
        return jsontext.loads(orjson.dumps(value))
    if isinstance(value, dict):
        return {key: _parsed(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [_parsed(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value
