"""The client for programs without an event loop, for `app.client`: the same methods, which block.

One thread of its own runs the loop of the async client; every call waits there for its end, from whatever thread it comes.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, Self, TypeVar

from app.client.http import ClientError
from app.client.service import Backstitch
from app.client.threads import Thread
from app.client.workflows import Workflows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator, Mapping
    from typing import Unpack

    import httpx

    from app.client.fields import ExecutionFilters, ForkFields, HistoryFilters, PageFilters, StartFields, ThreadFilters
    from app.client.listed import ExecutionEntry, GateAnswer, HistoryEntry, ThreadEntry
    from app.client.pages import Pages
    from app.client.stream import Event
    from app.client.types import AcceptedAnswer
    from app.client.workflow_types import WorkflowEntry

A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
_CLOSED: Final = "the client is closed, or this process was forked after it was made"


class _Loop:
    """An event loop in a thread that ends with the process, if not before."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="backstitch-client", daemon=True)
        self._turn = threading.Lock()
        """Held while work is handed over, or the loop is ended."""
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Its result; who is interrupted while waiting (Ctrl-C) ends the work too.  Raises ClientError when it is closed."""
        try:
            with self._guard():
                future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except Exception:
            work.close()
            raise
        try:
            return future.result()
        except CancelledError:
            raise ClientError(_CLOSED) from None
        finally:
            future.cancel()

    @contextmanager
    def _guard(self) -> Generator[None]:
        """Nobody else hands over work, or ends the loop.  Raises what would make waiting for it last for ever."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("a callback of the client cannot wait for it: both would run in the one thread")
        if not self._thread.is_alive():  # closed, or made before a fork: threads stay behind in the parent
            raise ClientError(_CLOSED)
        with self._turn:
            if not self._thread.is_alive():
                raise ClientError(_CLOSED)
            yield

    def each(self, entries: AsyncIterator[T]) -> Generator[T, None, None]:
        """What an async iterator gives, one by one; it is closed when nobody wants more."""

        async def following() -> T | _End:
            return await anext(entries, _End())

        async def closing() -> None:
            if close := getattr(entries, "aclose", None):
                await close()

        try:
            while not isinstance(found := self.run(following()), _End):
                yield found
        finally:
            with suppress(ClientError), self._guard():  # nobody waits for it: this may be the end of the process
                asyncio.run_coroutine_threadsafe(closing(), self._loop)

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """End what is still being waited for, do this, and end the thread."""

        async def ending() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await last()

        with suppress(ClientError), self._guard():  # it may be closed already
            asyncio.run_coroutine_threadsafe(ending(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


class _End:
    """There is no more."""


class _Blocking(Generic[A]):
    """What stands for an async object."""

    def __init__(self, of: A, loop: _Loop) -> None:
        self._of = of
        self._loop = loop


def _blocking(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[_Blocking[A], P], R]:
    """The same method, which waits for its end."""

    @wraps(method)
    def call(self: _Blocking[A], *args: P.args, **kwargs: P.kwargs) -> R:
        return self._loop.run(method(self._of, *args, **kwargs))  # pyright: ignore[reportPrivateUsage] - its own class

    return call


class SyncPages(Generic[T]):
    """As Pages: `first()` is one page as the API answers it, iterating gives every entry of all pages."""

    def __init__(self, of: Pages[T], loop: _Loop) -> None:
        self._of = of
        self._loop = loop

    def __iter__(self) -> Iterator[T]:
        return self._loop.each(aiter(self._of))

    def first(self) -> dict[str, Any]:
        """One page."""

        async def asked() -> dict[str, Any]:
            return await self._of

        return self._loop.run(asked())


class SyncThread(_Blocking[Thread]):
    """As Thread; every method blocks."""

    @property
    def thread_id(self) -> str:
        """Its id."""
        return self._of.thread_id

    @property
    def accepted(self) -> AcceptedAnswer | None:
        """The answer to its start, if that was made here."""
        return self._of.accepted

    @property
    def entry(self) -> ThreadEntry | None:
        """What a list told of it."""
        return self._of.entry

    def __repr__(self) -> str:
        return repr(self._of)

    status = _blocking(Thread.status)
    wait = _blocking(Thread.wait)
    result = _blocking(Thread.result)
    resume = _blocking(Thread.resume)
    rollback = _blocking(Thread.rollback)
    cancel = _blocking(Thread.cancel)
    pause = _blocking(Thread.pause)
    state = _blocking(Thread.state)
    diff = _blocking(Thread.diff)
    answer = _blocking(Thread.answer)
    before_resume = _blocking(Thread.before_resume)
    before_rollback = _blocking(Thread.before_rollback)
    step = _blocking(Thread.step)
    workflow = _blocking(Thread.workflow)

    def events(self, *, after: int = 0, on_cut: Callable[[str], None] | None = None) -> Generator[Event, None, None]:
        """Its events after `after`, each exactly once, then live ones until it has ended."""
        return self._loop.each(self._of.events(after=after, on_cut=on_cut))

    def history(self, **filters: Unpack[HistoryFilters]) -> SyncPages[HistoryEntry]:
        """Its versions, oldest first."""
        return SyncPages(self._of.history(**filters), self._loop)

    def gates(self) -> SyncPages[GateAnswer]:
        """Its gates with their answers, newest first."""
        return SyncPages(self._of.gates(), self._loop)

    def fork(self, *, idempotency_key: str | None = None, **fields: Unpack[ForkFields]) -> list[SyncThread]:
        """As Thread.fork."""
        made = self._loop.run(self._of.fork(idempotency_key=idempotency_key, **fields))
        return [SyncThread(one, self._loop) for one in made]


class SyncWorkflows(_Blocking[Workflows]):
    """As Workflows; every method blocks."""

    register = _blocking(Workflows.register)
    validate = _blocking(Workflows.validate)
    show = _blocking(Workflows.show)

    def list(self, **filters: Unpack[PageFilters]) -> SyncPages[WorkflowEntry]:
        """The newest version of every workflow, by name."""
        return SyncPages(self._of.list(**filters), self._loop)

    def versions(self, name: str, **filters: Unpack[PageFilters]) -> SyncPages[WorkflowEntry]:
        """The versions of a workflow, newest first."""
        return SyncPages(self._of.versions(name, **filters), self._loop)


class SyncBackstitch(_Blocking[Backstitch]):
    """As Backstitch, as `with SyncBackstitch() as service: ...`; every method blocks. Threads may share it.

    `run` waits for anything of the async client, which is `asynchronous`: `run(Agents(service.asynchronous).list())`.
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
        of = Backstitch(url, timeout=timeout, retry_for=retry_for, headers=headers, transport=transport)
        super().__init__(of, _Loop())
        self.asynchronous = of
        self.url = of.url
        self.workflows = SyncWorkflows(of.workflows, self._loop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections, and end the thread; whoever still waits in another one gets a ClientError."""
        self._loop.close(self._of.close)

    def run(self, work: Awaitable[R]) -> R:
        """The result of a coroutine, or one page of a list, in the loop of the client."""

        async def awaited() -> R:
            return await work

        return self._loop.run(work if asyncio.iscoroutine(work) else awaited())

    def start(
        self,
        workflow: str | Mapping[str, Any],
        input: object = None,  # noqa: A002 - the word of the API
        *,
        idempotency_key: str | None = None,
        **fields: Unpack[StartFields],
    ) -> SyncThread:
        """As Backstitch.start."""
        made = self._loop.run(self._of.start(workflow, input, idempotency_key=idempotency_key, **fields))
        return SyncThread(made, self._loop)

    def thread(self, thread_id: str) -> SyncThread:
        """The thread of that id; nothing is asked yet."""
        return SyncThread(self._of.thread(thread_id), self._loop)

    def threads(self, **filters: Unpack[ThreadFilters]) -> Generator[SyncThread, None, None]:
        """As Backstitch.threads."""
        for one in self._loop.each(self._of.threads(**filters)):
            yield SyncThread(one, self._loop)

    def executions(self, **filters: Unpack[ExecutionFilters]) -> SyncPages[ExecutionEntry]:
        """Executions, newest first."""
        return SyncPages(self._of.executions(**filters), self._loop)

    def pages(self, path: str, name: str, /, **filters: object) -> SyncPages[Any]:
        """The list at `path`, whose entries are under `name`."""
        return SyncPages(self._of.pages(path, name, **filters), self._loop)

    request = _blocking(Backstitch.request)
    health = _blocking(Backstitch.health)
    workers = _blocking(Backstitch.workers)
    ready = _blocking(Backstitch.ready)
    execution = _blocking(Backstitch.execution)
    thread_counts = _blocking(Backstitch.thread_counts)
    resume_threads = _blocking(Backstitch.resume_threads)
    cancel_threads = _blocking(Backstitch.cancel_threads)
    pause_threads = _blocking(Backstitch.pause_threads)
