"""Threads for the plain functions in a graph, apart from those that the service itself lives on.

LangGraph and LangChain run plain nodes, tools and models in the event loop's own executor, which has a handful of threads and
cannot be told otherwise by a caller.  A few nodes that hang would take them all, and then the service could not renew its
lease.  So the loop gets an executor that knows who is asking.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

P = ParamSpec("P")
T = TypeVar("T")
_graph_threads: ContextVar[int] = ContextVar("_graph_threads", default=0)


@contextmanager
def own_threads(most: int) -> Generator[None]:
    """What runs in here, and what it starts, gets threads of its own, at most `most` at a time for all graphs together.

    They do not keep the process from ending, and one that never returns keeps its place.
    """
    loop = asyncio.get_running_loop()
    if loop not in _installed:
        _installed[loop] = executor = _LoopExecutor()
        loop.set_default_executor(executor)
    token = _graph_threads.set(most)
    try:
        yield
    finally:
        _graph_threads.reset(token)


class _LoopExecutor(ThreadPoolExecutor):
    """The usual one for everybody but graphs."""

    def __init__(self) -> None:
        super().__init__(thread_name_prefix="backstitch-loop")
        self._guard = Lock()
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._busy = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See Executor; called in the context of whoever asks."""
        most = _graph_threads.get()
        if not most:
            return super().submit(fn, *args, **kwargs)
        future: Future[T] = Future()
        with self._guard:
            self._waiting.append((future, partial(fn, *args, **kwargs)))
            more = self._busy < most
            self._busy += more
        if more:
            Thread(target=self._work, name="backstitch-graph", daemon=True).start()
        return future

    def _work(self) -> None:
        while True:
            with self._guard:
                if not self._waiting:
                    self._busy -= 1
                    return
                future, call = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                try:
                    result = call()
                except BaseException as error:  # noqa: BLE001 - it is raised again where the node is awaited
                    future.set_exception(error)
                else:
                    future.set_result(result)
            del future, call


_installed: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopExecutor]] = WeakKeyDictionary()
