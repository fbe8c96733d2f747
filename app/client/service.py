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
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from typing import Unpack

    import httpx

    from app.client.fields import (
        BulkCancelFields,
        BulkFields,
        ExecutionFilters,
        HistoryFilters,
        StartFields,
        ThreadCountFilters,
        ThreadFilters,
    )
    from app.client.listed import ExecutionEntry, HistoryEntry, ThreadCountsAnswer, ThreadEntry
    from app.client.stream import Event
    from app.client.types import AcceptedAnswer, BulkAnswer
    from app.client.worker_types import WorkersAnswer

_WATCHED: Final = 50
_READY: Final = 0.2


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

    async def threads(self, **filters: Unpack[ThreadFilters]) -> AsyncGenerator[Thread, None]:
        """Each thread once, the one that was started or resumed last first, with its `entry` of the list; `filters`: status
        (several by comma), workflow, text, since, until, triggered_by, ...

        Sub-workflows and replays are left out unless `children` is true: they go on with the thread that they belong to.
        """
        seen: set[str] = set()
        async for entry in cast("Pages[ThreadEntry]", self.pages("/api/threads", "threads", **filters)):
            if entry["thread_id"] not in seen:  # one that is resumed meanwhile comes again
                seen.add(entry["thread_id"])
                yield Thread(self, entry["thread_id"], entry=entry)

    async def thread_counts(self, **filters: Unpack[ThreadCountFilters]) -> ThreadCountsAnswer:
        """How many threads are in each status, counted up to 10,000."""
        return cast("ThreadCountsAnswer", await self.request("GET", "/api/threads/counts", params=filters))

    async def resume_threads(self, thread_ids: Sequence[str] | None = None, **fields: Unpack[BulkFields]) -> BulkAnswer:
        """Go on with these threads, or with those that `where` leaves (the filters of `threads`; at most 1,000).

        What could not be done is in `refused`; while `more` is true, ask again, with its `next_cursor` as the `cursor`.
        """
        return await self._bulk("resume", thread_ids, fields)

    async def cancel_threads(
        self, thread_ids: Sequence[str] | None = None, **fields: Unpack[BulkCancelFields]
    ) -> BulkAnswer:
        """Stop them for good; as resume_threads."""
        return await self._bulk("cancel", thread_ids, fields)

    async def pause_threads(self, thread_ids: Sequence[str] | None = None, **fields: Unpack[BulkFields]) -> BulkAnswer:
        """Start no further step of them; as resume_threads."""
        return await self._bulk("pause", thread_ids, fields)

    async def _bulk(self, action: str, thread_ids: Sequence[str] | None, fields: Mapping[str, Any]) -> BulkAnswer:
        where = fields.get("where")
        body = given_only(
            {
                **fields,
                "where": None if where is None else given_only(where),
                "thread_ids": None if thread_ids is None else list(thread_ids),
            }
        )
        return cast("BulkAnswer", await self.request("POST", path("/api/threads", action), json=body))

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


def _path(action: str, thread_id: str) -> str:
    return path("/api/invoke", action, thread_id)
