"""The command `workers`: the processes that serve the database, and whether they are alive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from rich.text import Text

from app.cli.options import Common, service_command
from app.cli.rendering import clock, duration, print_json, say, table

if TYPE_CHECKING:
    from app.client import Backstitch

_COLUMNS = ("process", "host", "pid", "", "heard of", "started", "threads", "free slots", "queues")


def register(app: typer.Typer) -> None:
    """Add this command to `app`."""
    service_command(app, Common)(workers)


async def workers(service: Backstitch, o: Common) -> int:
    """List the processes that drive threads: when each was last heard of, and what it drives."""
    found = await service.workers()
    if o.json:
        print_json(found)
        return 0
    listed = found["workers"]
    table(_COLUMNS, [_row(dict(one)) for one in listed])
    silent = sum(not one["alive"] for one in listed)
    say(f"{len(listed) - silent} alive, {silent} silent for more than {duration(found['lease_ms'])}")
    return 0


def _row(one: dict[str, Any]) -> tuple[str | Text, ...]:
    return (
        str(one["id"]) + (" (answers)" if one["this"] else ""),
        str(one["host"]),
        str(one["pid"] or ""),
        "alive" if one["alive"] else Text("silent", style="red"),
        f"{duration(one['age_ms'])} ago",
        clock(one["started_at"]),
        str(one["threads"]),
        "" if one["free_slots"] is None else f"{one['free_slots']} of {one['slots']}",
        ", ".join(f"{name} {number}" for name, number in one["queues"].items()),
    )
