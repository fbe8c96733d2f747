"""The command `publish`, and the commands `trigger ...`: list, show, create, enable, disable, delete, firings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.options import Common, Key, service_command
from app.cli.rendering import clock, duration, print_json, say, table
from app.cli.values import json_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.client import Backstitch
    from app.client.messages import Messages, Triggers

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a trigger.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish(Common):
    """Options of `publish`."""

    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Words with dots between: orders.created.")]
    data: Annotated[str, typer.Argument(metavar="[JSON]", help="The data: JSON, @FILE, or - for stdin.")] = "{}"
    idempotency_key: Key = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTriggers(Common):
    """Options of `trigger list`."""

    limit: Limit = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class OfTrigger(Common):
    """The options of a command on one trigger."""

    name: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class Firings(OfTrigger):
    """Options of `trigger firings`."""

    outcome: Annotated[str | None, typer.Option(help="started, duplicate, waiting or failed: only those.")] = None
    limit: Limit = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(OfTrigger):
    """Options of `trigger create`."""

    topic: Annotated[str, typer.Option(metavar="PATTERN", help="Which topics: orders.*, or workflow.>")]
    workflow: Annotated[str, typer.Option(metavar="NAME", help="What is started: NAME, or NAME@VERSION.")]
    condition: Annotated[str | None, typer.Option(metavar="CEL", help="Only for messages of which this holds.")] = None
    input: Annotated[str | None, typer.Option(metavar="JSON", help="A template over `message`; else its data.")] = None
    key: Annotated[str | None, typer.Option(metavar="TEMPLATE", help="One thread for all messages of a key.")] = None
    window: Annotated[str | None, typer.Option(metavar="TIME", help="For how long, with --key; 24h.")] = None
    queue: Annotated[str | None, typer.Option(help="The queue of its threads.")] = None
    priority: Annotated[int | None, typer.Option(help="Their priority.")] = None
    delay: Annotated[str | None, typer.Option(metavar="TIME", help="How long each waits before it is due.")] = None
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="What it is for.")] = None
    disabled: Annotated[bool, typer.Option("--disabled", help="Made, and enabled later.")] = False


def register_publish(app: typer.Typer) -> None:
    """Add `publish`."""
    service_command(app, Publish)(publish)


def register(app: typer.Typer) -> None:
    """Add the others to the group `app`."""
    service_command(app, ListTriggers)(list_)
    service_command(app, OfTrigger)(show)
    service_command(app, Create)(create)
    service_command(app, OfTrigger)(enable)
    service_command(app, OfTrigger)(disable)
    service_command(app, OfTrigger)(delete)
    service_command(app, Firings)(firings)


async def publish(service: Backstitch, o: Publish) -> int:
    """Publish a message; it is durable once this returns. With a key, publishing twice publishes once."""
    found = await _messages(service).publish(o.topic, json_value(o.data, "JSON"), idempotency_key=o.idempotency_key)
    if o.json:
        print_json(found)
    else:
        say(
            f"message {found['id']}",
            f"on {found['topic']}",
            "was published before" if found["duplicate"] else "is kept",
        )
    return 0


async def list_(service: Backstitch, o: ListTriggers) -> int:
    """List the triggers."""
    found = await _triggers(service).list(limit=o.limit)
    if o.json:
        print_json(found)
        return 0
    rows = [
        (
            str(one["name"]),
            "enabled" if one["enabled"] else "disabled",
            str(one["topic"]),
            str(one["condition"] or ""),
            str(one["workflow"]),
            str(one["description"] or ""),
        )
        for one in found["triggers"]
    ]
    table(("trigger", "state", "topic", "condition", "workflow", "description"), rows)
    return 0


async def show(service: Backstitch, o: OfTrigger) -> int:
    """Show a trigger."""
    return _shown(o, await _triggers(service).show(o.name))


async def create(service: Backstitch, o: Create) -> int:
    """Make a trigger: from now on messages on its topics start a workflow."""
    if o.window is not None and o.key is None:
        raise typer.BadParameter("--window goes with --key")
    window = {} if o.window is None else {"window": o.window}
    given: dict[str, Any] = {
        "condition": o.condition,
        "input": None if o.input is None else json_value(o.input, "--input"),
        "deduplicate": None if o.key is None else {"key": o.key, **window},
        "queue": o.queue,
        "priority": o.priority,
        "delay": o.delay,
        "description": o.description,
        "enabled": False if o.disabled else None,
    }
    fields = {name: value for name, value in given.items() if value is not None}
    return _shown(o, await _triggers(service).create(o.name, topic=o.topic, workflow=o.workflow, **fields))


async def enable(service: Backstitch, o: OfTrigger) -> int:
    """Have a trigger act on what is published from now on, and start what waits."""
    return _shown(o, await _triggers(service).change(o.name, enabled=True))


async def disable(service: Backstitch, o: OfTrigger) -> int:
    """Have a trigger act on nothing; what waits to be started by it waits on."""
    return _shown(o, await _triggers(service).change(o.name, enabled=False))


async def delete(service: Backstitch, o: OfTrigger) -> int:
    """Take a trigger away; its threads stay."""
    found = await _triggers(service).delete(o.name)
    if o.json:
        print_json(found)
    else:
        say(f"trigger {found['name']} was deleted")
    return 0


async def firings(service: Backstitch, o: Firings) -> int:
    """Show what came of messages, newest first."""
    where: dict[str, Any] = {"outcome": o.outcome}
    found = await _triggers(service).firings(o.name, **where, limit=o.limit)
    if o.json:
        print_json(found)
        return 0
    rows = [
        (
            clock(one["at"], date=True),
            str(one["outcome"]),
            str(one["topic"]),
            str(one["message_id"]),
            str(one["thread_id"] or (one["error"]["message"] if one["error"] else "")),
        )
        for one in found["firings"]
    ]
    table(("at", "outcome", "topic", "message", "thread, or why not"), rows)
    return 0


def _shown(o: Common, found: Mapping[str, Any]) -> int:
    if o.json:
        print_json(found)
        return 0
    say(f"trigger {found['name']} is", "enabled:" if found["enabled"] else "disabled:")
    say(f"messages on {found['topic']}", f"where {found['condition']}" if found["condition"] else "", "start")
    say(f"{found['workflow']} with {json.dumps(found['input'], ensure_ascii=False)}")
    same = found["deduplicate"]
    if same:
        say(f"once for each {same['key']} in {duration(same['window_ms'])}")
    places = {"queue": found["queue"], "priority": found["priority"], "delay": duration(found["delay_ms"] or None)}
    told = [f"{name} {value}" for name, value in places.items() if value not in (None, "")]
    if told:
        say(", ".join(told))
    if found["description"]:
        say(str(found["description"]))
    return 0


def _messages(service: Backstitch) -> Messages:
    from app.client.messages import Messages  # noqa: PLC0415 - --help need not load it

    return Messages(service)


def _triggers(service: Backstitch) -> Triggers:
    from app.client.messages import Triggers  # noqa: PLC0415 - --help need not load it

    return Triggers(service)
