"""Answers in LangGraph's forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from starlette.responses import Response

from app.domain.errors import InvalidRequest, NotSupported, Problem
from app.domain.views.common import encode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

_T = TypeVar("_T")
MOST: Final = 64_000_000
"""Bytes of the states in one answer, as the store counts them."""


def reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Any JSON value as an answer."""
    return Response(encode(value), status_code=status, media_type="application/json", headers=headers)


def nothing(status: int = 204) -> Response:
    """An answer without a body."""
    return Response(status_code=status)


def selected(document: dict[str, Any], names: Iterable[str] | None) -> dict[str, Any]:
    """Of a document what was asked for; `values.name` means one of the values.  All of it without names."""
    wanted = list(names or ())
    if not wanted:
        return document
    found = {name: document[name] for name in wanted if name in document}
    parts = [name.removeprefix("values.") for name in wanted if name.startswith("values.")]
    if parts and "values" not in found and isinstance(document.get("values"), dict):
        found["values"] = {name: document["values"][name] for name in parts if name in document["values"]}
    return found


def wants(names: Iterable[str] | None, parts: Collection[str]) -> bool:
    """Whether any of these parts of a document was asked for."""
    given = list(names or ())
    return not given or any(name.partition(".")[0] in parts for name in given)


class Scale:
    """Weighs the states that are gathered for one answer: any one of them may be heavy, but not all together."""

    def __init__(self) -> None:
        self._weight, self._states = 0, 0

    def add(self, size: int) -> None:
        """Raises InvalidRequest (output_too_large)."""
        self._weight, self._states = self._weight + size, self._states + 1
        if self._weight > MOST and self._states > 1:
            message = f"the states have more than {MOST:,} bytes together: ask for fewer, or for less of them"
            raise wrong("limit", f"{message} (select)", code="output_too_large")


def page(items: Sequence[_T], limit: int, offset: int) -> Sequence[_T]:
    """So many of a list from a place on."""
    return items[offset : offset + limit]


def not_supported(field: str, instead: str) -> NotSupported:
    """What LangGraph has and this service has not: which field, and what to do instead."""
    return NotSupported(f"{field}: {instead}", problems=[Problem(f"/{field}", instead)])


def wrong(field: str, message: str, code: str = "invalid_request") -> InvalidRequest:
    """A field that does not hold."""
    return InvalidRequest(f"{field}: {message}", code=code, problems=[Problem(f"/{field}", message)])
