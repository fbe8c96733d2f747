"""The commands about waits and signals: see what waits for what, and send a thread something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli import values
from app.cli.follow import watch_again
from app.cli.options import Common, Key, OfThread, service_command
from app.cli.rendering import clock, print_json, say, styled, table

if TYPE_CHECKING:
    from app.client import Backstitch


@dataclass(frozen=True, slots=True, kw_only=True)
class List(Common):
    """Options of `waits`."""

    thread: Annotated[str | None, typer.Argument(metavar="[THREAD]", help="Those of this thread only.")] = None
    topic: Annotated[str | None, typer.Option(metavar="TOPIC", help="For exactly this topic, or pattern.")] = None
    signal: Annotated[str | None, typer.Option(metavar="NAME", help="For the signal of this name.")] = None
    all: Annotated[bool, typer.Option("--all", help="Those too that wait no more.")] = False
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(OfThread):
    """Options of `signal`."""

    name: Annotated[str, typer.Argument(metavar="NAME", help="What the signal is called.")]
    value: Annotated[
        str | None, typer.Argument(metavar="[JSON]", help="Its value: JSON, @FILE, or - for stdin; null without it.")
    ] = None
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who sends it; kept with it.")] = None
    idempotency_key: Key = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals(OfThread):
    """Options of `signals`."""

    pending: Annotated[bool, typer.Option("--pending", help="Only those that no step has taken.")] = False
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    service_command(app, List)(waits)
    service_command(app, Send)(signal)
    service_command(app, Signals)(signals)


async def waits(service: Backstitch, o: List) -> int:
    """List what steps wait for: messages on topics, and signals; newest first."""
    from app.client.waits import Waits  # noqa: PLC0415 - --help need not load it

    where: dict[str, Any] = {
        "thread_id": o.thread,
        "topic": o.topic,
        "signal": o.signal,
        "open": None if o.all else True,
    }
    found = await Waits(service).of(**where, limit=o.limit)
    if o.json:
        print_json(found)
        return 0
    rows = [
        (
            str(one["thread_id"]),
            _place(one),
            styled(str(one["status"])),
            str(one["topic"] or f"signal {one['signal']}"),
            str(one.get("match") or ""),
            clock(one.get("opened_at"), date=True),
            clock(one.get("timeout_at"), date=True),
        )
        for one in found["waits"]
    ]
    table(("thread", "step", "status", "for", "if", "since", "until"), rows)
    return 0


async def signal(service: Backstitch, o: Send) -> int:
    """Send a signal to a thread: the step that waits for it takes it, now or once it waits."""
    from app.client.waits import Waits  # noqa: PLC0415

    value = None if o.value is None else values.json_value(o.value, "JSON")
    sent = await Waits(service).send(o.thread, o.name, value, by=o.by, idempotency_key=o.idempotency_key)
    if o.json:
        print_json(sent)
        return 0
    became = "taken" if sent["taken"] else "kept until a step waits for it"
    say(f"signal {o.name} is {became}: thread {o.thread} is", styled(str(sent["status"])))
    say(f"watch it with: {watch_again(service, o.thread)}")
    return 0


async def signals(service: Backstitch, o: Signals) -> int:
    """List the signals that a thread was sent, in their order."""
    from app.client.waits import Waits  # noqa: PLC0415

    found = await Waits(service).signals(o.thread, pending=True if o.pending else None, limit=o.limit)
    if o.json:
        print_json(found)
        return 0
    rows = [
        (
            str(one["number"]),
            str(one["name"]),
            styled(str(one["status"])),
            "" if one["taken_by"] is None else _place(one["taken_by"]),
            str(one.get("by") or ""),
            clock(one.get("sent_at"), date=True),
        )
        for one in found["signals"]
    ]
    table(("number", "name", "status", "taken by", "sent by", "sent"), rows)
    return 0


def _place(taker: dict[str, Any]) -> str:
    item, number = taker.get("item"), taker.get("round")
    return f"{taker['step_id']}{'' if item is None else f' item {item}'}{f' round {number}' if number else ''}"
