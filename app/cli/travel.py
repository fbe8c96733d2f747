"""The commands that travel in time: diff, tree, replay."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from app.cli import values
from app.cli.follow import follow
from app.cli.options import OfThread, service_command
from app.cli.rendering import duration, encodable, failure, print_json, say, styled, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from app.client import Backstitch

_LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff(OfThread):
    """Options of `diff`."""

    one: Annotated[int, typer.Argument(metavar="FROM", min=1, help="A version.")]
    other: Annotated[int, typer.Argument(metavar="TO", min=1, help="Another, on whichever timeline.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay(OfThread):
    """Options of `replay`."""

    step: Annotated[str, typer.Argument(metavar="STEP", help="The step.")]
    item: Annotated[int | None, typer.Option(min=0, metavar="N", help="Which item or iteration of it.")] = None
    execution: Annotated[str | None, typer.Option(metavar="ID", help="As this execution did it.")] = None
    run: Annotated[str | None, typer.Option(metavar="ID", help="This very step run.")] = None
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="Who does it instead.")] = None
    set: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Put this over the recorded input; may be repeated."),
    ] = None
    allow_effects: Annotated[
        bool, typer.Option("--allow-effects", help="Also where it may change something outside.")
    ] = False
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait for its end.")] = False


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    service_command(app, Diff)(diff)
    service_command(app, OfThread)(tree)
    service_command(app, Replay)(replay)


async def diff(service: Backstitch, o: Diff) -> int:
    """Show what changed between any two versions of a thread, as an RFC 6902 patch."""
    from app.client.travel import Travel  # noqa: PLC0415 - import time of --help

    found = await Travel(service).diff(o.thread, o.one, o.other)
    if o.json:
        print_json(found)
        return 0
    print_patch(found["patch"])
    if not found["patch"]:
        say("nothing has changed")
    return 0


async def tree(service: Backstitch, o: OfThread) -> int:
    """Draw the timelines of a thread: where rollbacks, resumes and forks left them, and why; what came of the thread."""
    from app.client.travel import Travel  # noqa: PLC0415 - import time of --help

    found = await Travel(service).tree(o.thread, limit=1000)
    cursor = found["next_cursor"]
    while cursor:
        page = await Travel(service).tree(o.thread, limit=1000, cursor=cursor)
        found["branches"] += page["branches"]
        cursor = page["next_cursor"]
    found["next_cursor"] = None
    if o.json:
        print_json(found)
    else:
        _print_tree(found)
    return 0


async def replay(service: Backstitch, o: Replay) -> int:
    """Do a recorded step again, with its recorded input, in a thread of its own; the thread itself is left alone.

    Exit code 0 when it completed, whatever it gave.
    """
    from app.client.travel import Travel  # noqa: PLC0415 - import time of --help

    travel = Travel(service)
    started = await travel.replay(
        o.thread,
        o.step,
        item=o.item,
        execution_id=o.execution,
        run_id=o.run,
        agent=o.agent,
        input=values.pairs(o.set, "--set", lenient=True),
        allow_effects=o.allow_effects or None,
    )
    if o.no_wait:
        print_json(started) if o.json else say(f"replay: thread {started['thread_id']}")
        return 0
    ended = await follow(service, started["thread_id"], quiet=True)
    found = await travel.replayed(started["thread_id"])
    if o.json:
        print_json(found)
    else:
        _print_replay(found)
    return 0 if ended == "completed" else 1


def print_patch(patch: Sequence[Mapping[str, Any]]) -> None:
    """Each operation of a patch on a line."""
    for each in patch:
        what = f" {_short(each['value'])}" if "value" in each else f" from {each['from']}" if "from" in each else ""
        say(f"{each['op']:8}{each['path'] or '(all)'}{what}")


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text):,} characters)"


def _print_tree(found: Mapping[str, Any]) -> None:
    say(f"thread {found['thread_id']} is", styled(str(found["status"])), f" version {found['head_version']}")
    origin, again, parent = found["forked_from"], found["replay_of"], found["parent"]
    if origin:
        say(f"forked from version {origin['version']} of {origin['thread_id']}")
    if again:
        say(f"a replay of step {again['step_id']} of {again['thread_id']}")
    if parent:
        say(f"the sub-workflow of step {parent['step_id'] or '?'} of {parent['thread_id']}")
    for depth, branch in _nested(found["branches"]):
        _print_branch(depth, branch)
    _print_others(found)


def _print_others(found: Mapping[str, Any]) -> None:
    """The threads that came of it."""
    for one in found["forks"]:
        say(f"fork at version {one['version']}: {one['thread_id']}", styled(str(one["status"])))
    for one in found["replays"]:
        item = "" if one["item"] is None else f" item {one['item']}"
        say(f"replay of step {one['step_id']}{item}: {one['thread_id']}", styled(str(one["status"])))
    for one in found["children"]:
        say(f"sub-workflow of step {one['step_id'] or '?'}: {one['thread_id']}", styled(str(one["status"])))
    more = [name for name in ("forks", "replays", "children") if found[f"{name}_cursor"]]
    if more:
        say(f"there are more {' and '.join(more)}: see --json for the cursors")


def _print_branch(depth: int, branch: Mapping[str, Any]) -> None:
    first, last, parent = branch["first_version"], branch["last_version"], branch["parent_version"]
    corner = ("└ " if encodable("└") else "\\ ") if depth else ""
    span = "(no version)" if first is None else str(first) if first == last else f"{first}-{last}"
    from_ = "" if parent is None else f" from {parent}"
    why = f": {branch['reason']}" if branch["reason"] else ""
    line = f"{'  ' * depth}{corner}{span} {branch['began']}{from_}{why}"
    reached = branch["on_timeline_to"]
    if not branch["on_timeline"]:
        say(Text(f"{line}, left", style="dim"), styled(str(branch["status"])))
    else:
        until = f" up to {reached}" if reached not in (None, last) else ""
        say(f"* {line}{until}", styled(str(branch["status"])))


def _nested(branches: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """In the order of their beginning, each as deep as what it left; one that goes on where another ended is beside it."""
    ends: list[tuple[int, int, int]] = []
    for branch in branches:
        parent = branch["parent_version"]
        known = next((one for one in reversed(ends) if parent is not None and one[0] <= parent <= one[1]), None)
        depth = 0 if known is None else known[2] + (parent != known[1])
        if branch["first_version"] is not None:
            ends.append((branch["first_version"], branch["last_version"], depth))
        yield depth, branch


def _print_replay(found: Mapping[str, Any]) -> None:
    recorded: dict[str, Any] = found["recorded"] or {}
    replayed: dict[str, Any] = found["replayed"] or {}
    rows = [
        ("status", *(styled(str(one["status"])) if one else "gone" for one in (recorded, replayed))),
        ("agent", *(_agent(one) for one in (recorded, replayed))),
        ("attempts", *(str(one.get("attempt") or "") for one in (recorded, replayed))),
        ("took", *(duration(one.get("duration_ms")) for one in (recorded, replayed))),
    ]
    say(f"replay: thread {found['thread_id']}")
    table(("", "recorded", "replayed"), rows)
    if replayed.get("error") or found.get("error"):
        say(Text(failure(replayed.get("error") or found["error"]), style="red"))
    output = found["output"]
    if output["equal"]:
        say("the output is the same")
    elif output["patch"]:
        say("the output differs:")
        print_patch(output["patch"])
    else:
        told = {"not_written": "there is no output to compare with", "damaged": "the recorded output is damaged"}
        say(told.get(str(output["omitted"]), "the outputs differ, and are too large to tell how"))


def _agent(run: Mapping[str, Any]) -> str:
    name, version = run.get("agent"), run.get("agent_version")
    return f"{name}@{version}" if name and version else str(name or "")
