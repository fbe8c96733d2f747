"""All routes of the LangGraph server, and those of its features that are not here, each with what to do instead."""

from __future__ import annotations

from importlib import metadata
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api.langgraph import assistants, crons, runs, states, threads
from app.api.langgraph.replies import reply
from app.api.problem import problem, response

PREFIX: Final = "/langgraph"
router: Final = APIRouter()
_ABSENT: Final = {
    "/store": "store: keep such values in a database of your own, or in the variables of a thread",
    "/threads/{thread_id}/commands": "the protocol of threads.stream: use runs.stream, or threads.join_stream",
    "/threads/{thread_id}/stream/events": "the protocol of threads.stream: use runs.stream, or threads.join_stream",
}
_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@router.get("/ok")
async def ok() -> Response:
    """It is there."""
    return reply({"ok": True})


@router.get("/info")
async def info() -> Response:
    """What it is, and what of LangGraph it has."""
    flags = {"assistants": True, "crons": True, "store": False, "strict_resume": True}
    return reply({"version": metadata.version("backstitch"), "server": "backstitch", "flags": flags})


async def absent(request: Request) -> Response:
    """Not here.  A 501, which the SDK raises as it stands."""
    path = request.scope["route"].path.removeprefix(PREFIX)
    told = _ABSENT[path.removesuffix("/{rest:path}")]
    detail = f"this service has no {told} (see docs/langgraph-sdk.md)"
    return response(problem(501, "not_supported", detail, instance=request.url.path))


def _add_absent() -> None:
    for path in _ABSENT:
        for each in (path, f"{path}/{{rest:path}}"):
            router.add_api_route(each, absent, methods=_METHODS)


_add_absent()
ROUTERS: Final = (router, assistants.router, crons.router, states.router, runs.router, threads.router)
