"""The loop of one attempt: ask, remember the turn, make its tool calls, remember each, and ask again.

Whatever earlier attempts have remembered is taken up where they were cut: no answer is asked for and no tool called twice.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext, retry
from app.domain.records import NO_USAGE, ErrorInfo
from app.domain.runner import Completed, Failed, ModelCall, StepFailure
from app.runners.addresses import AddressRefused
from app.runners.aside import aside
from app.runners.http_bodies import Damaged, TooLong, UnknownEncoding
from app.runners.llm import failures, tooling
from app.runners.llm.reading import Endless, Told, Unreadable, kept
from app.runners.llm.structured import excerpt, instruction
from app.runners.llm.talk import LENGTH, REFUSAL, Heard, Request, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from app.domain.runner import Outcome, StepContext
    from app.domain.tools import McpTools
    from app.runners.llm.config import Config
    from app.runners.llm.prices import Prices
    from app.runners.llm.structured import Shape
    from app.runners.llm.talk import Model, Offer

_CUT: Final = frozenset({LENGTH, "model_context_window_exceeded"})
_AGAIN: Final = (
    "That answer does not fit the JSON Schema that it must match:\n{}\nAnswer again, with the whole JSON value only."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Who takes part: the model, the library that speaks to it, the key (kept out of messages), tools and prices.

    `limit` is how many characters an answer may have.
    """

    model: Model
    sdk: Any
    key: str | None
    tools: McpTools | None
    prices: Prices
    limit: int

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What it raises when there is no answer, or none that can be read; in a stream also what its connection raises."""
        import httpx2  # noqa: PLC0415 - comes with the extras

        unreadable = (Unreadable, Endless, Told, TooLong, UnknownEncoding, Damaged)
        return (self.sdk.APIError, httpx2.HTTPError, AddressRefused, ValueError, *unreadable)


class _Screen:
    """What is shown of the conversation: a blank line between the texts of two turns."""

    def __init__(self, chunk: Callable[[str], None]) -> None:
        self._chunk = chunk
        self._last: int | None = None

    def say(self, turn: int, piece: str) -> None:
        if piece:
            self._chunk(piece if self._last in (None, turn) else f"\n\n{piece}")
            self._last = turn


class Loop:
    """One attempt of one step; `turns` is what earlier ones have remembered, and grows."""

    def __init__(
        self, config: Config, shape: Shape | None, party: Party, context: StepContext, turns: list[Turn]
    ) -> None:
        self._config = config
        self._shape = shape
        self._party = party
        self._context = context
        self._turns = turns
        self._offers: list[Offer] | None = None
        self._screen = _Screen(context.chunk)

    async def run(self, system: str | None, prompt: str) -> Outcome:
        """To the answer.  Raises StepFailure."""
        for turn in self._turns:
            self._screen.say(turn.number, turn.text)
        while True:
            turn = self._turns[-1] if self._turns else None
            if turn is not None and turn.fault is None and not turn.calls:
                return await self._ended(turn)
            if sum(one.fault is None for one in self._turns) >= self._config.max_turns:
                message = f"no answer after {self._config.max_turns} turns (max_turns)"
                return Failed(error=ErrorInfo(kind=failures.TOO_MANY_TURNS, message=message))
            if turn is not None and turn.open_calls:
                await tooling.run(turn, self._party.tools, self._context)
            self._turns.append(await self._ask(system, prompt))

    async def _ask(self, system: str | None, prompt: str) -> Turn:
        """One more turn of the model, remembered."""
        if self._offers is None:
            self._offers = await tooling.offers(self._party.tools, self._config.tools)
        heard = Heard(say=partial(self._screen.say, len(self._turns) + 1), limit=self._party.limit)
        way = "prompt" if self._shape is None else self._shape.way(self._config)
        told = [text for text in (system, instruction(way, self._shape)) if text]
        request = Request(
            config=self._config,
            system="\n\n".join(told) or None,
            prompt=prompt,
            turns=self._turns,
            tools=self._offers,
            shape=self._shape,
            way=way,
        )
        with self._told(heard):
            await self._listen(request, heard)
        turn, value = await aside(partial(self._kept, heard, self._offers), heard.size)
        await self._context.remember(f"turn:{turn.number}", value)
        return turn

    @contextmanager
    def _told(self, heard: Heard) -> Generator[None]:
        """Count what a call of the model has spent and tell of it, whatever becomes of it."""
        began, error = time.time_ns(), None
        try:
            yield
        except BaseException as raised:
            error = raised.kind if isinstance(raised, StepFailure) else type(raised).__name__
            raise
        finally:
            usage = NO_USAGE
            if heard.input_tokens or heard.output_tokens:
                usage = self._party.prices.usage(self._config, heard)
                self._context.spend(usage)
            call = ModelCall(
                provider=self._config.provider,
                model=self._config.model,
                answered_by=heard.model or None,
                began=began,
                usage=usage,
                stop=heard.stop,
                error=error,
            )
            self._context.called_model(call)

    def _kept(self, heard: Heard, offered: Sequence[Offer]) -> tuple[Turn, Any]:
        """What was heard, as a turn, and that as it is remembered.  Raises StepFailure."""
        turn = self._turn(heard, offered)
        try:
            return turn, kept(turn.value())
        except Unreadable as error:
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> StepFailure:
        return failures.failure(error, self._party.sdk, self._party.key, self._config.who)

    async def _listen(self, request: Request, heard: Heard) -> None:
        limit = self._config.timeout
        try:
            async with asyncio.timeout(limit):
                await self._party.model.ask(request, heard)
        except TimeoutError:
            raise StepFailure(f"{self._config.who} has not answered within {limit:g} s", kind=retry.TIMEOUT) from None
        except self._party.failures as error:
            raise self._failure(error) from None

    def _turn(self, heard: Heard, offered: Sequence[Offer]) -> Turn:
        """What was heard, as a turn.  Raises StepFailure for what is no answer at all."""
        if heard.refusal is not None or heard.stop == REFUSAL:
            words = f": {excerpt(heard.refusal)}" if heard.refusal else ""
            raise StepFailure(
                f"the model refused to answer{jsontext.clean(words)}", kind=failures.REFUSED, retryable=False
            )
        if heard.stop is None:
            raise StepFailure(f"the answer of {self._config.who} broke off", kind=failures.UNAVAILABLE)
        if heard.stop in _CUT and (self._shape is not None or heard.calls):
            raise StepFailure(f"the answer was cut short ({heard.stop})", kind=failures.TRUNCATED, retryable=False)
        number = len(self._turns) + 1
        calls = tooling.calls(heard.calls, offered, number)
        pieces = heard.texts if heard.answer is None or calls else heard.answer
        return Turn(
            number=number,
            text=jsontext.clean("".join(pieces)),
            calls=calls,
            stop=heard.stop,
            model=heard.model or self._config.model,
            usage=heard.usage(),
            provider=self._config.provider,
            blocks=heard.blocks,
        )

    async def _ended(self, turn: Turn) -> Outcome:
        """The step's output from the last turn; one that does not fit is answered with what is wrong, on the next attempt."""
        if self._shape is None:
            return Completed(output={"text": turn.text, "model": turn.model, "stop_reason": turn.stop})
        value, fault = await aside(partial(self._shape.take, turn.text), len(turn.text))
        if fault is None:
            return Completed(output=value)
        await self._context.remember(f"fault:{turn.number}", _AGAIN.format(fault))
        message = f"the answer does not fit the agent's output_schema: {excerpt(fault)}; it was: {excerpt(turn.text)}"
        return Failed(error=ErrorInfo(kind=retry.INVALID_OUTPUT, message=message, retryable=True))
