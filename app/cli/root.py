"""The root of the command line: the options before the command's name, and the commands themselves."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from app.cli import (
    agents,
    cleanup,
    doctor,
    documents,
    export,
    fork,
    gates,
    look,
    mcp,
    messages,
    queues,
    schedules,
    start,
    state,
    state_look,
    steer,
    steps,
    tail,
    threads,
    travel,
    triggers,
    upkeep,
    verify,
    waits,
    webhooks,
    workers,
)
from app.cli.options import DEFAULT_URL, Common, Json, service_url
from app.cli.rendering import complain, encodes

app = typer.Typer(
    name="backstitch",
    help="Durable workflows of agents: start, watch, cut, resume and roll back.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

RootUrl = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        envvar="BACKSTITCH_URL",
        callback=service_url,
        help="The service.",
        show_default=DEFAULT_URL,
    ),
]
_FAILED: Final = 1
_WRONG: Final = 2


@app.callback()
def before(ctx: typer.Context, url: RootUrl = None, *, as_json: Json = False) -> None:
    """Keep what was given before the command's name for the command."""
    ctx.obj = Common(url=url, json=as_json)


start.register(app)
look.register(app)
steer.register(app)
fork.register(app)
travel.register(app)
gates.register(app)
waits.register(app)
steps.register(app)
tail.register(app)
threads.register(app)
verify.register(app)
doctor.register(app)
workers.register(app)
messages.register(app)
mcp.register(app)

workflow = typer.Typer(
    name="workflow",
    help="Register workflows; what is stored of them; resuming the last that broke.",
    no_args_is_help=True,
)
documents.register(workflow)
state_group = typer.Typer(
    name="state", help="The stored state of threads: see, verify, repair, clean up, move it.", no_args_is_help=True
)
state.register(state_group)
upkeep.register_upgrade(state_group)
upkeep.register_migrate(workflow)
cleanup.register(state_group)
export.register(state_group)
state_look.register_states(state_group)
state_look.register_resume(workflow)
workflow.add_typer(state_group)
app.add_typer(workflow)

agents_group = typer.Typer(name="agents", help="Who does the steps: see, enable, change.", no_args_is_help=True)
agents.register(agents_group)
app.add_typer(agents_group)

queue_group = typer.Typer(name="queue", help="Where threads wait for a slot: see, change.", invoke_without_command=True)
queues.register(queue_group)
app.add_typer(queue_group)

trigger_group = typer.Typer(
    name="trigger", help="Messages that start workflows: see, make, try, enable.", no_args_is_help=True
)
triggers.register(trigger_group)
app.add_typer(trigger_group)
webhook_group = typer.Typer(
    name="webhook", help="Who is told of events: see, register, test, send again.", no_args_is_help=True
)
webhooks.register(webhook_group)
app.add_typer(webhook_group)


schedule_group = typer.Typer(name="schedule", help="Start workflows again and again.", no_args_is_help=True)
schedules.register(schedule_group)
app.add_typer(schedule_group)


def main() -> None:
    """Run the command line and exit the process."""
    _have_streams()
    if any(not encodes(argument) for argument in sys.argv):
        complain("an argument is not UTF-8")
        sys.exit(_WRONG)
    try:
        app(prog_name="backstitch")
    except OSError as error:  # stdout on a full disk, above all
        complain(f"{error.strerror or type(error).__name__}{f': {error.filename}' if error.filename else ''}")
        sys.exit(_FAILED)


def _have_streams() -> None:
    """Streams that were closed are there and say nothing; what an agent wrote must not break an ASCII terminal."""
    for name in ("stdin", "stdout", "stderr"):
        stream: object = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("r+", encoding="utf-8"))  # noqa: SIM115 - for as long as the process
        elif isinstance(stream, io.TextIOWrapper) and name != "stdin":
            stream.reconfigure(errors="replace")
