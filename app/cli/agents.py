"""The commands `agents ...`: list, show, health, events, enable, disable, apply and delete."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.options import Common, service_command
from app.cli.rendering import answer, clock, duration, failure, print_json, say, table
from app.cli.values import agent_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.client import Backstitch
    from app.client.agents import Agents

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of an agent.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfAgent(Common):
    """The options of a command on one agent."""

    name: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAgents(Common):
    """Options of `agents list`."""

    kind: Annotated[str | None, typer.Option(help="Only those of this kind.")] = None
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="Only those.")] = None
    limit: Limit = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Health(OfAgent):
    """Options of `agents health`."""

    window: Annotated[str | None, typer.Option(metavar="TIME", help='Over which time, "1h" say; 15 minutes.')] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Events(OfAgent):
    """Options of `agents events`."""

    limit: Limit = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Disable(OfAgent):
    """Options of `agents disable`."""

    reason: Annotated[str | None, typer.Option(help="Why; shown wherever the agent is.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Apply(Common):
    """Options of `agents apply`."""

    file: Annotated[Path, typer.Argument(metavar="FILE", help="A YAML or JSON document of an agent.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the group `app`."""
    service_command(app, ListAgents)(list_)
    service_command(app, OfAgent)(show)
    service_command(app, Health)(health)
    service_command(app, Events)(events)
    service_command(app, OfAgent)(enable)
    service_command(app, Disable)(disable)
    service_command(app, Apply)(apply)
    service_command(app, OfAgent)(delete)


async def list_(service: Backstitch, o: ListAgents) -> int:
    """List the agents in their current versions, and the files that were refused."""
    found = await _agents(service).list(kind=o.kind, tag=o.tag, enabled=o.enabled, limit=o.limit)
    if o.json:
        print_json(found)
        return 0
    rows = [
        (
            str(one["name"]),
            str(one["version"]),
            str(one["kind"]),
            str(one["source"]),
            _state(one) + ("" if one.get("loaded", True) else f", its {one['source']} is gone"),
            ", ".join(one["tags"]),
            str(one.get("description") or ""),
        )
        for one in found["agents"]
    ]
    table(("agent", "version", "kind", "source", "state", "tags", "description"), rows)
    for file in found["refused_files"]:
        say(f"refused: {file['file']}:", "; ".join(f"{one['pointer']} {one['message']}" for one in file["problems"]))
    return 0


async def show(service: Backstitch, o: OfAgent) -> int:
    """Show an agent: NAME is its current version, NAME@VERSION any that there ever was."""
    return _shown(o, await _agents(service).show(o.name))


async def health(service: Backstitch, o: Health) -> int:
    """Show how an agent does: what came of its attempts in all processes, how long they took, its breaker."""
    found = await _agents(service).health(o.name, window=o.window)
    if o.json:
        print_json(found)
        return 0
    rate = found["success_rate"]
    say(
        f"agent {found['agent']}",
        f"version {found['version']}:",
        _state({**found, "breaker": found["breaker"]["state"]}),
    )
    say(
        f"{found['attempts']} attempts in {duration(found['window_ms'])}:",
        f"{found['succeeded']} succeeded, {found['failed']} failed, {found['rejected']} rejected,",
        "no success rate" if rate is None else f"success rate {rate:.1%}",
    )
    say(*(f"{name} {duration(ms) or '-'}" for name, ms in found["duration_ms"].items()))
    if found["last_error"]:
        say("last error", clock(found["last_error"]["at"], date=True), failure(found["last_error"]))
    return 0


async def events(service: Backstitch, o: Events) -> int:
    """Show what has happened to an agent, newest first."""
    found = await _agents(service).events(o.name, limit=o.limit)
    if o.json:
        print_json(found)
        return 0
    rows = [
        (
            clock(one["at"], date=True),
            str(one["event"]),
            " ".join(f"{name}={value}" for name, value in one["data"].items() if value is not None),
        )
        for one in found["events"]
    ]
    table(("at", "event", ""), rows)
    return 0


async def enable(service: Backstitch, o: OfAgent) -> int:
    """Let the steps of an agent through again."""
    return _told(o, await _agents(service).enable(o.name))


async def disable(service: Backstitch, o: Disable) -> int:
    """Let the steps of an agent wait until it is enabled; none fails by it."""
    return _told(o, await _agents(service).disable(o.name, o.reason))


async def apply(service: Backstitch, o: Apply) -> int:
    """Register the agent in a file with the API, or give it that content; the same content changes nothing."""
    found = await _agents(service).register(agent_document(o.file))
    return answer(o, found, f"agent {found['name']} is in version {found['version']}")


async def delete(service: Backstitch, o: OfAgent) -> int:
    """Take away an agent that the API has registered; its versions and events stay."""
    found = await _agents(service).delete(o.name)
    return answer(o, found, f"agent {found['name']} was deleted in version {found['version']}")


def _shown(o: OfAgent, found: Mapping[str, Any]) -> int:
    if o.json:
        print_json(found)
        return 0
    where = f"{found['source']} ({found['origin']})" if found["origin"] else str(found["source"])
    old = "" if found["current"] else ", not the current one"
    say(f"agent {found['name']}", f"version {found['version']}{old}, kind {found['kind']}, registered by {where}")
    say(_state(found))
    if not found.get("loaded", True):
        say(
            f"its {found['source']} is not there in the service: `backstitch agents delete {found['name']}` takes it away"
        )
    if found["description"]:
        say(str(found["description"]))
    for one in found["problems"]:
        say(f"problem: {one['pointer']}: {one['message']}")
    print_json({name: found[name] for name in ("config", "input", "output", "tags")})
    return 0


def _told(o: OfAgent, found: Mapping[str, Any]) -> int:
    return answer(o, found, f"agent {found['name']} is", _state(found))


def _state(one: Mapping[str, Any]) -> str:
    if not one["enabled"]:
        return f"disabled: {one['disabled_reason']}"
    return "enabled" if one["breaker"] == "closed" else f"enabled, its breaker is {one['breaker']}"


def _agents(service: Backstitch) -> Agents:
    from app.client.agents import Agents  # noqa: PLC0415 - --help need not load it

    return Agents(service)
