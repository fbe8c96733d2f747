"""Values that may be any JSON: some clients and models write an object as the text of one, where a schema names no type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from app.client import ApiError
from app.domain import jsontext
from app.domain.errors import JsonError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_T = TypeVar("_T")
_UNFIT: Final = "invalid_input"


def unpacked(given: Any) -> Any:
    """What a text that is a JSON object or array says; all else as it is."""
    if not isinstance(given, str) or not given.lstrip().startswith(("{", "[")):
        return given
    try:
        return jsontext.loads(given)
    except JsonError:
        return given


async def either(given: Any, do: Callable[[Any], Awaitable[_T]]) -> _T:
    """`do` it with what the text says, or with the text itself where only that fits.  Raises what `do` raises."""
    value = unpacked(given)
    try:
        return await do(value)
    except ApiError as error:
        if value is given or error.code != _UNFIT:
            raise
        try:
            return await do(given)
        except ApiError:
            raise error from None
