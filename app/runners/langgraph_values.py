"""What comes out of a graph as plain JSON: its state, what an interrupt shows, and the text of what it streams."""

from __future__ import annotations

import dataclasses
from collections import deque
from datetime import date, time
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from langchain_core.messages import AIMessage
from pydantic import BaseModel

from app.domain.retry import INVALID_OUTPUT
from app.domain.runner import StepFailure, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_core.messages import BaseMessage


def plain(value: Any, where: str = "the output") -> Any:
    """`value` as JSON has it: messages and models as objects, dates and the like as text, sets as lists.

    Raises StepFailure (`invalid_output`) that names the place for anything that JSON has no word for.
    """
    match value:
        case Enum():
            return plain(value.value, where)
        case None | str() | bool() | int() | float():
            return value
        case dict():
            return {_key(key, where): plain(item, f"{where}.{key}") for key, item in _items(value)}
        case list() | tuple() | set() | frozenset() | deque():
            return [plain(item, f"{where}[{place}]") for place, item in enumerate(cast("Iterable[Any]", value))]
        case BaseModel():
            return plain(value.model_dump(mode="json"), where)
        case _:
            return _plain_object(value, where)


def _plain_object(value: Any, where: str) -> Any:
    match value:
        case date() | time():
            return value.isoformat()
        case UUID() | PurePath():
            return str(value)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = dataclasses.fields(value)
            return {each.name: plain(getattr(value, each.name), f"{where}.{each.name}") for each in fields}
        case _:
            kind = cast("type[object]", type(value))
            message = f"{where} is a {kind.__module__}.{kind.__qualname__}, which JSON has no word for"
            raise StepFailure(message, kind=INVALID_OUTPUT, retryable=False)


def text_of(message: BaseMessage) -> str:
    """What a model says in a message, or in a piece of one; what people and tools say is not streamed."""
    return str(message.text) if isinstance(message, AIMessage) else ""


def usage_of(message: BaseMessage) -> Usage | None:
    """The tokens that a message, or a piece of one, tells of; their price is not known here."""
    told = message.usage_metadata if isinstance(message, AIMessage) else None
    if not told:
        return None
    return Usage(input_tokens=told["input_tokens"], output_tokens=told["output_tokens"])


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    return cast("dict[Any, Any]", value).items()


def _key(key: Any, where: str) -> str:
    if isinstance(key, str):
        return key
    raise StepFailure(f"{where} has the key {key!r}, which is not text", kind=INVALID_OUTPUT, retryable=False)
