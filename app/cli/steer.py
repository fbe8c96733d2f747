"""The commands that steer a thread: resume, rollback, cancel, pause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from app.cli import values
from app.cli.follow import watch_again
from app.cli.options import OfThread, service_command
from app.cli.rendering import print_json, say, styled, table

if TYPE_CHECKING:
    from app.client import Backstitch

Expected = Annotated[
    int | None, typer.Option(metavar="N", help="Refuse unless the thread's head is still at this version.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume(OfThread):
    """Options of `resume`."""

    from_step: Annotated[
        str | None, typer.Option(metavar="STEP", help="Run this step again, and all that depends on it.")
    ] = None
    skip: Annotated[
        list[str] | None,
        typer.Option("--skip", metavar="STEP=JSON", help="Count the step as done with this output; may be repeated."),
    ] = None
    override: Annotated[
        list[str] | None,
        typer.Option("--override", metavar="STEP=JSON", help="Replace its agent or input; may be repeated."),
    ] = None
    max_cost_usd: Annotated[
        float | None, typer.Option(min=0, metavar="USD", help="A new limit: what the thread may cost.")
    ] = None
    max_tokens: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="A new limit: tokens in and out together.")
    ] = None
    deadline: Annotated[
        str | None, typer.Option(metavar="TIME", help="A new limit: how long it may take from now on (30m, 2h).")
    ] = None
    expected_version: Expected = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback(OfThread):
    """Options of `rollback`."""

    to: Annotated[int, typer.Option("--to", min=1, metavar="N", help="The version to go back to.")]
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing: show what would be undone.")] = False
    compensate: Annotated[
        bool, typer.Option("--compensate", help="First run what the undone steps declare as undoing them.")
    ] = False
    no_resume: Annotated[bool, typer.Option("--no-resume", help="Leave the thread paused there.")] = False
    set: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Set a variable of the context; may be repeated."),
    ] = None
    override: Annotated[
        list[str] | None,
        typer.Option("--override", metavar="STEP=JSON", help="Replace its agent or input; may be repeated."),
    ] = None
    reason: Annotated[str | None, typer.Option(help="Why; kept with the event.")] = None
    expected_version: Expected = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(OfThread):
    """Options of `cancel`."""

    reason: Annotated[str | None, typer.Option(help="Why; kept with the event.")] = None
    force: Annotated[bool, typer.Option("--force", help="Take it from its process without asking that first.")] = False


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    service_command(app, Resume)(resume)
    service_command(app, Rollback)(rollback)
    service_command(app, Cancel)(cancel)
    service_command(app, OfThread)(pause)


async def resume(service: Backstitch, o: Resume) -> int:
    """Go on with a thread that failed, was paused, cancelled or interrupted; what completed does not run again.

    Any of --max-cost-usd, --max-tokens and --deadline replaces all limits that the thread had.
    """
    limits = {"max_cost_usd": o.max_cost_usd, "max_tokens": o.max_tokens, "deadline": o.deadline}
    limits = {name: limit for name, limit in limits.items() if limit is not None}
    answer = await service.resume(
        o.thread,
        from_step=o.from_step,
        skip=values.pairs(o.skip, "--skip"),
        overrides=values.pairs(o.override, "--override"),
        limits=limits or None,
        expected_version=o.expected_version,
    )
    return _told(service, o, answer, f"resumed from version {answer.get('resumed_from_version')}")


async def rollback(service: Backstitch, o: Rollback) -> int:
    """Move a thread back to an earlier version and run on from there; later versions stay in its history.

    With --dry-run the same is asked for and not done, so that what would be refused is refused.
    """
    answer = await service.rollback(
        o.thread,
        o.to,
        resume=not o.no_resume,
        dry_run=o.dry_run or None,
        compensate=o.compensate or None,
        reason=o.reason,
        context=values.pairs(o.set, "--set", lenient=True),
        overrides=values.pairs(o.override, "--override"),
        expected_version=o.expected_version,
    )
    if o.dry_run:
        return _previewed(o, answer)
    head, left = answer.get("rolled_back_to_version"), answer.get("rolled_back_from_version")
    return _told(service, o, answer, f"rolled back to version {head} from {left}")


async def cancel(service: Backstitch, o: Cancel) -> int:
    """Stop a thread now; what completed is kept, and a resume goes on from there."""
    return _told(service, o, await service.cancel(o.thread, reason=o.reason, force=o.force or None), "cancel")


async def pause(service: Backstitch, o: OfThread) -> int:
    """Start no further step of a thread until it is resumed."""
    return _told(service, o, await service.pause(o.thread), "pause")


def _told(service: Backstitch, o: OfThread, answer: dict[str, Any], what: str) -> int:
    if o.json:
        print_json(answer)
        return 0
    say(f"{what}: thread {o.thread} is", styled(str(answer["status"])))
    if answer["status"] in {"pending", "running", "waiting"}:
        say(f"watch it with: {watch_again(service, o.thread)}")
    return 0


def _previewed(o: Rollback, found: dict[str, Any]) -> int:
    """What a rollback would undo, for people: the numbers first, then each step run, the latest first."""
    if o.json:
        print_json(found)
        return 0
    undone: list[dict[str, Any]] = found["undone"]
    lost, declared = len(found["irreversible"]), sum(bool(one["compensate"]) for one in undone)
    say(
        f"back to version {found['to_version']} from {found['from_version']}: {len(undone)} of its step runs are undone"
    )
    how = "can be with --compensate" if declared and not o.compensate else "can be"
    say(f"{lost} cannot be undone, {declared} {how}, nothing has been changed")
    rows = [
        (
            str(one["step_id"]),
            styled(str(one["status"])),
            str(one.get("agent") or ""),
            str(one.get("effect") or "not declared"),
            _remedy(one),
        )
        for one in undone
    ]
    table(("step", "status", "agent", "effect", ""), rows)
    if found["compensations"]:
        say("runs first:", ", ".join(found["compensations"]))
    if found["runs_again"]:
        later = "runs once it is resumed:" if found["status"] == "paused" else "runs then:"
        say(later, ", ".join(found["runs_again"]))
    return 0


def _remedy(one: dict[str, Any]) -> str | Text:
    if one["compensate"]:
        return "has a compensation"
    return Text("cannot be undone", style="red") if one.get("effect") == "irreversible" else ""
