"""The lines of a stdio server's output as messages; one that is too long, or cannot be read, costs its request and no more."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from app.runners.mcp_results import LONGER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp.shared.message import SessionMessage
    from mcp_types import JSONRPCMessage

_ENDS: Final = 200
_HEAD: Final = re.compile(rb'^\s*\{\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*(\d+)\s*,')
_TAIL: Final = re.compile(rb'"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*(\d+)\s*\}\s*$')


@dataclass(slots=True)
class LongLine:
    """What is kept of a line that was longer than it may be."""

    head: bytes
    tail: bytes

    @property
    def request_id(self) -> int | None:
        """The request that it answers; servers write the id at either end."""
        found = _HEAD.search(self.head) or _TAIL.search(self.tail)
        return int(found[1]) if found else None


class Lines:
    """Cuts what comes from a pipe into lines of at most `limit` bytes, in time that is linear in what comes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._long: LongLine | None = None

    def feed(self, data: bytes) -> Iterator[bytes | LongLine]:
        """The lines that end in `data`."""
        *ended, rest = data.split(b"\n")
        for part in ended:
            self._add(part)
            yield self._take()
        self._add(rest)

    def _add(self, part: bytes) -> None:
        if self._long is not None:
            self._long.tail = (self._long.tail + part)[-_ENDS:]
            return
        self._parts.append(part)
        self._size += len(part)
        if self._size > self._limit:
            line = b"".join(self._parts)
            self._long = LongLine(line[:_ENDS], line[-_ENDS:])
            self._parts = []

    def _take(self) -> bytes | LongLine:
        line = self._long if self._long is not None else b"".join(self._parts)
        self._parts, self._size, self._long = [], 0, None
        return line


def to_message(line: bytes | LongLine, limit: int) -> SessionMessage | None:
    """A line as the session takes it; None for one that is no message."""
    import mcp_types  # noqa: PLC0415 - takes long to import, and only who has servers pays for it
    from mcp.shared.message import SessionMessage  # noqa: PLC0415

    if isinstance(line, LongLine):
        return _error(line.request_id, mcp_types.INTERNAL_ERROR, f"{LONGER} {limit:,} bytes")
    try:
        message: JSONRPCMessage = mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        return _error(_id(line), mcp_types.PARSE_ERROR, "the answer is not valid JSON-RPC")
    return SessionMessage(message)


def _id(line: bytes) -> int | None:
    """The id in a line that is JSON, but not as it should be: lone surrogates, say."""
    try:
        loaded: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    found: Any = cast("dict[str, Any]", loaded).get("id") if isinstance(loaded, dict) else None
    return found if isinstance(found, int) else None


def _error(request_id: int | None, code: int, message: str, data: str | None = None) -> SessionMessage | None:
    from mcp.shared.message import SessionMessage  # noqa: PLC0415
    from mcp_types import ErrorData, JSONRPCError  # noqa: PLC0415

    if request_id is None:
        return None
    return SessionMessage(
        JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=code, message=message, data=data))
    )
