"""The agent kind `http`: a service that takes the input as JSON and answers with JSON, or with a stream of text and messages.

What it streams is shown as it comes; the exchange as a whole, its redirects, its size and its time are bounded, and the
step's idempotency key goes along.  A stream that breaks off is tried again.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import httpx

from app.domain import retry
from app.domain.errors import InvalidWorkflow, JsonError
from app.domain.expression import ExpressionError
from app.domain.records import ErrorInfo
from app.domain.runner import Completed, Failed
from app.runners import http_agent_config as configured
from app.runners.aside import aside
from app.runners.http_bodies import media_type, parsed, pieces
from app.runners.http_client import FAULTS, failure, final, refused
from app.runners.http_streams import Broken, Collector, Faulty, Reported
from app.runners.per_agent import PerAgent
from app.runners.secret_values import Masks, Veil

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from app.domain.agents import Agent
    from app.domain.runner import Attempt, Outcome
    from app.runners.http_client import Call, HttpClient
    from app.runners.secret_values import Secrets

STREAM_ERROR: Final = "stream_error"
"""The other side said in its stream that it failed."""
_ERRORS: Final = 400
_TOLD: Final = 1_000


class HttpAgentKind:
    """Performs for all agents of the kind over pooled connections; close them with `aclose`."""

    def __init__(self, client: HttpClient, secrets: Secrets, *, allow_private: bool, max_bytes: int) -> None:
        self._client = client
        self._templates = PerAgent(configured.templates)
        self._secrets = secrets
        self._allow_private = allow_private
        self._max_bytes = max_bytes

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def config_schema(self) -> Mapping[str, Any]:
        """See docs/http-agents.md."""
        return configured.SCHEMA

    def check(self, agent: Agent) -> list[str]:
        """Whether its templates compile, its URL is one and its secrets are there."""
        return list(configured.problems(agent, self._secrets, allow_private=self._allow_private))

    async def perform(self, agent: Agent, attempt: Attempt) -> Outcome:
        """Send the request, show what streams, give what came of it."""
        masks = Masks()
        try:
            call = configured.call(agent, attempt, self._templates.of(agent), self._secrets, masks)
            limit = configured.deadline(agent.config)
        except (ExpressionError, LookupError, InvalidWorkflow, httpx.InvalidURL, JsonError, ValueError) as error:
            outcome = _not_sent(error)
        else:
            outcome = await self._within(limit, self._exchange(agent, attempt, call, masks))
        if isinstance(outcome, Failed):
            return replace(outcome, error=replace(outcome.error, message=masks.text(outcome.error.message)[:_TOLD]))
        return self._completed(agent, attempt, outcome)

    async def _within(
        self, limit: float, work: Coroutine[Any, Any, dict[str, Any] | Failed]
    ) -> dict[str, Any] | Failed:
        try:
            async with asyncio.timeout(limit):
                return await work
        except TimeoutError:
            message = f"there was no complete answer within {limit:g} s"
            return Failed(error=ErrorInfo(kind=retry.TIMEOUT, message=message, retryable=True))
        except (Broken, Faulty, Reported) as error:
            return _stream_failure(error)
        except FAULTS as error:
            return failure(error)

    def _completed(self, agent: Agent, attempt: Attempt, answer: dict[str, Any]) -> Completed | Failed:
        try:
            output = self._templates.of(agent).output
            return Completed(output=output.render({"response": answer, "input": attempt.input}))
        except ExpressionError as error:
            return final(retry.EXPRESSION, str(error))

    async def _exchange(self, agent: Agent, attempt: Attempt, call: Call, masks: Masks) -> dict[str, Any] | Failed:
        """`{"status", "headers", "body"}` without secrets, or the failure that its status is."""
        limit = min(self._max_bytes, int(agent.config.get("max_bytes", self._max_bytes)))
        inside = configured.may_go_inside(agent, allow_private=self._allow_private)
        async with self._client.exchange(call, allow_private=inside) as response:
            form = configured.form(agent.config, media_type(response))
            if form is None or response.status_code >= _ERRORS:
                body = b"".join([piece async for piece in pieces(response, limit)])
                wrong = refused(response, masks.raw(body))
                return wrong or await aside(lambda: masks.value(_answer(response, parsed(response, body))), len(body))
            veil = Veil(masks, attempt.context.chunk)
            collector = Collector(form, configured.reading(agent.config), veil, response.charset_encoding)
            async for piece in pieces(response, limit):
                await collector.feed(piece)
                if collector.done:
                    break
            await collector.feed(b"", last=True)
            veil.end()
            return await aside(lambda: masks.value(_answer(response, {"body": collector.result()})), collector.size)


def _not_sent(error: Exception) -> Failed:
    if isinstance(error, ExpressionError):
        return final(retry.EXPRESSION, str(error))
    if isinstance(error, LookupError):
        return final(retry.CONFIGURATION, str(error.args[0]))
    return final(retry.VALIDATION, f"not a request that can be sent: {error}")


def _stream_failure(error: Broken | Faulty | Reported) -> Failed:
    if isinstance(error, Faulty):
        return final(retry.INVALID_OUTPUT, str(error))
    kind = STREAM_ERROR if isinstance(error, Reported) else retry.NETWORK
    return Failed(error=ErrorInfo(kind=kind, message=str(error), retryable=True))


def _answer(response: httpx.Response, body: dict[str, Any]) -> dict[str, Any]:
    return {"status": response.status_code, "headers": dict(response.headers)} | body
