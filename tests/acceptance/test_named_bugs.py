"""Bugs that others in this field had, each by its name, on a real engine and PostgreSQL (docs/reliability.md has the list)."""

from __future__ import annotations

import ast
import asyncio
import json
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from app.api.app import create_app
from app.bootstrap import open_services
from app.domain.commands import ResumeCommand, StartCommand
from app.domain.document import parse
from app.domain.errors import Conflict, Fenced, InvalidWorkflow
from app.domain.ids import uuid7
from app.domain.records import ErrorInfo
from app.domain.times import utc_now
from app.engine.lease import Lease
from app.engine.steering import interrupt
from app.runners.registration import function
from app.settings import load_settings
from tests.builders import Driver, new_start
from tests.store.test_zombie import TABLES, Held, all_rows, psql

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.records import WorkflowRecord

ROOT = Path(__file__).parents[2]
HELD: dict[str, Any] = {"name": "bug", "steps": [{"id": "a", "python": "held"}]}
ODD = {"text": "a\x00b", "key\x00": ["\x00", "\x01"]}
TAGS = [
    "!!python/object/apply:os.mkdir",
    "!!python/object/new:os.mkdir",
    "!!python/name:os.mkdir",
    "!!python/module:os",
]


@function("odd")
async def odd(_: Any, ctx: Any) -> Any:
    ctx.chunk("said \x00 so")
    ctx.progress(0.5, "half \x00 way")
    return ODD


class House:
    """The services on a database, one step that waits for the test, and the tables."""

    def __init__(self, services: Any, held: Held, sql: Any) -> None:
        self.services, self.held, self.sql = services, held, sql
        self.journal, self.reads = services.worker._stores.journal, services.worker._stores.reads

    async def start(self, document: dict[str, Any] = HELD, **options: Any) -> str:
        command = StartCommand(workflow=document, **options)
        return (await self.services.control.start(command)).thread.thread_id

    async def running(self) -> str:
        """A thread whose step has begun."""
        thread_id = await self.start()
        await self.held.entered.wait()
        return thread_id

    async def ended(self, thread_id: str) -> str:
        assert await self.services.control.wait(thread_id, 10)
        return await self.sql.fetchval("SELECT status FROM threads WHERE thread_id = $1", thread_id)

    async def idle(self) -> None:
        """Nothing is driven any more."""
        async with asyncio.timeout(60):
            while self.services.worker.running:  # noqa: ASYNC110 - what it waits for is no event of ours
                await asyncio.sleep(0.005)

    async def workflow(self) -> WorkflowRecord:
        """Any."""
        return await self.services.worker._stores.registry.register(name="any", document="{}", hash="any")

    async def late_write(self, thread: Any) -> None:
        """What a driver writes that still believes in that row: its step is done."""
        driver = Driver(new_start(await self.workflow()))
        driver.thread = thread
        await self.journal.commit(driver.end_step("a", "late"))


@pytest.fixture
async def house(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[House]:
    """An engine on a database of its own."""
    async with opened(database_url, monkeypatch) as house:
        yield house


@asynccontextmanager
async def opened(dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[House]:
    held = Held()
    held.module.odd = odd  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(__import__("sys").modules, "held_steps", held.module)
    settings = load_settings(database_url=dsn, modules=("held_steps",))
    async with open_services(settings) as services, psql(dsn) as sql:
        yield House(services, held, sql)


async def test_a_cancelled_runs_late_write_does_not_cover_a_newer_checkpoint(house: House) -> None:
    thread_id = await house.running()
    before_the_cancel = await house.reads.thread(thread_id)
    await house.services.control.cancel(thread_id)
    await house.services.control.resume(ResumeCommand(thread_id=thread_id))
    house.held.go.set()
    assert await house.ended(thread_id) == "completed"
    await house.idle()
    rows = await all_rows(house.sql)
    with pytest.raises(Fenced):
        await house.late_write(before_the_cancel)
    assert await all_rows(house.sql) == rows


async def test_a_late_write_does_not_bring_a_deleted_thread_back(house: House) -> None:
    thread_id = await house.running()
    for table in (*TABLES, "threads"):
        await house.sql.execute(f"DELETE FROM {table} WHERE thread_id = $1", thread_id)
    house.held.go.set()
    await house.idle()
    assert await all_rows(house.sql) == {table: [] for table in (*TABLES, "threads")}
    assert house.held.calls == 1


async def test_nul_in_an_agents_text_does_not_break_saving(house: House) -> None:
    steps = [{"id": "a", "python": "odd", "assign": "kept"}, {"id": "b", "python": "odd", "input": "{a.output}"}]
    thread_id = await house.start({"name": "bug", "steps": steps, "output": "{context.kept}"})
    assert await house.ended(thread_id) == "completed"
    execution = await house.reads.execution((await house.reads.thread(thread_id)).execution_id)
    assert json.loads(execution.output) == ODD
    assert (await house.services.control.load_state(thread_id, 3)).scope["b"]["output"] == ODD


@pytest.mark.parametrize("tag", TAGS)
def test_a_document_with_a_tag_runs_no_code(tag: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    for text in (
        f"{tag} [{made}]",
        f"name: x\nsteps: {tag} [{made}]",
        f"name: {tag} {made}",
        f"{{name: {tag} [{made}]}}",
    ):
        with pytest.raises(InvalidWorkflow):
            parse(text)
    assert not made.exists()


async def test_stored_state_is_read_as_plain_values(house: House, tmp_path: Path) -> None:
    attack = f"!!python/object/apply:os.mkdir [{tmp_path / 'made'}]"
    context = {"tagged": attack, "py/object": "os.mkdir", "__reduce__": ["os.mkdir", [str(tmp_path / "made")]]}
    steps = [{"id": "a", "python": "held"}, {"id": "b", "python": "odd", "input": "{context}"}]
    thread_id = await house.start({"name": "bug", "steps": steps}, context=context, input=context, has_input=True)
    await house.held.entered.wait()
    await house.services.control.cancel(thread_id)
    house.held.go.set()
    await house.services.control.resume(ResumeCommand(thread_id=thread_id))
    assert await house.ended(thread_id) == "completed"
    state = await house.services.control.load_state(thread_id, 1)
    assert (state.context, state.scope["input"]) == (context, context)
    assert not (tmp_path / "made").exists()


def test_nothing_of_the_product_reads_what_can_run_code() -> None:
    names = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "jsonpickle", "joblib"}
    lenient = {"load", "load_all", "unsafe_load", "full_load", "UnsafeLoader", "FullLoader", "Loader"}
    found: list[str] = []
    for path in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path}: {name}" for name in imported if name.partition(".")[0] in names]
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "yaml":
                found += [f"{path}: yaml.{node.attr}"] if node.attr in lenient else []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec"}:
                found.append(f"{path}: {node.func.id}")
    assert found == []


async def test_cancelling_a_dead_workers_run_leaves_the_thread_free(house: House) -> None:
    thread_id = await house.running()
    await house.sql.execute("UPDATE threads SET epoch = epoch + 1, incarnation_id = $1", uuid7())
    cancelled = await house.services.control.cancel(thread_id)
    assert (cancelled.status, cancelled.incarnation_id) == ("cancelled", None)
    house.held.go.set()
    await house.idle()
    await house.start(thread_id=thread_id, input="again", has_input=True)
    assert await house.ended(thread_id) == "completed"


async def test_two_lives_on_one_host_and_pid_never_share_a_lease(house: House) -> None:
    lives = [Lease(house.journal, seconds=30, alone=lambda: False, freed=lambda: None) for _ in range(2)]
    assert lives[0].own.process == lives[1].own.process
    assert lives[0].own.id != lives[1].own.id
    await house.journal.open_incarnation(lives[0].own)
    start = new_start(await house.workflow())
    start.thread.incarnation_id = lives[0].own.id
    await house.journal.start(start)
    driver = Driver(start)
    await house.journal.open_incarnation(lives[1].own)
    assert await house.journal.driven(lives[1].own.id) == []
    await house.journal.close_incarnation(lives[0].own.id, crashed=True)
    with pytest.raises(Fenced):
        await driver.commit(house.journal, driver.event("step_progress"))


async def test_a_rescuer_does_not_rewrite_what_has_just_completed(house: House) -> None:
    thread_id = await house.running()
    seen = await house.reads.thread(thread_id)
    house.held.go.set()
    assert await house.ended(thread_id) == "completed"
    await house.idle()
    rows = await all_rows(house.sql)
    assert await interrupt(house.journal, seen, ErrorInfo(kind="internal", message="stuck"), utc_now()) is None
    await house.journal.close_incarnation(seen.incarnation_id, crashed=True)
    await house.journal.sweep()
    await house.journal.wake(thread_id)
    assert await house.journal.claim(uuid7(), 10) == []
    with pytest.raises(Conflict):
        await house.services.control.cancel(thread_id)
    assert await all_rows(house.sql) == rows


async def test_an_empty_id_is_refused_and_starts_nothing(house: House) -> None:
    body = {"workflow": HELD, "thread_id": ""}
    app = create_app(lambda: nullcontext(house.services))
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": {**(state or {})}}, receive, send)

        transport = httpx.ASGITransport(with_state, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            named = [await client.post("/api/invoke/async", json=body) for _ in range(2)]
            keyed = await client.post("/api/invoke/async", json={"workflow": HELD}, headers={"Idempotency-Key": ""})
            execution = await client.get("/api/executions/%20")
    assert [answer.status_code for answer in [*named, keyed, execution]] == [422, 422, 400, 404]
    assert await house.sql.fetchval("SELECT count(*) FROM threads") == 0
    with pytest.raises(InvalidWorkflow):
        parse({"name": "bug", "steps": [{"id": "", "python": "held"}]})
