"""Opaque cursors: where a list or the feed goes on, as URL-safe text that clients pass back as they got it."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from app.domain.errors import InvalidRequest, Problem
from app.domain.gates import GateKey
from app.domain.ports import FeedPosition

if TYPE_CHECKING:
    from app.domain.waiting import WaitRecord

_MAX: Final = 2**63 - 1
_MAX_VERSION: Final = 2**31 - 1
_MAX_TEXT: Final = 500


def encode(*parts: str | int) -> str:
    """A cursor of these parts."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


def decode(cursor: str, *kinds: type, name: str = "cursor") -> list[Any]:
    """The parts of a cursor.  Raises InvalidRequest (422) for what none of ours looks like."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        parts: Any = orjson.loads(raw)
    except (ValueError, binascii.Error):
        parts = None
    if isinstance(parts, list):
        found = cast("list[Any]", parts)
        if [type(part) for part in found] == list(kinds) and all(map(_sane, found)):
            return found
    raise InvalidRequest(f"{name}: not a cursor of this list", problems=[Problem(f"/query/{name}", "not a cursor")])


def _sane(part: str | int) -> bool:
    if isinstance(part, int):
        return 0 <= part <= _MAX
    return len(part) <= _MAX_TEXT and "\x00" not in part


def _time(text: str) -> datetime | None:
    try:
        when = datetime.fromisoformat(text)
        return None if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def version(cursor: str | None) -> int:
    """The last version of the page before, 0 at the start."""
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= len(str(_MAX_VERSION))):
        decode("", name="cursor")
    return min(int(cursor), _MAX_VERSION)


def created(cursor: str | None) -> tuple[datetime, str] | None:
    """(created_at, id) of the last execution of the page before."""
    if cursor is None:
        return None
    at, execution_id = decode(cursor, str, str)
    when = _time(at)
    if when is None or not is_uuid(execution_id):
        decode("", name="cursor")
    return cast("datetime", when), execution_id


def of_created(place: tuple[datetime, str] | None) -> str | None:
    """The cursor of such a place, None for none."""
    return None if place is None else encode(place[0].isoformat(), place[1])


def instant(cursor: str | None) -> datetime | None:
    """The time of the last entry of the page before."""
    if cursor is None:
        return None
    when = _time(decode(cursor, str)[0])
    if when is None:
        decode("", name="cursor")
    return when


def delivery(cursor: str | None) -> tuple[datetime, int, str] | None:
    """(at, seq, id) of the last delivery of the page before."""
    if cursor is None:
        return None
    at, seq, delivery_id = decode(cursor, str, int, str)
    when = _time(at)
    if when is None or not is_uuid(delivery_id):
        decode("", name="cursor")
    return cast("datetime", when), seq, delivery_id


def one_id(cursor: str | None) -> str | None:
    """The id of the last entry of the page before."""
    if cursor is None:
        return None
    [found] = decode(cursor, str)
    if not is_uuid(found):
        decode("", name="cursor")
    return found


def gate(cursor: str | None) -> tuple[datetime, GateKey] | None:
    """(opened_at, key) of the last gate, or wait, of the page before."""
    if cursor is None:
        return None
    at, thread_id, execution_id, step_id, item, place = decode(cursor, str, str, str, str, int, int)
    when = _time(at)
    if when is None or not is_uuid(execution_id) or max(item, place) > _MAX_VERSION:
        decode("", name="cursor")
    key = GateKey(thread_id=thread_id, key_execution_id=execution_id, step_id=step_id, item=item - 1, round=place)
    return cast("datetime", when), key


def of_gate(gate: WaitRecord) -> str:
    """The cursor of a gate, or of a wait."""
    key = gate.key
    parts = (key.thread_id, key.key_execution_id, key.step_id, key.item + 1, key.round)
    return encode(gate.opened_at.isoformat(), *parts)


def number(cursor: str | None) -> int:
    """The number of the last one of the page before, 0 at the start."""
    return 0 if cursor is None else decode(cursor, int)[0]


def text(cursor: str | None) -> str:
    """The last name of the page before, "" at the start."""
    return "" if cursor is None else decode(cursor, str)[0]


def position(cursor: str, *, name: str = "after") -> FeedPosition:
    """A place in the feed."""
    xact, seq, thread_id = decode(cursor, int, int, str, name=name)
    return FeedPosition(xact, thread_id, seq)


def of_position(place: FeedPosition) -> str:
    """The cursor of a place in the feed."""
    return encode(place.xact, place.seq, place.thread_id)


def is_uuid(value: str) -> bool:
    """Whether a database takes it for a UUID as we write them."""
    groups = value.split("-")
    return [len(group) for group in groups] == [8, 4, 4, 4, 12] and all(
        character in "0123456789abcdefABCDEF" for group in groups for character in group
    )
