"""The secrets that this process knows, and the last net that takes them out of whatever it stores, logs or sends.

Whoever resolves a reference to a secret lets `KNOWN` learn it.  The net looks for the value itself and for the forms in which
it comes back: escaped for JSON, for a URL or for HTML, in hex, and in base64, also inside of something longer (Basic auth).
While no secret is known it costs nothing.
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, Protocol, cast
from urllib.parse import quote, quote_plus

from app.domain import jsontext
from app.domain.errors import JsonError

if TYPE_CHECKING:
    from collections.abc import Iterator

MASK: Final = "***"
_SHORT: Final = 8
_A_WORD: Final = 12
"""Characters below which a value, or one of letters or digits only, is too common to be looked for everywhere."""
_TELLING: Final = 5
"""Characters of a secret's beginning, at the end of a text, that tell too much of it."""
_MOST: Final = 500
"""Secrets that are remembered; those learned first go first."""
_IN_URL: Final = re.compile(r"(://[^\s/?#:@'\"]*:)[^\s/?#'\"]+(?=@)")
"""The password in a URL, whatever it is."""


def is_guessable(value: str) -> bool:
    """Whether a value is so short or plain that it would be found in what has nothing to do with it."""
    return len(value) < _SHORT or (len(value) < _A_WORD and (value.isalpha() or value.isdecimal()))


class KnownSecrets:
    """Learns secrets, and takes them out of texts and values; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget all."""
        self._secrets: OrderedDict[str, None] = OrderedDict()
        self._forms: tuple[str, ...] = ()
        self._in_json: tuple[str, ...] = ()
        self._by_first: dict[str, list[str]] = {}
        self._longest = 0

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._forms)

    def learn(self, *values: str | None) -> None:
        """Take these out from now on; None and what is guessable is passed over."""
        new = [value for value in values if value and value not in self._secrets and not is_guessable(value)]
        if not new:
            return
        with self._lock:
            self._secrets.update(dict.fromkeys(new))
            while len(self._secrets) > _MOST:
                self._secrets.popitem(last=False)
            forms = {form for secret in self._secrets for form in _forms(secret)}
            by_first: dict[str, list[str]] = {}
            for form in forms:
                by_first.setdefault(form[0], []).append(form)
            self._by_first = by_first
            self._longest = max(map(len, forms))
            in_json = {text for form in forms for text in _as_json(form)}
            # Long ones first: a secret may begin with another.
            self._in_json = tuple(sorted(in_json, key=len, reverse=True))
            self._forms = tuple(sorted(forms, key=len, reverse=True))

    def text(self, text: str) -> str:
        """`text` with `***` for every secret."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def excerpt(self, text: str) -> str:
        """The same for a text that may have been cut off in the middle of a secret."""
        if not self._forms:
            return text
        text = self.text(text)
        begun = self.begun(text)
        return text if begun < _TELLING else text[:-begun] + MASK

    def json(self, text: str) -> str:
        """A JSON text with `***` for every secret in its texts, keys and numbers; the same text when there is none."""
        if not any(form in text for form in self._in_json):
            return text
        try:
            return jsontext.dumps(self.value(jsontext.loads(text)))
        except JsonError:
            return self.text(text)

    def value(self, value: Any) -> Any:
        """A JSON value with `***` for every secret."""
        if not self._forms:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in cast("dict[Any, Any]", value).items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in cast("list[Any]", value)]
        if isinstance(value, int | float) and not isinstance(value, bool):
            text = repr(value)
            return value if self.text(text) == text else MASK
        return value

    def begun(self, text: str) -> int:
        """How many characters at the end of `text` may be the beginning of a secret."""
        by_first = self._by_first
        for place in range(max(0, len(text) - self._longest + 1), len(text)):
            end = text[place:] if text[place] in by_first else ""
            if end and any(len(end) < len(form) and form.startswith(end) for form in by_first[end[0]]):
                return len(end)
        return 0


class Net(Protocol):
    """What takes secrets out of a text."""

    def text(self, text: str, /) -> str:
        """`text` with `***` for every secret."""
        ...

    def begun(self, text: str, /) -> int:
        """How many characters at the end of `text` may be the beginning of a secret that is not whole in it."""
        ...


class Sieve:
    """A text that comes in pieces, without the secrets in it, also where one spans several pieces."""

    __slots__ = ("_held", "_known")

    def __init__(self, known: Net) -> None:
        self._known = known
        self._held = ""

    def take(self, piece: str) -> str:
        """What may be shown now; what may be the beginning of a secret is held back until the next piece."""
        text = self._held + piece
        shown, self._held = self._parted(text)
        whole = self._known.text(text)
        if shown + self._known.text(self._held) != whole:  # a secret reached into what begins another
            shown, self._held = self._parted(whole)
        return shown

    def rest(self) -> str:
        """What was held back, unless it tells too much of a secret: no piece comes any more."""
        held, self._held = self._held, ""
        return self._known.text(held) if len(held) < _TELLING else MASK

    def _parted(self, text: str) -> tuple[str, str]:
        """What may be shown of a text, and its end, which may be the beginning of a secret."""
        end = len(text) - self._known.begun(text)
        return self._known.text(text[:end]), text[end:]


def without_passwords(text: str) -> str:
    """A text with `***` for the password of every URL in it."""
    return _IN_URL.sub(rf"\1{MASK}", text) if "://" in text else text


def _forms(secret: str) -> Iterator[str]:
    yield secret
    quoted = (quote(secret, safe=""), quote(secret), quote_plus(secret))
    yield from quoted
    yield from (re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text) for text in quoted)
    yield from _as_json(secret)
    yield json.dumps(secret)[1:-1].replace("/", r"\/")
    yield html.escape(secret)
    yield repr(secret)[1:-1]
    raw = secret.encode("utf-8", "replace")
    yield raw.hex()
    for offset in range(3):
        inner = _inner_base64(raw, offset)
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


def _as_json(text: str) -> tuple[str, str]:
    """A text as it stands in JSON, written in Unicode and in ASCII."""
    return json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(text)[1:-1]


def _inner_base64(raw: bytes, offset: int) -> str:
    """The characters that stand for `raw` alone wherever it begins `offset` bytes into a group of three."""
    text = base64.b64encode(bytes(offset) + raw).decode()
    first = (0, 2, 3)[offset]
    last = (0, 3, 2)[(offset + len(raw)) % 3]
    return text[first : len(text) - last]


KNOWN: Final = KnownSecrets()
"""Those of this process: a log line may come from anywhere in it."""
