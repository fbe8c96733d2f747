"""Secrets that a configuration names, `{"env": "NAME"}`, resolved when they are used and kept out of whatever is told.

Nothing stores them resolved.  Who registers an agent over the API may name only what the operator has listed, or it could
send any variable of the service to an address of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain.known_secrets import KNOWN, Sieve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from app.domain.agents import Agent

    Secret = Callable[[str], str | None]

SECRET_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["env"],
    "additionalProperties": False,
    "properties": {
        "env": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
        "prefix": {"type": "string", "description": 'put before the value, such as "Bearer "'},
    },
}
"""What names a secret in an agent's config."""
_SHORT: Final = 4
"""Characters below which a value is too common to be taken out of texts."""
_MASK: Final = "***"


@dataclass(frozen=True, slots=True)
class Secrets:
    """Where secrets come from: `read` gives the value of a variable, `for_api` are those that the API's agents may name."""

    read: Secret
    for_api: frozenset[str] = frozenset()

    def closed(self, name: str, agent: Agent) -> str | None:
        """Why an agent may not name the variable, in words."""
        if agent.source == "api" and name not in self.for_api:
            return f"the variable {name} is not open to agents of the API (API_AGENT_SECRETS lists those that are)"
        return None

    def key(self, name: str) -> str | None:
        """The value of a variable that holds a key, which the last net then knows; None for an empty one."""
        found = (self.read(name) or "").strip() or None
        KNOWN.learn(found)
        return found

    def problem(self, name: str, agent: Agent) -> str | None:
        """Why an agent cannot use the variable, in words."""
        closed = self.closed(name, agent)
        if closed is not None:
            return closed
        if not (self.read(name) or "").strip():
            return f"the variable {name} is not set"
        return None

    def value(self, reference: Mapping[str, Any], agent: Agent, masks: Masks) -> str:
        """The value, which `masks` then knows.  Raises LookupError with what is wrong."""
        name = str(reference["env"])
        problem = self.problem(name, agent)
        if problem is not None:
            raise LookupError(problem)
        found = (self.read(name) or "").strip()
        masks.add(found)
        KNOWN.learn(found)
        return f"{reference.get('prefix', '')}{found}"


@dataclass(slots=True)
class Masks:
    """Takes secrets out of texts and values."""

    _secrets: set[str] = field(default_factory=set[str])

    def add(self, secret: str) -> None:
        """One more to take out."""
        if len(secret) >= _SHORT:
            self._secrets.add(secret)

    def text(self, text: str) -> str:
        """`text` with `***` for every secret."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, _MASK)
        return text

    def raw(self, text: bytes) -> bytes:
        """The same for text that is not read yet."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret.encode(), _MASK.encode())
        return text

    def begun(self, text: str) -> int:
        """How many characters at the end of `text` may be the beginning of a secret."""
        longest = max((len(secret) for secret in self._secrets), default=0)
        for length in range(min(longest - 1, len(text)), 0, -1):
            if any(length < len(secret) and secret.startswith(text[-length:]) for secret in self._secrets):
                return length
        return 0

    def value(self, value: Any) -> Any:
        """A JSON value with `***` for every secret in its texts and keys."""
        if not self._secrets:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in cast("dict[str, Any]", value).items()}
        if isinstance(value, list):
            return [self.value(item) for item in cast("list[Any]", value)]
        return value


class Veil:
    """Tells a text that comes in pieces without the secrets in it, also where a secret spans several pieces."""

    def __init__(self, masks: Masks, tell: Callable[[str], object]) -> None:
        self._sieve = Sieve(masks)
        self._tell = tell

    def __call__(self, text: str) -> None:
        """One piece; what may be the beginning of a secret is held back."""
        self._say(self._sieve.take(text))

    def end(self) -> None:
        """No piece comes any more."""
        self._say(self._sieve.rest())

    def _say(self, text: str) -> None:
        if text:
            self._tell(text)


def named_secrets(values: Iterable[Any]) -> list[str]:
    """The variables that some config values name."""
    return [str(cast("dict[str, Any]", value)["env"]) for value in values if isinstance(value, dict) and "env" in value]
