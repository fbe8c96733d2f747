"""`backstitch demo --crash`: kills the service in the middle of a step, starts it again, and proves from the service's
own records and events that no finished step ran again.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.cli.demo import PORT, WORKFLOW, guarded, input_of
from app.cli.follow import follow
from app.cli.process import Server, ServerError, free_port, is_taken, url_of
from app.cli.rendering import complain, narrate, print_json, say, styled, table

if TYPE_CHECKING:
    from app.cli.start import Demo
    from app.client import Backstitch, Event, JsonObject

_ENOUGH: Final = 2
_PLENTY: Final = 3
_KEPT: Final = ("id", "started_at", "completed_at", "retry_count")


def run_crash(o: Demo) -> int:
    """Run the demonstration; 0 only when it is proven that finished steps did not run again."""
    port = o.port or free_port(o.host)
    if is_taken(o.host, port):
        complain(f"port {port} is taken: leave --port out, or choose another with --port {port + 1}")
        return 2
    return guarded(replace(o, port=port, url=url_of(o.host, port)), _crash)


@dataclass(slots=True)
class Witness:
    """What the events tell: their numbers, the steps that run, how often each step began and completed."""

    seqs: list[int] = field(default_factory=list[int])
    running: set[str] = field(default_factory=set[str])
    starts: Counter[str] = field(default_factory=Counter[str])
    ends: Counter[str] = field(default_factory=Counter[str])

    def take(self, event: Event) -> None:
        """Note one event."""
        if event.seq is not None:
            self.seqs.append(event.seq)
        step = event.step_id
        if step is None:
            return
        if event.name == "step_start":
            self.starts[step] += 1
            self.running.add(step)
        elif event.name in {"step_complete", "step_failed", "step_skipped"}:
            self.ends[step] += event.name == "step_complete"
            self.running.discard(step)

    def is_good_moment(self, event: Event) -> bool:
        """Whether a crash now would cut a step with others behind it; a step that tells its progress is under way."""
        needed = _ENOUGH if event.name == "step_progress" else _PLENTY
        return bool(self.running) and len(self.ends) >= needed


@dataclass(slots=True, kw_only=True)
class Crash:
    """One run of the demonstration: `before` has the records of the steps as they were at the kill, by name."""

    o: Demo
    service: Backstitch
    server: Server
    execution_id: str
    witness: Witness = field(default_factory=Witness)
    before: dict[str, JsonObject] = field(default_factory=dict[str, "JsonObject"])

    async def observe(self, event: Event) -> None:
        """Note an event; at the first good moment kill the service and start it again."""
        self.witness.take(event)
        if self.before or not self.witness.is_good_moment(event):
            return
        steps = await self.records()
        running = [name for name, step in steps.items() if step["status"] == "running"]
        if not running:
            return
        self.before = steps
        pid = await self.server.kill()
        narrate(self.o, f"KILLED the service (SIGKILL, process {pid}) while running: {', '.join(running)}")
        await self.server.start()
        await self.server.ready(self.service)
        narrate(self.o, "started the service again on the same data")

    async def records(self) -> dict[str, JsonObject]:
        """The steps of the execution, as the service keeps them."""
        found = await self.service.execution(self.execution_id)
        return {str(step["name"]): step for step in found["steps"]}


async def _crash(service: Backstitch, o: Demo) -> int:
    # Not made here: the service makes its data folder with the mode that its database needs.
    data = o.data_dir or Path(tempfile.gettempdir()) / f"backstitch-crash-{secrets.token_hex(4)}"
    server = Server(host=o.host, port=o.port or PORT, data_dir=data)
    narrate(o, f"starting the service at {service.url}, data in {data} ...")
    try:
        await server.start()
        await server.ready(service)
        return await server.during(_cut(service, server, o, data))
    finally:
        await server.stop()
        if o.data_dir is None:
            shutil.rmtree(data, ignore_errors=True)


async def _cut(service: Backstitch, server: Server, o: Demo, data: Path) -> int:
    accepted = await service.invoke(WORKFLOW, input=input_of(o, data), triggered_by="demo --crash")
    if not accepted.get("durable", True):
        raise ServerError("the service keeps its journal in memory: unset CHECKPOINTER and its like, and try again")
    crash = Crash(o=o, service=service, server=server, execution_id=str(accepted["execution_id"]))
    ended = await follow(service, str(accepted["thread_id"]), quiet=o.json, observer=crash.observe)
    return verdict(o, ended, crash.witness, before=crash.before, after=await crash.records())


def verdict(
    o: Demo, ended: str, witness: Witness, *, before: dict[str, JsonObject], after: dict[str, JsonObject]
) -> int:
    """Show the steps, and judge: 0 when every step that had completed before the kill has the same record after it."""
    rows = [_row(name, step, witness, before.get(name)) for name, step in after.items()]
    faults = [f"{row['step']} ran again" for row in rows if row["completed_before"] and not row["kept"]]
    if not before:
        faults.append("the workflow ended before it could be cut")
    if ended != "completed":
        faults.append(f"the workflow ended {ended}")
    if witness.seqs != list(range(1, len(witness.seqs) + 1)):
        faults.append("the events do not run 1, 2, 3 ... without a gap")
    if o.json:
        print_json({"proven": not faults, "faults": faults, "events": len(witness.seqs), "steps": rows})
    else:
        _show(rows, len(witness.seqs))
    if faults:
        complain("; ".join(faults))
        return 1
    if not o.json:
        finished = sum(row["completed_before"] for row in rows)
        say(f"{finished} steps had finished before the crash; none of them ran again.")
    return 0


def _row(name: str, step: JsonObject, witness: Witness, before: JsonObject | None) -> dict[str, Any]:
    done = before is not None and before["status"] == "completed"
    same = before is not None and all(before[key] == step[key] for key in _KEPT)
    return {
        "step": name,
        "completed_before": done,
        "cut": before is not None and before["status"] == "running",
        "runs": witness.starts[name],
        "completions": witness.ends[name],
        "completed_at": step["completed_at"],
        "kept": done and same and witness.starts[name] == 1 and witness.ends[name] == 1,
        "status": step["status"],
    }


def _show(rows: list[dict[str, Any]], events: int) -> None:
    say("")
    table(
        ("step", "completed before the crash", "records", "result", ""),
        [
            (
                row["step"],
                "yes" if row["completed_before"] else "no",
                str(row["runs"]),
                styled(row["status"]),
                _note(row),
            )
            for row in rows
        ],
    )
    say(f"\n{events} events, numbered without a gap, each received once across the crash.")


def _note(row: dict[str, Any]) -> str:
    if row["completed_before"]:
        return f"kept: same record, completed at {row['completed_at']}" if row["kept"] else "RAN AGAIN"
    return "cut by the crash, tried again under the same key" if row["cut"] else "ran after the crash"
