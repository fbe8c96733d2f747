"""The commands that try something another way: fork a thread, and compare what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, cast
from urllib.parse import quote

import typer

from app.cli import values
from app.cli.options import DEFAULT_URL, Common, Key, OfThread, service_command
from app.cli.rendering import duration, print_json, program, remark, say, styled, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.text import Text

    from app.client import Backstitch

_SET = "[VARIANT:]STEP.agent=NAME, STEP.input.FIELD=VALUE or context.NAME=VALUE; may be repeated."
_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork(OfThread):
    """Options of `fork`."""

    version: Annotated[int | None, typer.Option(min=1, metavar="N", help="The version. [default: the head]")] = None
    set: Annotated[list[str] | None, typer.Option("--set", metavar="WHAT=VALUE", help=_SET)] = None
    variant: Annotated[
        list[str] | None,
        typer.Option("--variant", metavar="NAME", help="One more thread, perhaps as it is; may be repeated."),
    ] = None
    no_resume: Annotated[bool, typer.Option("--no-resume", help="Leave the new threads paused.")] = False
    reason: Annotated[str | None, typer.Option(help="Why; kept with the event.")] = None
    idempotency_key: Key = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare(Common):
    """Options of `compare`."""

    a: Annotated[str, typer.Argument(metavar="A", help="The id of a thread or of an execution.")]
    b: Annotated[str, typer.Argument(metavar="B", help="Another.")]


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    service_command(app, Fork)(fork)
    service_command(app, Compare)(compare)


async def fork(service: Backstitch, o: Fork) -> int:
    """Make new threads from a version of a thread, and run on from there; the thread itself is left alone.

    `--set b:marketer.agent=marketer-v2` names a variant before the colon: each name is a thread of its own. Without a
    name it holds for all of them.
    """
    body: dict[str, Any] = {
        "version": o.version,
        "variants": variants(o.set or [], o.variant or []),
        "reason": o.reason,
    }
    body = {name: value for name, value in body.items() if value is not None}
    headers = {"Idempotency-Key": o.idempotency_key} if o.idempotency_key is not None else None
    path = f"/api/invoke/fork/{quote(o.thread, safe='')}"
    found = await service.request("POST", path, json=body | {"resume": not o.no_resume}, headers=headers)
    failed: list[dict[str, Any]] = found["failed"]
    if o.json:
        print_json(found)
        return 1 if failed else 0
    say(f"forked {o.thread} at version {found['version']}")
    table(
        ("variant", "thread", "status"),
        [(str(one["variant"]), str(one["thread_id"]), styled(str(one["status"]))) for one in found["forks"]],
    )
    for one in failed:
        remark(f"variant {one['variant']} was not made: {one['detail']} [{one['code']}]")
    pair = [str(one["thread_id"]) for one in found["forks"]][:2]
    pair = pair if len(pair) > 1 else [o.thread, *pair]
    where = "" if service.url == DEFAULT_URL else f" --url {service.url}"
    say(f"compare them with: {program()} compare {' '.join(pair)}{where}")
    return 1 if failed else 0


async def compare(service: Backstitch, o: Compare) -> int:
    """Show two executions side by side: steps, agents, durations, costs, and where their states differ."""
    found = await service.request("GET", "/api/workflow/executions/compare", params={"a": o.a, "b": o.b})
    if o.json:
        print_json(found)
        return 0
    a, b, more = found["a"], found["b"], found["difference"]
    table(("", "a", "b", "b - a"), [*_heads(a, b), *_figures(a, b, more)])
    say("")
    table(("step", "a", "b", "agent", "took", "cost", "output"), [_step(one) for one in found["steps"]])
    say("")
    for name in ("input", "context", "output"):
        say(f"{name}:", _difference(found[name]))
    ancestor = found.get("ancestor")
    if ancestor is not None:
        say(f"both come from version {ancestor['version']} of {ancestor['thread_id']}")
    return 0


def variants(settings: list[str], names: list[str]) -> list[dict[str, Any]]:
    """The variants that `--set` and `--variant` describe, in the order of their naming; at least one."""
    found: dict[str, dict[str, Any]] = {name: {"name": name} for name in names}
    parsed = [_setting(pair) for pair in settings]
    for name, _, _ in parsed:
        if name:
            found.setdefault(name, {"name": name})
    made = list(found.values()) or [{}]
    for name, path, value in parsed:
        for variant in made:
            if name in ("", variant.get("name")):
                _put(variant, path, value)
    return made


def _setting(pair: str) -> tuple[str, list[str], str]:
    """The variant ("" for all), the path and the value of one `--set`."""
    what, equals, value = pair.partition("=")
    name, colon, path = what.rpartition(":")
    parts = path.split(".", 2) if not path.startswith("context.") else path.split(".", 1)
    known = (len(parts) == 2 and parts[0] == "context") or parts[1:] == ["agent"] or parts[1:2] == ["input"]  # noqa: PLR2004
    if not equals or not known or not all(parts) or (colon and not name):
        raise typer.BadParameter(f"--set takes {_SET.partition(';')[0]}, not {pair!r}")
    return name, parts, value


def _put(variant: dict[str, Any], path: list[str], value: str) -> None:
    if path[0] == "context":
        variant.setdefault("context", {})[path[1]] = values.scalar(value)
        return
    override = variant.setdefault("overrides", {}).setdefault(path[0], {})
    if path[1] == "agent":
        override["agent"] = value
    elif len(path) > 2:  # noqa: PLR2004
        override.setdefault("input", {})[path[2]] = values.scalar(value)
    else:
        override["input"] = values.json_value(value, f"--set {path[0]}.input")


def _heads(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str | Text, ...]]:
    sides = (a, b)
    return [
        ("thread", *(str(one["thread_id"]) for one in sides), ""),
        ("workflow", *(str(one["workflow"]) for one in sides), ""),
        ("status", *(styled(str(one["status"])) for one in sides), ""),
        ("forked from", *(_origin(one["forked_from"]) for one in sides), ""),
    ]


def _figures(a: Mapping[str, Any], b: Mapping[str, Any], more: Mapping[str, Any]) -> list[tuple[str, ...]]:
    usages = [_table(one["usage"]) for one in (a, b)]
    tokens = [_tokens(usage) for usage in usages]
    return [
        ("took", duration(a["duration_ms"]), duration(b["duration_ms"]), _signed(more["duration_ms"], duration)),
        ("steps", duration(a["steps_ms"]), duration(b["steps_ms"]), _signed(more["steps_ms"], duration)),
        ("attempts", str(a["attempts"]), str(b["attempts"]), _signed(more["attempts"], str)),
        ("cost", *(_cost(usage.get("cost_usd")) for usage in usages), _signed(more["cost_usd"], _cost)),
        ("tokens in, out", *tokens, ""),
    ]


def _step(one: Mapping[str, Any]) -> tuple[str | Text, ...]:
    a, b = _table(one["a"]), _table(one["b"])
    return (
        str(one["id"]),
        _status(a),
        _status(b),
        _both(a.get("agent"), b.get("agent")),
        _both(duration(a.get("duration_ms")), duration(b.get("duration_ms"))),
        _both(*(_cost(_table(run.get("usage")).get("cost_usd")) for run in (a, b))),
        _difference(one["output"]),
    )


def _table(found: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", found or {})


def _status(run: Mapping[str, Any]) -> str | Text:
    if not run:
        return "no such step"
    return "kept from before" if run.get("reused") else styled(str(run["status"]))


def _both(a: object, b: object) -> str:
    """Two cells in one: once where they are the same."""
    one, other = str(a or "-"), str(b or "-")
    return ("" if one == "-" else one) if one == other else f"{one} | {other}"


def _difference(told: Mapping[str, Any]) -> str:
    if told["equal"]:
        return "same"
    if told.get("patch"):
        places = [f"{one['op']} {one['path'] or 'all'}" for one in told["patch"]]
        rest = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        return "differs: " + ", ".join(places[:_SHOWN]) + rest
    said = "not known" if told["equal"] is None else "differs"
    return f"{said} ({str(told['omitted']).replace('_', ' ')})"


def _origin(origin: Mapping[str, Any] | None) -> str:
    return f"version {origin['version']} of {origin['thread_id']}" if origin else ""


def _tokens(usage: Mapping[str, Any]) -> str:
    return f"{usage['input_tokens']:,}, {usage['output_tokens']:,}" if usage else ""


def _cost(amount: object) -> str:
    return f"${amount:.4f}" if isinstance(amount, int | float) else ""


def _signed(number: object, told: Any) -> str:
    """A difference with its sign."""
    if not isinstance(number, int | float):
        return ""
    return f"{'-' if number < 0 else '+'}{told(abs(number))}" if number else "0"
