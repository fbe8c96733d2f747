"""The commands `trigger ...`: list, show, create, change, enable, disable, delete, firings, test."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.cli.options import Common, service_command
from app.cli.rendering import answer, clock, duration, print_json, say, table
from app.cli.values import json_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.client import Backstitch
    from app.client.messages import Triggers

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a trigger.")]
_TOPICS: Final = "Which topics: orders.*, or workflow.workflow_failed.>"
_STARTED: Final = "What is started: NAME, or NAME@VERSION."
Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")]


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
class Said(OfTrigger):
    """What a trigger says beside its topic and workflow."""

    condition: Annotated[str | None, typer.Option(metavar="CEL", help="Only for messages of which this holds.")] = None
    input: Annotated[
        str | None,
        typer.Option(
            metavar="JSON",
            help="A template over `message`; else its data. Text stands in quotes: '\"{message.data}\"'.",
        ),
    ] = None
    key: Annotated[str | None, typer.Option(metavar="TEMPLATE", help="One thread for all messages of a key.")] = None
    window: Annotated[str | None, typer.Option(metavar="TIME", help="For how long, with --key; 24h.")] = None
    queue: Annotated[str | None, typer.Option(help="The queue of its threads.")] = None
    priority: Annotated[int | None, typer.Option(help="Their priority.")] = None
    delay: Annotated[str | None, typer.Option(metavar="TIME", help="How long each waits before it is due.")] = None
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="What it is for.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(Said):
    """Options of `trigger create`."""

    topic: Annotated[str, typer.Option(metavar="PATTERN", help=_TOPICS)]
    workflow: Annotated[str, typer.Option(metavar="NAME", help=_STARTED)]
    disabled: Annotated[bool, typer.Option("--disabled", help="Made, and enabled later.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Said):
    """Options of `trigger change`."""

    topic: Annotated[str | None, typer.Option(metavar="PATTERN", help=_TOPICS)] = None
    workflow: Annotated[str | None, typer.Option(metavar="NAME", help=_STARTED)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Test(OfTrigger):
    """Options of `trigger test`."""

    data: Annotated[str, typer.Argument(metavar="[JSON]", help="Its data: JSON, @FILE, or - for stdin.")] = "{}"
    topic: Annotated[
        str | None,
        typer.Option(metavar="TOPIC", help="Its topic; by default that of the trigger, if that is a single one."),
    ] = None
    type: Annotated[str | None, typer.Option(metavar="TYPE", help="Its type; by default its topic.")] = None


def register(app: typer.Typer) -> None:
    """Add them to the group `app`."""
    service_command(app, ListTriggers)(list_)
    service_command(app, OfTrigger)(show)
    service_command(app, Create)(create)
    service_command(app, Change)(change)
    service_command(app, Test)(test)
    service_command(app, OfTrigger)(enable)
    service_command(app, OfTrigger)(disable)
    service_command(app, OfTrigger)(delete)
    service_command(app, Firings)(firings)


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
    fields = _fields(o)
    if o.disabled:
        fields["enabled"] = False
    return _shown(o, await _triggers(service).create(o.name, topic=o.topic, workflow=o.workflow, **fields))


async def change(service: Backstitch, o: Change) -> int:
    """Change what is given of a trigger and leave the rest."""
    fields = _fields(o)
    fields |= {name: value for name, value in (("topic", o.topic), ("workflow", o.workflow)) if value is not None}
    if not fields:
        raise typer.BadParameter("give what is to change")
    return _shown(o, await _triggers(service).change(o.name, **fields))


async def test(service: Backstitch, o: Test) -> int:
    """Show what a trigger would make of a message; nothing is started. Exit 1 if it would start nothing."""
    topic = o.topic or (await _triggers(service).show(o.name))["topic"]
    if "*" in topic or ">" in topic:
        raise typer.BadParameter(f"the trigger is on {topic}: name a topic with --topic")
    message = {"topic": topic, "data": json_value(o.data, "JSON"), **({} if o.type is None else {"type": o.type})}
    found = await _triggers(service).test(o.name, message)
    if o.json:
        print_json(found)
    else:
        say(f"a message on {topic}", "would start" if found["starts"] else "would not start", "a thread")
        reasons = {"the topic is another": found["topic_matches"], "the condition does not hold": found["condition"]}
        for reason in [reason for reason, fits in reasons.items() if fits is False]:
            say(reason)
        for problem in found["problems"]:
            say(f"{problem['pointer']}: {problem['message']}")
        if found["starts"]:
            say(f"with {json.dumps(found['input'], ensure_ascii=False)}")
    return 0 if found["starts"] else 1


def _fields(o: Said) -> dict[str, Any]:
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
    }
    return {name: value for name, value in given.items() if value is not None}


async def enable(service: Backstitch, o: OfTrigger) -> int:
    """Have a trigger act on what is published from now on, and start what waits."""
    return _shown(o, await _triggers(service).change(o.name, enabled=True))


async def disable(service: Backstitch, o: OfTrigger) -> int:
    """Have a trigger act on nothing; what waits to be started by it waits on."""
    return _shown(o, await _triggers(service).change(o.name, enabled=False))


async def delete(service: Backstitch, o: OfTrigger) -> int:
    """Take a trigger away; its threads stay."""
    found = await _triggers(service).delete(o.name)
    return answer(o, found, f"trigger {found['name']} was deleted")


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


def _triggers(service: Backstitch) -> Triggers:
    from app.client.messages import Triggers  # noqa: PLC0415 - --help need not load it

    return Triggers(service)
