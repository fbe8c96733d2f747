"""Timelines, and threads out of a store and into it: the same in memory and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.domain import events as names
from app.domain.errors import Conflict, NotFound
from app.domain.ids import uuid7
from app.domain.parameters import Origin, Parameters, ReplayOf
from app.domain.times import utc_now
from app.domain.transfer import ROWS
from app.domain.travel import Segment, Timeline
from app.store.memory_langgraph import MemoryGraphCheckpoints
from app.store.memory_transfer import MemoryArchive
from app.store.memory_travel import MemoryTravels
from app.store.reads import PostgresReads
from app.store.transfer import PostgresArchive
from app.store.travel import PostgresTravels
from tests.builders import Driver, new_start
from tests.feeds import feed_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from app.domain.transfer import Archive, Batch, KnownDefinition, Row
    from app.domain.travel import Travels
    from tests.contracts.conftest import Store


def travels_of(store: Store) -> Travels:
    reads: Any = store.reads
    return PostgresTravels(reads._fetcher) if on_postgres(store) else MemoryTravels(reads._tables)


def on_postgres(store: Store) -> bool:
    return isinstance(store.reads, PostgresReads)


def archive_of(store: Store) -> Archive:
    reads: Any = store.reads
    if on_postgres(store):
        return PostgresArchive(reads._fetcher)
    return MemoryArchive(reads._tables, MemoryGraphCheckpoints(reads._tables))


async def with_a_rollback(store: Store) -> Driver:
    """Versions 1, 2, 3 of one execution, then 4 on top of 2 by another."""
    driver = await store.drive()
    for number in (1, 2):
        await driver.commit(store.journal, driver.end_step(f"s{number}", number))
    execution = await store.reads.execution(driver.thread.execution_id)
    assert execution is not None
    other = replace(execution, id=uuid7(), kind="rollback", created_at=utc_now())
    back = driver.event(names.WORKFLOW_ROLLED_BACK)
    back.executions.append(other)
    back.execution_id, back.head_version = other.id, 2
    back.events[0].execution_id = other.id
    await driver.commit(store.journal, back)
    await driver.commit(store.journal, driver.end_step("s2", 3))
    return driver


async def test_versions_come_as_runs_of_each_execution(store: Store) -> None:
    driver = await with_a_rollback(store)
    found = await travels_of(store).segments(driver.thread.thread_id)
    assert [(one.first_version, one.last_version, one.parent_version, one.shown) for one in found] == [
        (1, 3, None, 3),
        (4, 4, 2, 1),
    ]
    assert found[1].execution_id == driver.thread.execution_id != found[0].execution_id
    assert await travels_of(store).segments("nobody") == []


async def test_executions_come_oldest_first_from_a_place_on_and_each_has_its_turn(store: Store) -> None:
    driver = await with_a_rollback(store)
    name, travels = driver.thread.thread_id, travels_of(store)
    first, second = await travels.executions_of(name)
    assert [first.kind, second.kind] == ["invoke", "rollback"]
    assert first.input is None
    assert [one.id for one in await travels.executions_of(name, (first.created_at, first.id), 1)] == [second.id]
    turns = {turn.execution_id: turn.name for turn in await travels.turns(name, [first.id, second.id])}
    assert turns == {first.id: names.WORKFLOW_START, second.id: names.WORKFLOW_ROLLED_BACK}


async def test_what_came_of_a_thread_is_found_by_its_origin(store: Store) -> None:
    travels, ids = travels_of(store), []
    for kind, asked in (
        ("fork", Parameters(forked_from=Origin(thread_id="source", version=2), skip={"nul": "\x00"})),
        ("fork", Parameters(forked_from=Origin(thread_id="source", version=3))),
        ("fork", Parameters(forked_from=Origin(thread_id="other", version=3))),
        (
            "invoke",
            Parameters(replay_of=ReplayOf(thread_id="source", execution_id="e", run_id="r", step_id="s", version=1)),
        ),
        ("invoke", Parameters()),
    ):
        start = new_start(store.workflow)
        start.execution.kind, start.execution.parameters = kind, asked.text()
        assert (await store.journal.start(start)).created
        ids.append(start.execution.id)
    assert [one.id for one in await travels.derived("source", "fork")] == ids[:2]
    assert [one.id for one in await travels.derived("source", "fork", ids[0])] == ids[1:2]
    assert [one.id for one in await travels.derived("source", "fork", None, 1)] == ids[:1]
    assert [one.id for one in await travels.derived("source", "invoke")] == ids[3:4]


async def test_children_come_by_their_ids_from_a_place_on(store: Store) -> None:
    for name in ("c", "a", "B"):
        await store.drive(thread_id=name, parent_thread_id="parent")
    travels = travels_of(store)
    assert [one.thread_id for one in await travels.children_of("parent")] == ["B", "a", "c"]
    assert [one.thread_id for one in await travels.children_of("parent", "B", 1)] == ["a"]


async def test_where_a_step_began_and_what_outputs_weigh_is_told(store: Store) -> None:
    driver = await store.drive()
    await driver.commit(store.journal, driver.end_step("a", "\N{SNOWMAN}"))
    [run] = await store.reads.steps(driver.thread.thread_id)
    travels, name = travels_of(store), driver.thread.thread_id
    assert await travels.began_at(name, run.id) is None
    await driver.commit(store.journal, driver.event(names.STEP_START, run_id=run.id, step_id="a"))
    assert await travels.began_at(name, run.id) == 2
    assert await travels.began_at(name, "x") is None
    assert await travels.weight(name, [run.id, "x"]) == len('"\N{SNOWMAN}"'.encode())


def test_a_timeline_holds_what_the_head_came_from_and_nothing_that_is_gone() -> None:
    def run(first: int, last: int, parent: int | None) -> Segment:
        return Segment(
            execution_id="",
            first_version=first,
            last_version=last,
            parent_version=parent,
            shown=1,
            created_at=utc_now(),
        )

    segments = [run(1, 4, None), run(5, 6, 2), run(7, 9, 5)]
    timeline = Timeline(segments, 8)
    assert [version for version in range(12) if timeline.holds(version)] == [1, 2, 5, 7, 8]
    assert [timeline.end_in(one) for one in segments] == [2, 5, 8]
    assert not Timeline([run(1, 2, None), run(5, 6, 4)], 6).holds(2)
    assert not Timeline([], 1).holds(1)


# ---- threads out of a store and into it
async def rows_of(archive: Archive, thread_id: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {what: [] for what in ROWS}
    async with archive.snapshot(thread_id) as snapshot:
        async for what, page in snapshot.batches():
            found[what] += [{name: _plain(value) for name, value in row.items()} for row in page]
        assert snapshot.counts == {what: len(rows) for what, rows in found.items()}
    return found


def _plain(value: Any) -> Any:
    return str(value) if type(value).__name__ == "UUID" else value


def invented(what: str) -> Row:
    """A row with something in every field."""
    kinds: dict[str, Any] = {
        "text": "a",
        "name": "one",
        "queue": "default",
        "kind": "fork",
        "priority": 3,
        "number": 4,
        "object": '{"n":1}',
        "texts": ["b", "\N{SNOWMAN}"],
        "json": '{"n": 1.50, "nul": "\\u0000"}',
        "uuid": uuid7(),
        "thread": "parent",
        "time": utc_now(),
        "int": 3,
        "long": 2**40,
        "count": 3,
        "amount": 0.1,
        "bool": True,
        "digest": b"\x01" * 32,
        "data": b"\x00\xff",
        "status": "completed",
        "step": "completed",
    }
    return {name: kinds[field.kind] for name, field in ROWS[what].items()}


async def restore(archive: Archive, thread_id: str, rows: Mapping[str, list[Row]]) -> None:
    async def batches(known: Mapping[str, KnownDefinition]) -> AsyncIterator[Batch]:
        for what, page in rows.items():
            if page and what != "definition":
                yield what, page

    await archive.restore(thread_id, rows["definition"], batches)


def a_thread(thread_id: str) -> dict[str, list[Row]]:
    rows = {what: [invented(what)] for what in ROWS}
    rows["thread"][0]["thread_id"] = thread_id
    rows["execution"][0]["id"] = rows["thread"][0]["execution_id"]
    for what in ("graph_run", "graph_checkpoint", "graph_value", "graph_write"):
        rows[what][0]["run_key"] = "run"
    return rows


async def test_every_kind_of_row_comes_back_as_it_went_in(store: Store) -> None:
    archive, rows = archive_of(store), a_thread("t")
    await restore(archive, "t", rows)
    found = await rows_of(archive, "t")
    seq = {
        "graph_run": {"last_seq": 3 if on_postgres(store) else 1},
        "graph_checkpoint": {"seq": 3},
    }
    seq["graph_checkpoint"]["seq"] = found["graph_checkpoint"][0]["seq"]
    for what in ROWS:
        if what == "definition":
            continue
        assert found[what] == [rows[what][0] | seq.get(what, {})], what


async def test_a_thread_that_is_there_or_whose_executions_are_is_refused_and_nothing_is_written(store: Store) -> None:
    archive, rows = archive_of(store), a_thread("t")
    await restore(archive, "t", rows)
    again = a_thread("u")
    again["execution"] = rows["execution"]
    again["thread"][0]["execution_id"] = rows["thread"][0]["execution_id"]
    assert await archive.taken([rows["execution"][0]["id"]])
    assert not await archive.taken([uuid7()])
    for thread_id, other in (("t", a_thread("t")), ("u", again)):
        with pytest.raises(Conflict):
            await restore(archive, thread_id, other)
    with pytest.raises(NotFound):
        await rows_of(archive, "u")
    assert len(await store.reads.checkpoints("t")) == 1


async def test_a_definition_that_is_known_is_used_and_another_gets_no_version(store: Store) -> None:
    archive, rows = archive_of(store), a_thread("t")
    rows["definition"] = [
        {"id": uuid7(), "name": "sewing", "version": 9, "hash": "sewing-1", "document": "{}"},
        {"id": uuid7(), "name": "sewing", "version": 8, "hash": "other", "document": '{"name":"sewing"}'},
    ]
    known: dict[str, KnownDefinition] = {}

    async def batches(told: Mapping[str, KnownDefinition]) -> AsyncIterator[Batch]:
        known.update(told)
        yield "thread", rows["thread"]
        yield "execution", rows["execution"]

    await archive.restore("t", rows["definition"], batches)
    first, second = [known[row["id"]] for row in rows["definition"]]
    assert (first.id, first.version, second.version) == (store.workflow.id, 1, None)
    newest = await store.registry.workflow("sewing")
    assert newest is not None
    assert newest.id == store.workflow.id


async def test_the_events_of_an_import_stand_at_the_end_of_the_feed(store: Store) -> None:
    await store.drive(thread_id="a")
    before = await feed_of(store.reads, 1)
    await restore(archive_of(store), "t", a_thread("t"))
    found = await feed_of(store.reads, 1, before[-1].position)
    assert [item.event.thread_id for item in found] == ["t"]


async def test_the_runs_of_a_step_come_newest_first_without_values(store: Store) -> None:
    driver, other, travels = await store.drive(thread_id="t"), await store.drive(thread_id="u"), travels_of(store)
    for name in ("a", "b", "a", "a"):
        await driver.commit(store.journal, driver.end_step(name, {"n": 1}))
    await other.commit(store.journal, other.end_step("a", 1))
    found = await travels.runs_of("t", "a")
    assert [run.step_id for run in found] == ["a"] * 3
    assert [run.id for run in found] == sorted((run.id for run in found), reverse=True)
    assert {(run.input, run.output) for run in found} == {(None, None)}
    assert [run.id for run in await travels.runs_of("t", "a", limit=2)] == [run.id for run in found[:2]]
    assert await travels.runs_of("t", "nothing") == []


async def test_the_values_of_a_run_are_its_texts_and_how_many_bytes_they_have(store: Store) -> None:
    driver, travels = await store.drive(thread_id="t"), travels_of(store)
    await driver.commit(store.journal, driver.end_step("a", {"ü": "\x00"}))
    [run] = await travels.runs_of("t", "a")
    whole = await travels.values_of("t", run.id)
    assert whole is not None
    assert (whole.output, whole.output_bytes) == ('{"ü":"\\u0000"}', 15)
    sizes = await travels.values_of("t", run.id, whole=False)
    assert sizes is not None
    assert (sizes.output, sizes.output_bytes, sizes.input_bytes) == (None, 15, whole.input_bytes)
    assert await travels.values_of("u", run.id) is None
    assert await travels.values_of("t", "no id") is None
