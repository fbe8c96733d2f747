"""The command `threads`: the list of threads, and what is to be done with all of them that it lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from app.cli.options import Common, service_command
from app.cli.rendering import clock, failure, print_json, say, styled, table

if TYPE_CHECKING:
    from app.client import Backstitch

_COLUMNS = ("thread", "workflow", "about", "status", "done", "at", "cost", "started")


@dataclass(frozen=True, slots=True, kw_only=True)
class Threads(Common):
    """Options of `threads`."""

    status: Annotated[str | None, typer.Option(help="In that status, or in one of those, by comma.")] = None
    workflow: Annotated[str | None, typer.Option(help="Of the workflow of that name.")] = None
    text: Annotated[
        str | None, typer.Option(help="With that in the id, the workflow's name, who triggered it, or the input.")
    ] = None
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Started, or last resumed, from then on.")] = None
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Started, or last resumed, before then.")] = None
    triggered_by: Annotated[str | None, typer.Option(metavar="WHO", help="Triggered by them.")] = None
    children: Annotated[bool, typer.Option("--children", help="Sub-workflows and replays too.")] = False
    limit: Annotated[
        int | None, typer.Option(min=1, max=1000, help="At most so many. [default: 20; all that are steered]")
    ] = None
    resume: Annotated[bool, typer.Option("--resume", help="Go on with all of these.")] = False
    cancel: Annotated[bool, typer.Option("--cancel", help="Stop all of these for good.")] = False
    pause: Annotated[bool, typer.Option("--pause", help="Start no further step of any of these.")] = False
    all: Annotated[bool, typer.Option("--all", help="Steer them though no filter is given.")] = False
    reason: Annotated[str | None, typer.Option(help="Why they are cancelled; kept with the event.")] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing: tell which ones it would be.")] = False


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    service_command(app, Threads)(threads)


async def threads(service: Backstitch, o: Threads) -> int:
    """List threads, the one that was started or resumed last first; or steer all of them.

    With --resume those that failed or were interrupted unless --status says otherwise, with --cancel those that have not
    ended, with --pause those that are pending, running or waiting. Exit code 1 when any of them refused.
    """
    actions = [name for name in ("resume", "cancel", "pause") if getattr(o, name)]
    if len(actions) > 1:
        raise typer.BadParameter(f"say one of --{' and --'.join(actions)}")
    if actions:
        return await _steer(service, o, actions[0])
    if o.all or o.dry_run or o.reason is not None:
        raise typer.BadParameter("--all, --dry-run and --reason go with --resume, --cancel or --pause")
    return await _list(service, o)


async def _list(service: Backstitch, o: Threads) -> int:
    found = [
        dict(thread.entry or {"thread_id": thread.thread_id})
        async for thread in service.threads(**_filters(o), limit=o.limit or 20)
    ]
    if o.json:
        print_json({"threads": found})
    else:
        table(_COLUMNS, [_row(one) for one in found])
    return 0


async def _steer(service: Backstitch, o: Threads, action: str) -> int:
    """Ask until nothing is left: each time for those behind the ones before, so that none is met twice."""
    where = _filters(o)
    if not where and not o.all:
        raise typer.BadParameter(f"no filter is given: --all would {action} every thread")
    whole: dict[str, Any] = {"matched": 0, "done": 0, "refused": [], "more": False, "thread_ids": []}
    fixed = {"where": where, "dry_run": o.dry_run, **({} if o.reason is None else {"reason": o.reason})}
    cursor: str | None = None
    while True:
        left = {} if o.limit is None else {"limit": o.limit - whole["matched"]}
        body = {**fixed, **left, **({} if cursor is None else {"cursor": cursor})}
        found = await service.request("POST", f"/api/threads/{action}", json=body)
        sums = {name: whole[name] + found[name] for name in ("done", "refused", "thread_ids")}
        whole = {**found, **sums, "matched": len(sums["thread_ids"]) + len(sums["refused"])}
        before, cursor = cursor, found.get("next_cursor")
        if cursor in {None, before} or (o.limit is not None and whole["matched"] >= o.limit):
            break
    if o.json:
        print_json(whole)
    else:
        _print_steered(whole, action)
    return 1 if whole["refused"] else 0


def _filters(o: Threads) -> dict[str, Any]:
    names = ("status", "workflow", "text", "since", "until", "triggered_by")
    given = {name: value for name in names if (value := getattr(o, name)) is not None}
    return {**given, "children": True} if o.children else given


def _row(one: dict[str, Any]) -> tuple[str | Text, ...]:
    usage, total = one.get("usage"), one.get("steps_total")
    return (
        str(one["thread_id"]),
        str(one["workflow"]),
        str(one.get("title") or ""),
        styled(str(one["status"])),
        str(one["steps_done"]) if total is None else f"{one['steps_done']}/{total}",
        failure(one.get("error")) or ", ".join(_at(step) for step in one["open"]),
        "" if usage is None else f"${usage['cost_usd']:.2f}",
        clock(one.get("created_at"), date=True),
    )


def _at(step: dict[str, Any]) -> str:
    tries = f" (attempt {step['attempt']})" if step["attempt"] > 1 else ""
    waits = {"child": " waits for a sub-workflow", "sleep": " sleeps"}
    told = waits.get(step["waits"] or "", f" waits for a {step['waits']}" if step["waits"] else "")
    return f"{step['id']}{told}{tries}"


def _print_steered(whole: dict[str, Any], action: str) -> None:
    rows = [(str(one["thread_id"]), Text(f"{one['detail']} [{one['code']}]", style="red")) for one in whole["refused"]]
    if rows:
        table(("thread", "why not"), rows)
    if whole["dry_run"]:
        for thread in whole["thread_ids"]:
            say(thread)
        say(f"{action}: {len(whole['thread_ids'])} threads, and {len(rows)} would refuse; nothing has been changed")
    else:
        say(f"{action}: {whole['done']} threads, {len(rows)} refused")
    if whole["more"]:
        say("there are more: ask again for them")
