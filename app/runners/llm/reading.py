"""What a provider streams, read as if it meant harm: events of a bounded size, each a JSON object, and values of the types that
they should have.
"""

from __future__ import annotations

import asyncio
import codecs
import json
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import jsontext
from app.domain.errors import JsonError
from app.runners.aside import aside
from app.runners.http_bodies import Damaged, TooLong, UnknownEncoding
from app.runners.http_streams import EventStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    import httpx2

    from app.runners.http_streams import Message

_DONE: Final = "[DONE]"
_LAST: Final = "message_stop"
_REST_TIME: Final = 0.1
_REST: Final = 65_536
_MOST_ITEMS: Final = 1_000
_MOST_TOKENS: Final = 1_000_000_000
_NAME: Final = 200
_SHOWN: Final = 2_000
"""Characters that go into a message, which is cut once no key is in it any more."""
_NAMES: Final[dict[type, str]] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "a truth value",
    int: "a number",
    float: "a number",
}


class Unreadable(Exception):
    """The answer holds what it cannot hold; the message says what."""


class Endless(Exception):
    """The answer holds more than it may; the message says of what."""


class Told(Exception):
    """The provider says in its stream that it failed; `body` is what it says."""

    def __init__(self, body: Any) -> None:
        super().__init__(body if isinstance(body, str) else "it failed")
        self.body = body


async def events(response: httpx2.Response, limit: int) -> AsyncGenerator[Mapping[str, Any]]:
    """The objects that a stream of server-sent events holds, none of more than `limit` bytes, to its end or its last one.

    Raises Told, Unreadable, Endless, and what the body raises.
    """
    heard = False
    async with aclosing(response.aiter_raw()) as body, aclosing(_messages(body, limit)) as messages:
        async for message in messages:
            heard = True
            value = await aside(partial(_value, message), len(message.data))
            if value is not None:
                yield value
            if value is None or value.get("type") == _LAST:
                await _finish(body)
                return
    if not heard:
        kind = response.headers.get("content-type", "").partition(";")[0].strip()[:_SHOWN]
        raise Unreadable(f"it is no stream of events, but {kind or 'of no type'}")


async def _messages(body: AsyncGenerator[bytes], limit: int) -> AsyncGenerator[Message]:
    reader, decoder = EventStream(), codecs.getincrementaldecoder("utf-8")("replace")
    size = 0
    async for piece in body:
        size += len(piece)
        for message in reader.feed(decoder.decode(piece)):
            size = 0
            yield message
        if size > limit:
            raise Endless(f"{limit:,} bytes without the end of an event")
    for message in reader.feed("\n\n"):  # the last one may lack its empty line
        yield message


async def _finish(body: AsyncGenerator[bytes]) -> None:
    """Read the end of the body, which lets its connection serve again; one that does not end at once is not waited for."""
    import httpx2  # noqa: PLC0415 - comes with the extras

    came = 0
    with suppress(TimeoutError, httpx2.HTTPError, TooLong, UnknownEncoding, Damaged):
        async with asyncio.timeout(_REST_TIME):
            async for piece in body:
                came += len(piece)
                if came > _REST:
                    return


def _value(message: Message) -> Mapping[str, Any] | None:
    """What an event holds, None for the one that says that nothing more comes."""
    if message.data.strip() == _DONE:
        return None
    try:
        value = json.loads(message.data, parse_constant=_no_number)
    except (ValueError, RecursionError):
        if message.event == "error":
            raise Told(message.data) from None
        raise Unreadable(f"an event is not JSON: {message.data[:_SHOWN]!r}") from None
    found = table(value, "an event")
    if message.event == "error" or found.get("error"):
        raise Told(value)
    return found


def _no_number(_: str) -> None:
    """NaN and infinities, which are not JSON, say nothing."""


def table(value: Any, where: str) -> Mapping[str, Any]:
    """An object; none is an empty one.  Raises Unreadable."""
    return cast("dict[str, Any]", _typed(value, dict, where)) if value is not None else {}


def items(value: Any, where: str) -> list[Any]:
    """A list of objects; none is an empty one.  Raises Unreadable, Endless."""
    found = cast("list[Any]", _typed(value, list, where)) if value is not None else []
    if len(found) > _MOST_ITEMS:
        raise Endless(f"{where} has more than {_MOST_ITEMS:,} items")
    return [_typed(item, dict, f"an item of {where}") for item in found]


def text(value: Any, where: str) -> str:
    """A text; none is an empty one.  Raises Unreadable."""
    return str(_typed(value, str, where)) if value is not None else ""


def name(value: Any, where: str) -> str:
    """A short text that can be kept.  Raises Unreadable."""
    return jsontext.clean(text(value, where)[:_NAME])


def place(value: Any) -> int | None:
    """A place in a list, None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def tokens(value: Any) -> int:
    """A number of tokens that can be counted, whatever the provider says."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(min(value, _MOST_TOKENS)) if value > 0 else 0  # which NaN is not


def kept(value: Any) -> Any:
    """`value`, which can be written down and read again.  Raises Unreadable for one that cannot."""
    try:
        jsontext.loads(jsontext.dumps(value))
    except JsonError as error:
        raise Unreadable(f"it cannot be kept: {error}") from None
    return value


def _typed(value: Any, kind: type, where: str) -> Any:
    if isinstance(value, kind):
        return value
    found = next((name for one, name in _NAMES.items() if isinstance(value, one)), "nothing")
    raise Unreadable(f"{where} is {found}, not {_NAMES[kind]}")
