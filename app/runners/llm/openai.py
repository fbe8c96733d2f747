"""OpenAI's chat completions, which Ollama, vLLM and many others speak too."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.runners.llm.clients import request_timeout
from app.runners.llm.config import OWN_URLS
from app.runners.llm.reading import events, items, name, place, table, text, tokens
from app.runners.llm.talk import END, LENGTH, REFUSAL, TOOLS, Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.runners.llm.clients import Client
    from app.runners.llm.talk import Call, Heard, Offer, Request, Turn

_STOPS: Final = {"stop": END, "length": LENGTH, "tool_calls": TOOLS, "function_call": TOOLS, "content_filter": REFUSAL}


class OpenAIModel:
    """Streams one chat completion."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def ask(self, request: Request, heard: Heard) -> None:
        """See Model."""
        config = request.config
        stream = await self._client.api.chat.completions.create(
            model=config.model,
            messages=_messages(request),
            stream=True,
            extra_headers=self._client.headers,
            extra_body=_body(request),
            timeout=request_timeout(config.timeout),
        )
        async with stream, aclosing(events(stream.response, heard.limit)) as chunks:
            async for chunk in chunks:
                _hear(chunk, heard)


def _body(request: Request) -> dict[str, Any]:
    config = request.config
    body: dict[str, Any] = {"stream_options": {"include_usage": True}}
    if config.temperature is not None:
        body["temperature"] = config.temperature
    if config.max_output_tokens is not None:
        # OpenAI's newer models know only the one name, most others only the older one.
        own = config.url == OWN_URLS["openai"]
        body["max_completion_tokens" if own else "max_tokens"] = config.max_output_tokens
    if request.tools:
        body["tools"] = [_tool(offer) for offer in request.tools]
    if request.shape is not None and request.way == "schema":
        shown = {"name": "answer", "schema": request.shape.shown, "strict": request.shape.strict}
        body["response_format"] = {"type": "json_schema", "json_schema": shown}
    return {**body, **config.params}


def _messages(request: Request) -> list[dict[str, Any]]:
    system = [] if request.system is None else [{"role": "system", "content": request.system}]
    messages = [*system, {"role": "user", "content": request.prompt}]
    for turn in request.turns:
        messages += _turn(turn)
    return messages


def _turn(turn: Turn) -> list[dict[str, Any]]:
    said: dict[str, Any] = {"role": "assistant", "content": turn.text or None}
    if turn.calls:
        said["tool_calls"] = [_call(call) for call in turn.calls]
    elif not turn.text:
        said["content"] = ""
    messages = [said]
    for number, call in enumerate(turn.calls, 1):
        messages.append({"role": "tool", "tool_call_id": call.id, "content": turn.results[number].text})
    if turn.fault is not None:
        messages.append({"role": "user", "content": turn.fault})
    return messages


def _call(call: Call) -> dict[str, Any]:
    function = {"name": call.name, "arguments": jsontext.dumps(call.arguments)}
    return {"id": call.id, "type": "function", "function": function}


def _tool(offer: Offer) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": offer.name, "description": offer.description, "parameters": offer.schema},
    }


def _hear(chunk: Mapping[str, Any], heard: Heard) -> None:
    heard.model = name(chunk.get("model"), "model") or heard.model
    usage = table(chunk.get("usage"), "usage")
    if usage:
        details = table(usage.get("prompt_tokens_details"), "prompt_tokens_details")
        heard.input_tokens = tokens(usage.get("prompt_tokens"))
        heard.output_tokens = tokens(usage.get("completion_tokens"))
        heard.cache_read_tokens = min(heard.input_tokens, tokens(details.get("cached_tokens")))
    for choice in items(chunk.get("choices"), "choices"):
        stop = name(choice.get("finish_reason"), "finish_reason")
        if stop:
            heard.stop = _STOPS.get(stop, stop)
        _hear_delta(table(choice.get("delta"), "delta"), heard)


def _hear_delta(delta: Mapping[str, Any], heard: Heard) -> None:
    heard.text(text(delta.get("content"), "content"))
    heard.refuse(text(delta.get("refusal"), "refusal"))
    for piece in items(delta.get("tool_calls"), "tool_calls"):
        wanted = _wanted(piece, heard)
        function = table(piece.get("function"), "function")
        wanted.name = wanted.name or name(function.get("name"), "name")
        arguments = text(function.get("arguments"), "arguments")
        heard.count(arguments)
        heard.argue(wanted, arguments)


def _wanted(piece: Mapping[str, Any], heard: Heard) -> Wanted:
    """The call that a piece belongs to.  Some servers number all calls 0, or none: then an id that is new tells a new call."""
    calls, its_id, at = heard.calls, text(piece.get("id"), "id"), place(piece.get("index"))
    at = max(0, len(calls) - 1) if at is None else at
    if at < len(calls) and (not its_id or calls[at].id == its_id):
        return calls[at]
    known = next((call for call in calls if its_id and call.id == its_id), None)
    if known is None:
        heard.part(its_id)
        known = Wanted(id=its_id)
        calls.append(known)
    return known
