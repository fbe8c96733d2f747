"""Files of threads: what was changed in one is seen, whatever line it is in, and nothing comes in then."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.errors import Conflict, InvalidRequest, Unavailable
from app.domain.gates import Answer
from app.domain.graph_checkpoints import ChannelValue, GraphCheckpoint, GraphQuery, GraphWrite
from app.domain.waits import Signal, SignalFilter, Taken
from app.engine import transfer
from app.engine.transfer import Transfers
from app.store.memory_langgraph import MemoryGraphCheckpoints
from app.store.memory_reads import MemoryReads
from app.store.memory_tables import MemoryTables
from app.store.memory_transfer import MemoryArchive
from tests.unit.engine.house import House, open_house, step
from tests.unit.engine.test_corruption import damage_output, damage_version, inspector
from tests.unit.engine.test_moving import A, begin, move, second

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.engine.transfer import Imported

Line = dict[str, Any]
MINE = ("epoch", "rev")
"""What says who drives a thread, and how often it was written."""
OTHER = "01993c5e-7c1f-7d3a-9a55-0d5b2f6c8d11"
KINDS = {
    "definition", "thread", "execution", "step", "item", "note", "checkpoint", "event", "gate", "wait", "signal",
    "graph_run", "graph_checkpoint", "graph_value", "graph_write",
}  # fmt: skip


class Office:
    """Where threads of a house go out and come in."""

    def __init__(self, tables: MemoryTables, graphs: MemoryGraphCheckpoints | None = None) -> None:
        self.tables = tables
        self.graphs = graphs or MemoryGraphCheckpoints(tables)
        self.told = 0
        archive = MemoryArchive(tables, self.graphs)
        self.transfers = Transfers(
            MemoryReads(tables), archive, max_bytes=10_000_000, max_value_bytes=10_000, told=self._told
        )

    async def export(self, thread_id: str) -> list[Line]:
        spool = await self.transfers.export(thread_id, packed=False)
        return [json.loads(line) for line in b"".join([piece async for piece in spool.pieces()]).splitlines()]

    async def take_in(self, data: bytes, thread_id: str | None = None, *, rename: bool = False) -> Imported:
        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(data), 1_000):
                yield data[at : at + 1_000]

        return await self.transfers.take_in(pieces(), thread_id, rename=rename)

    def _told(self) -> None:
        self.told += 1


def signed(lines: list[Line]) -> bytes:
    """A file of these lines whose end holds."""
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines[:-1])
    end = {**lines[-1], "lines": len(lines) - 1, "sha256": hashlib.sha256(body).hexdigest()}
    return body + json.dumps(end).encode() + b"\n"


async def a_graph(graphs: MemoryGraphCheckpoints, thread_id: str, execution_id: str) -> str:
    """The inner checkpoints of a graph in a step; the run's key."""
    run = await graphs.open(thread_id, f"{execution_id}:b:abc")
    for number in ("1", "2"):
        value = ChannelValue(channel="c", version=number, kind="bytes", data=b"\x00" + number.encode())
        checkpoint = GraphCheckpoint(
            ns="", checkpoint_id=number, parent_id=None, run_id="call", kind="k", data=b"d", metadata=b"m",
            versions={"c": number},
        )  # fmt: skip
        await graphs.put(run, checkpoint, [value])
    write = GraphWrite(task_id="t", idx=-1, task_path="", channel="c", kind="k", data=b"w")
    await graphs.put_writes(run, "", "2", [write])
    return run.run_key


async def a_thread(house: House, office: Office) -> str:
    """One that has all kinds of rows but those of a quarantine."""

    async def remembering(value: Any, ctx: Any) -> Any:
        await ctx.remember("one", {"x": 1})
        await ctx.remember("two", [2])
        return value

    house.on("remembering", remembering)
    steps = (
        step("a", for_each="{[1, 2]}", input="{item}"),
        step("b", python="remembering", assign="x", input={"n": "{input.n}"}),
        step("c", gate={"show": "{context.x}"}),
        step("d", wait_for={"topic": "t", "match": "input.n == 1"}, needs=["b"]),
    )
    accepted = await house.start(*steps, input={"n": 1}, context={"m": "\x00"}, thread_id="source")
    await house.until_status("source", "waiting")
    await house.waits.send("source", Signal(name="go", value_json="[1]", by="ana"))
    [key] = house.tables.waits
    await house.waits.book.take(key, Taken(digest=bytes(32), answer_json='{"id":"m"}', by="shop"))
    await a_graph(office.graphs, "source", accepted.execution_id)
    await house.gates.answer("source", "c", Answer(answer_json='{"yes":true}', by="ana"))
    return await house.end("source")


@pytest.fixture
async def office(house: House) -> Office:
    return Office(house.tables)


@pytest.fixture
async def lines(house: House, office: Office) -> list[Line]:
    """The lines of the file of such a thread."""
    return await office.export(await a_thread(house, office))


async def refused(lines: list[Line], *, data: bytes | None = None) -> str:
    """Why a file does not come in; nothing of it does then."""
    other = Office(MemoryTables())
    with pytest.raises(InvalidRequest) as found:
        await other.take_in(signed(lines) if data is None else data)
    tables = other.tables
    assert not any((tables.threads, tables.executions, tables.runs, tables.workflows, tables.feed, other.told))
    return found.value.code


def first(lines: list[Line], row: str) -> Line:
    return next(line for line in lines if line["row"] == row)


async def test_what_comes_in_is_what_went_out(house: House, lines: list[Line]) -> None:
    assert {line["row"] for line in lines[1:-1]} == KINDS
    other = Office(MemoryTables())
    imported = await other.take_in(signed(lines))
    assert (imported.renamed, other.told) == (False, 1)
    again = await other.export("source")
    definition, thread, execution = (first(again, row) for row in ("definition", "thread", "execution"))
    changed = {
        "definition_id": first(lines, "definition")["id"],
        **{name: first(lines, "thread")[name] for name in MINE},
    }
    assert definition | {"id": changed["definition_id"]} == first(lines, "definition")
    assert thread | changed | {"updated_at": first(lines, "thread")["updated_at"]} == first(lines, "thread")
    same = [line for line in again[1:-1] if line["row"] not in ("definition", "thread")]
    assert same == [line for line in lines[1:-1] if line["row"] not in ("definition", "thread")]
    assert execution["workflow_id"] is None


async def test_a_copy_is_renamed_throughout(house: House, office: Office, lines: list[Line]) -> None:
    imported = await office.take_in(signed(lines), "copy")
    assert imported.renamed
    copy, text = await office.export("copy"), json.dumps(lines[1:-1])
    ids = {line["id"] for line in lines if line["row"] in ("execution", "step")}
    assert ids
    assert not [one for one in ids if one in json.dumps(copy)]
    assert all(one in text for one in ids)
    assert (await inspector(house).verify("copy")).findings == []
    before, after = [await house.control.load_state(name, 5) for name in ("source", "copy")]
    assert after.scope == before.scope
    [graph, *_] = await office.graphs.find(GraphQuery(thread_id="copy"))
    assert graph.run_key.startswith((await house.thread("copy")).execution_id)
    assert [write.data for write in graph.writes] == [b"w"]


async def test_a_copy_is_told_of_in_traces_of_its_own(house: House, office: Office) -> None:
    thread_id = await house.run(step("a"), thread_id="source")
    await house.rollback(thread_id, 1)
    await house.end(thread_id)
    lines = await office.export(thread_id)
    ids = [line["id"] for line in lines if line["row"] == "execution"]
    assert ids[0] in first([line for line in lines if line.get("kind") == "rollback"], "execution")["parameters"]
    await office.take_in(signed(lines), "copy")
    assert not [one for one in ids if one in json.dumps(await office.export("copy"))]


async def test_no_execution_runs_in_a_thread_that_does_not(lines: list[Line]) -> None:
    first(lines, "execution")["status"] = "running"
    other = Office(MemoryTables())
    await other.take_in(signed(lines))
    assert first(await other.export("source"), "execution")["status"] == "completed"


async def test_a_thread_that_was_moved_comes_in_and_does_not_go_back_to_what_nobody_can_compare(
    house: House, office: Office
) -> None:
    thread_id = await begin(house, A, step("ask", gate={}))
    await house.until_status(thread_id, "waiting")
    await second(house, A, step("ask", gate={}), step("last"))
    assert [one.execution_id is not None for one in await move(house)] == [True]
    await house.until_status(thread_id, "waiting")
    data = signed(await office.export(thread_id))
    async with open_house(None) as elsewhere:
        assert (await Office(elsewhere.tables).take_in(data)).status == "paused"
        with pytest.raises(Conflict) as found:
            await elsewhere.rollback(thread_id, 1)
        assert found.value.code == "workflow_mismatch"
        await elsewhere.resume(thread_id)
        await elsewhere.gates.answer(thread_id, "ask", Answer(answer_json="1"))
        await elsewhere.end(thread_id)
        assert set((await elsewhere.control.load_state(thread_id, 4)).refs.steps) == {"a", "ask", "last"}
        await elsewhere.rollback(thread_id, 3)


async def test_a_running_thread_comes_in_paused_and_its_open_step_is_tried_again(house: House, office: Office) -> None:
    hold: list[Any] = []

    async def waits(value: Any, ctx: Any) -> Any:
        hold.append(ctx.attempt)
        if len(hold) == 1:
            await asyncio.Event().wait()
        return "done"

    house.on("waits", waits)
    started = await house.start(step("a"), step("b", python="waits"), thread_id="source")
    await house.until(lambda: hold == [1])
    lines = await office.export("source")
    assert first(lines, "thread")["status"] == "running"
    async with open_house(None) as elsewhere:
        elsewhere.functions.by_name = house.functions.by_name
        other = Office(elsewhere.tables)
        assert (await other.take_in(signed(lines))).status == "paused"
        assert (await elsewhere.steps("source"))["b"].status == "waiting"
        assert (await elsewhere.names("source"))[-1] == "workflow_paused"
        await elsewhere.resume("source")
        await elsewhere.end("source")
        assert (await elsewhere.thread("source")).status == "completed"
        assert (await elsewhere.thread("source")).execution_id == started.execution_id
        assert [version.version for version in await elsewhere.versions("source")] == [1, 2, 3, 4]
    assert hold == [1, 1]
    await house.control.cancel("source")


async def test_every_changed_line_is_seen_by_the_files_digest(lines: list[Line]) -> None:
    parts = signed(lines).splitlines(keepends=True)
    for kind in (*KINDS, "end"):
        at = next(place for place, line in enumerate(lines) if line["row"] == kind)
        place = max(place for place, byte in enumerate(parts[at]) if chr(byte).isdigit())
        changed = parts[at][:place] + (b"1" if parts[at][place : place + 1] == b"2" else b"2") + parts[at][place + 1 :]
        data = b"".join([*parts[:at], changed, *parts[at + 1 :]])
        assert await refused(lines, data=data) in ("export_damaged", "invalid_export", "export_too_new"), kind


@pytest.mark.parametrize(
    ("row", "field", "value"),
    [
        ("step", "output", '{"by":"somebody"}'),
        ("item", "output", "7"),
        ("note", "value", '{"x":2}'),
        ("note", "name", "other"),
        ("checkpoint", "manifest", '{"full":true,"input":"x"}'),
        ("checkpoint", "base_version", 7),
        ("execution", "input", '{"n":2}'),
        ("execution", "output", "{}"),
        ("gate", "answer", '"no"'),
    ],
)
async def test_a_changed_value_is_seen_though_the_file_was_signed_again(
    lines: list[Line], row: str, field: str, value: Any
) -> None:
    first(lines, row)[field] = value
    assert await refused(lines) == "export_damaged"


@pytest.mark.parametrize(
    ("row", "change"),
    [
        ("step", {"more": 1}),
        ("step", {"agent": ...}),
        ("step", {"attempt": "1"}),
        ("step", {"attempt": True}),
        ("step", {"attempt": 2**31}),
        ("step", {"attempt": None}),
        ("step", {"status": "odd"}),
        ("step", {"started_at": "2026-01-01T00:00:00"}),
        ("step", {"output_sha256": "00"}),
        ("step", {"id": OTHER.upper()}),
        ("step", {"cost_usd": "1"}),
        ("event", {"seq": 2**63}),
        ("event", {"data": "{"}),
        ("event", {"data": {}}),
        ("event", {"name": "a\x00b"}),
        ("event", {"row": "odd"}),
        ("event", {"step_id": 'a","b":"'}),
        ("event", {"name": "a\n\nevent: b"}),
        ("event", {"data": "{\n}"}),
        ("event", {"data": "[]"}),
        ("step", {"input": "1\r"}),
        ("execution", {"kind": "odd"}),
        ("thread", {"queue": "a b"}),
        ("thread", {"priority": 2**31 - 1}),
        ("thread", {"last_version": 2**31 - 1}),
        ("event", {"row": ["odd"]}),
        ("event", {"at": "0001-01-01T00:00:00+23:59"}),
        ("thread", {"created_at": "9999-12-31T23:59:59-10:00"}),
        ("checkpoint", {"progress": 10**400}),
        ("checkpoint", {"progress": -1}),
        ("step", {"cost_usd": -1}),
        ("step", {"input_tokens": 2**62}),
        ("step", {"error": "[1]"}),
        ("execution", {"error": "[1]"}),
        ("execution", {"parameters": "[1]"}),
        ("checkpoint", {"hidden": 0}),
        ("thread", {"thread_id": "other"}),
        ("thread", {"thread_id": "a b"}),
        ("thread", {"head_version": 99}),
        ("thread", {"last_seq": 1}),
        ("thread", {"execution_id": OTHER}),
        ("thread", {"definition_id": OTHER}),
        ("definition", {"hash": "0" * 64}),
        ("definition", {"document": '{"name":"sewing"}'}),
        ("gate", {"assignees": "ana"}),
        ("graph_write", {"data": "not base64"}),
        ("note", {"place": 1}),
        ("wait", {"message_sha256": "00"}),
        ("wait", {"begin_seq": "1"}),
        ("signal", {"item": "1"}),
        ("end", {"more": 1}),
        ("backstitch-thread", {"more": 1}),
        ("backstitch-thread", {"counts": {"step": 1}}),
        ("backstitch-thread", {"format": "1"}),
    ],
    ids=str,
)
async def test_a_file_that_does_not_hold_together_is_refused(lines: list[Line], row: str, change: Line) -> None:
    line = first(lines, row)
    line.update(change)
    for name in [name for name, value in change.items() if value is ...]:
        del line[name]
    assert await refused(lines) == "invalid_export"


async def test_rows_twice_out_of_order_missing_or_cut_off_are_refused(lines: list[Line]) -> None:
    whole = signed(lines)
    for kind in KINDS - {"graph_run", "graph_checkpoint", "graph_value", "graph_write"}:
        at = next(place for place, line in enumerate(lines) if line["row"] == kind)
        assert await refused([*lines[:at], lines[at], *lines[at:]]) == "invalid_export", kind
        assert await refused([*lines[:at], *lines[at + 1 :]]) in ("invalid_export", "export_damaged"), kind
    assert await refused([lines[0], lines[2], lines[1], *lines[3:]]) == "invalid_export"
    assert await refused(lines[1:]) == "invalid_export"
    assert await refused(lines[-1:]) == "invalid_export"
    assert await refused([lines[0], *lines]) == "invalid_export"
    for data in (
        whole[:-1],
        whole[: len(whole) // 2],
        whole + b"{}\n",
        b"",
        b"[]\n",
        b"\xff\n",
        b"\n",
        b"{" * 9 + b"\n",
    ):
        assert await refused(lines, data=data) == "invalid_export"


async def test_a_line_without_an_end_is_not_read_into_memory(lines: list[Line]) -> None:
    assert await refused(lines, data=b"[" * 3_000_000) == "invalid_export"


async def test_what_a_newer_release_wrote_is_refused(lines: list[Line]) -> None:
    first(lines, "checkpoint")["format"] = 9
    assert await refused(lines) == "export_too_new"
    lines[0].update(format=3, new=True)
    assert await refused(lines) == "export_too_new"


async def test_a_file_of_before_there_were_waits_comes_in(lines: list[Line]) -> None:
    new = {"wait", "signal"}
    old = [line for line in lines if line["row"] not in new]
    old[0] |= {"format": 1, "counts": {name: count for name, count in old[0]["counts"].items() if name not in new}}
    assert (await Office(MemoryTables()).take_in(signed(old))).thread_id == "source"
    old[0]["format"] = 2
    assert await refused(old) == "invalid_export"


async def test_changed_messages_and_signals_are_refused(lines: list[Line]) -> None:
    for row, name in (("wait", "answer"), ("signal", "value")):
        changed = [{**line, name: '{"other":1}'} if line["row"] == row else line for line in lines]
        assert await refused(changed) == "export_damaged"


async def test_an_imported_thread_waits_on_and_has_its_signals(house: House, office: Office) -> None:
    steps = (step("go", wait_for={"signal": "go"}, needs=[]), step("t", wait_for={"topic": "t"}, needs=[]))
    thread_id = (await house.start(*steps, thread_id="source")).thread.thread_id
    await house.until_status(thread_id, "waiting")
    await house.until(lambda: len(house.tables.waits) == 2)
    await house.waits.send(thread_id, Signal(name="later", value_json="7"))
    await office.take_in(signed(await office.export(thread_id)), "copy")
    await house.resume("copy")
    await house.until_status("copy", "waiting")
    key = next(key for key in house.tables.waits if (key.thread_id, key.step_id) == ("copy", "t"))
    [source] = [
        wait for other, wait in house.tables.waits.items() if (other.thread_id, other.step_id) == ("source", "t")
    ]
    assert house.tables.waits[key].since > source.since
    await house.waits.book.take(key, Taken(digest=b"m", answer_json='{"id":"m"}'))
    await house.waits.send("copy", Signal(name="go", value_json="8"))
    await house.end("copy")
    assert [one.name for one in await house.waits.signals(SignalFilter(thread_id="copy"))] == ["later", "go"]


async def test_damage_goes_out_as_it_is_and_comes_in_only_if_it_had_been_put_aside(
    house: House, office: Office
) -> None:
    thread_id = await house.run(step("a"), step("b"), step("c"), input={"n": 1}, thread_id="source")
    await house.rollback(thread_id, 1)
    await house.end(thread_id)
    damage_version(house, thread_id, 3)
    damage_output(house, thread_id, "c")
    assert await refused(await office.export(thread_id)) == "export_damaged"
    await inspector(house).repair(thread_id)
    lines = await office.export(thread_id)
    assert len([line for line in lines if line["row"] == "quarantine"]) == 2
    for name, target in ((None, Office(MemoryTables())), ("copy", office)):
        imported = await target.take_in(signed(lines), name)
        kept = target.tables.quarantine[imported.thread_id]
        assert len(kept) == 2
        assert all(key == item.id == item.finding.id for key, item in kept.items())


async def test_a_thread_that_is_there_is_not_overwritten(house: House, office: Office, lines: list[Line]) -> None:
    with pytest.raises(Conflict) as found:
        await office.take_in(signed(lines))
    assert found.value.code == "thread_exists"
    assert await office.export("source") != []


async def test_a_child_stays_one_where_it_keeps_its_name_and_is_nobodys_as_a_copy(house: House, office: Office) -> None:
    await house.control.register({"name": "child", "steps": [step("inner")]})
    await house.run(step("a", workflow="child", input=1), thread_id="parent")
    [child] = await house.reads.children("parent")
    lines = await office.export(child.thread_id)
    assert (await office.export("parent"))[0]["children"] == 1
    other = Office(MemoryTables())
    await other.take_in(signed(lines))
    assert other.tables.threads[child.thread_id].parent_thread_id == "parent"
    await office.take_in(signed(lines), "copy")
    assert house.tables.threads["copy"].parent_thread_id is None


async def test_only_so_many_files_come_in_at_a_time(office: Office) -> None:
    office.transfers._uploads = 4
    with pytest.raises(Unavailable):
        await office.take_in(b"")
    office.transfers._uploads = 0
    with pytest.raises(InvalidRequest):
        await office.take_in(b"")
    assert office.transfers._uploads == 0


async def test_who_sends_nothing_does_not_keep_others_from_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_PATIENCE", 0.01)
    other = Office(MemoryTables())

    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    with pytest.raises(InvalidRequest) as found:
        async with asyncio.timeout(30):
            await other.transfers.take_in(stuck(), None, rename=False)
    assert found.value.code == "invalid_export"
    assert other.transfers._uploads == 0


async def test_two_copies_that_come_in_at_once_both_come_in(lines: list[Line]) -> None:
    other = Office(MemoryTables())
    data = signed(lines)
    found = await asyncio.gather(*(other.take_in(data, name) for name in ("one", "two")))
    assert sorted(one.renamed for one in found) == [False, True]
    again = await asyncio.gather(*(other.take_in(data, rename=True) for _ in range(2)))
    assert len({one.thread_id for one in again} | set(other.tables.threads)) == 4
