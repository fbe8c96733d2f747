"""A server that speaks OpenAI's chat completions and Anthropic's messages on the wire, and says what its script tells it to.

A script is a list of answers, taken one a request, or one such list for each model.  An answer is an object of: `text` or
`pieces` (how it is streamed), `tools` ([{name, arguments, id?}], arguments also as text), `thinking`, `refusal`, `stop` (the
provider's word), `usage` ({input, output, cached?}), `status` with `headers` and `body` or `error`; `error` alone comes in the
middle of the stream; `cut` ends the stream too early, `drop` the connection; `hold` waits for POST /release/NAME; `alike`
numbers all tool calls 0.  `raw` is a body that is sent as it is, with `status` and `headers`, with `endless` again and again.
GET /requests tells what was asked; POST /script/MODEL gives a model another script, and forgets what it was asked.
By itself: python -m tests.llm_server PORT SCRIPT.json
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.serving import served

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

    from starlette.requests import Request

Answer = dict[str, Any]
USAGE = {"input": 10, "output": 4}
PIECE = 5


@dataclass
class LlmServer:
    """The script and what was asked so far; `requests` are {"path", "headers", "body"}."""

    script: list[Answer] | dict[str, list[Answer]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    @property
    def openai(self) -> str:
        """A base_url."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def anthropic(self) -> str:
        """A base_url."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was asked."""
        return [request["body"] for request in self.requests]

    def hold(self, name: str) -> asyncio.Event:
        """What an answer with that `hold` waits for."""
        return self.held.setdefault(name, asyncio.Event())

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/messages", self._messages, methods=["POST"]),
                Route("/requests", self._requests),
                Route("/release/{name}", self._release, methods=["POST"]),
                Route("/script/{model}", self._tell, methods=["POST"]),
            ]
        )

    async def _chat(self, request: Request) -> Response:
        return await self._answer(request, chat_stream)

    async def _messages(self, request: Request) -> Response:
        return await self._answer(request, message_stream)

    async def _requests(self, _request: Request) -> Response:
        return JSONResponse(self.requests)

    async def _release(self, request: Request) -> Response:
        self.hold(request.path_params["name"]).set()
        return Response(status_code=204)

    async def _tell(self, request: Request) -> Response:
        model = request.path_params["model"]
        assert isinstance(self.script, dict)
        self.script[model] = await request.json()
        self.requests = [asked for asked in self.requests if asked["body"]["model"] != model]
        return Response(status_code=204)

    async def _answer(self, request: Request, stream: Any) -> Response:
        body = await request.json()
        self.requests.append({"path": request.url.path, "headers": dict(request.headers), "body": body})
        self.asked.set()
        answers = self.script if isinstance(self.script, list) else self.script.get(body["model"], [])
        answer = answers.pop(0) if answers else {"status": 500, "error": {"message": "the script is over"}}
        if "hold" in answer:
            await self.hold(answer["hold"]).wait()
        if "raw" in answer:
            kind = answer.get("headers", {}).get("content-type", "text/event-stream")
            return StreamingResponse(_raw(answer), answer.get("status", 200), answer.get("headers"), media_type=kind)
        if "status" in answer:
            content = answer.get("body", {"type": "error", "error": answer.get("error", {"message": "no"})})
            return JSONResponse(content, answer["status"], headers=answer.get("headers"))
        assert body["stream"] is True
        return StreamingResponse(_sent(answer, stream(answer, body["model"])), media_type="text/event-stream")


async def _sent(answer: Answer, events: Iterator[str]) -> AsyncIterator[str]:
    for event in events:
        yield event
    if answer.get("drop"):
        raise ConnectionResetError("dropped, as the script says")


async def _raw(answer: Answer) -> AsyncIterator[str | bytes]:
    yield answer["raw"]
    while answer.get("endless"):
        await asyncio.sleep(0)
        yield answer["raw"]


def _pieces(answer: Answer) -> list[str]:
    text = answer.get("text", "")
    return answer.get("pieces", [text[at : at + PIECE] for at in range(0, len(text), PIECE)])


def _arguments(tool: dict[str, Any]) -> list[str]:
    """The arguments of a tool call as they are streamed: in pieces that are no JSON by themselves."""
    given = tool["arguments"]
    text = given if isinstance(given, str) else json.dumps(given)
    return [text[at : at + PIECE] for at in range(0, len(text), PIECE)]


def chat_stream(answer: Answer, model: str) -> Iterator[str]:
    """The events of a chat completion."""

    def chunk(delta: Any, finish: str | None = None, **more: Any) -> str:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
        head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices}
        return f"data: {json.dumps(head | more)}\n\n"

    yield chunk({"role": "assistant", "content": ""})
    for piece in _pieces(answer):
        yield chunk({"content": piece})
    if "refusal" in answer:
        yield chunk({"refusal": answer["refusal"]})
    for place, tool in enumerate(answer.get("tools", [])):
        index = 0 if answer.get("alike") else place
        first = {
            "id": tool.get("id", f"call_{place}"),
            "type": "function",
            "function": {"name": tool["name"], "arguments": ""},
        }
        yield chunk({"tool_calls": [{"index": index, **first}]})
        for piece in _arguments(tool):
            own = {"id": first["id"]} if answer.get("alike") else {}
            yield chunk({"tool_calls": [{"index": index, **own, "function": {"arguments": piece}}]})
    if "error" in answer:
        yield f"data: {json.dumps({'error': answer['error']})}\n\n"
    if answer.keys() & {"error", "cut", "drop"}:
        return
    yield chunk({}, answer.get("stop", "tool_calls" if answer.get("tools") else "stop"))
    usage = answer.get("usage", USAGE)
    counted = {"prompt_tokens": usage["input"], "completion_tokens": usage["output"], "total_tokens": 0}
    counted["prompt_tokens_details"] = {"cached_tokens": usage.get("cached", 0)}
    yield chunk(None, usage=counted)
    yield "data: [DONE]\n\n"


def message_stream(answer: Answer, model: str) -> Iterator[str]:
    """The events of a message."""

    def event(name: str, **more: Any) -> str:
        return f"event: {name}\ndata: {json.dumps({'type': name} | more)}\n\n"

    usage = answer.get("usage", USAGE)
    cached = usage.get("cached", 0)
    begun = {"input_tokens": usage["input"] - cached, "cache_read_input_tokens": cached, "output_tokens": 1}
    message = {"id": "m1", "type": "message", "role": "assistant", "model": model, "content": [], "stop_reason": None}
    yield event("message_start", message=message | {"stop_sequence": None, "usage": begun})
    for place, (block, deltas) in enumerate(_blocks(answer)):
        yield event("content_block_start", index=place, content_block=block)
        for delta in deltas:
            yield event("content_block_delta", index=place, delta=delta)
        yield event("content_block_stop", index=place)
    yield event("ping")
    if "error" in answer:
        yield event("error", error=answer["error"])
    if answer.keys() & {"error", "cut", "drop"}:
        return
    stop = "refusal" if "refusal" in answer else "tool_use" if answer.get("tools") else "end_turn"
    delta = {"stop_reason": answer.get("stop", stop), "stop_sequence": None}
    yield event("message_delta", delta=delta, usage={"output_tokens": usage["output"]})
    yield event("message_stop")


def _blocks(answer: Answer) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    if "thinking" in answer:
        thoughts = [{"type": "thinking_delta", "thinking": answer["thinking"]}]
        yield (
            {"type": "thinking", "thinking": "", "signature": ""},
            [*thoughts, {"type": "signature_delta", "signature": "s1"}],
        )
    if pieces := _pieces(answer):
        yield {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces]
    for place, tool in enumerate(answer.get("tools", [])):
        block = {"type": "tool_use", "id": tool.get("id", f"toolu_{place}"), "name": tool["name"], "input": {}}
        yield block, [{"type": "input_json_delta", "partial_json": piece} for piece in _arguments(tool)]


@asynccontextmanager
async def serving(server: LlmServer, port: int = 0) -> AsyncGenerator[LlmServer]:
    """The server, answering in this event loop."""
    async with served(server.app(), port) as url:
        server.port = int(url.rpartition(":")[2])
        yield server


async def _main(port: int, script: Any) -> None:
    async with serving(LlmServer(script), port) as server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))))
