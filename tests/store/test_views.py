"""The views and functions for people with psql, on threads that the journal wrote."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from app.domain.ports import Reads
from app.domain.state import resolve
from app.domain.status import StepStatus
from app.store.db import open_pool
from app.store.journal import PostgresJournal, open_journal
from app.store.migrate import upgrade
from app.store.reads import PostgresReads
from app.store.registry import PostgresRegistry
from tests.builders import Driver, new_start

SCHEMA = "Of its own"


class Bench:
    """A journal in a schema of its own, and a person with psql whose search_path knows nothing of it."""

    def __init__(self, journal: PostgresJournal, reads: Reads, psql: asyncpg.Connection, driver: Driver) -> None:
        self.journal, self.reads, self.psql, self.driver = journal, reads, psql, driver

    async def ask(self, query: str, *args: Any) -> Any:
        """One value; ours. stands for the schema, jsonb comes parsed."""
        value = await self.psql.fetchval(query.replace("ours.", f'"{SCHEMA}".'), *args)
        return json.loads(value) if isinstance(value, str) else value

    async def state(self, version: int) -> Any:
        """What backstitch_state says."""
        return await self.ask("SELECT ours.backstitch_state($1, $2)", self.driver.thread.thread_id, version)

    async def end(self, step_id: str, output: Any, **options: Any) -> None:
        """Commit the end of a step."""
        await self.driver.commit(self.journal, self.driver.end_step(step_id, output, **options))


@pytest.fixture
async def bench(empty_database_url: str) -> AsyncIterator[Bench]:
    """One thread, just started."""
    await upgrade(empty_database_url, SCHEMA)
    psql = await asyncpg.connect(empty_database_url)
    async with (
        open_pool(empty_database_url, schema=SCHEMA) as pool,
        open_journal(empty_database_url, pool, schema=SCHEMA) as journal,
    ):
        workflow = await PostgresRegistry(pool).register(name="sewing", document="{}", hash="1")
        start = new_start(workflow, input_value={"topic": "thread"})
        await journal.start(start)
        yield Bench(journal, PostgresReads(pool), psql, Driver(start))
    await psql.close()


async def test_the_state_of_a_version_has_all_its_values(bench: Bench) -> None:
    bench.driver.set_context("given", [1])
    await bench.end("analyst", {"score": 1}, assign="insights")
    await bench.end("marketer", None, status=StepStatus.SKIPPED)
    state = await bench.state(3)
    assert state["input"] == {"topic": "thread"}
    assert state["context"] == {"given": [1], "insights": {"score": 1}}
    assert state["steps"] == {
        "analyst": {"output": {"score": 1}, "status": "completed"},
        "marketer": {"output": None, "status": "skipped"},
    }
    assert state["metadata"]["completed_steps"] == ["analyst", "marketer"]
    assert (state["metadata"]["current_step"], state["metadata"]["parent_version"]) == ("marketer", 2)
    assert (await bench.state(1))["steps"] == {}


async def test_every_version_says_what_its_manifests_say(bench: Bench) -> None:
    """Through full manifests in between, a rollback, a step that went and one that came again."""
    driver = bench.driver
    for number in range(25):
        await bench.end(f"step{24 - number}", number, assign=f"name{number % 3}")
    await driver.commit(bench.journal, driver.roll_back(await bench.reads.checkpoints(driver.thread.thread_id), 20))
    driver.forget("step23")
    await bench.end("step3", "again")
    await bench.end("step23", "last")
    checkpoints = await bench.reads.checkpoints(driver.thread.thread_id)
    runs = {run.id: run for run in await bench.reads.steps(driver.thread.thread_id)}
    assert len({checkpoint.base_version for checkpoint in checkpoints}) > 2
    for checkpoint in checkpoints:
        refs, state = resolve(checkpoints, checkpoint.version), await bench.state(checkpoint.version)
        outputs = {step_id: json.loads(runs[run].output or "") for step_id, (run, _) in refs.steps.items()}
        assert {step_id: step["output"] for step_id, step in state["steps"].items()} == outputs
        assert state["metadata"]["completed_steps"] == refs.done()
        assert sorted(state["context"]) == sorted(refs.context)


async def test_there_is_no_state_where_a_link_is_missing(bench: Bench) -> None:
    await bench.end("one", 1)
    await bench.end("two", 2)
    assert await bench.state(4) is None
    await bench.ask("DELETE FROM ours.checkpoints WHERE version = 2")
    assert await bench.state(3) is None


async def test_workflow_states_has_a_light_row_a_version(bench: Bench) -> None:
    await bench.end("analyst", 1, assign="insights")
    await bench.driver.commit(bench.journal, bench.driver.complete(1))
    query = f"""
        SELECT version, state->>'currentStep' AS step, state->'metadata'->'completedSteps' AS completed,
            state->'contextKeys' AS keys, state->>'status' AS status, created_at, thread_id, execution_id::text
        FROM "{SCHEMA}".workflow_states WHERE workflow_id = $1 ORDER BY version
    """
    rows = await bench.psql.fetch(query, bench.driver.thread.thread_id)
    assert [row["step"] for row in rows] == ["START", "analyst", "END"]
    assert [json.loads(row["completed"]) for row in rows] == [[], ["analyst"], ["analyst"]]
    assert [json.loads(row["keys"]) for row in rows] == [[], ["insights"], ["insights"]]
    assert [row["status"] for row in rows] == ["running", "running", "completed"]
    assert {row["execution_id"] for row in rows} == {bench.driver.thread.execution_id}


async def test_the_jsonb_views_give_values_that_can_be_asked(bench: Bench) -> None:
    await bench.end("analyst", {"a": [1, {"b": "\u0000"}]})
    await bench.driver.commit(bench.journal, bench.driver.complete(10**300))
    assert await bench.ask("SELECT output->'a'->1->'b' FROM ours.workflow_steps_jsonb") == "\ufffd"
    assert await bench.ask("SELECT input->'topic' FROM ours.workflow_executions_jsonb") == "thread"
    assert await bench.ask("SELECT output FROM ours.workflow_executions_jsonb") == 10**300


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r'{"b":1,"a":"x"}', {"a": "x", "b": 1}),
        (r'"\u0000\u0000"', "\ufffd\ufffd"),
        (r'{"k\u0000":"\\u0000"}', {"k\ufffd": r"\u0000"}),
        (r'"\\\u0000"', "\\\ufffd"),
        (r'"\ud800"', r'"\ud800"'),
        ("1" + "0" * 140_000, "1" + "0" * 140_000),
        ("null", None),
    ],
)
async def test_json_that_jsonb_cannot_hold_comes_near(bench: Bench, text: str, expected: Any) -> None:
    assert await bench.ask("SELECT ours.backstitch_jsonb($1::json)", text) == expected


async def test_names_and_values_with_nul_do_not_break_the_state(bench: Bench) -> None:
    bench.driver.set_context("odd\u0000name", "\u0000")
    await bench.end("analyst", "a\u0000b")
    state = await bench.state(2)
    assert state["context"] == {"odd\ufffdname": "\ufffd"}
    assert state["steps"]["analyst"]["output"] == "a\ufffdb"
