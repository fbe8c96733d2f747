"""The commands `queue`, `queue list`, `queue show` and `queue set`: how full the queues are, and what each is told to be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Final, cast
from urllib.parse import quote

import typer

from app.cli.options import Common, Json, Url, service_command
from app.cli.rendering import duration, print_json, say, table

if TYPE_CHECKING:
    from app.client import Backstitch

_USUAL: Final = "usual"
_COLUMNS: Final = ("queue", "waiting", "delayed", "running", "of", "oldest wait", "at most waiting", "rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class OfQueue(Common):
    """The options of a command on one queue."""

    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of a queue.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Set(OfQueue):
    """Options of `queue set`; `usual` takes a setting back to what queues have that are told nothing."""

    max_running: Annotated[
        str | None, typer.Option(metavar="N|usual", help="Threads driven at once, over all processes; 0 holds it back.")
    ] = None
    max_depth: Annotated[
        str | None, typer.Option(metavar="N|usual", help="Due threads that may wait; more are refused.")
    ] = None
    rate: Annotated[
        str | None, typer.Option(metavar="N/TIME|usual", help="Threads taken up in a time: 10/1m. [usual: no bound]")
    ] = None


def register(app: typer.Typer) -> None:
    """Add these commands to the group `app`, which lists the queues when none is named."""

    @app.callback()
    def before(ctx: typer.Context, url: Url = None, *, as_json: Json = False) -> None:  # pyright: ignore[reportUnusedFunction]
        given = cast("Common", ctx.find_root().obj)
        o = ctx.find_root().obj = replace(given, url=url or given.url, json=as_json or given.json)
        if ctx.invoked_subcommand is None:
            from app.cli.runtime import run  # noqa: PLC0415 - httpx takes a third of a second that --help need not

            raise typer.Exit(run(list_, o))

    service_command(app, Common)(list_)
    service_command(app, OfQueue)(show)
    service_command(app, Set)(set_)


async def list_(service: Backstitch, o: Common) -> int:
    """List the queues: how many threads wait and run in each, and for how long the first has waited."""
    found = await service.request("GET", "/api/queue")
    if o.json:
        print_json(found)
        return 0
    table(_COLUMNS, [_row(one) for one in found["queues"]])
    say(f"{found['depth']} waiting, {found['delayed']} delayed, {found['running']} running in all")
    return 0


async def show(service: Backstitch, o: OfQueue) -> int:
    """Show one queue."""
    return _shown(o, await service.request("GET", _path(o.name)))


async def set_(service: Backstitch, o: Set) -> int:
    """Make a queue, or change what it is told; what is not given stays as it is."""
    given = (o.max_running, o.max_depth, o.rate)
    if all(value is None for value in given):
        raise typer.BadParameter("say what to set: --max-running, --max-depth or --rate")
    now = {} if all(value is not None for value in given) else await _now(service, o.name)
    wanted = {
        "limit": _number(o.max_running, "--max-running", now.get("limit")),
        "max_depth": _number(o.max_depth, "--max-depth", now.get("max_depth")),
        "rate_limit": now.get("rate_limit") if o.rate is None else _rate(o.rate),
    }
    return _shown(o, await service.request("PUT", _path(o.name), json=wanted))


async def _now(service: Backstitch, name: str) -> dict[str, Any]:
    """What the queue is told, as a PUT takes it; nothing when there is none yet."""
    from app.client import ApiError  # noqa: PLC0415 - --help need not load it

    try:
        found = await service.request("GET", _path(name))
    except ApiError as error:
        if error.code != "queue_not_found":
            raise
        return {}
    rate = found["rate_limit"]
    return {
        "limit": found["limit"] if found["limit_scope"] == "all" else None,
        "max_depth": found["max_depth"],
        "rate_limit": rate and {"count": rate["count"], "per": f"{rate['per_ms']}ms"},
    }


def _number(text: str | None, option: str, now: int | None) -> int | None:
    if text is None:
        return now
    if text != _USUAL and not text.isdecimal():
        raise typer.BadParameter(f"{option} takes a number, or {_USUAL}")
    return None if text == _USUAL else int(text)


def _rate(text: str) -> dict[str, Any] | None:
    count, slash, per = text.partition("/")
    if text == _USUAL:
        return None
    if not slash or not count.isdecimal() or not per:
        raise typer.BadParameter(f"--rate takes a number of threads and a time, such as 10/1m, or {_USUAL}")
    return {"count": int(count), "per": per}


def _shown(o: Common, found: dict[str, Any]) -> int:
    if o.json:
        print_json(found)
    else:
        table(_COLUMNS, [_row(found)])
    return 0


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    rate = one["rate_limit"]
    return (
        str(one["name"]),
        str(one["depth"]),
        str(one["delayed"]),
        str(one["running"]),
        f"{one['limit']}{' a process' if one['limit_scope'] == 'process' else ''}",
        duration(one["oldest_wait_ms"]),
        str(one["max_depth"]),
        f"{rate['count']} in {duration(rate['per_ms'])}" if rate else "",
    )


def _path(name: str) -> str:
    return f"/api/queue/{quote(name, safe='')}"
