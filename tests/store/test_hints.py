"""Hints between processes over NOTIFY: who is told of what, when nobody is, and what happens when the line is cut."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from app.domain.hints import Hint, parse
from app.store.db import connect, open_pool
from app.store.hints import PostgresHints
from app.store.journal import PostgresJournal, open_journal
from app.store.registry import PostgresRegistry
from tests.builders import Driver, incarnation, new_start
from tests.unit.engine.house import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from app.domain.records import WorkflowRecord


class Process:
    """A journal, and what its process has heard."""

    def __init__(self, journal: PostgresJournal) -> None:
        self.journal = journal
        self.heard: list[Hint] = []
        journal.hints.listen(self.heard.append)

    async def until(self, condition: Callable[[Hint], Any]) -> Hint:
        """The first hint that is so."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for hint in self.heard:
                    if condition(hint):
                        return hint
                await asyncio.sleep(0.005)

    async def connected(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.journal.hints.up.wait()


@asynccontextmanager
async def processes(dsn: str, count: int = 2) -> AsyncGenerator[tuple[list[Process], WorkflowRecord]]:
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(dsn))
        found = [Process(await stack.enter_async_context(open_journal(dsn, pool))) for _ in range(count)]
        for process in found:
            await process.connected()
        yield found, await PostgresRegistry(pool).register(name="sewing", document="{}", hash="1")


async def test_a_commit_is_told_to_the_others_and_not_to_oneself(database_url: str) -> None:
    async with processes(database_url) as ([one, two], workflow):
        one.journal.hints.wanted = True
        start = new_start(workflow)
        await one.journal.start(start)
        hint = await two.until(lambda hint: hint.threads)
        assert (hint.threads, hint.steered, hint.due) == ((start.thread.thread_id,), (), True)
        assert two.journal.hints.wanted
        assert [hint for hint in one.heard if hint.sender] == []


async def test_what_is_driven_at_once_is_not_told_as_due(database_url: str) -> None:
    async with processes(database_url) as ([one, two], workflow):
        one.journal.hints.wanted = True
        start = new_start(workflow, incarnation_id=one.journal.hints.sender)
        await one.journal.start(start)
        driver = Driver(start)
        await driver.commit(one.journal, driver.end_step("a", 1))
        await two.until(lambda hint: hint.threads)
        await driver.commit(one.journal, driver.complete(1))
        await one.journal.hints.tell(Hint(sender="last"))
        await two.until(lambda hint: hint.sender == "last")
        assert not any(hint.due for hint in two.heard if hint.sender)


async def test_steering_and_wishing_name_the_thread_whose_driver_must_look(database_url: str) -> None:
    async with processes(database_url) as ([one, two], workflow):
        one.journal.hints.wanted = True
        start = new_start(workflow)
        await one.journal.start(start)
        await one.journal.signal(start.thread.thread_id, "pause")
        await two.until(lambda hint: start.thread.thread_id in hint.steered)
        two.heard.clear()

        async def decide(thread: Any, reads: Any) -> Any:
            driver = Driver(start)
            driver.thread = thread
            return driver.move(new_epoch=thread.epoch + 1)

        await one.journal.steer(start.thread.thread_id, decide)
        await two.until(lambda hint: start.thread.thread_id in hint.steered)


async def test_alone_nobody_is_told(database_url: str) -> None:
    async with processes(database_url) as ([one, two], workflow):
        start = new_start(workflow)
        await one.journal.start(start)
        one.journal.hints.wanted = True
        await one.journal.hints.tell(Hint(sender="last"))
        await two.until(lambda hint: hint.sender == "last")
        assert not any(hint.threads for hint in two.heard if hint.sender)


async def test_who_enters_makes_itself_known(database_url: str) -> None:
    async with processes(database_url) as ([one, two], _):
        await one.journal.open_incarnation(incarnation())
        await two.until(lambda hint: hint.sender == one.journal.hints.sender)
        assert two.journal.hints.wanted


async def test_a_line_that_is_cut_comes_back_and_everything_is_looked_at(database_url: str) -> None:
    async with processes(database_url) as ([_one, two], _):
        two.heard.clear()
        admin = await asyncpg.connect(database_url)
        try:
            ours = "application_name = 'backstitch-line' AND datname = current_database()"
            cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}"
            assert len(await admin.fetch(cut)) == 2
        finally:
            await admin.close()
        missed = await two.until(lambda hint: hint.sender == "")
        assert (missed.threads, missed.due, missed.breakers) == (None, True, True)
        process = incarnation()
        await two.journal.open_incarnation(process)
        assert await two.journal.heartbeat(process.id)


async def test_a_line_that_cannot_log_in_for_a_while_tries_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.store.hints._PAUSE", 0.01)
    refusals = [asyncpg.InvalidPasswordError("being changed"), RuntimeError("whatever"), OSError("away")]

    async def sometimes() -> Any:
        if refusals:
            raise refusals.pop()
        return await connect(database_url)

    hints = PostgresHints(sometimes, None)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(hints.run())
        async with asyncio.timeout(PATIENCE):
            await hints.up.wait()
        running.cancel()
    assert refusals == []


async def test_heartbeats_do_not_wait_for_the_pool(database_url: str) -> None:
    async with open_pool(database_url, size=1) as pool, open_journal(database_url, pool) as journal:
        process = Process(journal)
        await process.connected()
        own = incarnation()
        await journal.open_incarnation(own)
        async with pool.acquire(), asyncio.timeout(5):
            assert await journal.heartbeat(own.id)


def test_a_hint_that_is_too_long_comes_in_pieces() -> None:
    threads = tuple(f"thread-{number:0100}" for number in range(200))
    texts = Hint(sender="x", threads=threads, due=True, steered=("s",)).texts()
    found = [parse(text) for text in texts]
    assert all(len(text.encode()) < 8000 for text in texts)
    assert tuple(one for hint in found if hint is not None for one in hint.threads or ()) == threads
    assert [hint.steered for hint in found if hint is not None][-1] == ("s",)


def test_hints_of_this_release_and_the_one_before_it_are_understood() -> None:
    hint = Hint(sender="x", breakers=True, agents=True)
    assert [parse(text) for text in hint.texts()] == [hint]
    assert parse('["x",["t"],[],1,0]') == Hint(sender="x", threads=("t",), due=True)


@pytest.mark.parametrize("text", ["", "{}", "[]", "[1,2]", '["x",1,2,3,4]', "hello"])
def test_what_is_no_hint_is_passed_over(text: str) -> None:
    assert parse(text) is None
