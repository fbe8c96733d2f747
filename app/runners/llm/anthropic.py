"""Anthropic's messages.  An answer that must match a schema comes as text, or as the arguments of a tool."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.errors import JsonError
from app.runners.aside import aside
from app.runners.llm.clients import request_timeout
from app.runners.llm.reading import Endless, Unreadable, events, kept, name, place, table, text, tokens
from app.runners.llm.structured import ANSWER
from app.runners.llm.talk import MAX_PART, Wanted

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
        await aside(listener.keep, heard.size)

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
        self._given: dict[int, str] = {}
        self._wanted: dict[int, Wanted] = {}

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
        """Settle what the pieces make: the texts, the calls and the answer."""
        for at, block in enumerate(self._blocks):
            pieces = self._pieces.get(at, [])
            if block["type"] in {"text", "thinking"}:
                block[block["type"]] = text(block.get(block["type"]), block["type"]) + "".join(pieces)
            wanted = self._wanted.get(at)
            if wanted is not None:
                wanted.arguments = wanted.arguments or [self._given[at]]
                self._heard.calls.append(wanted)
            elif block["type"] == "tool_use" and self._heard.answer is None:
                self._heard.structured(self._given[at])

    def keep(self) -> None:
        """Keep the blocks if any must be given back as they were.  It reads the arguments of the calls, which takes a while."""
        if any(block["type"] not in {"text", "tool_use"} for block in self._blocks):
            found = (self._given_back(at, block) for at, block in enumerate(self._blocks))
            self._heard.blocks = [block for block in found if block is not None]

    def _given_back(self, at: int, block: dict[str, Any]) -> dict[str, Any] | None:
        """A block as it is given back: the answer as text, since its tool has no result; empty texts are refused."""
        if at in self._wanted:
            return {**block, "input": self._wanted[at].parsed() or {}}
        if block["type"] == "tool_use":
            return (
                None if self._heard.calls else {"type": "text", "text": "".join(self._heard.answer or ()) or _NOTHING}
            )
        return None if block["type"] == "text" and not block["text"].strip() else block

    def _start(self, told: Mapping[str, Any]) -> None:
        block = {key: value for key, value in told.items() if value is not None}
        block["type"] = name(block.get("type"), "type of a block")
        match block["type"]:
            case "text":
                self._heard.part(_rest(block, "text"))
                self._heard.text(text(block.get("text"), "text"))
            case "tool_use":
                block |= {key: text(block.get(key), key) for key in ("id", "name")}
                self._heard.part(block["id"] + block["name"] + _rest(block, "id", "name", "input"))
                self._given[len(self._blocks)] = given = _given(block)
                self._heard.count(given)
                if block["name"] != ANSWER:
                    self._wanted[len(self._blocks)] = Wanted(id=block["id"], name=block["name"])
            case _:
                self._heard.part(_rest(block))
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
                hear = self._heard.structured if block.get("name") == ANSWER else self._heard.count
                piece = self._piece(at, delta, "partial_json")
                hear(piece)
                if at in self._wanted:
                    self._heard.argue(self._wanted[at], piece)
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


def _rest(block: Mapping[str, Any], *apart: str) -> str:
    """The JSON text of a block but for the fields that are counted `apart`.  Raises Unreadable, Endless."""
    return jsontext.dumps(kept(_bounded({key: value for key, value in block.items() if key not in apart})))


def _bounded(value: Any) -> Any:
    """A value that can be written and read on the event loop.  Raises Endless."""
    if jsontext.weight(value, MAX_PART) > MAX_PART:
        raise Endless(f"a block begins with more than {MAX_PART:,} characters that are no text")
    return value


def _given(block: Mapping[str, Any]) -> str:
    """The arguments of a block that came in one piece.  Raises Endless."""
    try:
        return jsontext.dumps(_bounded(block.get("input") or {}))
    except JsonError:
        return ""
