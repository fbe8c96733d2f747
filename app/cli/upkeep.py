"""The commands `workflow migrate` and `workflow state upgrade`: threads to another version, versions to the newest format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from app.cli.options import Common, service_command
from app.cli.rendering import print_json, say, styled, table

if TYPE_CHECKING:
    from app.client import Backstitch

DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing: tell what would be done.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrate(Common):
    """Options of `workflow migrate`."""

    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of a registered workflow.")]
    to: Annotated[int | None, typer.Option("--to", min=1, metavar="V", help="The version; by default the newest.")] = (
        None
    )
    from_: Annotated[int | None, typer.Option("--from", min=1, metavar="V", help="Only threads of this version.")] = (
        None
    )
    thread_id: Annotated[
        list[str] | None, typer.Option("--thread-id", metavar="ID", help="Only this thread; may be repeated.")
    ] = None
    status: Annotated[
        list[str] | None, typer.Option("--status", metavar="STATUS", help="Only threads in it; may be repeated.")
    ] = None
    resume: Annotated[bool, typer.Option("--resume", help="Those that are paused or have ended go on.")] = False
    dry_run: DryRun = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade(Common):
    """Options of `workflow state upgrade`."""

    dry_run: DryRun = False
    batch: Annotated[int, typer.Option("--batch", min=1, max=1000, metavar="N", help="Versions at a time.")] = 500


def register_migrate(app: typer.Typer) -> None:
    """Add `migrate` to the group `app`."""
    service_command(app, Migrate)(migrate)


def register_upgrade(app: typer.Typer) -> None:
    """Add `upgrade` to the group `app`."""
    service_command(app, Upgrade)(upgrade)


async def migrate(service: Backstitch, o: Migrate) -> int:
    """Move threads to another version of their workflow, if what they have done is the same in both.

    Running ones go on in the new version, paused and failed ones stay so unless --resume is given. Exit code 0 when all
    could be moved, 1 when any could not: why is told step by step.
    """
    asked: dict[str, Any] = {"from_version": o.from_, "to_version": o.to, "thread_ids": o.thread_id or None}
    asked |= {"statuses": o.status or None, "resume": o.resume, "dry_run": o.dry_run}
    body = {name: value for name, value in asked.items() if value is not None}
    whole: dict[str, Any] = {"can_move": 0, "moved": 0, "refused": 0, "threads": []}
    cursor: str | None = None
    while True:
        more = {"cursor": cursor} if cursor is not None else {}
        page = await service.request("POST", f"/api/workflows/{quote(o.name, safe='')}/migrate", json=body | more)
        sums = {name: whole[name] + page[name] for name in ("can_move", "moved", "refused", "threads")}
        whole, cursor = {**page, **sums}, page["next_cursor"]
        if cursor is None:
            break
    if o.json:
        print_json(whole)
    else:
        _print_moves(whole)
    return 1 if whole["refused"] else 0


async def upgrade(service: Backstitch, o: Upgrade) -> int:
    """Write stored versions of old formats in the newest one, a batch at a time, beside whatever runs.

    It can be stopped and begun again at any time. Exit code 1 when a damaged version was left as it is.
    """
    before = await service.request("GET", "/api/workflow/state/formats")
    whole: dict[str, Any] = {"checked": 0, "upgraded": 0, "damaged": 0}
    body: dict[str, Any] = {"dry_run": o.dry_run, "limit": o.batch}
    while True:
        page = await service.request("POST", "/api/workflow/state/upgrade", json=body)
        whole = {name: whole[name] + page[name] for name in whole}
        if page["next_cursor"] is None:
            break
        body["cursor"] = page["next_cursor"]
    after = await service.request("GET", "/api/workflow/state/formats") if not o.dry_run else before
    found = {**whole, "dry_run": o.dry_run, "current": after["current"], "before": before["formats"]}
    found["after"] = after["formats"]
    if o.json:
        print_json(found)
    else:
        _print_upgraded(found)
    return 1 if whole["damaged"] else 0


def _print_moves(whole: dict[str, Any]) -> None:
    rows = [
        (
            str(one["thread_id"]),
            styled(str(one["status"] or "unknown")),
            str(one["from_version"] or ""),
            _fate(one),
            str(reason["message"]) if reason is not None else "",
        )
        for one in whole["threads"]
        for reason in one["reasons"] or [None]
    ]
    table(("thread", "status", "from", "", "why not"), rows)
    to, refused = f"{whole['workflow']}@{whole['to_version']}", whole["refused"]
    if whole["dry_run"]:
        say(f"{whole['can_move']} threads can be moved to {to}, {refused} cannot; nothing has been changed")
    else:
        say(f"{whole['moved']} threads moved to {to}, {refused} not")


def _fate(one: dict[str, Any]) -> str:
    if one["moved"]:
        return "moved"
    return "can be moved" if one["can_move"] else "stays"


def _print_upgraded(found: dict[str, Any]) -> None:
    table(("format", "versions"), [(str(one["format"]), str(one["versions"])) for one in found["after"]])
    if found["dry_run"]:
        say(f"{found['upgraded']} versions would be written in format {found['current']}; nothing has been changed")
    else:
        say(f"{found['upgraded']} versions are now in format {found['current']}")
    if found["damaged"]:
        say(f"{found['damaged']} are damaged and stay as they are: backstitch workflow state verify --all")
    unknown = [one for one in found["after"] if not one["known"]]
    if unknown:
        say(f"{sum(one['versions'] for one in unknown)} are of a format that this release does not know")
