"""Watching: the threads as they should be beside the world in which they are, and the two compared."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import asyncpg

from tests.chaos.model_checks import Judge
from tests.chaos.model_expected import NAP
from tests.chaos.model_world import World, until, wired

if TYPE_CHECKING:
    import httpx

    from tests.chaos.model_expected import Expected
    from tests.chaos.model_world import Call, Process, Reader

_EMPTY = "TRUNCATE threads, workflow_executions, workflow_steps, checkpoints, workflow_events, idempotency_keys, incarnations"
_ROW = "SELECT status, incarnation_id::text, head_version, last_version FROM threads WHERE thread_id = $1"
_PARENTS = "SELECT parent_version FROM checkpoints WHERE thread_id = $1 ORDER BY version"
_LAST = "SELECT last_seq FROM threads WHERE thread_id = $1"
_MOVES = "SELECT coalesce(sum(rev), 0) FROM threads"


class Watch:
    """The threads, by name; the names of those that were deleted; the keys that starts were given, with their bodies."""

    def __init__(self, dsn: str) -> None:
        self.world = World(dsn)
        self.threads: dict[str, Expected] = {}
        self.gone: set[str] = set()
        self.keys: list[tuple[str, dict[str, Any], str]] = []
        self._born = 0
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        """An empty database with two processes on it."""
        self.sql: Any = await asyncpg.connect(self.world.dsn)
        self._stack.push_async_callback(self.sql.close)
        await self.sql.execute(_EMPTY)
        await self._stack.enter_async_context(wired())
        self._stack.push_async_callback(self.world.close)
        self._judge = Judge(self.sql)
        await self.world.open()
        await self.world.open()

    async def close(self) -> None:
        """Clear away."""
        await self._stack.aclose()

    def process(self, pick: int) -> Process:
        """One of those that live."""
        return self.world.living[pick % len(self.world.living)]

    def zombies(self) -> list[Call]:
        """The calls that nobody waits for any more, and that wait to be told all the same."""
        return [call for call in self.world.calls if call.open and self._is_late(call)]

    def _is_late(self, call: Call) -> bool:
        thread = self.threads.get(call.thread_id)
        return thread is None or call.process in self.world.dead or call.serial < thread.since

    async def current(self, thread: Expected) -> dict[str, Call]:
        """The calls of a thread's driver, by step."""
        row = await self.sql.fetchrow(_ROW, thread.thread_id)
        return self.world.current(thread.thread_id, row[1], thread.since) if row is not None else {}

    async def hears(self, thread: Expected) -> bool:
        """Whether its driver knows that it is to pause."""
        row = await self.sql.fetchrow(_ROW, thread.thread_id)
        runs = [one.services.worker.find(thread.thread_id) for one in self.world.living if one.id == row[1]]
        return any(run is not None and run._drive.pausing for run in runs)

    async def rest(self) -> None:
        """Let whatever was set going be written, if it is."""
        seen = -1
        while seen != (seen := await self.sql.fetchval(_MOVES)):  # noqa: ASYNC110 - nothing tells of no news
            await asyncio.sleep(0.02)

    async def settle(self) -> None:
        """Wait until all is as expected; then nothing that must hold may be broken."""
        for thread in self.threads.values():
            await self._settle(thread)
        await self._judge.look(self.gone)

    async def _settle(self, thread: Expected) -> None:
        found: list[Any] = []

        async def as_expected() -> bool:
            row = await self.sql.fetchrow(_ROW, thread.thread_id)
            calls = {step: call.attempt for step, call in (await self.current(thread)).items()}
            found[:] = [row and (row[0], row[2], row[3]), calls]
            return found == [(thread.status, thread.head, thread.last), thread.calls]

        await until(as_expected, lambda: f"expected {thread}; found {found}")
        parents = [row[0] for row in await self.sql.fetch(_PARENTS, thread.thread_id)]
        assert parents == thread.parents, f"expected {thread}, found the parents {parents}"

    async def status(self, pick: int, thread: Expected) -> None:
        """What any process tells of it, once its driver has written the last happening."""
        wrong: list[AssertionError] = []

        async def told() -> bool:
            try:
                await self._status(pick, thread)
            except AssertionError as error:
                wrong[:] = [error]
                return False
            return True

        await until(told, lambda: str(wrong[-1]))

    async def _status(self, pick: int, thread: Expected) -> None:
        answer = await self.process(pick).client.get(f"/api/invoke/status/{thread.thread_id}")
        expect(answer, 200)
        found = answer.json()
        assert (found["status"], found["version"]) == (thread.status, thread.head), (found, thread)
        assert set(found["completed_steps"]) == thread.done, (found, thread)
        begun = {step["id"]: step["attempt"] for step in found["steps"] if step["status"] in ("running", "retrying")}
        assert begun == {step: attempt for step, attempt in thread.open.items() if step != NAP}, (found, thread)

    async def read_to_the_end(self) -> None:
        """Every reader gets all there is."""
        for reader in self.world.readers:
            await self._read(reader)

    async def _read(self, reader: Reader) -> None:
        async def told() -> bool:
            last = await self.sql.fetchval(_LAST, reader.thread_id)
            if reader.cursor < last:
                reader.connect(self.process(0))
            return reader.cursor == last

        await until(told, lambda: f"a reader of {reader.thread_id} is stuck at {reader.cursor}")
        await self._judge.read(reader)


def expect(answer: httpx.Response, status: int, code: str | None = None) -> None:
    """Raises AssertionError for another answer."""
    found = answer.json()
    assert answer.status_code == status, (status, code, found)
    assert code in (None, found.get("code")), (status, code, found)
