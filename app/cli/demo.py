"""`backstitch demo`: a service if none runs, an example on real input, the file that it writes, and what to try next."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from app.cli.follow import follow
from app.cli.options import Common
from app.cli.process import Server, ServerError, is_healthy, is_taken, url_of
from app.cli.rendering import complain, failure, narrate, print_json, program, say
from app.cli.runtime import run
from app.client import ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from app.cli.start import Demo
    from app.client import Backstitch, Event

O = TypeVar("O", bound=Common)  # noqa: E741

WORKFLOW: Final = "content-strategy"
NOTES: Final = "release-notes"
PORT: Final = 8000
CANNOT_START: Final = 2
_TERMINATED: Final = 143


def run_demo(o: Demo) -> int:
    """Run the demo; 2 when the service cannot start, 1 when the workflow fails, 0 once it was told to stop."""
    return guarded(replace(o, url=url_of(o.host, o.port or PORT)), _demo)


def guarded(o: O, action: Callable[[Backstitch, O], Coroutine[None, None, int]]) -> int:
    """`runtime.run`, with one line for a service that cannot start and an orderly end on SIGTERM."""

    async def terminable(service: Backstitch, o: O) -> int:
        task = cast("asyncio.Task[int]", asyncio.current_task())
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await action(service, o)

    try:
        return run(terminable, o)
    except asyncio.CancelledError:
        return _TERMINATED
    except ServerError as error:
        complain(str(error))
        return CANNOT_START


async def _demo(service: Backstitch, o: Demo) -> int:
    async with _served(service, o) as server:
        work = _work(service, o)
        ended = await (work if server is None else server.during(work))
        if ended != 0 or server is None:
            return ended
        if not o.json:
            say("\nThe service stays up; Ctrl-C ends it.")
        try:
            await server.wait()
        except asyncio.CancelledError:
            return 0  # told to stop, as announced
    return 0


@asynccontextmanager
async def _served(service: Backstitch, o: Demo) -> AsyncGenerator[Server | None, None]:
    """A service at the port: the one that answers there already (None), else one of our own, stopped at the end."""
    port = o.port or PORT
    if is_taken(o.host, port):
        if o.serve or not await _answers(service):
            raise ServerError(f"port {port} is taken: choose another with --port {port + 1} (make run PORT={port + 1})")
        narrate(o, f"using the service that runs at {service.url}")
        yield None
        return
    server = Server(host=o.host, port=port, data_dir=o.data_dir)
    narrate(o, f"starting the service at {service.url} ...")
    try:
        await server.start()
        await server.ready(service)
        yield server
    finally:
        await server.stop()


async def _answers(service: Backstitch) -> bool:
    try:
        return await is_healthy(service)
    except ApiError:
        return False


async def _work(service: Backstitch, o: Demo) -> int:
    accepted = await service.invoke(o.workflow, input=input_of(o, o.data_dir), triggered_by="demo")
    thread = str(accepted["thread_id"])

    async def answer(event: Event) -> None:
        if event.name == "gate_waiting":
            await _say_yes(service, o, thread, str(event.step_id))

    ended = await follow(service, thread, quiet=o.json, observer=answer)
    found = await service.status(thread)
    report = report_in(found["output"])
    if o.json:
        print_json(
            {"url": service.url, "thread_id": thread, "status": ended, "report": report, "output": found["output"]}
        )
    elif ended != "completed":
        complain(failure(found["error"]) or ended)
    else:
        _tell(o, found, report)
        _suggest(o, service, thread)
    return 0 if ended == "completed" else 1


async def _say_yes(service: Backstitch, o: Demo, thread: str, step: str) -> None:
    """Answer the gate, unless somebody else has: nobody need be there for a demo."""
    from app.client.gates import Gates  # noqa: PLC0415 - for this example alone

    try:
        await Gates(service).answer(thread, step, {"approved": True}, by="demo", via="cli")
    except ApiError as error:
        if error.code not in {"gate_answered", "gate_closed"}:
            raise
        return
    where = _where(service)
    narrate(
        o, f"the demo says yes itself; else you would: {program()} answer {thread} {step} --set approved=true{where}"
    )


def input_of(o: Demo, data_dir: Path | None) -> dict[str, Any]:
    """The workflow's input; without paths it reads the project's own docs, or repository. What it writes goes into the
    data folder.
    """
    if o.workflow == NOTES:
        found = {"repository": str(o.input[0].expanduser().resolve())} if o.input else {}
        return found | ({"out_dir": str(data_dir.expanduser().resolve() / "release-notes")} if data_dir else {})
    paths = {"paths": [str(path.expanduser().resolve()) for path in o.input]} if o.input else {}
    return paths | ({"out_dir": str(data_dir.expanduser().resolve() / "reports")} if data_dir else {})


def report_in(output: object) -> str | None:
    """The first file that an output names."""
    if isinstance(output, str):
        return output if len(output) < 1000 and Path(output).is_absolute() and Path(output).is_file() else None  # noqa: PLR2004
    inner: list[object] = []
    if isinstance(output, dict):
        inner = list(cast("dict[str, object]", output).values())
    elif isinstance(output, list):
        inner = cast("list[object]", output)
    return next((found for found in map(report_in, inner) if found), None)


def _tell(o: Demo, found: dict[str, Any], report: str | None) -> None:
    say(
        f"\n{o.workflow} completed: {len(found['steps'])} steps, version {found['version']}, {found['last_seq']} events"
    )
    output: object = found["output"]
    summary = cast("dict[str, object]", output).get("summary") if isinstance(output, dict) else None
    if isinstance(summary, str):
        say(summary)
    elif isinstance(summary, dict):
        for name, value in cast("dict[str, object]", summary).items():
            if isinstance(value, str | int | float):
                say(f"  {name.replace('_', ' ')}: {value}")
    if report:
        say(f"The {'notes' if o.workflow == NOTES else 'report'}: {report}")


def _where(service: Backstitch) -> str:
    return "" if service.url == f"http://127.0.0.1:{PORT}" else f" --url {service.url}"


def _suggest(o: Demo, service: Backstitch, thread: str) -> None:
    where = _where(service)
    say(f"\nIn the browser: {service.url}/threads/{thread}")
    say("\nTry next:")
    say(f"  {program()} status {thread}{where}")
    if o.workflow == NOTES:
        say(f"  {program()} gates {thread}{where}")
    else:
        say(f"  {program()} rollback {thread} --to 2{where}")
    say(f"  curl -N {service.url}/api/invoke/stream/{thread}")
