"""The commands that start something: the service, the demo, a workflow."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.cli import values
from app.cli.follow import ended_well, follow, watch_again
from app.cli.options import Common, Key, command, service_command
from app.cli.rendering import failure, print_json, remark, say, styled

if TYPE_CHECKING:
    from app.client import Backstitch

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", metavar="DIR", help="Where the database and the reports are kept.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve(Common):
    """Options of `serve`; what is not given comes from the settings."""

    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="The port to listen on.")] = None
    data_dir: DataDir = None
    log_level: Annotated[str | None, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo(Common):
    """Options of `demo`."""

    workflow: Annotated[
        Literal["content-strategy", "release-notes"], typer.Argument(metavar="WORKFLOW", help="Or: release-notes.")
    ] = "content-strategy"
    input: Annotated[
        list[Path] | None,
        typer.Option(
            "--input", metavar="PATH", help="What to read: files and folders (default: the docs), or a repository."
        ),
    ] = None
    serve: Annotated[bool, typer.Option("--serve", help="Always start a service, never use one that runs.")] = False
    crash: Annotated[bool, typer.Option("--crash", help="Kill the service mid-step and start it again.")] = False
    host: Annotated[str, typer.Option(help="The service's address.")] = "127.0.0.1"
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="[default: 8000; with --crash a free one]")] = None
    data_dir: DataDir = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoke(Common):
    """Options of `invoke`."""

    workflow: Annotated[
        str, typer.Argument(metavar="WORKFLOW", help="A registered name, name@version, or a .yaml or .json document.")
    ]
    input: Annotated[
        str | None, typer.Option("--input", metavar="JSON|@FILE|-", help="The input: JSON, a file, or stdin.")
    ] = None
    input_file: Annotated[Path | None, typer.Option(metavar="FILE", help="The input, from a JSON file.")] = None
    set: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="One field of the input: JSON, else text; may be repeated."),
    ] = None
    thread_id: Annotated[str | None, typer.Option(metavar="ID", help="An id of your own for the thread.")] = None
    idempotency_key: Key = None
    queue: Annotated[str | None, typer.Option(metavar="NAME", help="The queue to wait in for a slot.")] = None
    priority: Annotated[
        int | None, typer.Option(min=-1000, max=1000, help="The higher is taken up first. [default: 0]")
    ] = None
    delay: Annotated[str | None, typer.Option(metavar="DURATION", help="Start no sooner: 90 (seconds), 5m, 24h.")] = (
        None
    )
    watch: Annotated[bool, typer.Option("--watch", help="Follow it live to its end.")] = False
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end and print how it went.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(Common):
    """Options of `task`."""

    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The name of a registered agent.")]
    input: Annotated[
        str | None, typer.Option("--input", metavar="JSON|@FILE|-", help="The input: JSON, a file, or stdin.")
    ] = None
    set: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="One field of the input: JSON, else text; may be repeated."),
    ] = None
    timeout: Annotated[str | None, typer.Option(metavar="DURATION", help="Of one attempt: 90 (seconds), 5m.")] = None
    attempts: Annotated[int | None, typer.Option(min=1, max=1000, help="At most so many. [default: 3]")] = None
    idempotency_key: Key = None
    queue: Annotated[str | None, typer.Option(metavar="NAME", help="The queue to wait in for a slot.")] = None
    watch: Annotated[bool, typer.Option("--watch", help="Follow it live to its end.")] = False
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end and print how it went.")] = False


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    command(app, Serve)(serve)
    command(app, Demo)(demo)
    service_command(app, Invoke)(invoke)
    service_command(app, Task)(task)


def serve(o: Serve) -> int:
    """Run the service in the foreground until Ctrl-C or SIGTERM."""
    gc.disable()  # it took a fifth of the time to start; tune_garbage_collector turns it on again
    try:
        from app.cli.serve import run_service  # noqa: PLC0415 - the server's modules are for this command alone

        return run_service(host=o.host, port=o.port, data_dir=o.data_dir, log_level=o.log_level)
    finally:
        gc.enable()


def demo(o: Demo) -> int:
    """Run the workflow `content-strategy` on documents, or `release-notes` on a repository, show it live and stay up.

    With --crash: kill the service in the middle of a step, start it again, and show that nothing finished ran twice.
    """
    if o.workflow != "content-strategy" and (o.crash or len(o.input or ()) > 1):
        raise typer.BadParameter(f"{o.workflow} goes without --crash, and with one --input at most")
    if o.crash:
        from app.cli.crash import run_crash  # noqa: PLC0415 - import time of the others

        return run_crash(o)
    from app.cli.demo import run_demo  # noqa: PLC0415 - import time of the others

    return run_demo(o)


async def invoke(service: Backstitch, o: Invoke) -> int:
    """Start a workflow; it is durable once this command answers."""
    if o.input is not None and o.input_file is not None:
        raise typer.BadParameter("give --input or --input-file, not both")
    source = f"@{o.input_file}" if o.input_file is not None else o.input
    given = None if source is None else values.json_value(source, "--input")
    accepted = await service.invoke(
        values.workflow(o.workflow),
        input=values.merged(given, values.pairs(o.set, "--set", lenient=True)),
        thread_id=o.thread_id,
        triggered_by="cli",
        idempotency_key=o.idempotency_key,
        queue=o.queue,
        priority=o.priority,
        delay=o.delay,
    )
    return await _after(service, o, accepted)


async def task(service: Backstitch, o: Task) -> int:
    """Give one agent one input; the task is durable once this command answers."""
    given = None if o.input is None else values.json_value(o.input, "--input")
    body: dict[str, Any] = {
        "agent": o.agent,
        "input": values.merged(given, values.pairs(o.set, "--set", lenient=True)),
        "timeout": o.timeout,
        "retry": None if o.attempts is None else {"max_attempts": o.attempts},
        "queue": o.queue,
        "triggered_by": "cli",
    }
    body = {name: value for name, value in body.items() if value is not None}
    headers = {"Idempotency-Key": o.idempotency_key} if o.idempotency_key is not None else None
    accepted = await service.request("POST", "/api/tasks", json=body, headers=headers)
    return await _after(service, o, {**accepted, "thread_id": accepted["task_id"]})


async def _after(service: Backstitch, o: Invoke | Task, accepted: dict[str, Any]) -> int:
    thread = str(accepted["thread_id"])
    if o.watch:
        if not o.json:
            say(f"thread {thread}")
        return 0 if await follow(service, thread, as_json=o.json) == "completed" else 1
    if o.wait:
        await follow(service, thread, quiet=True)
        found = await service.status(thread)
        if o.json:
            print_json(found)
        elif found["error"]:
            remark(f"error: {failure(found['error'])}")
        else:
            print_json(found["output"])
        return 0 if ended_well(found) else 1
    if o.json:
        print_json(accepted)
        return 0
    say("thread", thread, styled(str(accepted["status"])), "" if accepted.get("durable", True) else "(not durable)")
    say(f"watch it with: {watch_again(service, thread)}")
    return 0
