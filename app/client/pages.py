"""Lists of the service, for `app.client`: one page when awaited, everything when iterated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator

    Ask = Callable[[dict[str, Any]], Coroutine[Any, Any, dict[str, Any]]]

T = TypeVar("T")
_PAGE: Final = 200


class Pages(Generic[T]):
    """A list of the service.

    `await` it for one page as the API answers it, `{"...": [...], "next_cursor": ...}`; go through it with `async for`
    for every entry of all pages, or of the first `limit` entries if a limit was given.
    """

    def __init__(self, ask: Ask, name: str, /, **filters: Any) -> None:
        self._ask = ask
        self._name = name
        self._filters = filters

    def __await__(self) -> Generator[Any, None, dict[str, Any]]:
        return self._ask(self._filters).__await__()

    async def __aiter__(self) -> AsyncGenerator[T, None]:
        left = self._filters.get("limit")
        cursor = self._filters.get("cursor")
        while left is None or left > 0:
            size = _PAGE if left is None else min(left, _PAGE)
            page = await self._ask({**self._filters, "limit": size, "cursor": cursor})
            entries = cast("list[T]", page[self._name])
            for entry in entries:
                yield entry
            left = None if left is None else left - len(entries)
            cursor = page["next_cursor"]
            if cursor is None:
                return
