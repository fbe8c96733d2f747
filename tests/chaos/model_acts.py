"""The operations of the model: each is done to the real service and to what is expected, and the two are compared."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.chaos.model_checks import TABLES
from tests.chaos.model_expected import ACTIVE, DOCUMENTS, PLANS, Expected
from tests.chaos.model_watch import Watch, expect
from tests.chaos.model_world import PATIENCE, Reader, until

if TYPE_CHECKING:
    import httpx

    from tests.chaos.model_world import Process

_ENTERED = "SELECT true FROM incarnations WHERE id = $1::uuid"


class Model(Watch):
    """What is done, to the real threads and to those of the model."""

    async def start(self, pick: int, workflow: str, *, name: str | None = None, key: bool = False) -> str:
        """A new thread, of a name that may have been that of a deleted one; the name."""
        self._born += 1
        thread_id = name or f"t{self._born}"
        body = {"workflow": DOCUMENTS[workflow], "thread_id": thread_id, "input": {"number": self._born}}
        headers = {"Idempotency-Key": f"key-{self._born}"} if key else {}
        since = len(self.world.calls)
        answer = await self.process(pick).client.post("/api/invoke/async", json=body, headers=headers)
        expect(answer, 202)
        assert answer.json()["thread_id"] == thread_id
        self.gone.discard(thread_id)
        if key:
            self.keys.append((headers["Idempotency-Key"], body, answer.json()["execution_id"]))
        thread = self.threads[thread_id] = Expected(thread_id, workflow, since=since)
        thread.begin()
        return thread_id

    async def start_again(self, pick: int, which: int, *, same: bool) -> None:
        """The key of an earlier start, with its body or another."""
        key, body, execution_id = self.keys[which % len(self.keys)]
        sent = body if same else {**body, "input": "another"}
        answer = await self.process(pick).client.post("/api/invoke/async", json=sent, headers={"Idempotency-Key": key})
        if not same:
            expect(answer, 422, "idempotency_key_reused")
        elif body["thread_id"] in self.gone:
            expect(answer, 409, "idempotency_key_in_use")
        else:
            expect(answer, 202)
            assert answer.headers["idempotency-replayed"] == "true"
            assert answer.json()["execution_id"] == execution_id

    async def rerun(self, pick: int, thread: Expected, *, with_input: bool, workflow: str | None = None) -> None:
        """Start a workflow on a thread that exists."""
        body: dict[str, Any] = {"workflow": DOCUMENTS[workflow or thread.workflow], "thread_id": thread.thread_id}
        if with_input:
            body["input"] = {"again": thread.last}
        since = len(self.world.calls)
        answer = await self.process(pick).client.post("/api/invoke/async", json=body)
        if workflow not in (None, thread.workflow):
            expect(answer, 409, "thread_exists")
        elif thread.status in ACTIVE or (with_input and not thread.ended):
            expect(answer, 409, "thread_running")
        elif not with_input and thread.status == "completed":
            expect(answer, 200)
        else:
            expect(answer, 202)
            thread.since = since
            if with_input:
                thread.begin()
            else:
                thread.resume(None, set())

    async def resume(
        self, pick: int, thread: Expected, *, from_step: str | None, skip: set[str], version: int | None
    ) -> None:
        """Go on with it."""
        body = {"from_step": from_step, "skip": dict.fromkeys(sorted(skip), "given"), "expected_version": version}
        since, steps = len(self.world.calls), {*skip, *([from_step] if from_step else [])}
        answer = await self._post(pick, "resume", thread, body)
        if version not in (None, thread.head):
            expect(answer, 409, "version_conflict")
        elif thread.status in ACTIVE:
            expect(answer, 409, "thread_running")
        elif thread.status == "completed" and from_step is None:
            expect(answer, 200)
        elif not steps <= PLANS[thread.workflow].keys():
            expect(answer, 422)
        else:
            expect(answer, 202)
            thread.since = since
            thread.resume(from_step, skip)

    async def rollback(self, pick: int, thread: Expected, to: int, *, resume: bool, version: int | None) -> None:
        """Move its head."""
        since = len(self.world.calls)
        answer = await self._post(
            pick, "rollback", thread, {"to_version": to, "resume": resume, "expected_version": version}
        )
        if version not in (None, thread.head):
            expect(answer, 409, "version_conflict")
        elif to > thread.last:
            expect(answer, 404, "version_not_found")
        else:
            expect(answer, 202)
            thread.since = since
            thread.rollback(to, resume=resume)

    async def cancel(self, pick: int, thread: Expected, *, force: bool) -> None:
        """End it."""
        answer = await self._post(pick, "cancel", thread, {"force": force})
        if thread.ended:
            expect(answer, 409, "thread_ended")
        else:
            expect(answer, 202)
            assert answer.json()["status"] == "cancelled"
            thread.cancel()

    async def pause(self, pick: int, thread: Expected) -> None:
        """Let it come to a rest."""
        answer = await self._post(pick, "pause", thread, {})
        if thread.ended:
            expect(answer, 409, "thread_ended")
        else:
            expect(answer, 202)
            thread.pause()
            if thread.pausing:  # until its driver has heard of it, a step that ends may start the next
                await until(lambda: self.hears(thread), lambda: f"the driver of {thread} does not hear of the pause")

    async def tell(self, thread: Expected, which: int, *, finish: bool) -> None:
        """Let one of its running steps end."""
        step = sorted(thread.calls)[which % len(thread.calls)]
        (await self.current(thread))[step].told.set_result("done" if finish else "fail")
        _end(thread, step, finish=finish)

    async def tell_zombies(self, *, finish: bool) -> None:
        """Let every step end that runs for a driver of before: nothing must come of it."""
        for call in self.zombies():
            call.told.set_result("late" if finish else "fail")
        await self.rest()

    async def tell_and_die(self, thread: Expected, which: int, *, finish: bool, written: bool) -> None:
        """A step ends, and its process dies with the commit: just before it, or before it could hear of it."""
        step = sorted(thread.calls)[which % len(thread.calls)]
        call = (await self.current(thread))[step]
        process = call.process
        process.wire.cut_at = "after" if written else "before"
        call.told.set_result("done" if finish else "fail")
        await asyncio.wait_for(process.wire.cut.wait(), PATIENCE)
        if written:
            _end(thread, step, finish=finish)
        await self._lost(process, crashed=True)

    async def crash(self, pick: int, how: str, *, late: bool | None) -> None:
        """`cut`: kill -9, or frozen. `taken`: another takes it for dead, it goes on. `left`: it ends in good order.

        With `late`, what it was doing ends afterwards, well or not, and is written if that is not prevented.
        """
        process = self.process(pick)
        if how == "cut":
            process.wire.cut.set()
        await self._lost(process, crashed=how != "left", living=how == "taken")
        if late is not None:
            await self.settle()
            await self.tell_zombies(finish=late)

    async def _lost(self, process: Process, *, crashed: bool, living: bool = False) -> None:
        rows = await self.sql.fetch("SELECT thread_id FROM threads WHERE incarnation_id = $1::uuid", process.id)
        if len(self.world.living) == 1:
            await self.world.open()
        since = len(self.world.calls)
        if not living:
            await self.world.bury(process)
        if crashed:
            other = next(one for one in self.world.living if one is not process)
            await other.services.worker._stores.journal.close_incarnation(process.id, crashed=True)
            other.services.worker.hint()
        else:
            await process.close()
            self.world.living[0].services.worker.hint()
        for row in rows:
            thread = self.threads[row[0]]
            if thread.status in ACTIVE:
                thread.since = since
                thread.crash(counts=crashed)
        if living:
            await until(lambda: self.sql.fetchval(_ENTERED, process.id), lambda: "it never found out")

    async def purge(self, thread: Expected, *, keys: bool) -> None:
        """Delete its rows, as an operator would."""
        async with self.sql.transaction():
            for table in (*TABLES, *(["idempotency_keys"] if keys else [])):
                await self.sql.execute(f"DELETE FROM {table} WHERE thread_id = $1", thread.thread_id)
        del self.threads[thread.thread_id]
        self.gone.add(thread.thread_id)
        self.keys = [one for one in self.keys if one[1]["thread_id"] != thread.thread_id or not keys]
        for reader in [one for one in self.world.readers if one.thread_id == thread.thread_id]:
            await reader.hang_up()
            self.world.readers.remove(reader)

    async def subscribe(self, pick: int, thread: Expected, after: int) -> None:
        """A reader follows it from an event on."""
        row = await self.sql.fetchrow("SELECT last_seq FROM threads WHERE thread_id = $1", thread.thread_id)
        reader = Reader(self.world, thread.thread_id, after % (row["last_seq"] + 1))
        reader.connect(self.process(pick))
        self.world.readers.append(reader)

    async def _post(self, pick: int, what: str, thread: Expected, body: dict[str, Any]) -> httpx.Response:
        return await self.process(pick).client.post(f"/api/invoke/{what}/{thread.thread_id}", json=body)


def _end(thread: Expected, step: str, *, finish: bool) -> None:
    if finish:
        thread.finish(step)
    else:
        thread.fail(step)
