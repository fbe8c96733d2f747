"""A thread as an object: waiting for its end, following it, steering it, looking back."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from app.client import ApiError, Backstitch, Thread, UnreachableError, WorkflowFailed, threads
from tests.cli.contract import Service
from tests.client.wire import EVENTS, FAILED, THREAD, Body, Wire, frame, names, refusal, status_of, streamed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def routes(**found: Any) -> Wire:
    """A service that answers by what is asked for: `status`, `stream`, ..."""

    class Routes(Wire):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            self.asked.append(request)
            answer = found[request.url.path.split("/")[3]]
            if not isinstance(answer, list):
                return streamed() if answer is streamed else answer
            return answer.pop(0) if len(answer) > 1 else answer[0]

    return Routes()


def state(status: str) -> httpx.Response:
    return httpx.Response(200, json=status_of(status))


async def test_waiting_for_what_has_ended_gives_its_status() -> None:
    async with Wire(httpx.Response(200, json=FAILED)).client() as service:
        assert await service.thread(THREAD).wait() == FAILED


async def test_a_result_is_the_output_and_a_failure_is_raised_with_its_error() -> None:
    wire = Wire(httpx.Response(200, json=status_of()), httpx.Response(200, json=FAILED))
    async with wire.client() as service:
        assert await service.thread(THREAD).result() == {"plan": 1}
        with pytest.raises(WorkflowFailed, match=r"^thread t-1 failed: too slow \[timeout\]$") as failed:
            await service.thread(THREAD).result()
    assert (failed.value.kind, failed.value.step_id, failed.value.document) == ("timeout", "a", FAILED)


async def test_what_was_cancelled_has_failed_without_an_error() -> None:
    async with Wire(state("cancelled")).client() as service:
        with pytest.raises(WorkflowFailed, match=r"^thread t-1 was cancelled$"):
            await service.thread(THREAD).wait(check=True)


async def test_waiting_is_told_of_the_end_by_the_stream() -> None:
    wire = routes(status=[state("running"), state("completed")], stream=streamed(frame(9, "workflow_complete")))
    async with wire.client() as service:
        assert (await service.thread(THREAD).wait(timeout=60))["status"] == "completed"
    assert [one.url.path.split("/")[3] for one in wire.asked] == ["status", "stream", "status"]
    assert wire.asked[1].headers["last-event-id"] == "8"


@pytest.mark.parametrize(
    "stream",
    [refusal(404, "not_found"), httpx.Response(204), httpx.Response(200, html="<p>"), streamed],
)
async def test_waiting_needs_no_stream(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_FIRST_LOOK", 0.1)
    monkeypatch.setattr(threads, "_BREATH", 0)
    wire = routes(status=[state("running"), state("pending"), state("completed")], stream=stream)
    async with wire.client() as service:
        assert (await service.thread(THREAD).wait(timeout=60))["status"] == "completed"


async def test_waiting_for_very_many_opens_only_so_many_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_FIRST_LOOK", 0.01)
    wire = routes(status=[state("running"), state("completed")])
    async with wire.client() as service:
        service.watching = asyncio.Semaphore(0)
        await service.thread(THREAD).wait(timeout=60)
    assert len(wire.asked) == 2


async def test_waiting_outlives_an_outage_and_ends_with_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_FIRST_LOOK", 0.01)
    away = refusal(503)
    wire = routes(status=[state("running"), away, away, refusal(404, "thread_not_found")], stream=httpx.Response(204))
    async with wire.client(retry_for=0) as service:
        with pytest.raises(ApiError) as refused:
            await service.thread(THREAD).wait(timeout=60)
    assert refused.value.code == "thread_not_found"


async def test_waiting_begins_with_a_service_that_answers() -> None:
    async with Wire(httpx.ConnectError("refused")).client(retry_for=0) as service:
        with pytest.raises(UnreachableError):
            await service.thread(THREAD).wait()


async def test_waiting_too_long_says_that_the_thread_goes_on() -> None:
    wire = routes(status=state("running"), stream=httpx.Response(204))
    async with wire.client() as service:
        with pytest.raises(TimeoutError, match=r"thread t-1 has not ended after 0\.05 s; it goes on"):
            await service.thread(THREAD).wait(timeout=0.05)


async def test_a_timeout_of_something_else_is_not_taken_for_its_own() -> None:
    def slow(_: httpx.Request) -> httpx.Response:
        raise TimeoutError("another")

    async with Backstitch("http://service", transport=httpx.MockTransport(slow)) as service:
        with pytest.raises(TimeoutError, match="another"):
            await service.thread(THREAD).wait(timeout=60)


@pytest.fixture
def service() -> Iterator[Service]:
    """A small service on a real port."""
    running = Service()
    yield running
    running.stop()


async def test_waiting_and_watching_survive_a_restart_of_the_service(service: Service) -> None:
    service.state.status, service.state.released = "running", 5
    async with Backstitch(service.url) as client, asyncio.TaskGroup() as group:
        thread = client.thread(THREAD)

        async def seen() -> list[int | None]:
            return [event.seq async for event in thread.events() if event.seq]

        waiting, watching = group.create_task(thread.wait(timeout=120)), group.create_task(seen())
        await asyncio.to_thread(service.state.reached.wait, 60)
        await asyncio.to_thread(service.restart)
        service.state.status, service.state.released = "completed", 8
    assert waiting.result()["status"] == "completed"
    assert watching.result() == list(range(1, 9))


async def test_a_thread_has_the_routes_of_its_id() -> None:
    wire = Wire(httpx.Response(200, json={"patch": [1], "history": [], "gates": [], "next_cursor": None, "version": 7}))
    async with wire.client() as service:
        thread = service.thread("a/b")
        assert await thread.diff(2, 5) == [1]
        await thread.state()
        await thread.state(3)
        await thread.pause()
        await thread.cancel(reason="enough")
        await thread.resume(from_step="a", expected_version=None)
        await thread.rollback(2, resume=False)
        await thread.answer("approve", None, by="ana")
        assert [entry async for entry in thread.history(step="a")] == []
        assert [gate async for gate in thread.gates()] == []
    assert [f"{one.method} {one.url.raw_path.decode().removeprefix('/api/invoke/')}" for one in wire.asked] == [
        "GET history/a%2Fb/diff?from=2&to=5",
        "GET status/a%2Fb",
        "GET history/a%2Fb/7",
        "GET history/a%2Fb/3",
        "POST pause/a%2Fb",
        "POST cancel/a%2Fb",
        "POST resume/a%2Fb",
        "POST rollback/a%2Fb",
        "POST gates/a%2Fb/approve",
        "GET history/a%2Fb?step=a&limit=200",
        "GET gates/a%2Fb?limit=200",
    ]
    sent = [body for body in wire.bodies if body is not None]
    assert sent == [
        {"reason": "enough"},
        {"from_step": "a"},
        {"resume": False, "to_version": 2},
        {"answer": None, "by": "ana"},
    ]


async def test_a_fork_gives_its_threads_and_says_when_not_all_could_be_made() -> None:
    made: dict[str, Any] = {"forks": [{"thread_id": "f-1"}, {"thread_id": "f-2"}], "failed": []}
    missed = {**made, "failed": [{"variant": "b", "code": "thread_exists", "detail": "taken"}]}
    wire = Wire(httpx.ReadError("cut"), httpx.Response(202, json=made), httpx.Response(202, json=missed))
    async with wire.client() as service:
        thread = service.thread(THREAD)
        assert [one.thread_id for one in await thread.fork(version=2)] == ["f-1", "f-2"]
        with pytest.raises(ApiError, match="Not all forks were made: b: taken") as refused:
            await thread.fork(variants=[{"name": "a"}, {"name": "b"}])
    assert refused.value.problem["forks"] == made["forks"]
    assert wire.asked[0].headers["idempotency-key"] == wire.asked[1].headers["idempotency-key"]


def executions(*threads: str, cursor: str | None = None) -> httpx.Response:
    return httpx.Response(200, json={"executions": [{"thread_id": one} for one in threads], "next_cursor": cursor})


def listed(*threads: str, cursor: str | None = None) -> httpx.Response:
    return httpx.Response(200, json={"threads": [{"thread_id": one} for one in threads], "next_cursor": cursor})


async def test_threads_come_once_from_all_pages_with_their_entries() -> None:
    wire = Wire(listed("b", "a", cursor="2"), listed(cursor="3"), listed("a", "c"))
    async with wire.client() as service:
        found = [thread async for thread in service.threads(workflow="post", status="failed")]
    assert [(one.thread_id, one.entry) for one in found] == [(name, {"thread_id": name}) for name in "bac"]
    asked = {"workflow": "post", "status": "failed", "limit": "200"}
    assert [dict(one.url.params) for one in wire.asked] == [asked, {**asked, "cursor": "2"}, {**asked, "cursor": "3"}]


async def test_many_threads_are_steered_by_one_request() -> None:
    answer = {"matched": 1, "done": 1, "refused": [], "more": False, "dry_run": False, "thread_ids": ["a"]}
    wire = Wire(*(httpx.Response(200, json=answer) for _ in range(3)), httpx.Response(200, json={"total": 3}))
    since = datetime(2026, 11, 21, tzinfo=UTC)
    async with wire.client() as service:
        assert await service.resume_threads(where={"status": "failed", "since": since}, limit=5) == answer
        await service.cancel_threads(["a", "b"], reason="no longer needed")
        await service.pause_threads(where={}, dry_run=True)
        assert (await service.thread_counts(workflow="post"))["total"] == 3
    assert [(one.url.path, json.loads(one.content)) for one in wire.asked[:3]] == [
        ("/api/threads/resume", {"where": {"status": "failed", "since": "2026-11-21T00:00:00+00:00"}, "limit": 5}),
        ("/api/threads/cancel", {"thread_ids": ["a", "b"], "reason": "no longer needed"}),
        ("/api/threads/pause", {"where": {}, "dry_run": True}),
    ]


async def test_a_list_is_one_page_or_as_many_entries_as_were_asked_for() -> None:
    wire = Wire(executions("a", "b", cursor="2"), executions("c"))
    async with wire.client() as service:
        assert [entry["thread_id"] async for entry in service.executions(limit=3)] == ["a", "b", "c"]
        assert [one.url.params["limit"] for one in wire.asked] == ["3", "1"]
        assert (await service.executions(limit=3))["next_cursor"] is None
        assert [entry async for entry in service.executions(limit=0)] == []


async def test_workflows_are_registered_as_text_as_a_mapping_and_as_a_file(tmp_path: Path) -> None:
    wire = Wire(httpx.Response(200, json={"workflows": [], "next_cursor": None}))
    (tmp_path / "post.yaml").write_text("name: file", encoding="utf-8")
    async with wire.client() as service:
        for document in ("name: text", {"name": "mapping"}, tmp_path / "post.yaml"):
            await service.workflows.register(document)
        await service.workflows.validate("x")
        await service.workflows.show("post@2")
        assert [entry async for entry in service.workflows.list()] == []
    assert [one.content for one in wire.asked[:3]] == [b"name: text", b'{"name":"mapping"}', b"name: file"]
    assert [one.url.path for one in wire.asked[3:]] == [
        "/api/workflows/validate",
        "/api/workflows/post@2",
        "/api/workflows",
    ]


def test_a_thread_says_which_it_is() -> None:
    thread = Thread(Backstitch("http://service"), THREAD)
    assert repr(thread) == "<Thread t-1 of http://service>"


async def test_the_text_of_a_step_comes_once_across_cuts() -> None:
    first = [
        frame(1, "step_start", "talk"),
        frame(None, "step_chunk", "talk", text="one "),
        frame(None, "step_chunk", "talk", text="two "),
    ]
    again = [frame(None, "step_chunk", "talk", text="one two three "), frame(None, "step_chunk", "talk", text="four")]
    behind = [
        frame(None, "step_chunk", "talk", text="one two "),
        frame(2, "step_complete", "talk"),
        frame(3, "workflow_complete"),
    ]
    wire = Wire(streamed(*first, cut=True), streamed(*again, cut=True), streamed(*behind))
    async with wire.client() as service:
        found = [event async for event in service.thread(THREAD).events()]
    assert "".join(event.text for event in found) == "one two three four"
    assert names(event for event in found if event.seq) == ["step_start", "step_complete", "workflow_complete"]


async def test_a_text_that_begins_again_is_told_whole() -> None:
    chunk = frame(None, "step_chunk", "talk", text="one ")
    other = frame(None, "step_chunk", "talk", text="another")
    wire = Wire(
        streamed(chunk, cut=True), streamed(other, frame(1, "step_complete", "talk"), frame(2, "workflow_failed"))
    )
    async with wire.client() as service:
        assert [event.text async for event in service.thread(THREAD).events() if event.text] == ["one ", "another"]


async def test_a_stream_is_connected_patiently_and_cut_for_good_by_a_refusal() -> None:
    cuts: list[str] = []
    wire = Wire(
        httpx.ConnectError("refused"), streamed(frame(1, "step_start")), refusal(503), refusal(404, "thread_not_found")
    )
    async with wire.client() as service:
        events = service.thread(THREAD).events(on_cut=cuts.append)
        assert (await anext(events)).seq == 1
        with pytest.raises(ApiError) as refused:
            await anext(events)
    assert refused.value.code == "thread_not_found"
    assert cuts == ["refused", "the service closed the stream"]


async def test_a_page_in_the_place_of_a_stream_is_recognised() -> None:
    async with Wire(httpx.Response(200, html="<h1>Sign in</h1>")).client() as service:
        with pytest.raises(ApiError, match="Not an answer of Backstitch"):
            await anext(service.thread(THREAD).events())


async def test_events_go_on_when_the_database_was_put_back_in_between() -> None:
    before = [frame(seq, "step_progress") for seq in range(1, 9)]
    after = [frame(None, "snapshot"), frame(4, "workflow_resumed"), frame(5, "workflow_complete")]
    after[0] = b'event: snapshot\ndata: {"last_seq": 3}\n\n'
    wire = Wire(streamed(*before, cut=True), streamed(*after))
    async with wire.client() as service:
        found = [event.seq async for event in service.thread(THREAD).events() if event.seq]
    assert found == [*range(1, 9), 4, 5]


async def test_a_thread_that_was_resumed_during_a_cut_has_not_ended() -> None:
    wire = Wire(streamed(frame(1, "workflow_failed"), cut=True), streamed(), streamed(frame(2, "workflow_complete")))
    async with wire.client() as service:
        found = [event.seq async for event in service.thread(THREAD).events() if event.seq]
    assert found == [1, 2]


async def test_leaving_a_stream_closes_its_connection() -> None:
    body = Body(frame(1, "workflow_start"))
    async with Wire(httpx.Response(200, stream=body, headers=EVENTS)).client() as service:
        async for event in service.thread(THREAD).events():
            assert event.seq == 1
            break
        async with asyncio.timeout(60):
            await body.closed.wait()
