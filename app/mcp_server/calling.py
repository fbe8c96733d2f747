"""One call of a tool: what it works with, what it gives, and how it is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from app.client import Backstitch

Document: TypeAlias = dict[str, Any]
Report: TypeAlias = Callable[[float, "float | None", "str | None"], Awaitable[None]]


class Refused(Exception):
    """The call cannot be carried out; `hint` says what to do next."""

    def __init__(self, code: str, detail: str, hint: str = "", **more: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.hint = hint
        self.more = more


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool gives: a document that fits its output schema, and the same for a reader, in few words."""

    document: Document
    text: str


@dataclass(slots=True, kw_only=True)
class Call:
    """`base` is the address of the service as this client reaches it."""

    service: Backstitch
    base: str
    report: Report | None = None
    key: str | None = None
    """A key under which the client wants this call to happen once."""
    _told: float = -1.0

    @property
    def wants_progress(self) -> bool:
        """Whether the client has asked to be told."""
        return self.report is not None

    async def progress(self, done: float, total: float, message: str) -> None:
        """Tell how far it is; only what is further than what was told before, as the protocol wants it."""
        if self.report is not None and done > self._told:
            self._told = done
            await self.report(done, total, message)
