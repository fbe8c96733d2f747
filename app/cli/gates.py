"""The commands about gates: list the questions, and answer one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli import values
from app.cli.follow import watch_again
from app.cli.options import Common, OfThread, service_command
from app.cli.rendering import clock, print_json, say, styled, table

if TYPE_CHECKING:
    from app.client import Backstitch


@dataclass(frozen=True, slots=True, kw_only=True)
class List(Common):
    """Options of `gates`."""

    thread: Annotated[str | None, typer.Argument(metavar="[THREAD]", help="All gates of this thread.")] = None
    assignee: Annotated[str | None, typer.Option(metavar="NAME", help="Only those that ask this one.")] = None
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Give(OfThread):
    """Options of `answer`."""

    step: Annotated[str, typer.Argument(metavar="STEP", help="The step that asks.")]
    pieces: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="One field of the answer; may be repeated."),
    ] = None
    answer: Annotated[
        str | None, typer.Option("--answer", metavar="JSON", help="The answer: JSON, @FILE, or - for stdin.")
    ] = None
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who answers; kept with the answer.")] = None
    item: Annotated[int | None, typer.Option(min=0, metavar="N", help="Which item of a for_each asks.")] = None
    round: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Which question of a step that asks several.")
    ] = None


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    service_command(app, List)(gates)
    service_command(app, Give)(answer)


async def gates(service: Backstitch, o: List) -> int:
    """List the questions that wait for an answer, or all of one thread with their answers; newest first."""
    from app.client.gates import Gates  # noqa: PLC0415 - --help need not load it

    if o.thread is not None and o.assignee is not None:
        raise typer.BadParameter("--assignee goes without THREAD")
    asked = Gates(service)
    found = await (
        asked.open(assignee=o.assignee, limit=o.limit) if o.thread is None else asked.of(o.thread, limit=o.limit)
    )
    if o.json:
        print_json(found)
        return 0
    rows = [
        (
            str(one["thread_id"]),
            _place(one),
            styled(str(one["status"])),
            str(one.get("title") or ""),
            ", ".join(one.get("assignees") or ()),
            clock(one.get("opened_at"), date=True),
            clock(one.get("timeout_at"), date=True),
            str(one.get("answered_by") or one.get("via") or ""),
        )
        for one in found["gates"]
    ]
    table(("thread", "step", "status", "title", "for", "opened", "until", "answered by"), rows)
    return 0


async def answer(service: Backstitch, o: Give) -> int:
    """Answer the question of a step; the first answer holds."""
    from app.client.gates import Gates  # noqa: PLC0415

    which = {"item": o.item, "round": o.round}
    given = await Gates(service).answer(o.thread, o.step, _given(o), by=o.by, via="cli", **which)
    if o.json:
        print_json(given)
        return 0
    say(f"answered {o.step}: thread {o.thread} is", styled(str(given["status"])))
    say(f"watch it with: {watch_again(service, o.thread)}")
    return 0


def _place(gate: dict[str, Any]) -> str:
    step, item, number = gate["step_id"], gate.get("item"), gate.get("round")
    return f"{step}{'' if item is None else f' item {item}'}{f' round {number}' if number else ''}"


def _given(o: Give) -> Any:
    pieces = values.pairs(o.pieces, "--set", lenient=True)
    if o.answer is None and pieces is None:
        raise typer.BadParameter("give the answer: --set NAME=VALUE, or --answer JSON")
    whole = None if o.answer is None else values.json_value(o.answer, "--answer")
    return values.merged(whole, pieces)
