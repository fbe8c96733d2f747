"""Answers that come piece by piece: server-sent events, newline-delimited JSON, plain text; what in them is text to show, and
what is the result.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from app.domain import jsontext
from app.domain.errors import JsonError
from app.runners.aside import aside
from app.runners.http_bodies import text_codec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Form = Literal["sse", "ndjson", "text"]
MEDIA_TYPES: Final[dict[str, Form]] = {
    "text/event-stream": "sse",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/x-jsonlines": "ndjson",
    "application/json-lines": "ndjson",
    "text/plain": "text",
}
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_DONE: Final = "[DONE]"
_TEXTS: Final = (
    "/delta",
    "/text",
    "/token",
    "/content",
    "/choices/0/delta/content",
    "/delta/text",
    "/response",
    "/message/content",
)
_RESULT: Final = "/result"
_NOTHING: Final = object()


class Broken(Exception):
    """The stream ended before its end."""


class Faulty(Exception):
    """The stream holds what it cannot hold."""


class Reported(Exception):
    """The other side says in its stream that it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How to read the messages of a stream; pointers are JSON pointers (RFC 6901) into a message.

    `text`: the text to show (None: the usual places); `result`: "text" for all of the text, "last" for the last message, a
    pointer to what the last message that has it holds, None for what there is; `result_event`: the name of the event that is
    the result; `error`: what is there only when the other side has failed, None for nothing.
    """

    text: str | None = None
    result: str | None = None
    result_event: str | None = None
    error: str | None = "/error"


@dataclass(frozen=True, slots=True)
class Message:
    """One server-sent event, or one line of JSON, whose `event` is empty; `whole`: its end was there."""

    event: str
    data: str
    whole: bool = True


class Lines:
    """Splits text at CR, LF and CRLF, however it comes in pieces."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._after_cr = False

    def feed(self, text: str) -> Iterator[str]:
        """The lines that `text` completes."""
        if not text:
            return
        whole_text, after_cr = text, self._after_cr
        self._after_cr = text.endswith("\r")
        if after_cr and whole_text.startswith("\n"):
            whole_text = whole_text[1:]
        *whole, rest = _LINE_END.split(whole_text)
        for line in whole:
            yield "".join([*self._parts, line])
            self._parts.clear()
        if rest:
            self._parts.append(rest)

    def rest(self) -> str:
        """What has come after the last line."""
        return "".join(self._parts)


class EventStream:
    """Reads `text/event-stream` (WHATWG HTML, section 9.2.6)."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._event = ""
        self._data: list[str] = []
        self._begun = False

    def feed(self, text: str) -> Iterator[Message]:
        """The events that `text` completes."""
        if text and not self._begun:
            self._begun = True
            text = text.removeprefix("\ufeff")
        for line in self._lines.feed(text):
            if line:
                self._field(line)
            elif self._data:
                yield Message(self._event or "message", "\n".join(self._data))
                self._event, self._data = "", []
            else:
                self._event = ""

    def end(self) -> Iterator[Message]:
        """Nothing more comes: an event without its empty line is not one.  Raises Broken for data that such a one had."""
        rest = self._lines.rest()
        if self._data or rest.startswith("data"):
            raise Broken("the stream broke off within an event")
        return iter(())

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")  # a comment is a field without a name
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value


class JsonLines:
    """Reads newline-delimited JSON."""

    def __init__(self) -> None:
        self._lines = Lines()

    def feed(self, text: str) -> Iterator[Message]:
        """The lines that `text` completes, but for empty ones."""
        for line in self._lines.feed(text):
            if line.strip():
                yield Message("", line)

    def end(self) -> Iterator[Message]:
        """The last line, which may lack its end: it may be but a part of one."""
        rest = self._lines.rest().strip()
        if rest:
            yield Message("", rest, whole=False)


class Collector:
    """Takes a stream in, tells its text as it comes, and gives the result at the end."""

    def __init__(self, form: Form, reading: Reading, tell: Callable[[str], object], charset: str | None = None) -> None:
        self._reader = EventStream() if form == "sse" else JsonLines() if form == "ndjson" else None
        self._reading = reading
        self._tell = tell
        self._texts: list[str] = []
        self._last: Any = _NOTHING
        self._result: Any = _NOTHING
        self.done = False
        """Whether the stream has said that nothing more comes."""
        self.size = 0
        """Characters that have come."""
        encoding = "utf-8" if form == "sse" else text_codec(charset)
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    async def feed(self, piece: bytes, *, last: bool = False) -> None:
        """Take a piece in.  Raises Faulty, Reported, with `last` Broken."""
        text = self._decoder.decode(piece, last)
        self.size += len(text)
        if self._reader is None:
            self._show(text)
            return
        for message in self._reader.feed(text):
            if not self.done:
                await self._take(message)
        if last and not self.done:
            for message in self._reader.end():
                await self._take(message)

    def result(self) -> Any:
        """What the stream came to, after its last piece.  Raises Broken when it has not come."""
        asked = self._reading.result
        if self._result is not _NOTHING:
            return self._result
        if asked not in {None, "text", "last"} or self._reading.result_event is not None:
            raise Broken("the stream ended before its result")
        if asked != "last" and (self._texts or self._reader is None or asked == "text"):
            return "".join(self._texts)
        if self._last is _NOTHING:
            raise Broken("the stream ended without a message")
        return self._last

    async def _take(self, message: Message) -> None:
        if message.data.strip() == _DONE:
            self.done = True
            return
        value = await aside(lambda: self._value(message), len(message.data))
        self._check(message, value)
        self._last = value
        if not self._is_result(message, value):
            self._show(self._text(message, value))

    def _value(self, message: Message) -> Any:
        try:
            return jsontext.loads(message.data)
        except JsonError as error:
            if message.event:  # an event may be plain text
                return message.data
            if not message.whole:
                raise Broken("the stream broke off within a line") from None
            raise Faulty(f"a line of the stream is not JSON: {error}") from None

    def _check(self, message: Message, value: Any) -> None:
        pointer = self._reading.error
        if pointer is None:
            return
        found = value if message.event == "error" else pointed(value, pointer, None)
        if found or message.event == "error":
            raise Reported(found if isinstance(found, str) else jsontext.dumps(found))

    def _is_result(self, message: Message, value: Any) -> bool:
        event, asked = self._reading.result_event, self._reading.result
        if event is not None or asked is None:
            if message.event == (event or "result"):
                pointer = asked if asked is not None and asked.startswith("/") else ""
                self._result = pointed(value, pointer, value)
                return True
            if event is not None:
                return False
        found = (
            pointed(value, _RESULT if asked is None else asked, _NOTHING) if asked not in {"text", "last"} else _NOTHING
        )
        if found is _NOTHING:
            return False
        self._result = found
        return True

    def _text(self, message: Message, value: Any) -> str:
        if not isinstance(value, dict | list):
            plain = value if isinstance(value, str) else message.data if message.event else ""  # the text "42", say
            return plain if self._reading.text in {None, ""} else ""
        pointers = _TEXTS if self._reading.text is None else (self._reading.text,)
        found = (pointed(value, pointer, None) for pointer in pointers)
        return next((text for text in found if isinstance(text, str)), "")

    def _show(self, text: str) -> None:
        if text:
            self._texts.append(text)
            self._tell(text)


def pointed(value: Any, pointer: str, default: Any) -> Any:
    """What a JSON pointer finds in a value, else `default`."""
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = cast("dict[str, Any]", value)[key]
        elif isinstance(value, list) and key.isascii() and key.isdecimal() and int(key) < len(cast("list[Any]", value)):
            value = cast("list[Any]", value)[int(key)]
        else:
            return default
    return value
