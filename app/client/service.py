"""The service as an object, for `app.client`: its threads, and the routes that most programs need."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, Self, cast

from app.client.http import (
    KEY,
    AddressError,
    ApiError,
    Connection,
    Fields,
    JsonObject,
    UnreachableError,
    given_only,
    path,
)
from app.client.pages import Pages
from app.client.stream import follow
from app.client.threads import Thread
from app.client.workflows import Workflows

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from typing import Unpack

    import httpx

    from app.client.fields import ExecutionFilters, HistoryFilters, StartFields
    from app.client.listed import ExecutionEntry, HistoryEntry, WorkersAnswer
    from app.client.stream import Event
    from app.client.types import AcceptedAnswer, Status

_WATCHED: Final = 50
_READY: Final = 0.2
_CHILD: Final = "sub:"


class Backstitch:
    """The service at `url`, as `async with Backstitch() as service: ...`, or until `close()`; within one event loop.

    Every method raises ApiError when the service refuses and UnreachableError when it does not answer within `timeout`
    seconds. What is safe to repeat is asked again for up to `retry_for` seconds before that (0: never): what never
    reached the service or was refused with 429; and after a cut or 502, 503, 504 every start and all that only reads.
    `headers` go with every request. Methods that are not of a handle answer the JSON documents of the HTTP API. `http` is
    the connection, for whoever needs more than those.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        timeout: float = 30.0,
        retry_for: float = 30.0,
        headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._connection = Connection(url, timeout=timeout, retry_for=retry_for, headers=headers, transport=transport)
        self.url = self._connection.url
        self.http = self._connection.http
        self.workflows = Workflows(self)
        self.watching = asyncio.Semaphore(_WATCHED)
        """How many threads are waited for by their streams at once; the others are looked at now and then."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self.http.aclose()

    # ---- threads, as objects
    async def start(
        self,
        workflow: str | Mapping[str, Any],
        input: object = None,  # noqa: A002 - the word of the API
        *,
        idempotency_key: str | None = None,
        **fields: Unpack[StartFields],
    ) -> Thread:
        """Start `workflow` (a name, name@version or a document); it is durable once this returns.

        However often this has to be sent, it starts one thread: each call has an Idempotency-Key of its own. Give one of
        yours where your own program may call this twice for one thing.
        """
        key = idempotency_key or str(uuid.uuid4())
        accepted = await self.invoke(workflow, idempotency_key=key, input=input, **fields)
        return Thread(self, str(accepted["thread_id"]), cast("AcceptedAnswer", accepted))

    def thread(self, thread_id: str) -> Thread:
        """The thread of that id; nothing is asked yet."""
        return Thread(self, thread_id)

    async def threads(self, **filters: Unpack[ExecutionFilters]) -> AsyncGenerator[Thread, None]:
        """Each thread once, the one that was started or resumed last first; `filters`: status, workflow, since, until, ...

        With `status` those that are in it now, not those that have gone on since. Sub-workflows are left out: they go on
        with the thread that they belong to.
        """
        seen: set[str] = set()
        wanted: Status | None = filters.get("status")
        left = filters.pop("limit", None)
        async for execution in self.executions(**filters):
            thread = Thread(self, execution["thread_id"])
            if thread.thread_id in seen or thread.thread_id.startswith(_CHILD):
                continue
            seen.add(thread.thread_id)
            if left is not None and left <= 0:
                return
            if wanted is None or await _is(thread, wanted):
                left = None if left is None else left - 1
                yield thread

    # ---- the routes
    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Fields = None,
        params: Fields = None,
        headers: Fields = None,
        content: str | bytes | None = None,
    ) -> JsonObject:
        """The JSON answer of any route under `url`; parameters that are None are left out."""
        return await self._connection.request(method, path, json=json, params=params, headers=headers, content=content)

    async def post_once(self, path: str, body: Fields = None, idempotency_key: str | None = None) -> JsonObject:
        """A POST to a route that takes an Idempotency-Key, with one of its own if none is given: safe to repeat."""
        return await self.request("POST", path, json=body, headers={KEY: idempotency_key or str(uuid.uuid4())})

    def pages(self, path: str, name: str, /, **filters: object) -> Pages[Any]:
        """The list at `path`, whose entries are under `name`."""
        return Pages(lambda given: self.request("GET", path, params=given), name, **filters)

    async def health(self) -> JsonObject:
        """Whether the service can work; ApiError (503) while it cannot."""
        return await self._connection.request("GET", "/api/health", retry_for=0.0)

    async def workers(self) -> WorkersAnswer:
        """The processes that serve its database, the one that started last first; and the lease of the one that answers."""
        return cast("WorkersAnswer", await self.request("GET", "/api/workers"))

    async def ready(self, timeout: float = 60.0) -> JsonObject:  # noqa: ASYNC109 - asyncio.timeout, with a default
        """Wait until the service can work: one that is starting, say.  Raises what it was last, after `timeout` seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while True:
            try:
                return await self.health()
            except (UnreachableError, ApiError) as error:
                passing = not isinstance(error, AddressError) and getattr(error, "status", 503) == 503  # noqa: PLR2004
                if not passing or loop.time() > end:
                    raise
            await asyncio.sleep(_READY)

    async def invoke(
        self, workflow: str | Mapping[str, Any], *, idempotency_key: str | None = None, **fields: object
    ) -> JsonObject:
        """Start `workflow` (a name, name@version or a document) durably; `fields` as in `POST /api/invoke/async`."""
        if isinstance(workflow, PurePath):
            raise TypeError(
                "start a name or a mapping: `workflows.register(path)` makes a file's workflow known by its name"
            )
        headers = None if idempotency_key is None else {KEY: idempotency_key}
        body = given_only(fields | {"workflow": workflow})
        return await self.request("POST", "/api/invoke/async", json=body, headers=headers)

    async def status(self, thread_id: str) -> JsonObject:
        """Where the thread stands, with all its steps."""
        return await self.request("GET", _path("status", thread_id))

    async def resume(self, thread_id: str, **fields: object) -> JsonObject:
        """Go on with what has not completed; `fields`: from_step, skip, overrides, limits, dry_run, expected_version."""
        return await self.request("POST", _path("resume", thread_id), json=given_only(fields))

    async def rollback(self, thread_id: str, to_version: int, **fields: object) -> JsonObject:
        """Move the thread's head to `to_version`; `fields`: resume, dry_run, compensate, reason, overrides, context, ..."""
        body = given_only(fields | {"to_version": to_version})
        return await self.request("POST", _path("rollback", thread_id), json=body)

    async def cancel(self, thread_id: str, **fields: object) -> JsonObject:
        """Stop the thread for good; `fields`: reason, force."""
        return await self.request("POST", _path("cancel", thread_id), json=given_only(fields))

    async def pause(self, thread_id: str) -> JsonObject:
        """Let running steps end and start no further one."""
        return await self.request("POST", _path("pause", thread_id))

    def history(self, thread_id: str, **filters: Unpack[HistoryFilters]) -> Pages[HistoryEntry]:
        """The thread's checkpoints, oldest first; `filters`: from_version, to_version, step, ..., limit, cursor."""
        return self.pages(_path("history", thread_id), "history", **filters)

    def executions(self, **filters: Unpack[ExecutionFilters]) -> Pages[ExecutionEntry]:
        """Executions, newest first; `filters`: status, workflow, since, until, thread_id, limit, cursor."""
        return self.pages("/api/workflow/executions", "executions", **filters)

    async def execution(self, execution_id: str) -> JsonObject:
        """One execution with its steps, their inputs and outputs."""
        return await self.request("GET", path("/api/workflow/execution", execution_id))

    def stream(
        self, thread_id: str, *, after: int = 0, on_cut: Callable[[str], None] | None = None
    ) -> AsyncGenerator[Event, None]:
        """The thread's events after `after`, each exactly once, then live ones until the thread has ended.

        A cut connection is taken up again from the last event seen, for as long as it takes, with a growing pause;
        `on_cut` is told why, once for each outage. A snapshot comes with each connection, and of a text that a step
        streams only what is new. Only the first connection may raise UnreachableError, after `retry_for`; ApiError ends
        the stream at any time. Close it (`aclosing`) when leaving early.
        """
        return follow(self._connection, _path("stream", thread_id), after, on_cut)


async def _is(thread: Thread, status: Status) -> bool:
    try:
        return (await thread.status())["status"] == status
    except ApiError as error:
        if error.code == "thread_not_found":  # it has been deleted meanwhile
            return False
        raise


def _path(action: str, thread_id: str) -> str:
    return path("/api/invoke", action, thread_id)
