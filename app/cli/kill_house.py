"""A service of one's own that may be killed at a chosen commit: a database in a temporary folder, a process on a free port."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import signal
import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from app.cli.kill_borrow import borrow
from app.cli.kill_verdict import End, Hopeless, plain
from app.cli.kill_witness import entries, look
from app.cli.process import Server, ServerError
from app.client import ApiError, UnreachableError
from app.client.gates import Gates
from app.domain.status import ENDED, Status
from app.domain.times import utc_now
from app.settings import environment
from app.store.db import open_pool
from app.store.embedded import embedded_postgres
from app.store.reads import PostgresReads

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping
    from pathlib import Path

    from app.client import Backstitch
    from app.domain.ports import Reads

_OVER: Final = frozenset({*ENDED, Status.PAUSED})
_POLL: Final = 0.03
_LAST_BREATH: Final = 1.0
"""Seconds in which a process dies that was to die at its thread's last commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is run, again and again; `answers` by step, `patience` in seconds for one run.

    `origin` is where the user's own service may be.
    """

    workflow: str | dict[str, Any]
    input: object
    answers: Mapping[str, Any]
    patience: float
    origin: str


class House:
    """The service; its process is started anew at each `restart`, its database stays."""

    def __init__(self, service: Backstitch, server: Server, reads: Reads, ledger: Path, work: Work) -> None:
        self.service = service
        self.reads = reads
        self._server = server
        self._ledger = ledger
        self._work = work
        self.name = f"verify-{secrets.token_hex(4)}"

    async def restart(self, thread: str = "-", **point: Any) -> None:
        """End the process, if it lives, and start another one, which dies at `point` of `thread` (see engine.kill_points)."""
        if self._server.alive:
            await self._server.kill()
        given = {"thread": thread, "ledger": str(self._ledger), "number": 0, **point}
        await self._server.start({"KILL_POINT": json.dumps(given)})
        await self._server.ready(self.service)

    async def start(self, thread: str) -> bool:
        """Start the workflow, or ask for that again; False when the process died before it answered."""
        try:
            await self._invoke(thread)
        except UnreachableError:
            if not await self._server.ends_within(_LAST_BREATH):
                raise
            return False
        return True

    async def start_or_borrow(self, thread: str) -> None:
        """Start the workflow for the first time; what is missing may be had from the user's own service."""
        try:
            await self._invoke(thread)
        except ApiError as error:
            work = self._work
            self._work = replace(work, workflow=await borrow(error, work.origin, self.service, work.workflow))
            await self._invoke(thread)

    async def _invoke(self, thread: str) -> None:
        work = self._work
        more = {"thread_id": thread, "idempotency_key": thread, "triggered_by": "verify"}
        await self.service.invoke(work.workflow, input=work.input, **more)

    async def died(self, thread: str) -> bool:
        """Wait for the process to be killed by its own hand; False when the thread ends without that."""
        deadline = time.monotonic() + self._work.patience
        until: float | None = None
        while self._server.alive:
            if until is None and await self._is_over(thread):
                until = time.monotonic() + _LAST_BREATH
            if until is not None and time.monotonic() > until:
                return False
            await self._pause(deadline)
        noted = [one for one in entries(self._ledger) if one["what"] == "killed"]
        if self._server.returncode != -signal.SIGKILL or not noted or noted[-1]["pid"] != self._server.pid:
            raise ServerError(f"the service ended by itself, with {self._server.returncode}: see {self._server.log}")
        return True

    async def ended(self, thread: str) -> End:
        """Wait for the end of the thread, answering its gates.  Raises Hopeless."""
        deadline = time.monotonic() + self._work.patience
        while not await self._is_over(thread):
            await self._pause(deadline)
        seen = await look(self.reads, thread)
        found = await self.service.request("GET", f"/api/invoke/history/{thread}/{seen.head}")
        told = await self.service.status(thread)
        state = found["state"]
        state["metadata"]["completed_steps"] = sorted(
            state["metadata"]["completed_steps"]
        )  # in any order, side by side
        error = told["error"] and {name: told["error"].get(name) for name in ("kind", "message", "step_id")}
        document = {"status": told["status"], "version": seen.head, "error": error, "output": told["output"], **state}
        return End(seen=seen, document=plain(document, thread))

    async def goes_on(self, thread: str, epoch: int) -> None:
        """Wait until the process that was started last drives the thread, or nothing is left to drive."""
        deadline = time.monotonic() + self._work.patience
        while time.monotonic() < deadline:
            found = await self.reads.thread(thread)
            if found is None or found.epoch > epoch or found.status in _OVER:
                return
            if found.incarnation_id is None and (found.wake_at is None or found.wake_at > utc_now()):
                return
            await asyncio.sleep(_POLL)

    def noted(self) -> list[dict[str, Any]]:
        """The ledger so far."""
        return list(entries(self._ledger))

    async def _is_over(self, thread: str) -> bool:
        found = await self.reads.thread(thread)
        return found is not None and found.status in _OVER

    async def _pause(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            message = f"the workflow does not end within {self._work.patience:g} s: give it more with --timeout"
            raise Hopeless(message)
        if self._server.alive:
            await self._answer()
        await asyncio.sleep(_POLL)

    async def _answer(self) -> None:
        """Answer every open gate; one whose answer got lost with the process is still open."""
        gates = Gates(self.service)
        try:
            for gate in (await gates.open())["gates"]:
                step = str(gate["step_id"])
                if step not in self._work.answers:
                    raise Hopeless(f"the workflow asks at the gate {step}: answer it with --answer '{step}=JSON'")
                which = {"item": gate.get("item"), "round": gate.get("round") or None}
                answer = self._work.answers[step]
                await gates.answer(str(gate["thread_id"]), step, answer, by="verify", via="cli", **which)
        except UnreachableError:
            return
        except ApiError as error:
            if error.code not in {"gate_answered", "gate_closed", "thread_not_found"} and error.status != 503:  # noqa: PLR2004
                raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where it all happens; the folder is new, and goes afterwards unless it is to `keep`."""

    port: int
    folder: Path
    keep: bool = False


@asynccontextmanager
async def open_house(
    service: Backstitch, work: Work, place: Place, settings: Mapping[str, str]
) -> AsyncGenerator[House]:
    """A house with an empty database; `settings` go before the user's."""
    async with AsyncExitStack() as stack:
        stack.enter_context(_bare_errors())
        folder = place.folder
        if not place.keep:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        dsn = await stack.enter_async_context(embedded_postgres(folder / "database"))
        pool = await stack.enter_async_context(open_pool(dsn, size=2))
        given = _environment(dsn, folder, settings)
        server = Server(host="127.0.0.1", port=place.port, data_dir=folder / "service", environment=given)
        stack.push_async_callback(server.stop)
        yield House(service, server, PostgresReads(pool), folder / "ledger", work)


@contextmanager
def _bare_errors() -> Generator[None]:
    """What was raised within the task group of the database comes out as it was raised."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = cast("BaseException", error.exceptions[0])  # pyright: ignore[reportUnknownMemberType]
        raise error from None


def _environment(dsn: str, folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """The user's own, with this database in place of theirs, however they named it."""
    ours = {
        "DATABASE_URL": dsn,
        "POSTGRES_SCHEMA": "public",
        "DATA_DIR": str(folder / "service"),
        "CHECKPOINTER": "postgres",
        "USE_POSTGRES_SAVER": "true",
        "CHECKPOINT_ENABLED": "true",
        "PERSISTENCE_FALLBACK": "none",
        **settings,
    }
    return {name: value for name, value in environment().items() if name.upper() not in ours} | ours
