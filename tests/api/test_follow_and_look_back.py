"""Status, history, one version, executions: the documents of the contract, from the records of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.api import documents
from app.domain.ids import uuid7
from app.domain.records import ExecutionRecord, ExecutionUpdate
from app.domain.status import Status, StepStatus
from app.domain.times import rfc3339, utc_now

if TYPE_CHECKING:
    import httpx

    from tests.api.service import Service
    from tests.builders import Driver


async def in_the_middle(service: Service) -> Driver:
    """A thread of which two steps have ended."""
    driver = await service.drive(thread_id="thread")
    await service.move(driver, driver.end_step("analyst", {"big": 10**30}, assign="insights"))
    await service.move(driver, driver.end_step("marketer", None, status=StepStatus.SKIPPED))
    return driver


async def resume(service: Service, driver: Driver) -> ExecutionRecord:
    """A second execution of the thread, without versions of its own."""
    old = await service.reads.execution(driver.thread.execution_id)
    assert old is not None
    new = ExecutionRecord(
        id=uuid7(),
        thread_id=old.thread_id,
        workflow_id=old.workflow_id,
        workflow_name=old.workflow_name,
        workflow_version=1,
        kind="resume",
        status=Status.RUNNING,
        input=old.input,
        input_sha256=old.input_sha256,
        created_at=utc_now(),
    )
    update = ExecutionUpdate(id=old.id, status=Status.FAILED, error='{"kind":"x","message":"y"}')
    await service.move(driver, driver.move(executions=[new], execution_updates=[update], execution_id=new.id))
    return new


@pytest.mark.parametrize(
    "path", ["/api/invoke/status/thread", "/invoke/status/thread", "/api/invoke-status/status/thread"]
)
async def test_the_status_has_every_step_in_document_order(
    client: httpx.AsyncClient, service: Service, path: str
) -> None:
    await in_the_middle(service)
    found = (await client.get(path)).json()
    assert [(step["id"], step["status"]) for step in found["steps"]] == [
        ("analyst", "completed"),
        ("marketer", "skipped"),
        ("publish", "pending"),
    ]
    assert found["completed_steps"] == ["analyst", "marketer"]
    assert (found["version"], found["last_seq"], found["progress"]) == (3, 3, 0.6667)
    assert (found["workflow"], found["workflow_version"], found["kind"]) == ("sewing", 1, "invoke")
    assert (found["output"], found["error"], found["current_step"]) == (None, None, None)


async def test_the_output_is_told_once_the_thread_has_completed(client: httpx.AsyncClient, service: Service) -> None:
    driver = await in_the_middle(service)
    await service.move(driver, driver.complete({"z": 10**30, "a": "\x00"}))
    answer = await client.get("/api/invoke/status/thread")
    assert '"output":{"z":1000000000000000000000000000000,"a":"\\u0000"}' in answer.text
    assert answer.json()["completed_at"].endswith("Z")


async def test_steps_of_an_earlier_execution_are_reused(client: httpx.AsyncClient, service: Service) -> None:
    driver = await in_the_middle(service)
    await resume(service, driver)
    await service.move(driver, driver.end_step("publish", 1))
    found = (await client.get("/api/invoke/status/thread")).json()
    assert [step["reused"] for step in found["steps"]] == [True, True, False]
    assert found["kind"] == "resume"


async def test_an_unknown_thread_is_not_found(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/invoke/status/nobody")
    assert (answer.status_code, answer.json()["code"]) == (404, "thread_not_found")


async def test_the_history_is_in_the_contracts_words(client: httpx.AsyncClient, service: Service) -> None:
    await in_the_middle(service)
    found = (await client.get("/api/invoke/history/thread")).json()
    assert (found["thread_id"], found["head_version"], found["next_cursor"]) == ("thread", 3, None)
    assert [one["current_step"] for one in found["history"]] == ["START", "analyst", "marketer"]
    assert [one["parent_version"] for one in found["history"]] == [None, 1, 2]
    assert [one["state_summary"]["num_agent_results"] for one in found["history"]] == [0, 1, 1]
    assert found["history"][1]["state_summary"]["context_keys"] == ["insights"]
    assert found["history"][2]["completed_steps"] == ["analyst", "marketer"]


async def test_a_rollback_leaves_versions_off_the_timeline(client: httpx.AsyncClient, service: Service) -> None:
    driver = await in_the_middle(service)
    checkpoints = await service.reads.checkpoints("thread")
    await service.move(driver, driver.roll_back(checkpoints, 2))
    await service.move(driver, driver.end_step("marketer", 2))
    found = (await client.get("/api/invoke/history/thread")).json()["history"]
    assert [(one["version"], one["parent_version"], one["on_timeline"]) for one in found] == [
        (1, None, True),
        (2, 1, True),
        (3, 2, False),
        (4, 2, True),
    ]
    assert found[3]["state_summary"]["num_agent_results"] == 2
    assert (await client.get("/api/invoke/history/thread/3")).json()["on_timeline"] is False


async def test_pages_of_a_long_history_tell_what_the_whole_tells(
    client: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = await service.drive(thread_id="thread")
    for number in range(60):
        await service.move(driver, driver.end_step(f"step_{number % 20}", number))
    whole = (await client.get("/api/invoke/history/thread?limit=1000")).json()
    assert len(whole["history"]) == 61
    # Where versions name very many steps together, a page is short.
    for names, short in ((1_000_000, False), (30, True)):
        monkeypatch.setattr(documents, "_NAMES", names)
        pages: list[Any] = []
        sizes: set[int] = set()
        cursor = ""
        while cursor is not None:
            page = (await client.get(f"/api/invoke/history/thread?limit=7{cursor and '&cursor=' + cursor}")).json()
            pages, cursor = pages + page["history"], page["next_cursor"]
            sizes.add(len(page["history"]))
        assert (pages, 2 in sizes) == (whole["history"], short)


async def test_the_history_can_be_cut_by_version_and_time(client: httpx.AsyncClient, service: Service) -> None:
    await in_the_middle(service)
    found = (await client.get("/api/invoke/history/thread?from_version=2&toVersion=2")).json()["history"]
    assert [one["version"] for one in found] == [2]
    later = rfc3339(utc_now()).replace("2026", "2036")
    assert (await client.get(f"/api/invoke/history/thread?since={later}")).json()["history"] == []
    assert len((await client.get(f"/api/invoke/history/thread?until={later}")).json()["history"]) == 3


async def test_a_version_has_the_whole_state(client: httpx.AsyncClient, service: Service) -> None:
    await in_the_middle(service)
    answer = await client.get("/api/invoke/history/thread/2")
    found = answer.json()
    assert found["state"]["input"] == "a\x00b"
    assert found["state"]["steps"] == {"analyst": {"output": {"n": 10**30}, "status": "completed"}}
    assert found["state"]["metadata"]["completed_steps"] == ["analyst"]
    assert (found["version"], found["parent_version"], found["on_timeline"]) == (2, 1, True)


@pytest.mark.parametrize("version", [0, 4, 10**12])
async def test_a_version_that_is_not_there_is_not_found(
    client: httpx.AsyncClient, service: Service, version: int
) -> None:
    await in_the_middle(service)
    answer = await client.get(f"/api/invoke/history/thread/{version}")
    assert (answer.status_code, answer.json()["code"]) == (404, "version_not_found")


async def test_executions_come_newest_first_page_by_page(client: httpx.AsyncClient, service: Service) -> None:
    for number in range(5):
        await service.drive(thread_id=f"thread-{number}")
    first = (await client.get("/api/workflow/executions?limit=3")).json()
    second = (await client.get(f"/api/workflow/executions?limit=3&cursor={first['next_cursor']}")).json()
    found = [one["thread_id"] for one in first["executions"] + second["executions"]]
    assert found == [f"thread-{number}" for number in (4, 3, 2, 1, 0)]
    assert (first["total"], second["total"], second["next_cursor"]) == (5, 5, None)


async def test_executions_can_be_filtered(client: httpx.AsyncClient, service: Service) -> None:
    await service.drive(thread_id="one")
    await service.drive(thread_id="other")
    found = (await client.get("/api/workflow/executions?thread_id=one&status=pending&workflow=sewing")).json()
    assert [one["thread_id"] for one in found["executions"]] == ["one"]
    assert (await client.get("/api/workflow/executions?status=failed")).json()["executions"] == []


async def test_a_plus_in_a_time_need_not_be_escaped(client: httpx.AsyncClient, service: Service) -> None:
    await service.drive()
    found = (await client.get("/api/workflow/executions?since=2026-01-01T00:00:00+02:00")).json()
    assert found["total"] == 1


async def test_an_execution_has_its_steps_with_their_values(client: httpx.AsyncClient, service: Service) -> None:
    driver = await in_the_middle(service)
    found = (await client.get(f"/api/workflow/execution/{driver.thread.execution_id.upper()}")).json()
    assert found["execution"]["input"] == {"topic": "thread"}
    assert [(one["name"], one["output"], one["reused"]) for one in found["steps"]] == [
        ("analyst", {"big": 10**30}, False),
        ("marketer", None, False),
    ]
    assert found["metadata"] == {"total_steps": 3, "completed_steps": 1, "failed_steps": 0, "skipped_steps": 1}


async def test_an_execution_tells_what_it_kept_from_before(client: httpx.AsyncClient, service: Service) -> None:
    driver = await in_the_middle(service)
    first = driver.thread.execution_id
    new = await resume(service, driver)
    await service.move(driver, driver.end_step("publish", 1))
    now = (await client.get(f"/api/workflow/execution/{new.id}")).json()
    before = (await client.get(f"/api/workflow/execution/{first}")).json()
    assert [one["reused"] for one in now["steps"]] == [True, True, False]
    assert [one["name"] for one in before["steps"]] == ["analyst", "marketer"]
    assert before["execution"]["error"]["kind"] == "x"


async def test_an_execution_that_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/api/workflow/execution/{uuid7()}")
    assert (answer.status_code, answer.json()["code"]) == (404, "execution_not_found")


async def test_history_leaves_out_what_the_policy_hides_unless_all_are_asked_for(
    client: httpx.AsyncClient, service: Service
) -> None:
    driver = await service.drive(thread_id="thinned")
    for name in ("analyst", "marketer", "publish"):
        move = driver.end_step(name, {"by": name})
        move.checkpoints[0].hidden = True
        await service.move(driver, move)
    path = "/api/invoke/history/thinned"
    told, every = (await client.get(path)).json(), (await client.get(path, params={"all": True})).json()
    assert [one["version"] for one in told["history"]] == [1, 4]
    assert [one.get("hidden", False) for one in every["history"]] == [False, True, True, True]
    assert every["history"][-1] == told["history"][-1]
    assert told["history"][-1]["completed_steps"] == ["analyst", "marketer", "publish"]
    page = (await client.get(path, params={"limit": 1})).json()
    assert [one["version"] for one in page["history"]] == [1]
    following = await client.get(path, params={"limit": 1, "cursor": page["next_cursor"]})
    assert [one["version"] for one in following.json()["history"]] == [4]


async def test_the_state_at_a_hidden_version_is_not_found_and_the_nearest_are_named(
    client: httpx.AsyncClient, service: Service
) -> None:
    driver = await service.drive(thread_id="thinned")
    for name in ("analyst", "marketer"):
        move = driver.end_step(name, None)
        move.checkpoints[0].hidden = True
        await service.move(driver, move)
    refused = await client.get("/api/invoke/history/thinned/2")
    assert (refused.status_code, refused.json()["code"]) == (404, "version_not_found")
    assert "nearest that are: 1 and 3" in refused.json()["detail"]
    assert (await client.get("/api/invoke/history/thinned/3")).status_code == 200
