"""Rows damaged by SQL while no service runs: started again, the threads go on by themselves and tell of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.acceptance.service import run_cli, running, waiting

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service


def document(until: Path) -> dict[str, Any]:
    return {
        "name": "fragile",
        "steps": [
            {"id": "one", "agent": "worker", "input": {"give": {"n": 1}}, "assign": "x"},
            {"id": "two", "agent": "worker", "input": {"give": "{one.output}"}},
            {"id": "three", "agent": "worker", "input": {"give": "{two.output}"}},
            {"id": "last", "agent": "worker", "input": {"give": "{context.x}", "until": str(until)}},
        ],
    }


def events(service: Service, thread: str) -> list[dict[str, Any]]:
    rows = service.sql(
        "SELECT data FROM workflow_events WHERE thread_id = $1 AND name = 'state_quarantined' ORDER BY seq", thread
    )
    return [json.loads(row["data"]) for row in rows]


def test_damaged_rows_are_put_aside_and_the_threads_complete(tmp_path: Path) -> None:
    with running(tmp_path / "house") as service:
        until = tmp_path / "go"
        head, value, whole = (service.start_thread(document(until)) for _ in range(3))
        for thread in (head, value, whole):
            for _ in waiting("the last step to run"):
                if service.calls(thread)["last"]:
                    break
        service.kill()
        service.sql("""UPDATE checkpoints SET manifest = '{"steps": {}}' WHERE thread_id = $1 AND version = 4""", head)
        service.sql("DELETE FROM workflow_steps WHERE thread_id = $1 AND step_name = 'one'", value)
        until.touch()
        service.start().ready()
        found = {thread: service.until(thread) for thread in (head, value, whole)}
        assert {one["status"] for one in found.values()} == {"completed"}, found
        assert all(one["output"] == {"last": {"n": 1}} for one in found.values())
        again = {thread: {step for step, n in service.calls(thread).items() if n > 1} for thread in found}
        assert again == {head: {"three", "last"}, value: {"one", "last"}, whole: {"last"}}
        assert [(one["to_version"], one["reruns"]) for one in events(service, head)] == [(3, ["three"])]
        assert [(one["to_version"], one["reruns"]) for one in events(service, value)] == [(4, ["one"])]
        assert events(service, whole) == []
        kept = service.sql("SELECT thread_id, kind, stored FROM quarantine ORDER BY kind")
        assert [tuple(row) for row in kept] == [(head, "checkpoint", '{"steps": {}}'), (value, "missing", None)]
        report = service.get(f"/api/invoke/verify/{head}")
        assert (report["valid"], report["head_valid"]) == (False, True)
        assert service.get(f"/api/invoke/verify/{whole}")["valid"] is True
        told = run_cli("workflow", "state", "verify", "--all", cwd=tmp_path, BACKSTITCH_URL=service.url)
        assert (told.returncode, "3 threads, 2 damaged" in told.stdout) == (1, True), told
