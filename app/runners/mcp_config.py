"""The operator's file of MCP servers: which there are, and how they are started or reached.

    {"mcpServers": {"git": {"command": "mcp-server-git", "args": ["--repository", "/srv/repo"], "env": {"A": "${B}"}},
                    "web": {"url": "https://tools.example/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}}}}

JSON or YAML, also without the outer key.  Nothing but this file ever says what command is run or what address is called, so
an address in it may be any, a private one too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import yaml

from app.domain.document_schema import NAME
from app.domain.errors import StartupError
from app.domain.known_secrets import KNOWN
from app.domain.secret_names import is_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Secret = Callable[[str], str | None]

_NAME: Final = re.compile(NAME)
_HOLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_STDIO: Final = frozenset({"command", "args", "env", "cwd"})
_HTTP: Final = frozenset({"url", "headers"})
_IGNORED: Final = frozenset({"type", "disabled", "description", "autoApprove", "alwaysAllow"})
"""Keys that other programs' files have: `type` must fit, a `disabled` server is left out, the rest means nothing here."""
_TYPES: Final = {"stdio": "stdio", "http": "http", "streamable-http": "http", "streamableHttp": "http"}
_SHORT: Final = 4
"""Characters below which a filled-in value is too common to be taken out of messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """One server: a command that speaks MCP on its pipes, or the URL of a streamable HTTP endpoint.

    `secrets` are the values that were filled in for `${...}`.  `only`: no configuration of the operator's but a server that
    comes with the code; it is opened when it is first called, and has no other tools than these.
    """

    name: str
    command: str | None = None
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    cwd: str | None = None
    url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    only: frozenset[str] | None = None

    @property
    def kind(self) -> str:
        """`stdio` or `http`."""
        return "http" if self.command is None else "stdio"

    def redact(self, text: str) -> str:
        """A message without the values that were filled in; it may have been cut off within one that is known."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return KNOWN.excerpt(text)


def load_servers(path: Path, secret: Secret) -> dict[str, ServerConfig]:
    """The servers in a file, by name; `secret` gives what stands for `${NAME}`.

    Raises StartupError in one line that names the server.
    """
    try:
        loaded: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    except yaml.YAMLError as error:
        raise _wrong(f"{path} is neither JSON nor YAML: {' '.join(str(error).split())[:300]}") from error
    found: Any = cast("dict[str, Any]", loaded).get("mcpServers", loaded) if isinstance(loaded, dict) else None
    if not isinstance(found, dict):
        raise _wrong(f'{path} should hold {{"mcpServers": {{"name": {{"command": ...}} or {{"url": ...}}}}}}')
    servers: dict[str, ServerConfig] = {}
    for name, entry in cast("dict[Any, Any]", found).items():
        try:
            server = _Entry(name, entry, secret).read(path)
        except _Faulty as error:
            raise _wrong(f"the server {name!r}: {error}") from None
        if server is not None:
            servers[server.name] = server
    return servers


class _Faulty(Exception):
    """What is wrong with an entry, in words."""


class _Entry:
    """One server of the file, being read.  Its methods raise _Faulty."""

    def __init__(self, name: Any, entry: Any, secret: Secret) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise _Faulty("not a name: letters, digits and . _ - only, at most 128")
        if not isinstance(entry, dict):
            raise _Faulty("should be an object")
        self._name = name
        self._entry = cast("dict[str, Any]", entry)
        self._secret = secret
        self._secrets: set[str] = set()

    def read(self, path: Path) -> ServerConfig | None:
        """The server; None for one that is disabled."""
        entry = self._entry
        kind = "stdio" if "command" in entry else "http"
        self._check_keys(kind)
        if entry.get("disabled") is True:
            return None
        cwd = self._text("cwd") if entry.get("cwd") is not None else None
        url = self._text("url") if kind == "http" else None
        if url is not None and not url.startswith(("http://", "https://")):
            raise _Faulty("`url` should begin with https:// or http://")
        return ServerConfig(
            name=self._name,
            command=self._text("command") if kind == "stdio" else None,
            args=tuple(self._texts("args")),
            env=self._mapping("env"),
            cwd=str(path.parent / cwd) if cwd is not None else None,
            url=url,
            headers=self._mapping("headers"),
            secrets=frozenset(value for value in self._secrets if len(value) >= _SHORT),
        )

    def _check_keys(self, kind: str) -> None:
        keys = set(self._entry)
        if ("command" in keys) == ("url" in keys):
            raise _Faulty("should have either `command` (a program) or `url` (streamable HTTP)")
        known = (_STDIO if kind == "stdio" else _HTTP) | _IGNORED
        unknown = sorted(str(key) for key in keys - known)
        if unknown:
            raise _Faulty(f"unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}")
        given = self._entry.get("type", kind)
        if _TYPES.get(str(given)) != kind:
            raise _Faulty(f"`type` {given!r} is not supported here: only stdio with a command, http with a url")

    def _text(self, key: str) -> str:
        return self._filled(self._entry[key], key)

    def _texts(self, key: str) -> list[str]:
        given: Any = self._entry.get(key) or ()
        if not isinstance(given, list | tuple):
            raise _Faulty(f"`{key}` should be a list of texts")
        return [self._filled(value, key) for value in cast("list[Any]", given)]

    def _mapping(self, key: str) -> dict[str, str]:
        given: Any = self._entry.get(key) or {}
        if not isinstance(given, dict):
            raise _Faulty(f"`{key}` should be an object of texts")
        found = {str(name): self._filled(value, key) for name, value in cast("dict[Any, Any]", given).items()}
        KNOWN.learn(*(word for name, value in found.items() if is_secret(name) for word in value.split()))
        return found

    def _filled(self, value: Any, key: str) -> str:
        """A text with its `${NAME}` and `${NAME:-default}` filled in."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise _Faulty(f"`{key}` should hold texts")

        def fill(hole: re.Match[str]) -> str:
            found = self._secret(hole[1])
            if found is None and hole[2] is None:
                raise _Faulty(f"`{key}` needs the variable {hole[1]}, which is not set")
            if found is None:
                return str(hole[2])
            self._secrets.add(found)
            if key == "headers" or is_secret(hole[1]):  # others may be a folder or a branch, which outputs tell of too
                KNOWN.learn(found)
            return found

        filled = _HOLE.sub(fill, str(value))
        if "\0" in filled or (key == "headers" and ("\n" in filled or "\r" in filled)):
            raise _Faulty(f"`{key}` holds a character that it cannot have")
        return filled


def _wrong(message: str) -> StartupError:
    return StartupError(f"MCP_SERVERS: {message}")
