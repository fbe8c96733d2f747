"""What a thread is about, in one line: the most telling value of its input, of which only the beginning is known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic_core import from_json

from app.domain.secret_names import find_secrets, is_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LONGEST: Final = 120
_TELLING: Final = (
    "title", "topic", "name", "subject", "question", "query", "prompt", "task", "message", "goal", "instruction",
    "instructions", "text", "description", "summary", "content", "customer", "order", "url", "uri", "repo", "repository",
    "path", "file", "paths", "files", "urls", "email", "id",
)  # fmt: skip
"""Names of values that tell most, the best first; those of messages stand for a conversation."""
_TALK: Final = ("messages", "input", "data", "params", "arguments", "payload")
"""What often holds all the rest."""
_SETTING: Final = re.compile(
    r"(out|output|dest|destination|target|report|reports|save|tmp|temp|work|cache|log)(dir|directory|folder|path|file|root)"
    r"|.*(pace|delay|interval|timeout|seconds)(ms|s)?"
)
"""Names of what says how or where to, never what about."""
_PATH: Final = re.compile(r"(~|\.{0,2})[/\\]|[A-Za-z]:[/\\]")
_KINDS: Final[tuple[Any, ...]] = (str, (int, float), (dict, list))
_DEPTH: Final = 4
_SPACE: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+")


def title_of(head: str | None) -> str | None:
    """One line of at most LONGEST characters from the beginning of an input's JSON text; None when nothing tells.

    A value whose name looks like a secret's, or that looks like one itself, is never taken.
    """
    if not head:
        return None
    try:
        value = from_json(head, allow_partial="trailing-strings")
    except (ValueError, RecursionError):
        return None
    return _of(value, _DEPTH)


def _of(value: Any, depth: int) -> str | None:
    if isinstance(value, str):
        return _line(value)
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _number(value)
    if depth == 0:
        return None
    if isinstance(value, list):
        return next((title for one in cast("list[Any]", value)[:3] if (title := _of(one, depth - 1)) is not None), None)
    return _of_object(cast("dict[str, Any]", value), depth - 1)


def _of_object(value: Mapping[str, Any], depth: int) -> str | None:
    """By the names that tell most, else the first text (no path if it can be), the first number, what is within."""
    known = {
        re.sub(r"[-_ ]", "", name.lower()): one for name, one in value.items() if not is_secret(name, in_query=True)
    }
    named = {name: one for name, one in known.items() if not _SETTING.fullmatch(name)}
    told = (named[name] for name in _TELLING if name in named)
    held = (named[name] for name in _TALK if name in named)
    of_kind = [[one for one in named.values() if isinstance(one, kinds)] for kinds in _KINDS]
    of_kind[0].sort(key=lambda text: bool(_PATH.match(text)))
    for values in (told, held, *of_kind):
        if (title := _first(values, depth)) is not None:
            return title
    return None


def _first(values: Iterable[Any], depth: int) -> str | None:
    return next((title for one in values if (title := _of(one, depth)) is not None), None)


def _line(text: str) -> str | None:
    line = _SPACE.sub(" ", text).strip()
    if not line or next(find_secrets(line), None) is not None:
        return None
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1].rstrip()}…"


def _number(value: float) -> str | None:
    text = str(value)
    return text if len(text) <= LONGEST and value == value and abs(value) != float("inf") else None  # noqa: PLR0124 - NaN
