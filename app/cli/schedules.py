"""The commands `schedule ...`: list, show, create, change, pause, resume, run, backfill, delete, firings and preview."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.cli.options import Common, service_command
from app.cli.rendering import answer, clock, duration, print_json, say, table
from app.cli.values import json_value, schedule_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.client import Backstitch
    from app.client.schedules import Schedules

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a schedule.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")]
Text = str | None
_COLUMNS: Final = ("schedule", "state", "fires", "workflow", "next", "last", "fired")
_FIRINGS: Final = ("time", "kind", "outcome", "late", "thread", "status", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class OfSchedule(Common):
    """The options of a command on one schedule."""

    name: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSchedules(Common):
    """Options of `schedule list`."""

    workflow: Annotated[Text, typer.Option(help="Only those of this workflow.")] = None
    paused: Annotated[bool | None, typer.Option("--paused/--running", help="Only those.")] = None
    limit: Limit = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Times(Common):
    """When something fires."""

    cron: Annotated[Text, typer.Option(metavar="CRON", help='Such as "0 9 * * MON-FRI", or @daily.')] = None
    every: Annotated[Text, typer.Option(metavar="TIME", help='A fixed interval instead, "30s" say.')] = None
    timezone: Annotated[Text, typer.Option(metavar="ZONE", help="Of the cron expression, Europe/Vienna say; UTC.")] = (
        None
    )
    start_at: Annotated[Text, typer.Option(metavar="AT", help="No firing before it.")] = None
    end_at: Annotated[Text, typer.Option(metavar="AT", help="No firing after it.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Times):
    """Options of `schedule change`."""

    name: Name
    workflow: Annotated[Text, typer.Option(metavar="WORKFLOW", help="A registered name, or name@version.")] = None
    input: Annotated[Text, typer.Option(metavar="JSON", help="Its input; @FILE reads a file, - stdin.")] = None
    context: Annotated[Text, typer.Option(metavar="JSON", help="Variables, as an object.")] = None
    overlap: Annotated[
        Text, typer.Option(metavar="POLICY", help="skip, buffer_one, buffer_all, allow or cancel_other.")
    ] = None
    catchup_window: Annotated[Text, typer.Option(metavar="TIME", help="How late a firing is still made.")] = None
    jitter: Annotated[Text, typer.Option(metavar="TIME", help="Each is due up to so much later.")] = None
    queue: Annotated[Text, typer.Option(help="Where its threads wait.")] = None
    priority: Annotated[int | None, typer.Option(help="The higher is taken up first.")] = None
    max_firings: Annotated[int | None, typer.Option(min=1, help="How many threads its times start.")] = None
    description: Annotated[Text, typer.Option(help="What it is for.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(Change):
    """Options of `schedule create`."""

    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, or a YAML or JSON file that says all.")]
    paused: Annotated[bool, typer.Option("--paused", help="It is made and waits to be resumed.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(OfSchedule):
    """Options of `schedule pause`."""

    reason: Annotated[Text, typer.Option(help="Why; shown wherever the schedule is.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill(OfSchedule):
    """Options of `schedule backfill`."""

    first: Annotated[str, typer.Option("--from", metavar="AT", help="The first time, 2026-11-16T00:00:00Z say.")]
    last: Annotated[str, typer.Option("--to", metavar="AT", help="The last time.")]
    overlap: Annotated[
        Text, typer.Option(metavar="POLICY", help="buffer_all (one after the other) or allow (all at once).")
    ] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be made.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Firings(OfSchedule):
    """Options of `schedule firings`."""

    outcome: Annotated[Text, typer.Option(help="Only those: started, skipped, buffered, missed, failed.")] = None
    limit: Limit = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview(Times):
    """Options of `schedule preview`."""

    count: Annotated[int, typer.Option(min=1, max=100, help="How many times.")] = 10
    after: Annotated[Text, typer.Option(metavar="AT", help="After it; now.")] = None


_SAID: Final = {field.name for field in fields(Change)} - {field.name for field in fields(Common)} - {"name"}


def register(app: typer.Typer) -> None:
    """Add these commands to the group `app`."""
    service_command(app, ListSchedules)(list_)
    service_command(app, OfSchedule)(show)
    service_command(app, Create)(create)
    service_command(app, Change)(change)
    service_command(app, Pause)(pause)
    service_command(app, OfSchedule)(resume)
    service_command(app, OfSchedule)(run)
    service_command(app, Backfill)(backfill)
    service_command(app, OfSchedule)(delete)
    service_command(app, Firings)(firings)
    service_command(app, Preview)(preview)


async def list_(service: Backstitch, o: ListSchedules) -> int:
    """List the schedules: when each fires next, and what came of the last time."""
    found = await _schedules(service).list(workflow=o.workflow, paused=o.paused, limit=o.limit)
    if o.json:
        print_json(found)
    else:
        table(_COLUMNS, [_row(one) for one in found["schedules"]])
    return 0


async def show(service: Backstitch, o: OfSchedule) -> int:
    """Show a schedule."""
    return _shown(o, await _schedules(service).show(o.name))


async def create(service: Backstitch, o: Create) -> int:
    """Make a schedule; the same again changes nothing."""
    document = schedule_document(o.name)
    given = {"name": document} if isinstance(document, str) else document
    return _shown(o, await _schedules(service).create({**given, **_said(o), **({"paused": True} if o.paused else {})}))


async def change(service: Backstitch, o: Change) -> int:
    """Change what is given of a schedule and leave the rest."""
    said = _said(o)
    if not said:
        raise typer.BadParameter("say what to change")
    return _shown(o, await _schedules(service).change(o.name, **said))


async def pause(service: Backstitch, o: Pause) -> int:
    """Make none of its times until it is resumed."""
    return _shown(o, await _schedules(service).pause(o.name, o.reason))


async def resume(service: Backstitch, o: OfSchedule) -> int:
    """Go on with its times from now on."""
    return _shown(o, await _schedules(service).resume(o.name))


async def run(service: Backstitch, o: OfSchedule) -> int:
    """Fire now, whatever else runs."""
    found = await _schedules(service).run(o.name)
    if o.json:
        print_json(found)
    else:
        say(found["outcome"], *([f"thread {found['thread_id']}"] if found["thread_id"] else []), *_why(found))
    return int(found["outcome"] == "failed")


async def backfill(service: Backstitch, o: Backfill) -> int:
    """Make its times in a span for which nothing was started."""
    how: dict[str, Any] = {"overlap": o.overlap, "dry_run": o.dry_run}
    found = await _schedules(service).backfill(o.name, o.first, o.last, **how)
    if o.json:
        print_json(found)
        return 0
    verb = "would be made" if found["dry_run"] else "to be made"
    table(_FIRINGS, [_firing(one) for one in found["firings"]])
    say(f"{len(found['firings'])} {verb}, {len(found['there'])} there already")
    return 0


async def delete(service: Backstitch, o: OfSchedule) -> int:
    """Take a schedule away, with what is known of its firings; its threads stay."""
    found = await _schedules(service).delete(o.name)
    return answer(o, found, f"schedule {found['name']} was deleted")


async def firings(service: Backstitch, o: Firings) -> int:
    """Show what became of its times, the latest first."""
    where: dict[str, Any] = {"outcome": o.outcome}
    found = await _schedules(service).firings(o.name, **where, limit=o.limit)
    if o.json:
        print_json(found)
    else:
        table(_FIRINGS, [_firing(one) for one in found["firings"]])
    return 0


async def preview(service: Backstitch, o: Preview) -> int:
    """Show when something would fire, by the clock of its zone and in UTC."""
    given: dict[str, Any] = {
        "cron": o.cron,
        "every": o.every,
        "timezone": o.timezone,
        "start_at": o.start_at,
        "end_at": o.end_at,
        "count": o.count,
        "after": o.after,
    }
    said = {name: value for name, value in given.items() if value is not None}
    found = await _schedules(service).preview(**said)
    if o.json:
        print_json(found)
    else:
        table((found["timezone"], "UTC"), [(one["local"], one["fire_time"]) for one in found["times"]])
    return 0


def _said(o: Change) -> dict[str, Any]:
    """What was given, as the API takes it."""
    said = {name: getattr(o, name) for name in sorted(_SAID) if getattr(o, name) is not None}
    for name in ("input", "context"):
        if name in said:
            said[name] = json_value(said[name], f"--{name}")
    return said


def _shown(o: Common, found: Mapping[str, Any]) -> int:
    if o.json:
        print_json(found)
        return 0
    table(_COLUMNS, [_row(found)])
    late = duration(found["catchup_window_ms"])
    say(f"overlap {found['overlap']}, up to {late} late, with {json.dumps(found['input'], ensure_ascii=False)}")
    if found["pause_reason"]:
        say("paused:", str(found["pause_reason"]))
    return 0


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    last = one["last_firing"]
    fires = f"{one['cron']} {one['timezone']}" if one["cron"] else f"every {duration(one['every_ms'])}"
    return (
        str(one["name"]),
        str(one["state"]),
        fires,
        str(one["workflow"]),
        clock(one["next_fire_at"], date=True) if one["next_fire_at"] else "",
        f"{clock(last['fire_time'], date=True)} {last['outcome']}" if last else "",
        str(one["fired"]),
    )


def _firing(one: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        clock(one["fire_time"], date=True),
        str(one["kind"]),
        str(one["outcome"]),
        duration(one["late_ms"]),
        str(one["thread_id"] or ""),
        str(one["thread_status"] or ""),
        " ".join(_why(one)),
    )


def _why(one: Mapping[str, Any]) -> list[str]:
    missed = [f"{one['missed']} up to {clock(one['until'], date=True)}"] if one["missed"] else []
    error = [f"{one['error']['message']} [{one['error']['code']}]"] if one["error"] else []
    return [*missed, *([str(one["reason"])] if one["reason"] else []), *error]


def _schedules(service: Backstitch) -> Schedules:
    from app.client.schedules import Schedules  # noqa: PLC0415 - --help need not load it

    return Schedules(service)
