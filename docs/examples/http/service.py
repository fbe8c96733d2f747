"""A service with two agents: one answers with a stream of events, one with JSON. Needs starlette, which FastAPI brings.

uvicorn --app-dir docs/examples/http --port 9000 service:app
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

done: dict[str, int] = {}
"""Articles by the key of the step that asked for them: asked again, nothing is published twice."""


async def summaries(request: Request) -> StreamingResponse:
    """Words as they come, then the result."""
    asked = await request.json()

    async def events() -> AsyncIterator[str]:
        said: list[str] = []
        for sentence in asked["text"].split(".")[: asked["sentences"]]:
            for word in sentence.split():
                said.append(word)
                yield f"data: {json.dumps({'delta': f'{word} '})}\n\n"
                await asyncio.sleep(0.01)
        yield f"event: result\ndata: {json.dumps({'summary': ' '.join(said)})}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


async def articles(request: Request) -> JSONResponse:
    """Publish, once for each idempotency key."""
    number = done.setdefault(request.headers["idempotency-key"], len(done) + 1)
    return JSONResponse({"number": number}, 201, {"location": f"/articles/{number}"})


app = Starlette(
    routes=[
        Route("/summaries/{language}", summaries, methods=["POST"]),
        Route("/articles", articles, methods=["POST"]),
    ]
)
