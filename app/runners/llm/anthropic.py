"""Anthropic's messages.  An answer that must match a schema comes as text, or as the arguments of a tool."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.errors import JsonError
from app.runners.llm.clients import request_timeout
from app.runners.llm.reading import Unreadable, events, kept, name, place, table, text, tokens
from app.runners.llm.structured import ANSWER
from app.runners.llm.talk import Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.runners.llm.clients import Client
    from app.runners.llm.structured import Shape
    from app.runners.llm.talk import Call, Heard, Offer, Request, Turn

MAX_OUTPUT_TOKENS: Final = 16_000
"""Anthropic wants a limit in every request."""
_NOTHING: Final = "(no answer)"


class AnthropicModel:
    """Streams one message."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def ask(self, request: Request, heard: Heard) -> None:
        """See Model."""
        config = request.config
        stream = await self._client.api.messages.create(
            model=config.model,
            max_tokens=config.max_output_tokens or MAX_OUTPUT_TOKENS,
            messages=_messages(request),
            stream=True,
            extra_headers=self._client.headers,
            extra_body=self._body(request),
            timeout=request_timeout(config.timeout),
        )
        listener = _Listener(heard)
        async with stream, aclosing(events(stream.response, heard.limit)) as found:
            async for event in found:
                listener.hear(event)
        listener.end()

    def _body(self, request: Request) -> dict[str, Any]:
        config = request.config
        body: dict[str, Any] = {}
        if request.system is not None:
            body["system"] = request.system
        if config.temperature is not None:
            body["temperature"] = config.temperature
        body |= self._structure(request)
        more = dict(config.params)
        if "output_config" in body and isinstance(more.get("output_config"), dict):
            more["output_config"] = body["output_config"] | more["output_config"]
        return body | more

    def _structure(self, request: Request) -> dict[str, Any]:
        """The tools, and what makes the answer match its schema."""
        tools = [_tool(offer) for offer in request.tools]
        body: dict[str, Any] = {}
        if request.shape is not None and request.way == "schema":
            shown = self._client.sdk.transform_schema(dict(request.shape.shown))
            body["output_config"] = {"format": {"type": "json_schema", "schema": shown}}
        elif request.shape is not None and request.way == "tool":
            tools.append(_answer_tool(request.shape))
            body["tool_choice"] = _choice(request)
        return {**body, "tools": tools} if tools else body


def _answer_tool(shape: Shape) -> dict[str, Any]:
    description = "Give your final answer by calling this tool, once and last."
    return {"name": ANSWER, "description": description, "input_schema": shape.shown}


def _choice(request: Request) -> dict[str, Any]:
    """Which tool must be called.  A model that thinks cannot be made to call any, and Anthropic's newer ones always may."""
    thinking: Mapping[str, Any] = request.config.params.get("thinking") or {}
    if not request.config.own_url or thinking.get("type", "disabled") != "disabled":
        return {"type": "auto"}
    return {"type": "any"} if request.tools else {"type": "tool", "name": ANSWER}


def _tool(offer: Offer) -> dict[str, Any]:
    return {"name": offer.name, "description": offer.description, "input_schema": offer.schema}


def _messages(request: Request) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": request.prompt}]
    for turn in request.turns:
        messages.append({"role": "assistant", "content": _said(turn)})
        replies: list[dict[str, Any]] = [_result(turn, number, call) for number, call in enumerate(turn.calls, 1)]
        if turn.fault is not None:
            replies.append({"type": "text", "text": turn.fault})
        messages.append({"role": "user", "content": replies})
    return messages


def _said(turn: Turn) -> list[Any]:
    if turn.blocks is not None and turn.provider == "anthropic":
        return list(turn.blocks)
    said: list[dict[str, Any]] = [{"type": "text", "text": turn.text}] if turn.text.strip() else []
    said += [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in turn.calls]
    return said or [{"type": "text", "text": _NOTHING}]


def _result(turn: Turn, number: int, call: Call) -> dict[str, Any]:
    result = turn.results[number]
    found = {"type": "tool_result", "tool_use_id": call.id, "content": result.text}
    return {**found, "is_error": True} if result.is_error else found


class _Listener:
    """Puts the events of one stream together: blocks, and the pieces that they come in."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._blocks: list[dict[str, Any]] = []
        self._pieces: dict[int, list[str]] = {}

    def hear(self, event: Mapping[str, Any]) -> None:
        """One event.  Raises Unreadable, Endless."""
        match event.get("type"):
            case "message_start":
                message = table(event.get("message"), "message")
                self._heard.model = name(message.get("model"), "model") or self._heard.model
                self._usage(table(message.get("usage"), "usage"))
            case "content_block_start":
                self._start(table(event.get("content_block"), "content_block"))
            case "content_block_delta":
                self._delta(place(event.get("index")), table(event.get("delta"), "delta"))
            case "message_delta":
                delta = table(event.get("delta"), "delta")
                self._heard.stop = name(delta.get("stop_reason"), "stop_reason") or self._heard.stop
                self._usage(table(event.get("usage"), "usage"))
            case _:
                pass

    def end(self) -> None:
        """Settle what the pieces make: the calls, and the blocks if any must be given back as they were."""
        calls: list[Wanted] = []
        for at, block in enumerate(self._blocks):
            pieces = self._pieces.get(at, [])
            if block["type"] in {"text", "thinking"}:
                block[block["type"]] = text(block.get(block["type"]), block["type"]) + "".join(pieces)
            if block["type"] != "tool_use":
                continue
            wanted = Wanted(id=block["id"], name=block["name"], arguments=pieces or [_given(block)])
            block["input"] = wanted.parsed() or {}
            if block["name"] != ANSWER:
                calls.append(wanted)
            elif self._heard.answer is None:
                self._heard.structured("".join(wanted.arguments))
        self._heard.calls = calls
        if any(block["type"] not in {"text", "tool_use"} for block in self._blocks):
            self._heard.blocks = [block for block in map(self._given_back, self._blocks) if block is not None]

    def _given_back(self, block: dict[str, Any]) -> dict[str, Any] | None:
        """A block as it is given back: the answer as text, since its tool has no result; empty texts are refused."""
        if block["type"] == "tool_use" and block["name"] == ANSWER:
            return (
                None if self._heard.calls else {"type": "text", "text": "".join(self._heard.answer or ()) or _NOTHING}
            )
        return None if block["type"] == "text" and not block["text"].strip() else block

    def _start(self, given: Mapping[str, Any]) -> None:
        block = {key: value for key, value in given.items() if value is not None}
        block["type"] = name(block.get("type"), "type of a block")
        match block["type"]:
            case "text":
                self._heard.part("")
                self._heard.text(text(block.get("text"), "text"))
            case "tool_use":
                block |= {key: text(block.get(key), key) for key in ("id", "name")}
                self._heard.part(block["id"] + block["name"])
                self._heard.count(_given(block))
            case _:
                self._heard.part(jsontext.dumps(kept(block)))
        self._blocks.append(block)

    def _delta(self, at: int | None, delta: Mapping[str, Any]) -> None:
        if at is None or at >= len(self._blocks):
            raise Unreadable("a piece of a block that has not begun")
        block = self._blocks[at]
        match delta.get("type"), block["type"]:
            case "text_delta", "text":
                self._heard.text(self._piece(at, delta, "text"))
            case "thinking_delta", "thinking":
                self._heard.count(self._piece(at, delta, "thinking"))
            case "input_json_delta", _:
                piece = self._piece(at, delta, "partial_json")
                hear = self._heard.structured if block.get("name") == ANSWER else self._heard.count
                hear(piece)
            case "signature_delta", "thinking":
                block["signature"] = text(delta.get("signature"), "signature")
                self._heard.count(block["signature"])
            case ("text_delta" | "thinking_delta" | "signature_delta") as kind, _:
                raise Unreadable(f"a {kind} for a block of another type")
            case _:
                pass

    def _piece(self, at: int, delta: Mapping[str, Any], field: str) -> str:
        piece = text(delta.get(field), field)
        if piece:
            self._pieces.setdefault(at, []).append(piece)
        return piece

    def _usage(self, usage: Mapping[str, Any]) -> None:
        """What counts is told again and again, each time the whole; the input without what the cache took part in."""
        known = {key: tokens(value) for key, value in usage.items() if value is not None}
        heard = self._heard
        heard.cache_read_tokens = known.get("cache_read_input_tokens", heard.cache_read_tokens)
        heard.cache_write_tokens = known.get("cache_creation_input_tokens", heard.cache_write_tokens)
        if "input_tokens" in known:
            heard.input_tokens = known["input_tokens"] + heard.cache_read_tokens + heard.cache_write_tokens
        heard.output_tokens = known.get("output_tokens", heard.output_tokens)


def _given(block: Mapping[str, Any]) -> str:
    """The arguments of a block that came in one piece."""
    try:
        return jsontext.dumps(block.get("input") or {})
    except JsonError:
        return ""
