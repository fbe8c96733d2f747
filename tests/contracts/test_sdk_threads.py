"""SdkThreads: what clients of LangGraph's SDK keep of threads and runs, on both stores."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from app.domain.gates import GateKey, Question
from app.domain.ids import uuid7
from app.domain.records import StepRecord
from app.domain.sdk_threads import EMPTY_DAYS, SdkRun, SdkStatus, SdkThreadFilter, SortBy
from app.domain.status import Status, StepStatus
from app.domain.times import utc_now
from app.store.memory_sdk_threads import MemorySdkThreads
from app.store.reads import PostgresReads
from app.store.sdk_threads import PostgresSdkThreads
from tests.contracts.test_gates import YES, AtGate, at_gate

if TYPE_CHECKING:
    from tests.contracts.conftest import Store


@pytest.fixture
def sdk(store: Store) -> Any:
    """What is kept beside the threads of the store."""
    reads: Any = store.reads
    return (
        PostgresSdkThreads(reads._fetcher)
        if isinstance(store.reads, PostgresReads)
        else MemorySdkThreads(reads._tables)
    )


async def ids(sdk: Any, **where: Any) -> list[str]:
    return [one.thread_id for one in await sdk.found(SdkThreadFilter(**where))]


async def status(sdk: Any, thread_id: str) -> SdkStatus:
    return (await sdk.statuses([thread_id]))[thread_id]


async def test_a_thread_is_made_once_and_kept_as_it_was_given(sdk: Any) -> None:
    assert await sdk.create("t", {"user": "ana", "n": [1, {"a": None}]})
    assert not await sdk.create("t", {"user": "bob"})
    found = await sdk.get("t")
    assert (found.thread_id, found.metadata) == ("t", {"user": "ana", "n": [1, {"a": None}]})
    assert await sdk.get("other") is None


async def test_metadata_is_merged_a_name_at_a_time_and_makes_the_thread_known(sdk: Any) -> None:
    await sdk.create("t", {"user": "ana", "tags": {"a": 1}})
    merged = await sdk.merge("t", {"tags": {"b": 2}})
    assert merged.metadata == {"user": "ana", "tags": {"b": 2}}
    assert merged.updated_at >= merged.created_at
    assert (await sdk.merge("new", {"x": 1})).metadata == {"x": 1}


async def test_threads_are_found_by_id_and_by_what_their_metadata_contains(sdk: Any) -> None:
    for name, user in (("a", "ana"), ("b", "bob"), ("c", "ana")):
        await sdk.create(name, {"user": user, "deep": {"n": 1, "of": name}})
    assert await ids(sdk) == ["c", "b", "a"]
    assert await ids(sdk, metadata={"user": "ana"}, ascending=True) == ["a", "c"]
    assert await ids(sdk, metadata={"deep": {"of": "b"}}) == ["b"]
    assert await ids(sdk, metadata={"deep": {"n": True}}) == []
    assert await ids(sdk, ids=["b", "nobody"]) == ["b"]
    assert await sdk.count(SdkThreadFilter(metadata={"user": "ana"}, limit=1)) == 2


@pytest.mark.parametrize("sort_by", list(SortBy))
async def test_pages_follow_each_other_whatever_they_are_sorted_by(sdk: Any, sort_by: SortBy) -> None:
    for name in "abcde":
        await sdk.create(name, {})
    pages = [await ids(sdk, sort_by=sort_by, ascending=True, limit=2, offset=offset) for offset in (0, 2, 4)]
    assert pages == [["a", "b"], ["c", "d"], ["e"]]


async def test_a_thread_that_never_ran_is_idle_and_others_stand_as_they_run(store: Store, sdk: Any) -> None:
    driver = await store.drive()
    thread_id = driver.thread.thread_id
    await sdk.create("empty", {})
    await sdk.merge(thread_id, {}, ran=True)
    assert await sdk.statuses(["empty", thread_id]) == {thread_id: SdkStatus.BUSY}
    assert await ids(sdk, status=SdkStatus.IDLE) == ["empty"]
    assert await ids(sdk, status=SdkStatus.BUSY) == [thread_id]
    await driver.commit(store.journal, driver.complete(1))
    assert await status(sdk, thread_id) == "idle"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("paused", "interrupted"), ("cancelled", "interrupted"), ("failed", "error"), ("interrupted", "error")],
)
async def test_what_has_stopped_is_interrupted_or_an_error(store: Store, sdk: Any, ours: str, theirs: str) -> None:
    driver = await store.drive()
    await driver.commit(store.journal, driver.move(status=Status(ours), incarnation_id=None))
    assert await status(sdk, driver.thread.thread_id) == theirs


async def test_a_thread_is_interrupted_once_it_is_parked_and_all_that_is_open_asks(store: Store, sdk: Any) -> None:
    gate = await at_gate(store)
    assert await status(sdk, gate.thread_id) == "busy"
    await gate.park()
    assert await status(sdk, gate.thread_id) == "interrupted"
    await sdk.merge(gate.thread_id, {}, ran=True)
    assert await sdk.count(SdkThreadFilter(status=SdkStatus.INTERRUPTED)) == 1
    await store.gates.answer(gate.key, YES)
    assert await status(sdk, gate.thread_id) == "busy"


async def test_a_thread_is_busy_while_a_step_beside_the_gate_goes_on(store: Store, sdk: Any) -> None:
    gate = await at_gate(store)
    await gate.commit(steps=[_sleeping(gate)])
    await gate.park()
    assert await status(sdk, gate.thread_id) == "busy"


async def test_the_gate_of_an_earlier_run_of_the_step_does_not_interrupt(store: Store, sdk: Any) -> None:
    gate = await at_gate(store)
    old = GateKey(thread_id=gate.thread_id, key_execution_id=uuid7(), step_id="approve")
    await store.gates.answer(gate.key, YES)
    await store.gates.open(old, gate.run_id, Question())
    await gate.park()
    assert await status(sdk, gate.thread_id) == "busy"


async def test_what_is_kept_of_a_run_is_added_to(sdk: Any) -> None:
    first, other = uuid7(), uuid7()
    await sdk.note_run(SdkRun(run_id=first, thread_id="t", metadata={"a": 1, "c": 1}, strategy="reject", hidden=True))
    await sdk.note_run(SdkRun(run_id=first, thread_id="t", metadata={"b": 2, "c": 2}))
    whole = SdkRun(run_id=first, thread_id="t", metadata={"a": 1, "b": 2, "c": 2}, strategy="reject", hidden=True)
    assert await sdk.runs([first, other]) == {first: whole}
    assert await sdk.runs([]) == {}


async def test_deleting_a_thread_takes_its_runs_along(sdk: Any) -> None:
    run = SdkRun(run_id=uuid7(), thread_id="t")
    await sdk.create("t", {})
    await sdk.note_run(run)
    assert await sdk.delete("t")
    assert not await sdk.delete("t")
    assert (await sdk.get("t"), await sdk.runs([run.run_id])) == (None, {})


async def test_old_threads_that_never_ran_are_cleared_when_others_are_made(
    store: Store, sdk: Any, store_dsn: str | None
) -> None:
    for name in ("old", "ran", "started"):
        await sdk.create(name, {})
    await sdk.merge("ran", {}, ran=True)
    await store.drive(thread_id="started")
    await _age(store, sdk, store_dsn)
    await sdk.create("new", {})
    assert sorted(await ids(sdk)) == ["new", "ran", "started"]


def _sleeping(gate: AtGate) -> StepRecord:
    return StepRecord(
        id=uuid7(),
        thread_id=gate.thread_id,
        execution_id=gate.key.key_execution_id,
        key_execution_id=gate.key.key_execution_id,
        step_id="rest",
        step_index=1,
        status=StepStatus.WAITING,
        started_at=utc_now(),
    )


async def _age(store: Store, sdk: Any, dsn: str | None) -> None:
    if dsn is None:
        reads: Any = store.reads
        reads._tables.clock = lambda: utc_now() + timedelta(days=EMPTY_DAYS + 1)
        return
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"UPDATE sdk_threads SET updated_at = now() - interval '{EMPTY_DAYS + 1} days'")
    await connection.close()
