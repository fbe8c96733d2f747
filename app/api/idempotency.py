"""The Idempotency-Key of requests that start something: read from the header, and what it stands for."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

from app.api.problem import BadRequest

if TYPE_CHECKING:
    from starlette.requests import Request

_KEY: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?\Z")
HEADER: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "1 to 255 printable characters: the same key and body start once.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$",
    },
}
"""How OpenAPI describes the header."""


def key_of(request: Request) -> str | None:
    """The header's value, if it was sent.  Raises BadRequest."""
    for name, value in request.scope["headers"]:
        if name == b"idempotency-key":
            key = value.decode("latin-1").strip(" ")
            if _KEY.match(key) is None:
                raise BadRequest("Idempotency-Key: send 1 to 255 printable ASCII characters")
            return key
    return None


def digest(key: str | None, route: str, value: Any) -> bytes:
    """What a key stands for: the route and the body, whatever the order of its keys and its white space."""
    if key is None:
        return b""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{route}\n{text}".encode()).digest()
