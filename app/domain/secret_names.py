"""What looks like a secret in a configuration, by its name or its place in a URL: the one rule for all who look for one.

A name is split into words: `X-Auth-Token`, `authToken` and `AUTH_TOKEN` are the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import unquote_plus

from app.domain.input_schema import to_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_LAST: Final = frozenset(
    {
        "apikey", "authorization", "cookie", "cookies", "credential", "credentials", "jwt", "passphrase", "passwd",
        "password", "privatekey", "pwd", "secret", "setcookie", "token",
    }
)  # fmt: skip
"""Last words that say it all."""
_SERVICES: Final = frozenset(
    {
        "ai", "anthropic", "aws", "azure", "cohere", "deepseek", "devops", "gemini", "gh", "github", "gitlab", "google", "groq",
        "huggingface", "mistral", "openai", "openrouter", "perplexity", "sendgrid", "serpapi", "stripe", "tavily", "twilio",
    }
)  # fmt: skip
"""What stands before a `key` or a `pat` (personal access token) that opens a service."""
_KEYS: Final = _SERVICES | {
    "access", "account", "admin", "api", "auth", "encryption", "functions", "license", "master", "private", "secret", "signing",
    "subscription",
}  # fmt: skip
"""What stands before the last word `key` of a secret one."""
_RUN_TOGETHER: Final = re.compile(
    r"(access|auth|bearer|id|private|refresh|security|session)token|(secret|access|subscription)key"
)
_NO_TOKENS: Final = frozenset(
    {
        "audio", "bos", "cls", "continuation", "cursor", "end", "eos", "first", "idempotency", "image", "last", "mask", "max",
        "min", "next", "pad", "page", "pagination", "paging", "per", "resume", "resumption", "sep", "special", "start",
        "starting", "stop", "sync", "unk", "video",
    }
)  # fmt: skip
"""What stands before a `token` that is a piece of text, or a place in a list."""
_IN_QUERY: Final = frozenset({"sig", "signature"})
"""Last words of parameters that sign a request, and are as good as a key."""
_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)")
_SPACE: Final = re.compile(r"\s")
_HOLE: Final = re.compile(r"\{[^{}]*\}")
_BRACES: Final = re.compile(r"\{\{|\}\}")

NAMED: Final = (
    "looks like a secret, which would be stored and shown as it is: name a variable instead, "
    'as {"env": "NAME"} or in api_key_env, whichever the kind takes'
)
IN_USER: Final = (
    "the URL holds a user or a password, which would be stored and shown: leave them out, and send them in a header whose "
    'value is in a variable, {"env": "NAME", "prefix": "Basic "}'
)
IN_QUERY: Final = (
    "the query of the URL holds what looks like a secret, which would be stored and shown: take it out, and send it in "
    '`headers` or `query` as {"env": "NAME"}'
)


def is_secret(name: str, *, in_query: bool = False) -> bool:
    """Whether a value of that name is a secret; `in_query`: it is a parameter of a URL."""
    words = [word.lower() for word in _WORDS.findall(name)]
    while words and (words[-1].isdecimal() or words[-1] == "v"):  # API_KEY_1, tokenV2
        words.pop()
    if not words:
        return False
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last == "token":
        return before not in _NO_TOKENS
    if last == "key":
        return before in _KEYS
    if last == "pat":
        return before in _SERVICES
    return last in _LAST or bool(_RUN_TOGETHER.fullmatch(last)) or (in_query and last in _IN_QUERY)


def find_secrets(value: Any) -> Iterator[tuple[str, str]]:
    """JSON pointers to what looks like a secret in a configuration, each with what to do about it, without the secret.

    Text with a hole in it (`{...}`) names one from elsewhere.
    """
    yield from _within(value, "", in_query=False)


def _within(value: Any, pointer: str, *, in_query: bool) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        yield from _in_object(cast("dict[str, Any]", value), pointer, in_query=in_query)
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _within(item, f"{pointer}/{index}", in_query=in_query)
    elif isinstance(value, str):
        yield from ((pointer, said) for said in _in_url(value))


def _in_object(value: Mapping[str, Any], pointer: str, *, in_query: bool) -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        place = pointer + to_pointer([key])
        if is_secret(key, in_query=in_query) and _is_plain(item):
            yield place, NAMED
        else:
            yield from _within(item, place, in_query=key == "query")


def _is_plain(value: Any) -> bool:
    """Whether it is a text, or holds one first of all, that is not made of anything else."""
    if isinstance(value, list):
        return any(_is_plain(item) for item in cast("list[Any]", value))
    return isinstance(value, str) and value.strip() != "" and "{" not in _BRACES.sub("", value)


def _in_url(text: str) -> Iterator[str]:
    text = _HOLE.sub("{}", text.strip())
    parts = _URL.match(text)
    if parts is None or _SPACE.search(text):
        return
    scheme, authority, rest = parts[1].lower(), parts[2], text[parts.end() :]
    user, at, _ = authority.rpartition("@")
    name, _, password = user.partition(":")
    if at and _is_plain(password if password or scheme not in {"http", "https"} else name):
        yield IN_USER
    for part in re.split(r"[?#&;]", rest)[1:]:
        name, _, found = part.partition("=")
        if is_secret(unquote_plus(name), in_query=True) and _is_plain(found):
            yield IN_QUERY
            return
