"""What a webhook may be given: secrets that sign, and URLs that can be shown."""

from __future__ import annotations

import base64
import binascii
import os
from typing import Final
from urllib.parse import urlsplit

from app.domain.secret_names import find_secrets

PREFIX: Final = "whsec_"
LONGEST_URL: Final = 2_000
_SHORTEST, _LONGEST = 24, 64


def new_secret() -> str:
    """A key of 32 random bytes, as Standard Webhooks writes it."""
    return PREFIX + base64.b64encode(os.urandom(32)).decode()


def secret_problem(secret: str) -> str | None:
    """Why nothing can be signed with it, in words that do not hold it."""
    told = f"should be {PREFIX} and {_SHORTEST} to {_LONGEST} bytes in base64"
    if not secret.startswith(PREFIX):
        return told
    try:
        raw = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (ValueError, binascii.Error):
        return told
    return None if _SHORTEST <= len(raw) <= _LONGEST else told


def url_problem(url: str) -> str | None:
    """Why it cannot be the URL of a webhook, whatever its address; None: nothing speaks against it."""
    told = "should be an http:// or https:// URL with a host"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return told
    if parts.scheme not in {"http", "https"} or not host or any(ord(one) <= ord(" ") for one in url):
        return told
    if len(url) > LONGEST_URL:
        return f"is longer than {LONGEST_URL} characters"
    if "@" in parts.netloc or any(find_secrets(url)):
        return "holds what looks like a secret, which would be shown: send that in `headers`"
    return "has a fragment, which is never sent" if parts.fragment else None
