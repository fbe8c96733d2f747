"""The commands that steer a thread: resume, rollback, cancel, pause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli import values
from app.cli.follow import watch_again
from app.cli.options import OfThread, service_command
from app.cli.rendering import print_json, say, styled

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
    expected_version: Expected = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback(OfThread):
    """Options of `rollback`."""

    to: Annotated[int, typer.Option("--to", min=1, metavar="N", help="The version to go back to.")]
    no_resume: Annotated[bool, typer.Option("--no-resume", help="Leave the thread paused there.")] = False
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
    """Go on with a thread that failed, was paused, cancelled or interrupted; what completed does not run again."""
    answer = await service.resume(
        o.thread,
        from_step=o.from_step,
        skip=values.pairs(o.skip, "--skip"),
        overrides=values.pairs(o.override, "--override"),
        expected_version=o.expected_version,
    )
    return _told(service, o, answer, f"resumed from version {answer.get('resumed_from_version')}")


async def rollback(service: Backstitch, o: Rollback) -> int:
    """Move a thread back to an earlier version and run on from there; later versions stay in its history."""
    answer = await service.rollback(
        o.thread, o.to, resume=not o.no_resume, reason=o.reason, expected_version=o.expected_version
    )
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
