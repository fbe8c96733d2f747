"""What a person with psql sees after real runs: the views, the function for a whole state, and text that jsonb cannot hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.acceptance.service import chain
from tests.acceptance.test_steer import failing

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service


def test_workflow_states_tells_step_and_completed_steps(service: Service) -> None:
    thread = service.run(chain("psql", 2))["thread_id"]
    query = """
        SELECT version, state->>'currentStep' AS step, state->'metadata'->'completedSteps' AS done, created_at
        FROM workflow_states WHERE workflow_id = $1 ORDER BY version
    """
    rows = service.sql(query, thread)
    assert [(row["version"], row["step"], json.loads(row["done"])) for row in rows] == [
        (1, "START", []),
        (2, "s1", ["s1"]),
        (3, "s2", ["s1", "s2"]),
        (4, "END", ["s1", "s2"]),
    ]


def test_the_function_gives_the_state_that_the_api_gives(service: Service) -> None:
    steps = [{"id": "a", "python": "echo", "input": {"x": "{input}"}, "assign": "kept"}, {"id": "b", "agent": "worker"}]
    thread = service.run({"name": "state", "steps": steps}, {"n": 1}, context={"given": [1]})["thread_id"]
    service.post(f"/api/invoke/rollback/{thread}", {"to_version": 2, "context": {"given": [2]}})
    service.until(thread)
    for version in range(1, len(service.versions(thread)) + 1):
        (row,) = service.sql("SELECT backstitch_state($1, $2) AS state", thread, version)
        told, found = json.loads(row["state"]), service.get(f"/api/invoke/history/{thread}/{version}")["state"]
        for part in ("input", "context", "steps"):
            assert told[part] == found[part], (version, part)
        assert told["metadata"]["completed_steps"] == found["metadata"]["completed_steps"]
    assert service.sql("SELECT backstitch_state($1, 99) AS state", thread)[0]["state"] is None


def test_the_tables_have_the_columns_that_people_ask_for(service: Service, tmp_path: Path) -> None:
    found = service.run(failing(tmp_path, "columns"), {"a": 1}, triggered_by="me", external_run_id="r1")
    execution = """
        SELECT id, workflow_id, status, input, output, context, started_at, completed_at, error, triggered_by, external_run_id
        FROM workflow_executions WHERE id = $1
    """
    (row,) = service.sql(execution, found["execution_id"])
    assert (row["status"], row["triggered_by"], row["external_run_id"]) == ("failed", "me", "r1")
    assert json.loads(row["error"])["kind"] == "refused"
    steps = """
        SELECT step_name, step_index, status, input, output, started_at, completed_at, duration_ms, error, retry_count
        FROM workflow_steps WHERE execution_id = $1 ORDER BY step_index
    """
    rows = service.sql(steps, found["execution_id"])
    assert [(one["step_name"], one["status"]) for one in rows] == [
        ("a", "completed"),
        ("b", "failed"),
        ("c", "completed"),
    ]
    assert all(one["completed_at"] and one["duration_ms"] is not None for one in rows)


def test_the_jsonb_views_answer_for_odd_values(service: Service) -> None:
    odd = {"nul": "a\x00b", "big": 10**30, "ключ": "\U0001f600"}
    document = {"name": "odd-psql", "steps": [{"id": "a", "python": "echo", "input": "{input}"}]}
    thread = service.run(document, odd)["thread_id"]
    (row,) = service.sql(
        "SELECT input->>'nul' AS nul, output FROM workflow_executions_jsonb WHERE thread_id = $1", thread
    )
    assert row["nul"] == "a\ufffdb"
    (step,) = service.sql(
        "SELECT (output->>'big')::numeric AS big FROM workflow_steps_jsonb WHERE thread_id = $1", thread
    )
    assert step["big"] == 10**30
    assert len(service.sql("SELECT state FROM workflow_states WHERE workflow_id = $1", thread)) == 3
    (state,) = service.sql("SELECT backstitch_state($1, 3) AS state", thread)
    assert json.loads(state["state"])["input"]["ключ"] == "\U0001f600"


def test_no_row_stays_open_under_an_ended_parent(service: Service) -> None:
    service.run(chain("closed", 1))
    query = """
        SELECT s.thread_id, s.step_name, s.status, x.status AS parent FROM workflow_steps s
        JOIN workflow_executions x ON x.id = s.execution_id AND x.thread_id = s.thread_id
        WHERE x.status IN ('completed', 'failed', 'cancelled', 'interrupted')
          AND s.status IN ('running', 'retrying', 'waiting')
    """
    assert service.sql(query) == []
    ended = """
        SELECT t.thread_id, t.status, x.status FROM threads t
        JOIN workflow_executions x ON x.id = t.execution_id
        WHERE t.status IN ('completed', 'failed', 'cancelled', 'interrupted') AND t.status <> x.status
    """
    assert service.sql(ended) == []
