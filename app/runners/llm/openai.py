"""OpenAI's chat completions, which Ollama, vLLM and many others speak too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.runners.llm.clients import request_timeout
from app.runners.llm.config import OWN_URLS
from app.runners.llm.talk import END, LENGTH, REFUSAL, TOOLS, Wanted

if TYPE_CHECKING:
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
        async with stream:
            async for chunk in stream:
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


def _hear(chunk: Any, heard: Heard) -> None:
    heard.model = chunk.model or heard.model
    if chunk.usage is not None:
        heard.input_tokens = chunk.usage.prompt_tokens or 0
        heard.output_tokens = chunk.usage.completion_tokens or 0
        details = getattr(chunk.usage, "prompt_tokens_details", None)
        heard.cache_read_tokens = getattr(details, "cached_tokens", None) or 0
    for choice in chunk.choices or ():
        if choice.finish_reason:
            heard.stop = _STOPS.get(choice.finish_reason, choice.finish_reason)
        if choice.delta is not None:
            _hear_delta(choice.delta, heard)


def _hear_delta(delta: Any, heard: Heard) -> None:
    if delta.content:
        heard.text(delta.content)
    if delta.refusal:
        heard.refusal = (heard.refusal or "") + delta.refusal
    for piece in delta.tool_calls or ():
        wanted = _wanted(piece, heard.calls)
        if piece.function is not None:
            wanted.name = wanted.name or piece.function.name or ""
            heard.count(piece.function.arguments or "")
            wanted.arguments.append(piece.function.arguments or "")


def _wanted(piece: Any, calls: list[Wanted]) -> Wanted:
    """The call that a piece belongs to.  Some servers number all calls 0, or none: then an id that is new tells a new call."""
    place = piece.index if piece.index is not None else max(0, len(calls) - 1)
    if place < len(calls) and (not piece.id or calls[place].id == piece.id):
        return calls[place]
    known = next((call for call in calls if piece.id and call.id == piece.id), None)
    if known is None:
        known = Wanted(id=piece.id or "")
        calls.append(known)
    return known
