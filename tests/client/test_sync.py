"""The client that blocks: the same methods, from any thread, and nothing left behind."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from app import client
from app.client import Backstitch, ClientError, SyncBackstitch, SyncThread, Thread, WorkflowFailed, Workflows
from app.client.agents import Agents
from app.client.sync import SyncWorkflows
from tests.client.wire import ACCEPTED, EVENTS, THREAD, Body, Wire, frame, names, status_of, streamed

ELSEWHERE = {"invoke", "status", "resume", "rollback", "cancel", "pause", "history", "stream", "post_once"}
"""What a Backstitch has beside its threads' own methods, for which SyncBackstitch has `thread` and `request`."""


def public(of: type, kind: Any = inspect.isfunction) -> set[str]:
    return {name for name, _ in inspect.getmembers(of, kind) if not name.startswith("_")}


def blocking(wire: Wire, **given: Any) -> SyncBackstitch:
    return SyncBackstitch("http://service", transport=httpx.MockTransport(wire), **given)


@pytest.mark.parametrize(
    ("of", "twin", "without"),
    [(Backstitch, SyncBackstitch, ELSEWHERE), (Thread, SyncThread, set[str]()), (Workflows, SyncWorkflows, set[str]())],
)
def test_it_has_the_methods_of_the_async_client_with_their_arguments(of: type, twin: type, without: set[str]) -> None:
    assert public(twin) - {"run"} == public(of) - without
    for name in public(of) - without:
        assert list(inspect.signature(getattr(of, name)).parameters) == list(
            inspect.signature(getattr(twin, name)).parameters
        )


def test_a_thread_is_started_and_waited_for() -> None:
    wire = Wire(httpx.Response(202, json=ACCEPTED), httpx.Response(200, json=status_of()))
    with blocking(wire) as service:
        thread = service.start("post", {"topic": "sewing"})
        assert (thread.thread_id, thread.accepted) == (THREAD, ACCEPTED)
        assert thread.result(timeout=60) == {"plan": 1}
        assert thread.status() == status_of()
        assert repr(thread) == "<Thread t-1 of http://service>"


def test_errors_are_those_of_the_async_client() -> None:
    with blocking(Wire(httpx.Response(200, json=status_of("failed")))) as service, pytest.raises(WorkflowFailed):
        service.thread(THREAD).wait(check=True)


def test_events_and_lists_are_gone_through() -> None:
    stream = streamed(frame(1, "workflow_start"), frame(2, "workflow_complete"))
    entries = [{"thread_id": THREAD}]
    page = dict.fromkeys(("executions", "history", "gates", "workflows", "agents", "threads"), entries) | {
        "next_cursor": None
    }
    with blocking(Wire(stream, httpx.Response(200, json=page))) as service:
        thread = service.thread(THREAD)
        assert names(thread.events()) == ["workflow_start", "workflow_complete"]
        for found in (service.executions(), thread.history(), thread.gates(), service.workflows.list()):
            assert list(found) == [{"thread_id": THREAD}]
        assert list(service.pages("/api/agents", "agents")) == [{"thread_id": THREAD}]
        assert service.executions().first() == page
        assert [one.thread_id for one in service.threads()] == [THREAD]


def test_leaving_a_stream_early_closes_its_connection() -> None:
    body = Body(frame(1, "workflow_start"))
    with blocking(Wire(httpx.Response(200, stream=body, headers=EVENTS))) as service:
        for event in service.thread(THREAD).events():
            assert event.seq == 1
            break
        service.run(asyncio.wait_for(body.closed.wait(), 60))


def test_threads_share_it_and_forks_are_its_threads() -> None:
    made = {"forks": [{"thread_id": "f-1"}], "failed": []}
    with blocking(Wire(httpx.Response(202, json=made))) as service, ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: service.thread(THREAD).fork(version=2), range(8)))
    assert [one.thread_id for forks in found for one in forks] == ["f-1"] * 8


def test_what_else_the_async_client_can_do_is_run_in_its_loop() -> None:
    with blocking(Wire(httpx.Response(200, json={"agents": []}))) as service:
        assert service.run(Agents(service.asynchronous).show("a")) == {"agents": []}
        assert service.run(Agents(service.asynchronous).list()) == {"agents": []}


def test_when_it_is_closed_its_thread_has_ended() -> None:
    before = threading.active_count()
    service = blocking(Wire(httpx.Response(200, json={"status": "ready"})))
    assert service.health() == service.ready() == {"status": "ready"}
    left = service.thread(THREAD).events()
    service.close()
    left.close()
    assert threading.active_count() == before


def test_closing_it_ends_what_other_threads_wait_for() -> None:
    service = blocking(Wire(httpx.Response(200, stream=Body(frame(1, "workflow_start")), headers=EVENTS)))
    reached, told = threading.Event(), list[str]()

    def follow() -> None:
        try:
            for _ in service.thread(THREAD).events():
                reached.set()
        except ClientError as error:
            told.append(str(error))

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    assert reached.wait(60)
    service.close()
    follower.join(20)
    assert told == ["the client is closed, or this process was forked after it was made"]


def test_what_is_closed_says_so_and_may_be_closed_again() -> None:
    with blocking(Wire(httpx.Response(200, json={}))) as service:
        service.close()
        with pytest.raises(ClientError, match="the client is closed"):
            service.health()


def test_a_callback_that_waits_for_the_client_is_told_instead_of_waiting_for_ever() -> None:
    wire = Wire(streamed(frame(1, "step_start")), streamed(frame(2, "workflow_complete")))
    with blocking(wire) as service, pytest.raises(RuntimeError, match="a callback of the client cannot wait for it"):
        list(service.thread(THREAD).events(on_cut=lambda _: service.thread(THREAD).status() and None))


def test_in_a_forked_process_it_says_that_it_belongs_to_the_parent() -> None:
    with blocking(Wire(httpx.Response(200, json={}))) as service:
        if (child := os.fork()) == 0:
            try:
                service.health()
            except ClientError:
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_the_module_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="Sinc"):
        client.SincBackstitch  # noqa: B018
