"""The commands that look over all threads: events, logs; both also follow what comes."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.options import Common, service_command
from app.cli.rendering import clock, print_json, remark, say

if TYPE_CHECKING:
    from app.client import Backstitch
    from app.client.look import Look

Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C; survives restarts.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")]
OfThreads = Annotated[str | None, typer.Option("--thread-id", metavar="THREAD", help="Of this thread.")]
OfSteps = Annotated[str | None, typer.Option("--step-id", metavar="STEP", help="Of steps of this id.")]
OfAgents = Annotated[str | None, typer.Option(metavar="AGENT", help="Of this agent.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="From then on.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Before then.")]
_MARKS = {"warning": "yellow", "error": "red", "critical": "red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Events(Common):
    """Options of `events`."""

    follow: Follow = False
    thread_id: OfThreads = None
    workflow: Annotated[str | None, typer.Option(help="Of the workflow of that name.")] = None
    event: Annotated[str | None, typer.Option(metavar="NAMES", help="Of these names, by comma.")] = None
    type: Annotated[str | None, typer.Option(help="progress, message, status, error or complete.")] = None
    step_id: OfSteps = None
    agent: OfAgents = None
    status: Annotated[str | None, typer.Option(help="Of threads that are now in that status.")] = None
    since: Since = None
    until: Until = None
    limit: Limit = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs(Common):
    """Options of `logs`."""

    follow: Follow = False
    level: Annotated[str | None, typer.Option(help="debug, info, warning, error or critical, or above.")] = None
    thread_id: OfThreads = None
    step_id: OfSteps = None
    agent: OfAgents = None
    logger: Annotated[str | None, typer.Option(help="Of that logger, or of one below it.")] = None
    text: Annotated[str | None, typer.Option(help="With that in the message, in whatever case.")] = None
    since: Since = None
    until: Until = None
    limit: Limit = 50


_EVENT_FILTERS = ("thread_id", "workflow", "event", "type", "step_id", "agent", "status", "since", "until")
_LOG_FILTERS = ("level", "thread_id", "step_id", "agent", "logger", "text", "since", "until")


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    service_command(app, Events)(events)
    service_command(app, Logs)(logs)


async def events(service: Backstitch, o: Events) -> int:
    """List the newest events of all threads, the latest last; with --follow go on with what comes, each event once."""
    look, filters = _look(service), {name: getattr(o, name) for name in _EVENT_FILTERS}
    found, cursor = await look.last_events(o.limit, **filters)
    for one in found:
        _show_event(one, as_json=o.json)
    if not o.follow:
        return 0
    shown = {(one["thread_id"], one["seq"]) for one in found}
    async with aclosing(look.follow_events(cursor, **filters)) as news:
        async for one in news:
            if (one["thread_id"], one["seq"]) not in shown:
                _show_event(one, as_json=o.json)
    return 0


async def logs(service: Backstitch, o: Logs) -> int:
    """List the newest log entries of all processes, the latest last; with --follow go on with what comes."""
    look, filters = _look(service), {name: getattr(o, name) for name in _LOG_FILTERS}
    found = await look.last_logs(o.limit, **filters)
    for one in found:
        _show_entry(one, as_json=o.json)
    if not o.follow:
        return 0
    filters.pop("since")
    async with aclosing(look.follow_logs(found, **filters)) as news:
        async for one in news:
            _show_entry(one, as_json=o.json)
    return 0


def _look(service: Backstitch) -> Look:
    from app.client.look import Look  # noqa: PLC0415 - --help need not load it

    return Look(service, lambda reason: remark(f"reconnecting ({reason})"))


def _show_event(one: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(one, line=True)
        return
    from app.cli.progress import plain  # noqa: PLC0415
    from app.client import Event  # noqa: PLC0415

    say(str(one["thread_id"]), plain(Event(name=one["event"], seq=one["seq"], body=one), {}))


def _show_entry(one: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(one, line=True)
        return
    from rich.text import Text  # noqa: PLC0415

    level = str(one["level"])
    item = "" if one["index"] is None else f":{one['index']}"
    place = "/".join(str(part) for part in (one["thread_id"], one["step_id"] and f"{one['step_id']}{item}") if part)
    where = (place,) if place else ()
    say(
        clock(one["at"], date=True),
        Text(f"{level:<8}", style=_MARKS.get(level, "")),
        str(one["logger"]),
        *where,
        _told(one),
    )


def _told(one: dict[str, Any]) -> str:
    """The message, and what exception came with it."""
    match one["context"]:
        case {"exception": str(more)}:
            return f"{one['message']}\n{more}"
        case _:
            return str(one["message"])
