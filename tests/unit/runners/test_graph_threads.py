"""Plain functions in graphs have threads of their own, however many of them hang."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from app.runners.graph_threads import own_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


async def as_a_graph_does(call: Callable[[], object], most: int = 50) -> object:
    with own_threads(most):
        return await asyncio.get_running_loop().run_in_executor(None, call)


@contextmanager
def hanging(number: int) -> Generator[tuple[list[asyncio.Task[object]], threading.Event]]:
    """So many plain nodes that wait until the block ends."""
    go = threading.Event()
    try:
        yield [asyncio.ensure_future(as_a_graph_does(go.wait)) for _ in range(number)], go  # pyright: ignore[reportReturnType]
    finally:
        go.set()


async def test_nodes_that_hang_leave_the_services_own_threads_alone() -> None:
    with hanging(40) as (nodes, go):
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            assert await asyncio.to_thread(lambda: "renewed") == "renewed"
        go.set()
        assert set(await asyncio.gather(*nodes)) == {True}


async def test_no_more_nodes_run_at_a_time_than_may() -> None:
    running, peak, lock = 0, 0, threading.Lock()
    met = threading.Barrier(3)

    def node() -> None:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        met.wait(10)
        with lock:
            running -= 1

    await asyncio.gather(*(as_a_graph_does(node, most=3) for _ in range(9)))
    assert peak == 3


async def test_what_a_node_raises_is_raised_where_it_is_awaited_and_others_go_on() -> None:
    def fails() -> None:
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        await as_a_graph_does(fails, most=1)
    assert await as_a_graph_does(lambda: 7, most=1) == 7


async def test_its_threads_do_not_keep_the_process() -> None:
    assert await as_a_graph_does(lambda: threading.current_thread().daemon)
    assert not await asyncio.to_thread(lambda: threading.current_thread().daemon)
