"""The command `verify`: whether a workflow survives being killed at any of its commits."""

from __future__ import annotations

import secrets
import statistics
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.cli import values
from app.cli.options import Common, command
from app.cli.rendering import complain, duration, narrate, print_json, say, styled, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.cli.kill_house import Work
    from app.cli.kill_points import Report, Verdict
    from app.client import Backstitch

WORKFLOW = "content-strategy"
_SHOWN = 5
_CANNOT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify(Common):
    """Options of `verify`."""

    workflow: Annotated[
        str, typer.Argument(metavar="WORKFLOW", help="A registered name, name@version, or a .yaml or .json document.")
    ]
    kill_points: Annotated[
        bool, typer.Option("--kill-points", help="Kill the process at every checkpoint, once before and once after it.")
    ] = False
    at: Annotated[
        Literal["boundaries", "commits"], typer.Option(help="At commits that hold a checkpoint, or at every commit.")
    ] = "boundaries"
    input: Annotated[str | None, typer.Option(metavar="JSON|@FILE|-", help="The input: JSON, a file, or stdin.")] = None
    set: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="One field of the input: JSON, else text; may be repeated."),
    ] = None
    answer: Annotated[
        list[str] | None,
        typer.Option("--answer", metavar="STEP=JSON", help="The answer to the gate of a step; may be repeated."),
    ] = None
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore", metavar="PATH", help="Do not compare the state at this JSON pointer (* is any one part)."
        ),
    ] = None
    only: Annotated[
        list[int] | None,
        typer.Option("--only", min=1, metavar="N", help="Only this row of the table; may be repeated."),
    ] = None
    modules: Annotated[str | None, typer.Option(metavar="A,B", help="As MODULES, in its place.")] = None
    workflows_dir: Annotated[
        Path | None, typer.Option("--workflows-dir", metavar="DIR", help="As WORKFLOWS_DIR, in its place.")
    ] = None
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", metavar="DIR", help="A new folder to work in and to keep. [default: one that goes]"),
    ] = None
    timeout: Annotated[str, typer.Option(metavar="TIME", help="How long one run may take: 90 (seconds), 10m.")] = "5m"


def register(app: typer.Typer) -> None:
    """Add this command to `app`."""
    command(app, Verify)(verify)


def verify(o: Verify) -> int:
    """Prove that a workflow survives a crash at every checkpoint: the same end state, no lost event, no step done twice.

    A service of its own runs the workflow twice undisturbed, then once for each kill, with your modules, agents and
    environment and a database of its own. All that its steps do to the world, they do each time.
    """
    if not o.kill_points:
        raise typer.BadParameter("say what to verify: --kill-points")
    if o.data_dir is not None and o.data_dir.exists() and (not o.data_dir.is_dir() or any(o.data_dir.iterdir())):
        raise typer.BadParameter(f"--data-dir {o.data_dir} is no empty folder: name a new one")
    from app.cli.demo import guarded  # noqa: PLC0415 - the service's modules are for this command alone
    from app.cli.kill_verdict import Hopeless  # noqa: PLC0415
    from app.cli.process import free_port, url_of  # noqa: PLC0415
    from app.domain.errors import StartupError  # noqa: PLC0415

    port = free_port("127.0.0.1")
    given = replace(o, url=url_of("127.0.0.1", port))

    async def proven(service: Backstitch, _: Verify) -> int:
        return await _proven(service, o, port)

    try:
        return guarded(given, proven)
    except (Hopeless, StartupError) as error:
        complain(str(error))
        return _CANNOT


async def _proven(service: Backstitch, o: Verify, port: int) -> int:
    from app.cli import kill_points  # noqa: PLC0415
    from app.cli.kill_house import Place, open_house  # noqa: PLC0415

    settings = {"MODULES": o.modules, "WORKFLOWS_DIR": o.workflows_dir and str(o.workflows_dir)}
    given = {name: value for name, value in settings.items() if value is not None}
    # Not made here: the database makes its folder with the mode that it needs.
    folder = o.data_dir or Path(tempfile.gettempdir()) / f"backstitch-verify-{secrets.token_hex(4)}"
    place = Place(port=port, folder=folder, keep=o.data_dir is not None)
    async with open_house(service, _work(o, folder), place, given) as house:
        report = await kill_points.verify(
            house, at=o.at, only=o.only or (), skip=o.ignore or (), tell=lambda line: narrate(o, line)
        )
    if o.json:
        print_json(_document(o, report))
    else:
        _show(report)
    return 0 if report.proven else 1


def _work(o: Verify, folder: Path) -> Work:
    from app.cli.kill_house import Work  # noqa: PLC0415
    from app.domain.times import seconds  # noqa: PLC0415

    given = _example(o.workflow, folder) if o.input is None else values.json_value(o.input, "--input")
    try:
        patience = seconds(float(o.timeout) if o.timeout.replace(".", "", 1).isdecimal() else o.timeout)
    except ValueError as error:
        raise typer.BadParameter(f"--timeout: {error}") from error
    if odd := [path for path in o.ignore or () if not path.startswith("/")]:
        raise typer.BadParameter(f"--ignore: {odd[0]!r} is no JSON pointer: write one as /output/plan/at")
    return Work(
        workflow=values.workflow(o.workflow),
        input=values.merged(given, values.pairs(o.set, "--set", lenient=True)),
        answers=values.pairs(o.answer, "--answer") or {},
        patience=patience,
        origin=o.service,
    )


def _example(workflow: str, folder: Path) -> object:
    """The example rests after each page for people to watch, and writes where the service runs: not here."""
    if workflow != WORKFLOW:
        return None
    return {"pace_ms": 0, "out_dir": str(folder.resolve() / "reports")}


def _show(report: Report) -> None:
    end = report.measure.end
    told = f"{sum(map(len, end.seen.versions.values()))} versions, {end.seen.event_count} events"
    say("\nundisturbed:", styled(str(end.document["status"])), f" {told}")
    varying = report.measure.varying
    if varying:
        say("not compared, since undisturbed runs differ there:", *_some(varying))
    say("")
    rows = [
        (
            str(one.point.place),
            f"{one.point.moment} {one.point.what}",
            *_found(one),
            "" if one.recovery is None else duration(one.recovery * 1000),
        )
        for one in report.verdicts
    ]
    table(("", "killed", "end state", "versions", "events", "committed", "ran again", "recovered in"), rows)
    for one in report.verdicts:
        for fault in one.faults[:_SHOWN]:
            say(f"{one.point.place}: {fault}")
        if len(one.faults) > _SHOWN:
            say(f"{one.point.place}: and {len(one.faults) - _SHOWN} more (--json has all)")
    _sum_up(report)


def _some(paths: list[str]) -> list[str]:
    more = len(paths) - 2 * _SHOWN
    return [*(path or "/" for path in paths[: 2 * _SHOWN]), *([f"and {more} more"] if more > 0 else [])]


def _found(one: Verdict) -> tuple[str, ...]:
    if not one.reached:
        return ("not reached", "", "", "", "")
    state = "DIFFERS" if any(fault.startswith("the end state") for fault in one.faults) else "the same"
    if one.faults and state == "the same":
        state = "the same, but see below"
    return (state, str(one.versions), str(one.events), str(one.kept), str(one.ran_again))


def _sum_up(report: Report) -> None:
    killed = [one for one in report.verdicts if one.reached]
    bad = sum(bool(one.faults) for one in killed)
    times = [one.recovery for one in killed if one.recovery is not None]
    if not killed:
        say("\nnothing proven: no run was killed")
        return
    took = f"recovered in {duration(statistics.median(times) * 1000)} (median), {duration(max(times) * 1000)} at most"
    if bad:
        say(f"\nNOT PROVEN: {bad} of {len(killed)} kills were not survived unharmed; {took}")
    else:
        count = f"{len(killed)} kills, each" if len(killed) > 1 else "1 kill"
        say(f"\nproven: {count} with the same end state, no event lost, no step run twice; {took}")


def _document(o: Verify, report: Report) -> dict[str, Any]:
    end = report.measure.end
    return {
        "workflow": o.workflow,
        "proven": report.proven,
        "at": o.at,
        "undisturbed": {
            "status": end.document["status"],
            "versions": sum(map(len, end.seen.versions.values())),
            "events": end.seen.event_count,
        },
        "varying": report.measure.varying,
        "ignored": list(o.ignore or ()),
        "points": [_told(one) for one in report.verdicts],
    }


def _told(one: Verdict) -> Mapping[str, Any]:
    return {
        "point": one.point.place,
        "moment": one.point.moment,
        "commit": one.point.what,
        "reached": one.reached,
        "survived": one.reached and not one.faults,
        "faults": one.faults,
        "versions": one.versions,
        "events": one.events,
        "committed": one.kept,
        "ran_again": one.ran_again,
        "recovery_ms": None if one.recovery is None else round(one.recovery * 1000),
    }
