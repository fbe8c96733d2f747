"""The commands about what steps are done in and what they cost: items, usage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.options import Common, OfThread, service_command
from app.cli.rendering import duration, failure, print_json, say, styled, table
from app.domain.usage import GROUPS

if TYPE_CHECKING:
    from app.client import Backstitch

_LONGEST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Items(OfThread):
    """Options of `items`."""

    step: Annotated[str, typer.Argument(metavar="STEP", help="A step with for_each or repeat.")]
    index: Annotated[int | None, typer.Argument(metavar="[INDEX]", min=0, help="The whole of this one.")] = None
    status: Annotated[str | None, typer.Option(help="Only those in this status.")] = None
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50
    cursor: Annotated[str | None, typer.Option(metavar="CURSOR", help="Go on after the page before.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(Common):
    """Options of `usage`."""

    by: Annotated[
        str, typer.Option(metavar="GROUPS", help="agent, workflow, day: any of them, with commas between.")
    ] = "agent"
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Only what ended then or later.")] = None
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only what ended before.")] = None
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many sums.")] = 200


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    service_command(app, Items)(items)
    service_command(app, Usage)(usage)


async def items(service: Backstitch, o: Items) -> int:
    """List the items of a for_each or the iterations of a repeat; with INDEX, one of them with its whole output."""
    from app.client.steps import Steps  # noqa: PLC0415 - --help need not load it

    steps = Steps(service)
    if o.index is not None:
        print_json(await steps.item(o.thread, o.step, o.index))
        return 0
    found = await steps.items(o.thread, o.step, status=o.status, limit=o.limit, cursor=o.cursor)
    if o.json:
        print_json(found)
        return 0
    counts = found["counts"]
    total = "" if counts["total"] is None else f" of {counts['total']}"
    say(f"step {o.step} is", styled(str(found["status"])))
    say(f"{counts['completed']}{total} completed, {counts['failed']} failed, {counts['open']} waiting")
    table(("index", "status", "agent", "attempt", "took", ""), [_item(one) for one in found["items"]])
    if found["next_cursor"]:
        say(f"there are more: --cursor {found['next_cursor']}")
    return 0


async def usage(service: Backstitch, o: Usage) -> int:
    """Show what work has cost, summed by agent, workflow, day, or several of them."""
    from app.client.steps import Steps  # noqa: PLC0415

    by = [name.strip() for name in o.by.split(",") if name.strip()]
    found = await Steps(service).usage(*by, since=o.since, until=o.until, limit=o.limit)
    if o.json:
        print_json(found)
        return 0
    groups = [name for name in GROUPS if name in by]
    rows = [(*(str(one.get(name) or "-") for name in groups), *_spent(one)) for one in found["usage"]]
    rows.append((*("total" if name == groups[0] else "" for name in groups), *_spent(found["total"])))
    table((*groups, "step runs", "tokens in", "tokens out", "US dollars"), rows)
    if found["next_cursor"]:
        say(f"there are more than {o.limit}: see --limit")
    return 0


def _item(one: dict[str, Any]) -> tuple[Any, ...]:
    what = failure(one.get("error")) or _short(one.get("output"))
    return (
        str(one["index"]),
        styled(str(one["status"])),
        str(one.get("agent") or ""),
        str(one.get("attempt") or ""),
        duration(one.get("duration_ms")),
        what,
    )


def _short(output: Any) -> str:
    text = " ".join(str("" if output is None else output).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _spent(one: dict[str, Any]) -> tuple[str, str, str, str]:
    tokens_in, tokens_out = one["input_tokens"], one["output_tokens"]
    return str(one["step_runs"]), f"{tokens_in:,}", f"{tokens_out:,}", f"{one['cost_usd']:.4f}"
