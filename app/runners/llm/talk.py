"""A conversation with a model in words of no provider: what is asked, what is heard, and the turns that are remembered.

A turn is one answer of the model.  It is kept under `turn:{n}`, the result of its i-th tool call under `tool:{n}:{i}`, and why
it could not be taken for the step's output under `fault:{n}`; n and i count from 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from app.domain import jsontext
from app.domain.errors import JsonError
from app.runners.llm.reading import Endless

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from app.runners.llm.config import Config
    from app.runners.llm.structured import Shape

END: Final = "end_turn"
LENGTH: Final = "max_tokens"
REFUSAL: Final = "refusal"
TOOLS: Final = "tool_use"
MAX_PARTS: Final = 1_000
"""Tool calls, or blocks, of one answer."""
MAX_PART: Final = 1_000_000
"""Characters of the arguments of one tool call, or of what a block begins with beside its text."""
MAX_ARGUMENTS: Final = 4 * MAX_PART
"""Characters of the arguments of all tool calls of one answer."""
_REFUSAL: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A tool as the model sees it, and where it really is."""

    name: str
    server: str
    tool: str
    description: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A tool call that the model asks for.  `fault`: why it cannot be made; the model is told so."""

    id: str
    name: str
    arguments: Mapping[str, Any]
    server: str = ""
    tool: str = ""
    fault: str | None = None

    def value(self) -> dict[str, Any]:
        """As it is remembered."""
        where = {"server": self.server, "tool": self.tool} if self.fault is None else {"fault": self.fault}
        return {"id": self.id, "name": self.name, "arguments": self.arguments, **where}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a tool call gave, as the model is told."""

    text: str
    is_error: bool = False


@dataclass(slots=True, kw_only=True)
class Turn:
    """One answer of the model and what came of it.

    `stop` says why it ended: END, LENGTH, TOOLS, REFUSAL or the provider's own word.  `blocks` are the provider's own pieces of
    it, kept when it must be given them back as they were (thinking), and only for `provider`.
    """

    number: int
    text: str
    calls: Sequence[Call]
    stop: str
    model: str
    usage: Mapping[str, Any]
    provider: str
    blocks: Sequence[Any] | None = None
    results: dict[int, Result] = field(default_factory=dict[int, Result])
    fault: str | None = None

    def value(self) -> dict[str, Any]:
        """As it is remembered."""
        kept = {} if self.blocks is None else {"blocks": list(self.blocks)}
        return {
            "text": self.text,
            "calls": [call.value() for call in self.calls],
            "stop_reason": self.stop,
            "model": self.model,
            "usage": dict(self.usage),
            "provider": self.provider,
            **kept,
        }

    @property
    def open_calls(self) -> list[tuple[int, Call]]:
        """The calls that have no result yet, with their numbers."""
        return [(number, call) for number, call in enumerate(self.calls, 1) if number not in self.results]


def recall(remembered: Mapping[str, Any]) -> list[Turn]:
    """The turns that earlier attempts have remembered, in order."""
    turns: list[Turn] = []
    while (value := remembered.get(f"turn:{len(turns) + 1}")) is not None:
        number = len(turns) + 1
        turn = Turn(
            number=number,
            text=value["text"],
            calls=[Call(**call) for call in value["calls"]],
            stop=value["stop_reason"],
            model=value["model"],
            usage=value["usage"],
            provider=value["provider"],
            blocks=value.get("blocks"),
            fault=remembered.get(f"fault:{number}"),
        )
        for place in range(1, len(turn.calls) + 1):
            result = remembered.get(f"tool:{number}:{place}")
            if result is not None:
                turn.results[place] = Result(**result)
        turns.append(turn)
    return turns


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the model is asked: the conversation so far, the tools it has, and the shape its answer must have.

    `way` is how the shape is put to it: "schema" (the provider's own feature), "tool", or "prompt" (`system` says it all).
    """

    config: Config
    system: str | None
    prompt: str
    turns: Sequence[Turn]
    tools: Sequence[Offer]
    shape: Shape | None = None
    way: str = "prompt"


@dataclass(slots=True, kw_only=True)
class Wanted:
    """A tool call as it is streamed: its arguments come in pieces of JSON text."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])
    size: int = 0
    read: list[Mapping[str, Any] | None] = field(default_factory=list["Mapping[str, Any] | None"])

    def add(self, piece: str) -> None:
        """A piece of the arguments.  Raises Endless."""
        self.size += len(piece)
        if self.size > MAX_PART:
            raise Endless(f"the arguments of a tool call are longer than {MAX_PART:,} characters")
        if piece:
            self.arguments.append(piece)

    def parsed(self) -> Mapping[str, Any] | None:
        """The arguments, all heard; None for what is no JSON object.  None at all are an empty object."""
        if not self.read:
            self.read.append(self._parsed())
        return self.read[0]

    def _parsed(self) -> Mapping[str, Any] | None:
        try:
            value = jsontext.loads("".join(self.arguments) or "{}")
        except JsonError:
            return None
        return cast("dict[str, Any]", value) if isinstance(value, dict) else None


@dataclass(slots=True, kw_only=True)
class Heard:
    """What has been heard of an answer so far; whoever listens adds to it, so that a broken one is not lost on the bill.

    `answer` is the JSON text of an answer that came as the arguments of a tool, None when none did.  `limit` is how many
    characters it may have, texts and arguments together, and how many bytes one event of it.
    """

    say: Callable[[str], None]
    limit: int
    texts: list[str] = field(default_factory=list[str])
    answer: list[str] | None = None
    calls: list[Wanted] = field(default_factory=list[Wanted])
    stop: str | None = None
    model: str = ""
    refusal: str | None = None
    blocks: list[Any] | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    size: int = 0
    parts: int = 0
    argued: int = 0

    def text(self, piece: str) -> None:
        """A piece of the answer's text: kept, and shown to whoever watches."""
        if piece:
            self._show(piece)
            self.texts.append(piece)

    def refuse(self, piece: str) -> None:
        """A piece of why there is no answer: kept as far as it is told."""
        if piece:
            self.count(piece)
            self.refusal = ((self.refusal or "") + piece)[:_REFUSAL]

    def structured(self, piece: str) -> None:
        """The same for a piece of an answer that comes as the arguments of a tool."""
        self._show(piece)
        if self.answer is None:
            self.answer = []
        self.answer.append(piece)

    def _show(self, piece: str) -> None:
        self.count(piece)
        if piece:
            self.say(jsontext.clean(piece))

    def count(self, piece: str) -> None:
        """Count a piece of text.  Raises Endless for an answer that does not end."""
        self.size += len(piece)
        if self.size > self.limit:
            raise Endless(f"it is longer than {self.limit:,} characters")

    def argue(self, wanted: Wanted, piece: str) -> None:
        """A piece of the arguments of a tool call, which has been counted.  Raises Endless."""
        self.argued += len(piece)
        if self.argued > MAX_ARGUMENTS:
            raise Endless(f"the arguments of its tool calls are longer than {MAX_ARGUMENTS:,} characters together")
        wanted.add(piece)

    def part(self, head: str) -> None:
        """Count a tool call or a block that begins, and what it begins with.  Raises Endless."""
        self.count(head)
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise Endless(f"it has more than {MAX_PARTS:,} parts")

    def usage(self) -> dict[str, int]:
        """The tokens, as they are remembered; `input_tokens` are all of the input, cached or not."""
        found = {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens}
        cached = {"cache_read_tokens": self.cache_read_tokens, "cache_write_tokens": self.cache_write_tokens}
        return found | {name: count for name, count in cached.items() if count}


class Model(Protocol):
    """One provider's protocol."""

    async def ask(self, request: Request, heard: Heard) -> None:
        """Ask for one answer and hear it to its end.  Raises whatever the provider's library and `reading` raise."""
        ...
