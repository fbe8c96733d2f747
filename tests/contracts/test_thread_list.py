"""The list of threads: each once by its present execution, newest first, filtered, bounded; and their counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.gates import Question
from app.domain.ids import uuid7
from app.domain.parameters import Parameters, ReplayOf
from app.domain.records import ExecutionUpdate, StepRecord, StepUpdate, Usage
from app.domain.status import Status, StepStatus
from app.domain.thread_list import ThreadFilter
from app.domain.times import utc_now
from app.domain.waiting import WaitKey
from app.domain.waits import Awaited
from app.store.db import open_pool
from app.store.memory_threads import MemoryThreads
from app.store.threads import PostgresThreads
from tests.builders import Driver, new_start

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.thread_list import ListedThread, ThreadList
    from app.domain.transition import Transition
    from tests.contracts.conftest import Store

NOW = utc_now()


@pytest.fixture
async def listed(store: Store, store_dsn: str | None) -> AsyncGenerator[ThreadList]:
    """The list over the same store."""
    if store_dsn is None:
        yield MemoryThreads(store.reads._tables)  # type: ignore[attr-defined]
        return
    async with open_pool(store_dsn) as pool:
        yield PostgresThreads(pool)


async def begin(store: Store, thread_id: str, minute: int = 0, **execution: Any) -> Driver:
    """A thread that was started so many minutes later."""
    start = new_start(store.workflow, thread_id=thread_id, created_at=NOW + timedelta(minutes=minute))
    for name, value in execution.items():
        setattr(start.execution, name, value)
    assert (await store.journal.start(start)).created
    return Driver(start)


def ended(driver: Driver, status: Status) -> Transition:
    """A move that ends it so."""
    update = ExecutionUpdate(id=driver.thread.execution_id, status=status, completed_at=NOW, error='{"kind":"x"}')
    return driver.move(status=status, execution_updates=[update], wake_at=None)


async def replaced(store: Store, driver: Driver, minute: int, **fields: Any) -> None:
    """Another execution takes the place of the present one."""
    [old] = [await store.reads.execution(driver.thread.execution_id)]
    assert old is not None
    new = replace(old, **{"id": uuid7(), "kind": "resume", "status": Status.PENDING, "completed_at": None} | fields)
    new.created_at = NOW + timedelta(minutes=minute)
    move = driver.move(executions=[new], execution_id=new.id, status=Status.PENDING)
    await driver.commit(store.journal, move)


def ids(threads: Any) -> list[str]:
    return [one.thread.thread_id for one in threads]


async def one(listed: ThreadList) -> ListedThread:
    [found] = (await listed.page(ThreadFilter())).threads
    return found


async def test_each_thread_is_listed_once_and_what_is_resumed_comes_to_the_top(
    store: Store, listed: ThreadList
) -> None:
    drivers = {name: await begin(store, name, minute) for minute, name in enumerate("abc")}
    await drivers["a"].commit(store.journal, ended(drivers["a"], Status.FAILED))
    assert ids((await listed.page(ThreadFilter())).threads) == ["c", "b", "a"]
    await replaced(store, drivers["a"], 5)
    page = await listed.page(ThreadFilter())
    assert (ids(page.threads), page.next) == (["a", "c", "b"], None)
    assert (page.threads[0].execution.kind, page.threads[0].thread.status) == ("resume", Status.PENDING)
    assert ids((await listed.page(ThreadFilter(statuses=frozenset({Status.FAILED})))).threads) == []


async def test_pages_go_on_where_the_one_before_ended(store: Store, listed: ThreadList) -> None:
    for minute in range(7):
        await begin(store, f"t-{minute}", minute // 2)
    found: list[str] = []
    before = None
    while True:
        page = await listed.page(ThreadFilter(limit=3, before=before))
        found += ids(page.threads)
        before = page.next
        if before is None:
            break
    assert (sorted(found), found[0]) == ([f"t-{n}" for n in range(7)], "t-6")
    assert ids((await listed.page(ThreadFilter(limit=7))).threads) == found


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"statuses": frozenset({Status.FAILED})}, ["c"]),
        ({"statuses": frozenset({Status.FAILED, Status.PENDING})}, ["d", "c", "b", "a"]),
        ({"workflow": "other"}, ["b"]),
        ({"workflow": "other", "statuses": frozenset({Status.FAILED})}, []),
        ({"triggered_by": "ana"}, ["d", "a"]),
        ({"triggered_by": "ana", "workflow": "sewing", "statuses": frozenset({Status.PENDING})}, ["d", "a"]),
        ({"triggered_by": "ana", "workflow": "other"}, []),
        ({"since": NOW + timedelta(minutes=1), "until": NOW + timedelta(minutes=3)}, ["c", "b"]),
        ({"text": "OTHER"}, ["b"]),
        ({"text": "ana"}, ["d", "a"]),
        ({"text": "run-7"}, ["c"]),
        ({"text": "KATZE"}, ["d"]),
        ({"text": "äPFEL"}, ["d"]),
        ({"text": 'say "hi"\n'}, ["a"]),
        ({"text": "%"}, []),
    ],
)
async def test_filters_leave_what_they_say(store: Store, listed: ThreadList, where: Any, expected: list[str]) -> None:
    await begin(store, "a", 0, triggered_by="ana", input='{"q":"say \\"hi\\"\\n"}')
    await begin(store, "b", 1, workflow_name="other")
    third = await begin(store, "c", 2, external_run_id="Run-7")
    await third.commit(store.journal, ended(third, Status.FAILED))
    await begin(store, "d", 3, triggered_by="ana", input='"Die Katze mag Äpfel"')
    assert ids((await listed.page(ThreadFilter(**where))).threads) == expected
    assert [name for name, _ in (await listed.ids(ThreadFilter(**where)))[0]] == expected


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"text": "needle"}, ["t-8", "t-4", "t-0"]),
        ({"triggered_by": "nobody"}, []),
        ({"statuses": frozenset({Status.PENDING})}, [f"t-{n}" for n in range(8, -1, -1)]),
        ({"statuses": frozenset({Status.FAILED})}, []),
    ],
)
async def test_a_page_that_looks_at_little_says_where_to_go_on(
    store: Store, listed: ThreadList, where: Any, expected: list[str]
) -> None:
    for minute in range(9):
        await begin(store, f"t-{minute}", minute, input='"needle"' if minute % 4 == 0 else '"hay"')
    page = await listed.page(ThreadFilter(look=2, limit=5, **where))
    found = ids(page.threads)
    while page.next is not None:
        page = await listed.page(ThreadFilter(look=2, limit=5, before=page.next, **where))
        assert len(page.threads) <= 2
        found += ids(page.threads)
    assert found == expected


async def test_sub_workflows_and_replays_are_left_out_unless_asked_for(store: Store, listed: ThreadList) -> None:
    await begin(store, "top")
    child = new_start(store.workflow, thread_id="child", parent_thread_id="top", parent_run_id=uuid7())
    await store.journal.start(child)
    origin = ReplayOf(thread_id="top", execution_id=uuid7(), run_id=uuid7(), step_id="s", version=1)
    asked = Parameters(replay_of=origin).text()
    replay = await begin(store, "scratch", 1, workflow_name="replay", workflow_version=None, parameters=asked)
    await begin(store, "named-so", 2, workflow_name="replay", workflow_version=None)
    assert ids((await listed.page(ThreadFilter())).threads) == ["named-so", "top"]
    await replay.commit(store.journal, ended(replay, Status.FAILED))
    await replaced(store, replay, 3, parameters=None)
    assert ids((await listed.page(ThreadFilter())).threads) == ["named-so", "top"]
    assert set(ids((await listed.page(ThreadFilter(children=True))).threads)) == {"named-so", "top", "child", "scratch"}
    assert (await listed.counts(ThreadFilter())).counts[Status.PENDING] == 2
    assert (await listed.counts(ThreadFilter(children=True))).counts[Status.PENDING] == 4


async def test_an_entry_tells_what_is_open_and_what_it_cost(store: Store, listed: ThreadList) -> None:
    driver = await begin(store, "t", input='{"topic":"AI"}')
    row = driver.thread

    def run(name: str, status: StepStatus, **more: Any) -> StepRecord:
        own = {"thread_id": "t", "execution_id": row.execution_id, "key_execution_id": row.execution_id}
        return StepRecord(id=uuid7(), step_id=name, step_index=0, status=status, started_at=NOW, **own, **more)

    spent = Usage(input_tokens=3, output_tokens=4, cost_usd=0.5)
    waiting = [run(name, StepStatus.WAITING) for name in ("asks", "hears", "listens")]
    child, asleep = run("calls", StepStatus.RUNNING), run("sleeps", StepStatus.RUNNING)
    working = run("works", StepStatus.RUNNING, agent="llm", attempt=2, usage=spent)
    done = run("done", StepStatus.COMPLETED, output="1", usage=spent)
    await driver.commit(store.journal, driver.move(steps=[*waiting, child, asleep, done, working]))
    parked = {"status": StepStatus.WAITING, "attempt": 1, "retry_count": 0}
    updates = [
        StepUpdate(id=child.id, session_id="sub:x", **parked),
        StepUpdate(id=asleep.id, next_attempt_at=NOW, **parked),
    ]
    await driver.commit(store.journal, driver.move(step_updates=updates))
    keys = [WaitKey(thread_id="t", key_execution_id=row.execution_id, step_id=each.step_id) for each in waiting]
    await store.gates.open(
        keys[0], waiting[0].id, Question(title="?", show=None, form=None, assignees=(), timeout=None)
    )
    await store.waits.open(keys[1], waiting[1].id, Awaited(topic="orders", given_json="{}"))
    await store.waits.open(keys[2], waiting[2].id, Awaited(signal="go", given_json="{}"))
    found = await one(listed)
    first = found.open
    assert [(each.step_id, each.waits) for each in first] == [
        ("works", None),
        ("asks", "gate"),
        ("hears", "message"),
        ("listens", "signal"),
        ("calls", "child"),
    ]
    assert (found.open_more, first[0].agent, first[0].attempt) == (1, "llm", 2)
    assert found.usage == Usage(input_tokens=6, output_tokens=8, cost_usd=1.0)
    assert (found.head, found.execution.input, found.footing.ended) == ('{"topic":"AI"}', None, 1)


async def test_a_long_input_is_that_of_the_first_execution(store: Store, listed: ThreadList) -> None:
    driver = await begin(store, "t", input='"' + "x" * 5_000 + ' needle"')
    await driver.commit(store.journal, ended(driver, Status.FAILED))
    await replaced(store, driver, 1, input=None, input_sha256=None)
    found = await one(listed)
    assert found.head == '"' + "x" * 2_047
    assert ids((await listed.page(ThreadFilter(text="NEEDLE"))).threads) == ["t"]


async def test_the_head_tells_how_far_a_thread_is(store: Store, listed: ThreadList) -> None:
    document = '{"name":"long","steps":[{"id":"a"},{"id":"b"}]}'
    workflow = await store.registry.register(name="long", document=document, hash="long-1")
    start = new_start(workflow, thread_id="t")
    await store.journal.start(start)
    driver = Driver(start)
    await driver.commit(store.journal, driver.end_step("a", 1))
    footing = (await one(listed)).footing
    assert (footing.total, footing.progress, footing.execution_id) == (2, 0.5, driver.thread.execution_id)


async def test_threads_are_counted_by_status(store: Store, listed: ThreadList) -> None:
    for name in ("a", "b", "c"):
        driver = await begin(store, name, 0, triggered_by="ana" if name != "c" else None)
        if name != "a":
            await driver.commit(store.journal, ended(driver, Status.FAILED))
    await replaced(store, driver, 1)
    for where, failed, pending in (
        (ThreadFilter(), 1, 2),
        (ThreadFilter(workflow="sewing"), 1, 2),
        (ThreadFilter(workflow="other"), 0, 0),
        (ThreadFilter(triggered_by="ana"), 1, 1),
        (ThreadFilter(triggered_by="ana", workflow="sewing", until=NOW + timedelta(hours=1)), 1, 1),
        (ThreadFilter(since=NOW + timedelta(minutes=1)), 0, 1),
    ):
        found = await listed.counts(where)
        expected = {**dict.fromkeys(Status, 0), Status.FAILED: failed, Status.PENDING: pending}
        assert (found.counts, found.whole) == (expected, True), where
