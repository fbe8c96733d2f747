"""The commands that look: status, watch, history, executions, workflows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, cast
from urllib.parse import quote

import typer
from rich.text import Text

from app.cli.follow import follow
from app.cli.options import Common, OfThread, service_command
from app.cli.remarks import waited_for
from app.cli.rendering import clock, duration, encodable, failure, print_json, say, styled, table

if TYPE_CHECKING:
    from app.client import Backstitch
    from app.client.types import Status

Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch(OfThread):
    """Options of `watch`."""

    after: Annotated[int, typer.Option(min=0, max=10**18 - 1, metavar="SEQ", help="Only events after this number.")] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class History(OfThread):
    """Options of `history`."""

    version: Annotated[int | None, typer.Option(metavar="N", help="The whole state at this version.")] = None
    step: Annotated[str | None, typer.Option(help="Only versions that this step wrote, START or END.")] = None
    execution: Annotated[str | None, typer.Option(metavar="ID", help="Only versions of this execution.")] = None
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Only versions from then on.")] = None
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only versions before then.")] = None
    on_timeline: Annotated[bool, typer.Option("--on-timeline", help="Only what the head came from.")] = False
    left: Annotated[bool, typer.Option("--left", help="Only what a rollback left.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Executions(Common):
    """Options of `executions`."""

    status: Annotated[str | None, typer.Option(help="Only those in this status.")] = None
    workflow: Annotated[str | None, typer.Option(help="Only those of this workflow.")] = None
    thread_id: Annotated[str | None, typer.Option(metavar="THREAD", help="Only those of this thread.")] = None
    limit: Limit = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflows(Common):
    """Options of `workflows`."""

    limit: Limit = 50


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    service_command(app, OfThread)(status)
    service_command(app, Watch)(watch)
    service_command(app, History)(history)
    service_command(app, Executions)(executions)
    service_command(app, Workflows)(workflows)


async def status(service: Backstitch, o: OfThread) -> int:
    """Show where a thread stands: its steps, its output or its error."""
    found = await service.status(o.thread)
    if o.json:
        print_json(found)
    else:
        print_status(found)
    return 0


async def watch(service: Backstitch, o: Watch) -> int:
    """Follow a thread live to its end; Ctrl-C leaves it running.

    Survives restarts of the service: every event is shown exactly once. Exit code 0 when the workflow completed, 1 when
    it failed, was cancelled or interrupted, 130 after Ctrl-C.
    """
    ended = await follow(service, o.thread, after=o.after, as_json=o.json)
    return 0 if ended == "completed" else 1


async def history(service: Backstitch, o: History) -> int:
    """Show a thread's checkpoints, or the whole state at one of them."""
    if o.on_timeline and o.left:
        raise typer.BadParameter("--on-timeline and --left leave nothing: give one of them")
    if o.version is not None:
        if any((o.step, o.execution, o.since, o.until, o.on_timeline, o.left)):
            raise typer.BadParameter("--version asks for one version: no filter goes with it")
        print_json(await service.request("GET", f"/api/invoke/history/{quote(o.thread, safe='')}/{o.version}"))
        return 0
    where = {"step": o.step, "execution_id": o.execution, "since": o.since, "until": o.until}
    timeline = None if o.on_timeline == o.left else str(o.on_timeline).lower()
    found = await _whole_history(service, o.thread, {**where, "on_timeline": timeline})
    if o.json:
        print_json(found)
    else:
        _print_history(found)
    return 0


async def executions(service: Backstitch, o: Executions) -> int:
    """List executions, newest first."""
    found = await service.executions(
        status=cast("Status | None", o.status), workflow=o.workflow, thread_id=o.thread_id, limit=o.limit
    )
    if o.json:
        print_json(found)
        return 0
    rows = [
        (
            str(one["id"]),
            str(one.get("workflow") or one.get("workflow_id") or ""),
            str(one["thread_id"]),
            str(one["kind"]),
            styled(str(one["status"])),
            clock(one.get("started_at"), date=True),
        )
        for one in found["executions"]
    ]
    table(("execution", "workflow", "thread", "kind", "status", "started"), rows)
    return 0


async def workflows(service: Backstitch, o: Workflows) -> int:
    """List the registered workflows."""
    found = await service.request("GET", "/api/workflows", params={"limit": o.limit})
    if o.json:
        print_json(found)
        return 0
    rows = [
        (str(one["name"]), str(one.get("version") or ""), str(one.get("description") or ""))
        for one in found["workflows"]
    ]
    table(("workflow", "version", "description"), rows)
    return 0


def print_status(found: dict[str, Any]) -> None:
    """A status document for people."""
    say("thread   ", str(found["thread_id"]))
    say("workflow ", str(found["workflow"]))
    if found.get("forked_from"):
        say("forked   ", f"from version {found['forked_from']['version']} of {found['forked_from']['thread_id']}")
    say("status   ", styled(str(found["status"])), f" version {found['version']}, {found['progress']:.0%} done")
    rows = [
        (
            str(step["id"]),
            styled(str(step["status"])),
            str(step.get("agent") or ""),
            str(step.get("attempt") or ""),
            duration(step.get("duration_ms")),
            "kept from before" if step.get("reused") else failure(step.get("error")) or _question(step),
        )
        for step in found["steps"]
    ]
    table(("step", "status", "agent", "attempt", "took", ""), rows)
    if found.get("error"):
        say(Text(failure(found["error"]), style="red"))
    if found.get("output") is not None:
        say("output:")
        print_json(found["output"])


def _question(step: dict[str, Any]) -> str:
    gate, wait, session = step.get("gate"), step.get("waits_for"), str(step.get("session_id") or "")
    if wait:
        return f"waits for {waited_for(wait)}"
    if gate:
        return str(gate.get("title") or "waits for an answer")
    return f"thread {session}" if session.startswith("sub:") else ""


async def _whole_history(service: Backstitch, thread: str, where: dict[str, Any]) -> dict[str, Any]:
    found = await service.history(thread, limit=1000, **where)
    cursor = found["next_cursor"]
    while cursor:
        page = await service.history(thread, limit=1000, cursor=cursor, **where)
        found["history"] += page["history"]
        cursor = page["next_cursor"]
    return {**found, "next_cursor": None}


def _print_history(found: dict[str, Any]) -> None:
    rows = [_checkpoint(one, found["head_version"]) for one in found["history"]]
    table(("", "version", "parent", "step", "trigger", "done", "bytes", "created"), rows)
    if any(not one.get("on_timeline", True) for one in found["history"]):
        say(f"{_tree()[0]} marks versions that a rollback left; roll back to one of them to return to it")


def _tree() -> str:
    """The signs for a version that was left, one on the timeline, and one that branches off."""
    return "╎│└" if encodable("╎│└") else ":|\\"


def _checkpoint(one: dict[str, Any], head: int) -> tuple[str | Text, ...]:
    version, parent = one["version"], one.get("parent_version")
    left = not one.get("on_timeline", True)
    branches = parent is not None and parent != version - 1
    lost, kept, branch = _tree()
    sign = (lost if left else kept) + (branch if branches else " ") + (" *" if version == head else "")
    cells = (
        sign,
        str(version),
        str(parent or ""),
        str(one.get("current_step") or ""),
        str(one.get("trigger") or ""),
        str(len(one.get("completed_steps") or ())),
        str(one.get("size_bytes") or ""),
        clock(one.get("created_at"), date=True),
    )
    return tuple(Text(cell, style="dim") if left else cell for cell in cells)
