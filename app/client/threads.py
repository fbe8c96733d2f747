"""A thread of a Backstitch service as an object, for `app.client`: wait for it, follow it, steer it, look back."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, Final, cast

from app.client.http import LONGEST_PAUSE, PASSING, ApiError, ClientError, UnreachableError, given_only, path
from app.client.stream import ENDED, ENDINGS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from typing import Unpack

    from app.client.fields import (
        CancelFields,
        ForkFields,
        GateFields,
        HistoryFilters,
        ResumeFields,
        RollbackFields,
        StepRunFilters,
    )
    from app.client.http import JsonObject
    from app.client.listed import GateAnswer, HistoryEntry, StepRunAnswer, ThreadEntry, VersionAnswer
    from app.client.pages import Pages
    from app.client.service import Backstitch
    from app.client.stream import Event
    from app.client.types import (
        AcceptedAnswer,
        GateAnsweredAnswer,
        PreviewAnswer,
        ResumedAnswer,
        ResumePreviewAnswer,
        RolledBackAnswer,
        Status,
        StatusDocument,
    )
    from app.client.workflow_types import WorkflowAnswer

_FIRST_LOOK: Final = 2.0
_RAREST_LOOK: Final = 30.0
_BREATH: Final = 0.2
_ACCEPTED: Final = 202


class WorkflowFailed(ClientError):
    """The thread has ended otherwise than completed; `document` is its status document."""

    def __init__(self, document: StatusDocument) -> None:
        self.document = document
        self.thread_id: str = document["thread_id"]
        self.status: Status = document["status"]
        error = document["error"]
        self.kind = error["kind"] if error else ""
        self.step_id = error.get("step_id") if error else None
        super().__init__(document)  # what it is made of again in another process

    def __str__(self) -> str:
        error = self.document["error"]
        ended = "failed" if self.status == "failed" else f"was {self.status}"
        return f"thread {self.thread_id} {ended}" + (f": {error['message']} [{self.kind}]" if error else "")


class Thread:
    """One thread, by its `thread_id`; as `service.thread(id)`, or what `service.start(...)` gives.

    `accepted` is the answer to its start if that was made here, `entry` what a list told of it. Every method raises what
    those of Backstitch raise.
    """

    def __init__(
        self,
        service: Backstitch,
        thread_id: str,
        accepted: AcceptedAnswer | None = None,
        entry: ThreadEntry | None = None,
    ) -> None:
        self.thread_id = thread_id
        self.accepted = accepted
        self.entry = entry
        self._service = service

    def __repr__(self) -> str:
        return f"<Thread {self.thread_id} of {self._service.url}>"

    async def status(self) -> StatusDocument:
        """Where it stands, with all its steps."""
        return cast("StatusDocument", await self._service.status(self.thread_id))

    async def wait(self, timeout: float | None = None, *, check: bool = False) -> StatusDocument:  # noqa: ASYNC109
        """Its status document once it has ended, however it ends, or with `check` WorkflowFailed unless it completed.

        It outlives restarts and outages of the service. Raises TimeoutError after `timeout` seconds; the thread goes on.
        A thread that is paused, or waits for an answer, has not ended.
        """
        limit = asyncio.timeout(timeout)
        try:
            async with limit:
                found = await self._ended()
        except TimeoutError:
            if not limit.expired():
                raise
            raise TimeoutError(f"thread {self.thread_id} has not ended after {timeout:g} s; it goes on") from None
        if check and found["status"] != "completed":
            raise WorkflowFailed(found)
        return found

    async def result(self, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - as above
        """Its output once it has completed.  Raises WorkflowFailed when it ends otherwise; TimeoutError."""
        return (await self.wait(timeout, check=True))["output"]

    def events(self, *, after: int = 0, on_cut: Callable[[str], None] | None = None) -> AsyncGenerator[Event, None]:
        """Its events after `after`, each exactly once, then live ones until it has ended, as Backstitch.stream."""
        return self._service.stream(self.thread_id, after=after, on_cut=on_cut)

    async def resume(self, **fields: Unpack[ResumeFields]) -> ResumedAnswer:
        """Go on with what has not completed; nothing that completed runs again, unless `from_step` names it."""
        return cast("ResumedAnswer", await self._service.resume(self.thread_id, **fields))

    async def rollback(self, to_version: int, **fields: Unpack[RollbackFields]) -> RolledBackAnswer:
        """Move its head to `to_version` and run on from there; with `resume=False` it stays paused."""
        return cast("RolledBackAnswer", await self._service.rollback(self.thread_id, to_version, **fields))

    async def before_resume(self, **fields: Unpack[ResumeFields]) -> ResumePreviewAnswer:
        """What that resume would do; nothing changes.  Raises what it would raise."""
        found = await self._service.resume(self.thread_id, dry_run=True, **fields)
        return cast("ResumePreviewAnswer", found)

    async def before_rollback(self, to_version: int, **fields: Unpack[RollbackFields]) -> PreviewAnswer:
        """What that rollback would undo, and do; nothing changes.  Raises what it would raise."""
        found = await self._service.rollback(self.thread_id, to_version, dry_run=True, **fields)
        return cast("PreviewAnswer", found)

    async def cancel(self, **fields: Unpack[CancelFields]) -> StatusDocument:
        """Stop it for good.  Raises ApiError (409) when it has ended."""
        return cast("StatusDocument", await self._service.cancel(self.thread_id, **fields))

    async def pause(self) -> StatusDocument:
        """Let running steps end and start no further one, until it is resumed."""
        return cast("StatusDocument", await self._service.pause(self.thread_id))

    def history(self, **filters: Unpack[HistoryFilters]) -> Pages[HistoryEntry]:
        """Its versions, oldest first."""
        return self._service.history(self.thread_id, **filters)

    async def state(self, version: int | None = None) -> VersionAnswer:
        """The whole state at a version (the head without one): input, context, outputs, metadata, under `state`."""
        wanted = (await self.status())["version"] if version is None else version
        found = await self._service.request("GET", self._path("history", str(wanted)))
        return cast("VersionAnswer", found)

    async def diff(self, one: int, other: int) -> list[JsonObject]:
        """The RFC 6902 patch from the state at version `one` to that at `other`."""
        params = {"from": one, "to": other}
        return (await self._service.request("GET", self._path("history", "diff"), params=params))["patch"]

    async def step(self, step_id: str, **which: Unpack[StepRunFilters]) -> StepRunAnswer:
        """One run of a step with its input and output, and which others there are; `which`: execution_id, run_id, values."""
        found = await self._service.request("GET", self._path("steps", step_id), params=which)
        return cast("StepRunAnswer", found)

    async def workflow(self) -> WorkflowAnswer:
        """The definition that it runs, with its document and the graph of its steps."""
        return cast("WorkflowAnswer", await self._service.request("GET", self._path("workflow")))

    async def answer(self, step_id: str, value: object, **fields: Unpack[GateFields]) -> GateAnsweredAnswer:
        """Answer the gate of a step with any JSON value; `fields`: by, via, item, round."""
        body = {"answer": value, **given_only(fields)}
        return cast("GateAnsweredAnswer", await self._service.request("POST", self._path("gates", step_id), json=body))

    def gates(self) -> Pages[GateAnswer]:
        """Its gates with their answers, newest first."""
        return self._service.pages(self._path("gates"), "gates")

    async def fork(self, *, idempotency_key: str | None = None, **fields: Unpack[ForkFields]) -> list[Thread]:
        """New threads with its state at a version, one for each of `variants`; nothing of it changes itself.

        Raises ApiError, also when only some of them could be made: its `problem` has both, as the API answers them.
        """
        found = await self._service.post_once(self._path("fork"), given_only(fields), idempotency_key)
        if found["failed"]:
            first = found["failed"][0]
            told = f"{first['variant']}: {first['detail']}"
            raise ApiError(
                _ACCEPTED, {**found, "code": first["code"], "title": "Not all forks were made", "detail": told}
            )
        return [Thread(self._service, str(one["thread_id"])) for one in found["forks"]]

    def _path(self, action: str, *more: str) -> str:
        return path("/api/invoke", action, self.thread_id, *more)

    async def _ended(self) -> StatusDocument:
        found = await self.status()
        look = _FIRST_LOOK
        while found["status"] not in ENDED:
            await self._stirred(found["last_seq"], look)
            found = await self._surely()
            look = min(look * 2, _RAREST_LOOK)
        return found

    async def _stirred(self, after: int, seconds: float) -> None:
        """Until the stream tells of an end, or so long: streams are quick, and looking now and then is sure."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                with suppress(ClientError):
                    await self._sees_end(after)
                    return
                await asyncio.sleep(seconds)

    async def _sees_end(self, after: int) -> None:
        async with self._service.watching, aclosing(self.events(after=after)) as events:
            async for event in events:
                if event.name in ENDINGS:
                    return
        await asyncio.sleep(_BREATH)  # it had ended before, as its status will say

    async def _surely(self) -> StatusDocument:
        """Where it stands, however long the service is away."""
        pause = _BREATH
        while True:
            try:
                return await self.status()
            except (UnreachableError, ApiError) as error:
                if isinstance(error, ApiError) and error.status not in PASSING:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
