"""The commands `workflow state list`, `workflow state show` and `workflow resume`: threads by what is stored of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import typer

from app.cli import steer
from app.cli.options import Common, OfThread, service_command
from app.cli.rendering import clock, complain, print_json, remark, say, styled, table

if TYPE_CHECKING:
    from app.client import Backstitch

_BROKEN: Final = ("failed", "interrupted")
_CHILD: Final = "sub:"
_PAGE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ListStates(Common):
    """Options of `workflow state list`."""

    workflow: Annotated[str | None, typer.Option(metavar="NAME", help="Only threads of this workflow.")] = None
    status: Annotated[str | None, typer.Option(help="Only threads that are in this status now.")] = None
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowState(OfThread):
    """Options of `workflow state show`."""

    version: Annotated[int | None, typer.Option(min=1, metavar="V", help="Which version. [default: the head]")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest(Common):
    """Options of `workflow resume`."""

    workflow_id: Annotated[
        str | None,
        typer.Option("--workflow-id", "--thread-id", metavar="ID", help="The thread. [default: the latest that broke]"),
    ] = None
    from_step: Annotated[
        str | None, typer.Option(metavar="STEP", help="Run this step again, and all that depends on it.")
    ] = None


def register_states(app: typer.Typer) -> None:
    """Add `list` and `show` to the group `app`."""
    service_command(app, ListStates)(list_)
    service_command(app, ShowState)(show)


def register_resume(app: typer.Typer) -> None:
    """Add `resume` to the group `app`."""
    service_command(app, Latest)(resume)


async def list_(service: Backstitch, o: ListStates) -> int:
    """List threads with the state that each is in, the one that was started or resumed last first."""
    found = await _states(service, o)
    if o.json:
        print_json({"states": found})
        return 0
    rows = [
        (
            str(one["thread_id"]),
            str(one["workflow"]),
            styled(str(one["status"])),
            str(one["version"]),
            ", ".join(one["completed_steps"][-1:]) or "START",
            f"{one['progress']:.0%}",
            clock(one["last_update"], date=True),
        )
        for one in found
    ]
    table(("thread", "workflow", "status", "version", "last step", "done", "updated"), rows)
    return 0


async def show(service: Backstitch, o: ShowState) -> int:
    """Show the state of a thread as it is stored: its input, its variables, the output of every step."""
    version = o.version if o.version is not None else (await service.status(o.thread))["version"]
    found = await service.request("GET", f"/api/invoke/history/{quote(o.thread, safe='')}/{version}")
    if o.json:
        print_json(found)
        return 0
    left = "" if found.get("on_timeline", True) else ", left by a rollback"
    say(f"thread {o.thread}, version {found['version']}{left}")
    say(f"written by {found['current_step']} at {clock(found['created_at'], date=True)}, {found['size_bytes']:,} bytes")
    print_json(found["state"])
    return 0


async def resume(service: Backstitch, o: Latest) -> int:
    """Resume a thread: the one given, else the latest that failed or was interrupted; what completed does not run again."""
    thread = await _latest_broken(service) if o.workflow_id is None else o.workflow_id
    if thread is None:
        complain("nothing to resume: no workflow has failed or was interrupted")
        return 1
    if o.workflow_id is None:
        remark(f"the latest that broke is {thread}")
    return await steer.resume(service, steer.Resume(url=o.url, json=o.json, thread=thread, from_step=o.from_step))


async def _latest_broken(service: Backstitch) -> str | None:
    """The thread that broke last and still is; a sub-workflow goes on with its parent."""
    ended: list[tuple[str, str]] = []
    for status in _BROKEN:
        page = await service.executions(status=status, limit=_PAGE)
        ended += [(str(one.get("completed_at") or one["created_at"]), one["thread_id"]) for one in page["executions"]]
    for _, thread in sorted(ended, reverse=True):
        if not thread.startswith(_CHILD) and (await service.status(thread))["status"] in _BROKEN:
            return thread
    return None


async def _states(service: Backstitch, o: ListStates) -> list[dict[str, Any]]:
    """The status documents of threads, asked for side by side; of one that has gone meanwhile there is none."""
    listed = service.threads(workflow=o.workflow, status=o.status, children=True, limit=o.limit)
    threads = [thread.thread_id async for thread in listed]
    found = await asyncio.gather(*(_state(service, thread) for thread in threads))
    return [one for one in found if one and (o.status is None or one["status"] in o.status.split(","))]


async def _state(service: Backstitch, thread: str) -> dict[str, Any] | None:
    from app.client import ApiError  # noqa: PLC0415 - --help need not load it

    try:
        return await service.status(thread)
    except ApiError as error:
        if error.code != "thread_not_found":
            raise
        return None
