"""The commands `workflow state verify` and `workflow state repair`: whether what is stored is what was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from app.cli.options import Common, service_command
from app.cli.rendering import clock, print_json, say, styled, table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.client import Backstitch

Id = Annotated[str | None, typer.Option("--thread-id", metavar="ID", help="The thread.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify(Common):
    """Options of `workflow state verify`."""

    thread_id: Id = None
    all: Annotated[bool, typer.Option("--all", help="All threads; this reads everything that is stored.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair(Common):
    """Options of `workflow state repair`."""

    thread_id: Annotated[str, typer.Option("--thread-id", metavar="ID", help="The thread.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the group `app`."""
    service_command(app, Verify)(verify)
    service_command(app, Repair)(repair)


async def verify(service: Backstitch, o: Verify) -> int:
    """Check every stored version and value of a thread, or of all, against its digest.

    Exit code 0 when all is as it was written, 1 when anything is damaged. Nothing is changed.
    """
    if (o.thread_id is None) == (not o.all):
        raise typer.BadParameter("give either --thread-id or --all")
    ids = _all_threads(service) if o.thread_id is None else _one(o.thread_id)
    found = [await service.request("GET", _path("verify", thread_id)) async for thread_id in ids]
    if o.json:
        print_json(found[0] if o.thread_id is not None else {"threads": found})
    else:
        _print_verified(found)
    return 0 if all(one["valid"] for one in found) else 1


async def repair(service: Backstitch, o: Repair) -> int:
    """Put aside what is damaged of a thread, and move its head to the last sound version where it must be."""
    done = await service.request("POST", _path("repair", o.thread_id))
    if o.json:
        print_json(done)
        return 0
    if not done["repaired"]:
        say(f"thread {o.thread_id}: nothing to do")
        return 0
    _print_findings(done["findings"])
    if done["to_version"] is None:
        say("there is no sound version to go on from")
    elif done["to_version"] != done["from_version"]:
        say(f"the head moved from version {done['from_version']} to {done['to_version']}")
    reruns = ", ".join(done["reruns"])
    if reruns and done["status"] == "completed":
        say(f"not run again, since it has completed: {reruns}")
        say(f"run them with: backstitch rollback {o.thread_id} --to {done['to_version']}")
    elif reruns:
        say("steps that run again:", reruns)
    say(f"thread {o.thread_id} is", styled(str(done["status"])))
    return 0


def _print_verified(found: list[dict[str, Any]]) -> None:
    for one in found:
        good, checked = len(one["versions"]["valid"]), one["versions"]["checked"]
        if one["valid"]:
            say(f"thread {one['thread_id']}: valid, {checked} versions")
            continue
        head = "sound" if one["head_valid"] else "damaged"
        say(f"thread {one['thread_id']}: DAMAGED, {good} of {checked} versions valid, its head is {head}")
        _print_findings(one["findings"])
        for item in one["quarantined"]:
            say(f"  in quarantine since {clock(item['found_at'], date=True)}: {item['id']}")
    bad = sum(not one["valid"] for one in found)
    if len(found) != 1:
        say(f"{len(found)} threads, {bad} damaged")
    open_ = [one["thread_id"] for one in found if not one["head_valid"] or not _all_quarantined(one)]
    if open_:
        say(f"repair with: backstitch workflow state repair --thread-id {open_[0] if len(open_) == 1 else 'ID'}")


def _all_quarantined(one: dict[str, Any]) -> bool:
    return all(finding["quarantined"] for finding in one["findings"])


def _print_findings(findings: list[dict[str, Any]]) -> None:
    rows = [
        (
            str(one["kind"]),
            str(one["version"] or ""),
            str(one["step_id"] or ""),
            str(one["problem"]),
            "quarantined" if one["quarantined"] else "",
        )
        for one in findings
    ]
    table(("what", "version", "step", "problem", ""), rows)


async def _one(thread_id: str) -> AsyncIterator[str]:
    yield thread_id


async def _all_threads(service: Backstitch) -> AsyncIterator[str]:
    seen: set[str] = set()
    cursor: str | None = None
    while True:
        page = await service.executions(limit=1000, cursor=cursor)
        for one in page["executions"]:
            if one["thread_id"] not in seen:
                seen.add(one["thread_id"])
                yield one["thread_id"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _path(action: str, thread_id: str) -> str:
    return f"/api/invoke/{action}/{quote(thread_id, safe='')}"
