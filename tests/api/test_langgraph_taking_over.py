"""Runs that take the place of others, at the moment at which something else happens to the thread."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from langgraph_sdk.errors import ConflictError

from app.api.langgraph.yielding import cancel_run
from app.domain.errors import Conflict
from app.domain.gates import Answer
from tests.api.lang import HELD, held_of, no_pause, parts, shared_lang, told  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.api.lang import Lang

HELD_AFTER = {"name": "held-after", "steps": [{"id": "ask", "gate": {}}, {"id": "hold", "python": "held"}]}

pytestmark = pytest.mark.asyncio(loop_scope="module")
lang = pytest_asyncio.fixture(shared_lang, scope="module", loop_scope="module")


async def busy(lang: Lang) -> tuple[str, str]:
    """A thread whose run does not end by itself, and the run."""
    thread = await lang.client.threads.create()
    run = await lang.client.runs.create(thread["thread_id"], "slow", input={"n": 1})
    await held_of(thread["thread_id"]).entered.wait()
    return thread["thread_id"], run["run_id"]


def once_seen(lang: Lang, monkeypatch: pytest.MonkeyPatch, act: Callable[[], Awaitable[Any]], nth: int = 1) -> None:
    """Something happens right after somebody has seen, for the nth time, how a thread stands."""
    asked, times = lang.real.services.sdk_threads.statuses, count(1)

    async def statuses(thread_ids: Any) -> Any:
        found = await asked(thread_ids)
        if next(times) == nth:
            await act()
        return found

    monkeypatch.setattr(lang.real.services.sdk_threads, "statuses", statuses)


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_a_run_begins_also_when_the_one_before_it_ends_at_that_moment(
    lang: Lang, monkeypatch: pytest.MonkeyPatch, strategy: Any
) -> None:
    thread_id, _ = await busy(lang)
    once_seen(lang, monkeypatch, lambda: lang.real.services.control.cancel(thread_id))
    run = await lang.client.runs.create(thread_id, "slow", input={"n": 2}, multitask_strategy=strategy)
    held_of(thread_id).go.set()
    found: Any = await lang.client.runs.join(thread_id, run["run_id"])
    assert (found["first"], found["hold"]) == ({"n": 2}, "let go")


async def test_of_runs_that_interrupt_each_other_the_last_goes_on_and_all_have_begun(lang: Lang) -> None:
    thread_id, _ = await busy(lang)
    calls = [lang.client.runs.create(thread_id, "slow", input={}, multitask_strategy="interrupt") for _ in range(4)]
    runs = await asyncio.gather(*calls)
    statuses = {run["run_id"]: run["status"] for run in await lang.client.runs.list(thread_id)}
    told_ = [statuses[run["run_id"]] for run in runs]
    assert sorted(told_).count("interrupted") == 3
    held_of(thread_id).go.set()


async def test_cancelling_a_run_does_not_end_the_one_that_took_its_place(lang: Lang) -> None:
    thread_id, first = await busy(lang)
    second = await lang.client.runs.create(thread_id, "slow", input={}, multitask_strategy="interrupt")
    with pytest.raises(Conflict, match="another one took its place"):
        await cancel_run(lang.real.services, thread_id, first, "gone")
    held_of(thread_id).go.set()
    await lang.client.runs.join(thread_id, second["run_id"])
    assert (await lang.client.runs.get(thread_id, second["run_id"]))["status"] == "success"


@pytest.mark.parametrize("nth", [1, 2])
async def test_a_new_input_does_not_end_a_run_that_has_just_been_answered(
    lang: Lang, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    await lang.real.services.control.register(HELD_AFTER)
    thread_id = (await lang.client.threads.create())["thread_id"]
    await lang.client.runs.wait(thread_id, "held-after", input={})

    async def answer() -> None:
        await lang.real.services.gates.answer(thread_id, "ask", Answer(answer_json="1", by="ana", via="test"))
        await held_of(thread_id).entered.wait()

    once_seen(lang, monkeypatch, answer, nth)
    with pytest.raises(ConflictError, match="is busy"):
        await lang.client.runs.create(thread_id, "held-after", input={"n": 2})
    HELD[thread_id].go.set()
    assert await lang.real.services.control.wait(thread_id, 30)
    assert [run["status"] for run in await lang.client.runs.list(thread_id)] == ["success"]


@pytest.mark.usefixtures("no_pause")
async def test_a_stream_that_took_anothers_place_and_is_cut_at_its_beginning_doubles_nothing(lang: Lang) -> None:
    thread_id, _ = await busy(lang)
    held_of(thread_id).entered.clear()
    begun = asyncio.Event()

    async def follow() -> list[Any]:
        stream = lang.client.runs.stream(
            thread_id, "slow", input={"n": 2}, multitask_strategy="interrupt", stream_mode="updates"
        )
        found: list[Any] = []
        async for part in stream:
            found.append(part)
            if not begun.is_set():
                begun.set()
                lang.wire.cut()
        return found

    following = asyncio.create_task(follow())
    await begun.wait()
    held_of(thread_id).go.set()
    found = await following
    assert [part.event for part in found] == ["metadata", "updates", "updates", "end"]
    assert told(found, "updates") == [{"first": {"n": 2}}, {"hold": "let go"}]


async def test_a_run_that_was_undone_tells_its_reader_so(lang: Lang) -> None:
    thread_id, run_id = await busy(lang)
    reading = asyncio.create_task(parts(lang.client.runs.join_stream(thread_id, run_id, stream_mode="updates")))
    await lang.followed(thread_id)
    await lang.client.runs.cancel(thread_id, run_id, action="rollback")
    found = await reading
    assert [part.event for part in found] == ["metadata", "updates", "error", "end"]
    assert told(found, "error") == [{"error": "cancelled", "message": "its run was rolled back"}]
    assert [run["run_id"] for run in await lang.client.runs.list(thread_id)] == [run_id]
