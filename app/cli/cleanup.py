"""The command `workflow state cleanup`: delete what has ended and is to be kept no longer, or tell what that would be."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.cli.options import Common, service_command
from app.cli.rendering import complain, print_json, say, table

if TYPE_CHECKING:
    from app.client import Backstitch

_LOOK_EVERY: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup(Common):
    """Options of `workflow state cleanup`."""

    retention_days: Annotated[
        float | None,
        typer.Option("--retention-days", metavar="N", help="Those that ended longer ago; else as the service is set."),
    ] = None
    max_per_workflow: Annotated[
        int | None,
        typer.Option("--max-per-workflow", min=0, metavar="N", help="All but the newest so many of each workflow."),
    ] = None
    workflow: Annotated[str | None, typer.Option(metavar="NAME", help="Only of that workflow.")] = None
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help="Only completed, failed, cancelled or interrupted ones.")
    ] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Delete nothing: tell what would go.")] = False


def register(app: typer.Typer) -> None:
    """Add the command to the group `app`."""
    service_command(app, Cleanup)(cleanup)


async def cleanup(service: Backstitch, o: Cleanup) -> int:
    """Delete threads that have ended, with their sub-workflows, as the retention of the service says or as told here.

    Never one that is pending, running, waiting or paused. Waits for the end; Ctrl-C leaves the service to go on with it.
    """
    asked = {
        "dry_run": o.dry_run,
        "days": o.retention_days,
        "max_per_workflow": o.max_per_workflow,
        "workflow": o.workflow,
        "status": o.status,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    run = await service.request("POST", "/api/retention/run", json={**given, "by": "cli"})
    while run["status"] == "running":
        await asyncio.sleep(_LOOK_EVERY)
        known = (await service.request("GET", "/api/retention"))["runs"]
        run = next((one for one in known if one["id"] == run["id"]), run)
    if o.json:
        print_json(run)
    else:
        _print(run)
    return 1 if run["status"] == "failed" else 0


def _print(run: dict[str, Any]) -> None:
    if run["status"] == "failed":
        complain(f"the run broke off: {run['error']}")
    threads = f"{run['threads']} thread{'' if run['threads'] == 1 else 's'}"
    done = "to be deleted" if run["dry_run"] else "deleted"
    rows = "" if run["dry_run"] else f", {run['rows']} rows of all tables"
    say(f"{threads} {done}{rows}, about {run['size_bytes'] / 1e6:.1f} MB")
    if run["workflows"]:
        counts = sorted(run["workflows"].items(), key=lambda one: (-one[1], one[0]))
        table(("workflow", "threads"), [(name, str(number)) for name, number in counts])
    if run["definitions"] or run["agent_events"]:
        say(f"{run['definitions']} unused documents and {run['agent_events']} events of agents were deleted")
