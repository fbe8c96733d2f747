"""The commands `webhook ...`: list, create, show, enable, disable, delete, rotate, test, deliveries, redeliver, recover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.options import Common, service_command
from app.cli.rendering import answer, clock, complain, duration, print_json, say, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.client import Backstitch
    from app.client.webhooks import Webhooks

_REFUSED = 1
_WRONG = 2
Id = Annotated[str, typer.Argument(metavar="ID", help="The id of a webhook.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfWebhook(Common):
    """The options of a command on one webhook."""

    id: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class ListWebhooks(Common):
    """Options of `webhook list`."""

    limit: Limit = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(Common):
    """Options of `webhook create`."""

    to: Annotated[str, typer.Argument(metavar="URL", help="Where to send.")]
    topic: Annotated[
        list[str] | None, typer.Option(help="A pattern of topics, several times if wanted; ends and gates without it.")
    ] = None
    workflow: Annotated[list[str] | None, typer.Option(help="Only of this workflow, several times if wanted.")] = None
    header: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Send it along; its value is never shown.")
    ] = None
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotate(Common):
    """Options of `webhook rotate`."""

    id: Annotated[str, typer.Argument(metavar="[ID]", help="Of a webhook; without it the service's own.")] = "default"
    overlap: Annotated[str | None, typer.Option(metavar="TIME", help="How long the old one signs too; 24h.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries(Common):
    """Options of `webhook deliveries`."""

    id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Of a webhook; or give --thread.")] = None
    thread: Annotated[str | None, typer.Option(help="Only of this thread.")] = None
    status: Annotated[str | None, typer.Option(help="Only pending, delivered or failed ones.")] = None
    limit: Limit = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OfDelivery(Common):
    """The options of a command on one delivery."""

    id: Annotated[str, typer.Argument(metavar="ID", help="The id of a delivery.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recover(OfWebhook):
    """Options of `webhook recover`."""

    since: Annotated[str, typer.Option(metavar="TIME", help="Of messages since then, 2026-11-21T09:30:00Z say.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the group `app`."""
    service_command(app, ListWebhooks)(list_)
    service_command(app, Create)(create)
    service_command(app, OfWebhook)(show)
    service_command(app, OfWebhook)(enable)
    service_command(app, OfWebhook)(disable)
    service_command(app, OfWebhook)(delete)
    service_command(app, Rotate)(rotate)
    service_command(app, OfWebhook)(test)
    service_command(app, Deliveries)(deliveries)
    service_command(app, OfDelivery)(redeliver)
    service_command(app, Recover)(recover)


async def list_(service: Backstitch, o: ListWebhooks) -> int:
    """List the webhooks, the oldest first."""
    found = await _webhooks(service).list(limit=o.limit)
    if o.json:
        print_json(found)
        return 0
    rows = [
        (str(one["id"]), str(one["url"]), _state(one), ", ".join(one["topics"]), ", ".join(one["workflows"]))
        for one in found["webhooks"]
    ]
    table(("webhook", "url", "state", "topics", "workflows"), rows)
    return 0


async def create(service: Backstitch, o: Create) -> int:
    """Have events sent to URL from now on; prints the secret, which is told this once."""
    pairs = [each.partition("=") for each in o.header or ()]
    if not all(name and equals for name, equals, _ in pairs):
        complain("--header: write NAME=VALUE")
        return _WRONG
    fields: dict[str, Any] = {
        "topics": o.topic or None,
        "workflows": o.workflow or None,
        "headers": {name: value for name, _, value in pairs} or None,
        "description": o.description,
    }
    found = await _webhooks(service).create(
        o.to, **{name: value for name, value in fields.items() if value is not None}
    )
    if o.json:
        print_json(found)
        return 0
    say(f"webhook {found['id']} to {found['url']}")
    say(f"its secret, which is not shown again: {found['secret']}")
    return 0


async def show(service: Backstitch, o: OfWebhook) -> int:
    """Show a webhook."""
    return _shown(o, await _webhooks(service).show(o.id))


async def enable(service: Backstitch, o: OfWebhook) -> int:
    """Send to a webhook again; what has waited goes first."""
    return _shown(o, await _webhooks(service).change(o.id, enabled=True))


async def disable(service: Backstitch, o: OfWebhook) -> int:
    """Send nothing to a webhook until it is enabled; what happens meanwhile is not told."""
    return _shown(o, await _webhooks(service).change(o.id, enabled=False))


async def delete(service: Backstitch, o: OfWebhook) -> int:
    """Take a webhook away, with its deliveries."""
    found = await _webhooks(service).delete(o.id)
    return answer(o, found, f"webhook {found['id']} was deleted")


async def rotate(service: Backstitch, o: Rotate) -> int:
    """Give a webhook a new secret, told this once; without ID the one that signs for starts that bring none."""
    found = await _webhooks(service).rotate(o.id, **({} if o.overlap is None else {"overlap": o.overlap}))
    if o.json:
        print_json(found)
        return 0
    say(f"the new secret, which is not shown again: {found['secret']}")
    say(f"the one before signs too until {clock(found['old_secret_until'], date=True)}")
    return 0


async def test(service: Backstitch, o: OfWebhook) -> int:
    """Send a test event now; exit 1 unless it was taken."""
    found = await _webhooks(service).test(o.id)
    if o.json:
        print_json(found)
    else:
        say(f"{found['status']}:", _tried(found))
    return 0 if found["status"] == "delivered" else _REFUSED


async def deliveries(service: Backstitch, o: Deliveries) -> int:
    """List what was sent to a webhook, or about a thread, newest first."""
    if o.id is None and o.thread is None:
        complain("give the ID of a webhook, or --thread")
        return _WRONG
    where: dict[str, Any] = {"thread_id": o.thread, "status": o.status}
    found = await _webhooks(service).deliveries(o.id, **where, limit=o.limit)
    if o.json:
        print_json(found)
        return 0
    rows = [
        (
            clock(one["at"], date=True),
            str(one["id"]),
            str(one["topic"]),
            str((one["thread_id"] if o.thread is None else one["webhook_id"]) or ""),
            str(one["status"]),
            str(one["attempts"]),
            _tried(one),
        )
        for one in found["deliveries"]
    ]
    other = "thread" if o.thread is None else "webhook"
    table(("at", "delivery", "topic", other, "status", "attempts", "last try"), rows)
    return 0


async def redeliver(service: Backstitch, o: OfDelivery) -> int:
    """Send a delivery again, by the same webhook-id."""
    found = await _webhooks(service).redeliver(o.id)
    return answer(o, found, f"delivery {found['id']} is sent again")


async def recover(service: Backstitch, o: Recover) -> int:
    """Send again all that have failed, of messages since a time."""
    found = await _webhooks(service).recover(o.id, o.since)
    return answer(o, found, f"{found['recovered']} are sent again")


def _shown(o: OfWebhook, found: Mapping[str, Any]) -> int:
    if o.json:
        print_json(found)
        return 0
    say(f"webhook {found['id']} to {found['url']}:", _state(found))
    told = {name: found[name] for name in ("topics", "workflows", "headers", "description") if found[name]}
    print_json(told)
    return 0


def _state(one: Mapping[str, Any]) -> str:
    if not one["enabled"]:
        return f"disabled: {one['disabled_reason'] or 'by hand'}"
    return f"failing since {clock(one['failing_since'], date=True)}" if one["failing_since"] else "enabled"


def _tried(one: Mapping[str, Any]) -> str:
    if not one["tries"]:
        return ""
    last = one["tries"][-1]
    what = last["error"] or f"HTTP {last['status_code']}"
    return f"{what} in {duration(last['duration_ms'])}"


def _webhooks(service: Backstitch) -> Webhooks:
    from app.client.webhooks import Webhooks  # noqa: PLC0415 - --help need not load it

    return Webhooks(service)
