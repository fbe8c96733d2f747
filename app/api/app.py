"""The ASGI application: routers under /api, the state that they share, and what ends with it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.routing import Route

from app.api import (
    agents,
    breakers,
    bulk,
    config,
    events,
    follow,
    fork,
    gates,
    health,
    items,
    logs,
    look,
    mcp,
    messages,
    metrics,
    monitor,
    openapi,
    problem,
    queues,
    repair,
    replay,
    retention,
    schedules,
    start,
    steer,
    steps,
    tasks,
    threads,
    transfer,
    travel,
    triggers,
    upkeep,
    usage,
    waits,
    webhooks,
    workers,
    workflows,
)
from app.api.cross_origin import cross_origin
from app.api.face import Face
from app.api.feed import Feed
from app.api.guard import Guard
from app.api.langgraph import routes as langgraph
from app.api.placing import placed
from app.api.sse import Streams

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from starlette.types import ASGIApp, Receive, Scope, Send

    from app.api.annex import Annex
    from app.api.services import AppState, Services

_INVOKE: Final = (
    start.router,
    follow.router,
    steer.router,
    gates.router,
    waits.router,
    fork.router,
    events.timeline_router,
    travel.router,
    replay.router,
    transfer.router,
    look.router,
    steps.router,
    repair.router,
)
_OTHERS: Final = (
    follow.feed_router,
    gates.open_router,
    waits.list_router,
    look.execution_router,
    events.router,
    monitor.router,
    threads.router,
    bulk.router,
    logs.router,
    items.router,
    usage.router,
    metrics.router,
    tasks.router,
    workflows.router,
    upkeep.router,
    queues.router,
    agents.router,
    breakers.router,
    mcp.router,
    webhooks.router,
    retention.router,
    messages.router,
    triggers.router,
    schedules.router,
    config.router,
    workers.router,
    health.router,
)
_DESCRIPTION: Final = (
    "Durable workflows: cut at any moment, resumed from the last checkpoint, rolled back, watched live. "
    "Errors are application/problem+json with a stable `code`. Every field of a request body also goes by its "
    "camelCase name; unknown fields are refused."
)


def create_app(
    services_factory: Callable[[], AbstractAsyncContextManager[Services]],
    annexes: Sequence[Annex] = (),
    *,
    origins: Sequence[str] = (),
) -> FastAPI:
    """The application over the services that the factory opens when it starts and closes when it ends, with its annexes.

    Pages of `origins` ("*": of any) may use it from a browser.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[AppState]:
        async with services_factory() as services, asyncio.TaskGroup() as group:
            state: AppState = {"services": services, "streams": Streams(), "feed": Feed(services)}
            helpers = (group.create_task(state["feed"].run()), group.create_task(_close_streams(state)))
            async with AsyncExitStack() as stack:
                for annex in annexes:
                    await stack.enter_async_context(annex.open(_from_within(app, state), services))
                yield state
            for helper in helpers:
                helper.cancel()

    app = FastAPI(
        title="Backstitch",
        version="0.1.0",
        description=_DESCRIPTION,
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url="/api/docs",
        redoc_url=None,
        redirect_slashes=False,
        middleware=[
            *cross_origin(origins),
            Middleware(Guard, origins=origins, apart=[annex.path for annex in annexes]),
        ],
    )
    problem.install(app)
    _mount(app, annexes)
    openapi.describe(app)
    return app


def _mount(app: FastAPI, annexes: Sequence[Annex]) -> None:
    # The hot ways in go past FastAPI's own handling, which these routes make no use of; their descriptions stay.
    for path in ("/api/invoke/async", "/invoke/async"):
        app.router.routes.append(Route(path, start.invoke_async, methods=["POST"]))
    app.router.routes.append(Route("/api/messages/{topic}", messages.publish_straight, methods=["POST"]))
    app.router.routes.append(Route("/metrics", metrics.scrape))
    app.router.routes.extend(Route(annex.path, annex) for annex in annexes)
    app.router.routes.extend(Face().routes())
    app.router.routes.extend(placed((*_INVOKE, *_OTHERS), "/api"))
    app.router.routes.extend(placed(_INVOKE, shown=False))
    app.router.routes.extend(placed(langgraph.ROUTERS, langgraph.PREFIX, shown=False))


def _from_within(app: FastAPI, state: AppState) -> ASGIApp:
    """The application for who calls it in this process, without a server that brings the state."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {**state}}, receive, send)

    return call


async def _close_streams(state: AppState) -> None:
    await state["services"].shutting_down.wait()
    state["streams"].close()
    state["feed"].close()
