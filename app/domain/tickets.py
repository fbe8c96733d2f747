"""Tickets: short-lived tokens that let whoever shows one follow the stream of one thread, signed with a key of the service.

A ticket is `v1.EXPIRES.THREAD.MAC` (the last two in base64url): HMAC-SHA-256 (RFC 2104) over the rest of it.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from typing import Final, Protocol

from app.domain.errors import Forbidden, Unauthorized

KEY: Final = "stream-tickets"
"""The name of the key."""
KEY_BYTES: Final = 32
_FORM: Final = "v1"
_PARTS: Final = 4


class Keys(Protocol):
    """The keys of the service, which all its processes share and nobody is shown."""

    async def key(self, name: str) -> bytes:
        """The key of that name; made when it is first asked for.  Raises Unavailable."""
        ...


def sign(key: bytes, thread_id: str, expires: int) -> str:
    """A ticket for the stream of a thread, good until that second of the epoch."""
    said = f"{_FORM}.{expires}.{_text(thread_id.encode())}"
    return f"{said}.{_text(_mac(key, said))}"


def check(key: bytes, ticket: str, thread_id: str, now: float) -> None:
    """Raises Unauthorized (token_invalid, token_expired) or Forbidden (token_mismatch: it is for another thread)."""
    said, _, mac = ticket.rpartition(".")
    parts = ticket.split(".")
    if len(parts) != _PARTS or not hmac.compare_digest(_bytes(mac), _mac(key, said)):
        raise Unauthorized("the token is not one of this service", code="token_invalid")
    if float(parts[1]) <= now:
        raise Unauthorized("the token's time is over: ask for another", code="token_expired")
    if _bytes(parts[2]).decode() != thread_id:
        raise Forbidden("the token is for the stream of another thread", code="token_mismatch")


def _mac(key: bytes, said: str) -> bytes:
    return hmac.new(key, said.encode("utf-8", "replace"), hashlib.sha256).digest()


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """What the text stands for; nothing for one that stands for nothing."""
    try:
        return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (NotBase64, UnicodeEncodeError):
        return b""
