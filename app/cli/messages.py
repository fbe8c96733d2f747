"""The commands `publish` and `messages`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.cli.options import Common, Key, service_command
from app.cli.rendering import clock, print_json, say, table
from app.cli.values import json_value

if TYPE_CHECKING:
    from app.client import Backstitch
    from app.client.messages import Messages

_SHOWN: Final = 80
"""Characters of the data of a message in a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish(Common):
    """Options of `publish`."""

    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Words with dots between: orders.created.")]
    data: Annotated[str, typer.Argument(metavar="[JSON]", help="The data: JSON, @FILE, or - for stdin.")] = "{}"
    idempotency_key: Key = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMessages(Common):
    """Options of `messages`."""

    topic: Annotated[str | None, typer.Option(metavar="PATTERN", help="Only on these topics: orders.*")] = None
    source: Annotated[str | None, typer.Option(help="Only those of this source.")] = None
    since: Annotated[str | None, typer.Option(metavar="AT", help="Only since this time.")] = None
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20


def register(app: typer.Typer) -> None:
    """Add `publish` and `messages`."""
    service_command(app, Publish)(publish)
    service_command(app, ListMessages)(messages)


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


async def messages(service: Backstitch, o: ListMessages) -> int:
    """List the messages that were published, newest first; those of threads are listed by `events`."""
    given = {"topic": o.topic, "source": o.source, "since": o.since}
    where: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    found = await _messages(service).list(**where, limit=o.limit)
    if o.json:
        print_json(found)
        return 0
    rows = [
        (
            clock(one["time"], date=True),
            one["topic"],
            one["id"],
            one["source"],
            json.dumps(one["data"], ensure_ascii=False)[:_SHOWN],
        )
        for one in found["messages"]
    ]
    table(("time", "topic", "message", "source", "data"), rows)
    return 0


def _messages(service: Backstitch) -> Messages:
    from app.client.messages import Messages  # noqa: PLC0415 - --help need not load it

    return Messages(service)
