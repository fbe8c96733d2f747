"""The OpenAPI document: complete, with examples, and true of what the service answers."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from fastapi.openapi.utils import get_openapi

from app.api.app import create_app
from app.domain.records import ErrorInfo
from app.domain.runner import Failed
from app.domain.status import Status
from tests.api.shared import app_of
from tests.api.test_gates import at_gate
from tests.api.test_waits import a_wait

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.api.service import Service

# By the text of the schema: there is one document, and a thousand answers have a hundred schemas.
_validators: dict[str, Any] = {}
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document, as it is served."""

    def never() -> Any:
        raise AssertionError("nothing is opened for the document")

    return create_app(never).openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield path, method, operation


def test_no_name_of_a_schema_tells_where_its_code_stands(document: dict[str, Any]) -> None:
    assert [name for name in document["components"]["schemas"] if "__" in name] == []


def test_every_route_of_the_contract_is_there_and_only_under_api(document: dict[str, Any]) -> None:
    found = {f"{method.upper()} {path}" for path, method, _ in operations(document)}
    assert {
        "POST /api/invoke/async",
        "POST /api/invoke",
        "GET /api/invoke/status/{thread_id}",
        "GET /api/invoke-status/status/{thread_id}",
        "GET /api/invoke/stream/{thread_id}",
        "GET /api/stream",
        "GET /api/invoke/events/{thread_id}",
        "POST /api/invoke/token/{thread_id}",
        "POST /api/invoke/resume/{thread_id}",
        "POST /api/invoke/rollback/{thread_id}",
        "POST /api/invoke/fork/{thread_id}",
        "POST /api/invoke/replay/{thread_id}/{step_id}",
        "GET /api/invoke/replay/{thread_id}",
        "GET /api/invoke/tree/{thread_id}",
        "GET /api/invoke/history/{thread_id}/diff",
        "GET /api/invoke/export/{thread_id}",
        "POST /api/invoke/import",
        "GET /api/workflow/executions/compare",
        "POST /api/tasks",
        "GET /api/tasks",
        "GET /api/tasks/{task_id}",
        "GET /api/tasks/{task_id}/stream",
        "POST /api/tasks/{task_id}/cancel",
        "POST /api/invoke/cancel/{thread_id}",
        "POST /api/invoke/pause/{thread_id}",
        "POST /api/invoke/checkpoint/{thread_id}",
        "POST /api/invoke/gates/{thread_id}/{step_id}",
        "GET /api/invoke/gates/{thread_id}/{step_id}",
        "GET /api/invoke/gates/{thread_id}",
        "GET /api/gates",
        "GET /api/waits",
        "GET /api/invoke/signals/{thread_id}",
        "POST /api/invoke/signals/{thread_id}/{name}",
        "POST /api/workflows/{name}/migrate",
        "GET /api/workflow/state/formats",
        "POST /api/workflow/state/upgrade",
        "GET /api/invoke/verify/{thread_id}",
        "POST /api/invoke/repair/{thread_id}",
        "GET /api/invoke/history/{thread_id}",
        "GET /api/invoke/history/{thread_id}/{version}",
        "GET /api/workflow/executions",
        "GET /api/workflow/monitor",
        "GET /api/workflow/execution/{execution_id}",
        "GET /api/workflow/items/{thread_id}/{step_id}",
        "GET /api/workflow/items/{thread_id}/{step_id}/{index}",
        "GET /api/usage",
        "GET /api/metrics/agents",
        "GET /api/metrics/workflows",
        "GET /api/metrics/timeseries",
        "GET /api/events",
        "GET /api/logs",
        "GET /api/invoke/timeline/{thread_id}",
        "POST /api/workflows",
        "GET /api/workflows",
        "GET /api/workflows/{reference}",
        "GET /api/workflows/{name}/versions",
        "GET /api/invoke/workflow/{thread_id}",
        "GET /api/invoke/steps/{thread_id}/{step_id}",
        "GET /api/workers",
        "POST /api/workflows/validate",
        "GET /api/agents",
        "POST /api/agents",
        "GET /api/agents/{reference}",
        "PATCH /api/agents/{reference}",
        "DELETE /api/agents/{reference}",
        "GET /api/agents/{name}/health",
        "GET /api/agents/{name}/events",
        "POST /api/agents/{name}/enable",
        "POST /api/agents/{name}/disable",
        "GET /api/breakers",
        "GET /api/breakers/{agent}",
        "POST /api/breakers/{agent}/open",
        "POST /api/breakers/{agent}/close",
        "GET /api/mcp/servers",
        "GET /api/webhooks",
        "POST /api/webhooks",
        "GET /api/webhooks/{webhook_id}",
        "PATCH /api/webhooks/{webhook_id}",
        "DELETE /api/webhooks/{webhook_id}",
        "POST /api/webhooks/{webhook_id}/rotate",
        "POST /api/webhooks/{webhook_id}/test",
        "POST /api/webhooks/{webhook_id}/recover",
        "GET /api/webhooks/{webhook_id}/deliveries",
        "GET /api/webhooks/deliveries",
        "GET /api/webhooks/deliveries/{delivery_id}",
        "POST /api/webhooks/deliveries/{delivery_id}/redeliver",
        "GET /api/retention",
        "POST /api/retention/run",
        "PUT /api/retention/workflows/{workflow}",
        "DELETE /api/retention/workflows/{workflow}",
        "DELETE /api/threads/{thread_id}",
        "GET /api/threads",
        "GET /api/threads/counts",
        "POST /api/threads/resume",
        "POST /api/threads/cancel",
        "POST /api/threads/pause",
        "POST /api/messages/{topic}",
        "GET /api/messages",
        "GET /api/messages/{topic}/{message_id}",
        "GET /api/triggers",
        "POST /api/triggers",
        "GET /api/triggers/{name}",
        "PATCH /api/triggers/{name}",
        "DELETE /api/triggers/{name}",
        "GET /api/triggers/{name}/firings",
        "POST /api/triggers/{name}/test",
        "GET /api/schedules",
        "POST /api/schedules",
        "POST /api/schedules/preview",
        "GET /api/schedules/{name}",
        "PATCH /api/schedules/{name}",
        "DELETE /api/schedules/{name}",
        "POST /api/schedules/{name}/pause",
        "POST /api/schedules/{name}/resume",
        "POST /api/schedules/{name}/run",
        "POST /api/schedules/{name}/backfill",
        "GET /api/schedules/{name}/firings",
        "GET /api/config",
        "PUT /api/config",
        "DELETE /api/config/{name}",
        "GET /api/config/changes",
        "GET /api/queue",
        "GET /api/queue/{name}",
        "PUT /api/queue/{name}",
        "GET /api/health",
        "GET /api/health/checkpointer",
        "GET /api/health/live",
    } == found


def test_operation_ids_are_unique_and_in_snake_case(document: dict[str, Any]) -> None:
    found = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(found)) == len(found)
    assert all(name.replace("_", "").islower() and name.isidentifier() for name in found)


def test_every_answer_has_an_example_that_fits_its_schema(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        for status, answer in operation["responses"].items():
            for media, content in answer.get("content", {}).items():
                shown = (
                    [content["example"]]
                    if "example" in content
                    else [one["value"] for one in content.get("examples", {}).values()]
                )
                assert shown or status == "200" or "$ref" in content["schema"], (path, method, status)
                for value in shown:
                    check(document, content["schema"], value, f"{method} {path} {status} {media}")


def test_every_body_has_an_example_that_fits_its_schema(document: dict[str, Any]) -> None:
    for path, _, operation in operations(document):
        for media, content in operation.get("requestBody", {}).get("content", {}).items():
            check(document, content["schema"], content["example"], f"{path} {media}")


def test_every_problem_is_documented_as_one(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status in {"400", "404", "409", "413", "422", "500"}:
                assert list(answer["content"]) == ["application/problem+json"], (path, method, status)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    references = set(_references(document))
    assert {value.rpartition("/")[2] for value in references} <= schemas.keys()
    assert "HTTPValidationError" not in {value.rpartition("/")[2] for value in references}


async def test_the_document_is_worked_out_beside_the_event_loop(
    client: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_of(service), "openapi_schema", None)  # another test may have asked for it
    by: list[threading.Thread] = []

    def heard(**of: Any) -> dict[str, Any]:
        by.append(threading.current_thread())
        return get_openapi(**of)

    monkeypatch.setattr("app.api.openapi.get_openapi", heard)
    answers = [(await client.get("/api/openapi.json")).json()["info"]["title"] for _ in range(2)]
    assert (answers, len(by), threading.main_thread() in by) == (["Backstitch"] * 2, 1, False)


async def test_what_is_answered_fits_what_is_documented(
    client: httpx.AsyncClient, service: Service, document: dict[str, Any]
) -> None:
    driver = await service.drive(thread_id="thread")
    await service.move(driver, driver.end_step("analyst", {"a": 1}, assign="insights"))
    await service.move(driver, driver.complete({"done": True}))
    execution = driver.thread.execution_id
    await a_wait(service, "parked")
    await at_gate(service, "waiting", show={"draft": 1}, form={"type": "object"})
    service.series.execution("sewing", Status.COMPLETED, 0.5)
    service.series.attempt("analyst", Failed(error=ErrorInfo(kind="timeout", message="too late", retryable=True)), 0.5)
    hook = (await service.webhooks.create({"url": "https://x.example"}, None)).id
    sent = (await service.webhooks.test(hook)).id
    calls = [
        ("post", "/api/invoke/async", "", {"workflow": "sewing"}),
        ("post", "/api/invoke", "", {"workflow": "sewing"}),
        ("post", "/api/invoke/resume/{thread_id}", "thread", {}),
        ("post", "/api/invoke/resume/{thread_id}", "thread", {"dry_run": True}),
        ("post", "/api/invoke/rollback/{thread_id}", "thread", {"to_version": 1}),
        ("post", "/api/invoke/rollback/{thread_id}", "thread", {"to_version": 1, "dry_run": True}),
        ("get", "/api/workflow/items/{thread_id}/{step_id}", "thread/each", None),
        ("get", "/api/workflow/items/{thread_id}/{step_id}", "thread/analyst", None),
        ("get", "/api/workflow/items/{thread_id}/{step_id}/{index}", "thread/each/0", None),
        ("get", "/api/usage", "", None),
        ("get", "/api/usage", "?by=agent,day", None),
        ("get", "/api/metrics/agents", "", None),
        ("get", "/api/metrics/workflows", "?window=24h", None),
        ("get", "/api/metrics/workflows", "?window=never", None),
        ("get", "/api/metrics/timeseries", "?kind=agent&metric=p95_ms", None),
        ("post", "/api/invoke/fork/{thread_id}", "thread", {"version": 2, "variants": [{}, {"name": "other"}]}),
        ("post", "/api/invoke/fork/{thread_id}", "nobody", {}),
        ("get", "/api/invoke/tree/{thread_id}", "thread", None),
        ("get", "/api/invoke/tree/{thread_id}", "nobody", None),
        ("get", "/api/invoke/history/{thread_id}/diff", "thread/diff?from=1&to=2", None),
        ("get", "/api/invoke/history/{thread_id}/diff", "thread/diff?from=1&to=9", None),
        ("post", "/api/invoke/replay/{thread_id}/{step_id}", "thread/analyst", {}),
        ("post", "/api/invoke/replay/{thread_id}/{step_id}", "thread/analyst", {"item": -1}),
        ("get", "/api/invoke/replay/{thread_id}", "thread", None),
        ("post", "/api/invoke/import", "", {"row": "odd"}),
        ("get", "/api/invoke/export/{thread_id}", "nobody", None),
        ("get", "/api/workflow/executions/compare", f"?a=thread&b={execution}", None),
        ("get", "/api/workflow/executions/compare", "?a=thread&b=nobody", None),
        ("post", "/api/tasks", "", {"agent": "analyst"}),
        ("post", "/api/tasks", "", {"agent": "analyst", "wait": 1}),
        ("post", "/api/tasks", "", {"agent": ""}),
        ("get", "/api/tasks", "", None),
        ("get", "/api/tasks/{task_id}", "nobody", None),
        ("post", "/api/invoke/cancel/{thread_id}", "thread", {}),
        ("post", "/api/invoke/checkpoint/{thread_id}", "thread", {}),
        ("post", "/api/invoke/checkpoint/{thread_id}", "nobody", None),
        ("post", "/api/invoke/async", "", {"workflow": 3}),
        ("get", "/api/invoke/status/{thread_id}", "thread", None),
        ("get", "/api/invoke/status/{thread_id}", "nobody", None),
        ("get", "/api/invoke/history/{thread_id}", "thread", None),
        ("get", "/api/invoke/events/{thread_id}", "thread?after=1&limit=2", None),
        ("get", "/api/invoke/events/{thread_id}", "nobody", None),
        ("get", "/api/invoke/events/{thread_id}", "thread?wait=1h", None),
        ("post", "/api/invoke/token/{thread_id}", "thread", {"ttl": "5m"}),
        ("post", "/api/invoke/token/{thread_id}", "thread", {"ttl": 0}),
        ("get", "/api/invoke/stream/{thread_id}", "thread?token=v1.9.x.y", None),
        ("get", "/api/workflow/executions", "", None),
        ("get", "/api/threads", "", None),
        ("get", "/api/threads", "?status=pending,paused&limit=1&text=a", None),
        ("get", "/api/threads", "?status=odd", None),
        ("get", "/api/threads/counts", "", None),
        ("post", "/api/threads/resume", "", {"thread_ids": ["thread", "nobody"], "dry_run": True}),
        ("post", "/api/threads/resume", "", {"where": {"status": ["pending"]}, "limit": 1}),
        ("post", "/api/threads/cancel", "", {"thread_ids": ["nobody"], "force": True}),
        ("post", "/api/threads/pause", "", {"where": {}, "thread_ids": ["thread"]}),
        ("get", "/api/workflow/monitor", "", None),
        ("get", "/api/workflow/monitor", "?limit=0", None),
        ("get", "/api/events", "?order=desc", None),
        ("get", "/api/events", "?limit=0", None),
        ("get", "/api/invoke/timeline/{thread_id}", "thread", None),
        ("get", "/api/invoke/timeline/{thread_id}", "nobody", None),
        ("get", "/api/logs", "", None),
        ("get", "/api/logs", "?level=loud", None),
        ("get", "/api/workflow/execution/{execution_id}", execution, None),
        ("get", "/api/workflows", "", None),
        ("get", "/api/workflows/{reference}", "sewing", None),
        ("get", "/api/workflows/{name}/versions", "sewing/versions", None),
        ("get", "/api/workflows/{name}/versions", "nothing/versions", None),
        ("get", "/api/invoke/workflow/{thread_id}", "thread", None),
        ("get", "/api/invoke/workflow/{thread_id}", "nobody", None),
        ("get", "/api/invoke/steps/{thread_id}/{step_id}", "thread/analyst", None),
        ("get", "/api/invoke/steps/{thread_id}/{step_id}", "thread/publish?values=false", None),
        ("get", "/api/invoke/steps/{thread_id}/{step_id}", "waiting/marketer", None),
        ("get", "/api/invoke/steps/{thread_id}/{step_id}", "thread/nothing", None),
        ("get", "/api/invoke/steps/{thread_id}/{step_id}", "thread/analyst?values=odd", None),
        ("get", "/api/workers", "", None),
        ("post", "/api/workflows", "", {"name": "x"}),
        ("post", "/api/workflows/validate", "", {"name": "x"}),
        ("post", "/api/workflows/validate", "", {"name": 1}),
        ("post", "/api/workflows/{name}/migrate", "sewing/migrate", {"to_version": 1, "dry_run": True}),
        ("post", "/api/workflows/{name}/migrate", "sewing/migrate", {"statuses": ["nothing"]}),
        ("get", "/api/workflow/state/formats", "", None),
        ("post", "/api/workflow/state/upgrade", "", {"limit": 10}),
        ("post", "/api/workflow/state/upgrade", "", {"limit": 0}),
        ("post", "/api/agents", "", {"name": "reader", "kind": "python", "config": {"function": "analyst"}}),
        ("post", "/api/agents", "", {"name": "reader", "kind": "python", "config": {"function": "analyst"}}),
        ("post", "/api/agents", "", {"name": "reader", "kind": "nothing"}),
        ("post", "/api/agents", "", {"name": "analyst", "kind": "python"}),
        ("get", "/api/agents", "", None),
        ("get", "/api/agents/{reference}", "reader@1", None),
        ("get", "/api/agents/{reference}", "nobody", None),
        ("patch", "/api/agents/{reference}", "reader", {"tags": ["text"]}),
        ("get", "/api/agents/{name}/health", "reader/health", None),
        ("get", "/api/agents/{name}/events", "reader/events", None),
        ("post", "/api/agents/{name}/disable", "reader/disable", {"reason": "enough"}),
        ("post", "/api/agents/{name}/enable", "reader/enable", None),
        ("delete", "/api/agents/{reference}", "reader", None),
        ("get", "/api/breakers", "", None),
        ("get", "/api/breakers/{agent}", "analyst", None),
        ("get", "/api/breakers/{agent}", "nobody", None),
        ("put", "/api/queue/{name}", "mail", {"limit": 3, "rate_limit": {"count": 2, "per": "1m"}}),
        ("get", "/api/queue/{name}", "mail", None),
        ("get", "/api/queue/{name}", "nobody", None),
        ("get", "/api/queue", "", None),
        ("get", "/api/mcp/servers", "", None),
        ("get", "/api/invoke/verify/{thread_id}", "thread", None),
        ("get", "/api/gates", "", None),
        ("get", "/api/invoke/gates/{thread_id}", "thread", None),
        ("get", "/api/invoke/gates/{thread_id}", "nobody", None),
        ("get", "/api/invoke/gates/{thread_id}/{step_id}", "waiting/approve", None),
        ("get", "/api/invoke/gates/{thread_id}/{step_id}", "waiting/nothing", None),
        ("get", "/api/invoke/status/{thread_id}", "waiting", None),
        ("get", "/api/invoke/status/{thread_id}", "parked", None),
        ("post", "/api/invoke/gates/{thread_id}/{step_id}", "waiting/marketer", {"answer": 7}),
        ("post", "/api/invoke/gates/{thread_id}/{step_id}", "waiting/marketer", {"answer": {}}),
        ("post", "/api/invoke/gates/{thread_id}/{step_id}", "waiting/marketer", {"answer": {}}),
        ("get", "/api/invoke/gates/{thread_id}/{step_id}", "waiting/marketer", None),
        ("post", "/api/webhooks", "", {"url": "https://x.example"}),
        ("post", "/api/webhooks", "", {"url": "ftp://x.example"}),
        ("get", "/api/webhooks", "", None),
        ("get", "/api/webhooks/{webhook_id}", hook, None),
        ("patch", "/api/webhooks/{webhook_id}", hook, {"description": "d"}),
        ("post", "/api/webhooks/{webhook_id}/rotate", f"{hook}/rotate", {}),
        ("post", "/api/webhooks/{webhook_id}/test", f"{hook}/test", None),
        ("post", "/api/webhooks/{webhook_id}/recover", f"{hook}/recover", {"since": "2026-11-21T09:30:00Z"}),
        ("get", "/api/webhooks/{webhook_id}/deliveries", f"{hook}/deliveries", None),
        ("get", "/api/webhooks/deliveries", "?thread_id=thread", None),
        ("get", "/api/webhooks/deliveries", "", None),
        ("get", "/api/webhooks/deliveries/{delivery_id}", sent, None),
        ("post", "/api/webhooks/deliveries/{delivery_id}/redeliver", f"{sent}/redeliver", {}),
        ("post", "/api/webhooks/deliveries/{delivery_id}/redeliver", "nothing/redeliver", {}),
        ("delete", "/api/webhooks/{webhook_id}", hook, None),
        ("delete", "/api/webhooks/{webhook_id}", hook, None),
        ("post", "/api/invoke/signals/{thread_id}/{name}", "waiting/go", {"n": 1}),
        ("post", "/api/invoke/signals/{thread_id}/{name}", "thread/go", {"n": 1}),
        ("post", "/api/invoke/signals/{thread_id}/{name}", "waiting/no name", None),
        ("get", "/api/invoke/signals/{thread_id}", "waiting", None),
        ("get", "/api/invoke/signals/{thread_id}", "nobody", None),
        ("get", "/api/waits", "?open=true", None),
        ("get", "/api/waits", "?limit=0", None),
        ("put", "/api/retention/workflows/{workflow}", "sewing", {"days": 1, "status_days": {"failed": 2}}),
        ("get", "/api/retention", "?preview=true", None),
        ("post", "/api/retention/run", "", {"dry_run": True}),
        ("post", "/api/retention/run", "", {"days": 3}),
        ("post", "/api/retention/run", "", {}),
        ("post", "/api/retention/run", "", {"status": "running"}),
        ("delete", "/api/retention/workflows/{workflow}", "nothing", None),
        ("delete", "/api/threads/{thread_id}", "waiting", None),
        ("delete", "/api/threads/{thread_id}", "thread", None),
        ("delete", "/api/threads/{thread_id}", "thread", None),
        ("post", "/api/messages/{topic}", "orders.created", {"total": 5}),
        ("post", "/api/messages/{topic}", "workflow.created", {"total": 5}),
        ("get", "/api/messages", "?topic=orders.*", None),
        ("get", "/api/messages", "?topic=*.>.x", None),
        ("get", "/api/messages/{topic}/{message_id}", "orders.created/nothing", None),
        ("post", "/api/triggers", "", {"name": "t", "topic": "orders.*", "workflow": "sewing"}),
        ("post", "/api/triggers", "", {"name": "t", "topic": "orders.*", "workflow": "sewing"}),
        ("post", "/api/triggers", "", {"name": "u", "topic": "orders.*", "workflow": "nothing"}),
        ("get", "/api/triggers", "", None),
        ("get", "/api/triggers/{name}", "t", None),
        ("get", "/api/triggers/{name}", "nothing", None),
        ("patch", "/api/triggers/{name}", "t", {"condition": "message.data.total > 3"}),
        ("patch", "/api/triggers/{name}", "t", {"topic": None}),
        ("post", "/api/triggers/{name}/test", "t/test", {"message": {"topic": "orders.x", "data": {"total": 5}}}),
        ("post", "/api/triggers/{name}/test", "t/test", {}),
        ("get", "/api/triggers/{name}/firings", "t/firings?outcome=failed", None),
        ("get", "/api/triggers/{name}/firings", "t/firings?outcome=no", None),
        ("delete", "/api/triggers/{name}", "t", None),
        ("post", "/api/schedules", "", {"name": "tick", "every": "1h", "workflow": "sewing", "input": {"a": 1}}),
        ("post", "/api/schedules", "", {"name": "tick", "every": "1h", "workflow": "sewing", "input": {"a": 1}}),
        ("post", "/api/schedules", "", {"name": "tick", "every": "2h", "workflow": "sewing"}),
        ("post", "/api/schedules", "", {"name": "tock", "cron": "no", "workflow": "sewing"}),
        ("post", "/api/schedules/{name}/run", "tick/run", None),
        ("post", "/api/schedules/{name}/run", "nobody/run", None),
        (
            *("post", "/api/schedules/{name}/backfill", "tick/backfill"),
            {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T02:00:00Z", "dry_run": True},
        ),
        (
            *("post", "/api/schedules/{name}/backfill", "tick/backfill"),
            {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T02:00:00Z"},
        ),
        ("post", "/api/schedules/{name}/backfill", "tick/backfill", {"from": "2026-01-01T00:00:00Z"}),
        ("get", "/api/schedules", "", None),
        ("get", "/api/schedules/{name}", "tick", None),
        ("get", "/api/schedules/{name}/firings", "tick/firings?limit=2", None),
        ("get", "/api/schedules/{name}/firings", "tick/firings?outcome=odd", None),
        ("patch", "/api/schedules/{name}", "tick", {"cron": "0 9 * * *", "timezone": "Europe/Vienna"}),
        ("patch", "/api/schedules/{name}", "tick", {"expected_revision": 1, "jitter": "5s"}),
        ("post", "/api/schedules/{name}/pause", "tick/pause", {"reason": "enough"}),
        ("post", "/api/schedules/{name}/resume", "tick/resume", {}),
        ("post", "/api/schedules/preview", "", {"cron": "@daily", "count": 2}),
        ("post", "/api/schedules/preview", "", {"cron": "@daily", "every": 3}),
        ("delete", "/api/schedules/{name}", "tick", None),
        ("delete", "/api/schedules/{name}", "tick", None),
        ("get", "/api/config", "", None),
        ("put", "/api/config", "?by=me", {"queue_limit": 7, "retentionDays": 2.5}),
        ("put", "/api/config", "", {"port": 7}),
        ("put", "/api/config", "", {"queue_limit": 0}),
        ("get", "/api/config/changes", "", None),
        ("delete", "/api/config/{name}", "queue_limit", None),
        ("delete", "/api/config/{name}", "queue_limit", None),
        ("get", "/api/health", "", None),
        ("get", "/api/health/checkpointer", "", None),
        ("get", "/api/health/live", "", None),
    ]
    for method, path, value, body in calls:
        answer = await client.request(method, path.partition("{")[0] + value, json=body)
        documented = document["paths"][path][method]["responses"][str(answer.status_code)]["content"]
        schema = documented[answer.headers["content-type"]]["schema"]
        check(document, schema, answer.json(), f"{method} {path}")


def check(document: dict[str, Any], schema: dict[str, Any], value: Any, where: str) -> None:
    """Fail with the place when `value` does not fit."""
    name = json.dumps(schema)
    if name not in _validators:
        _validators[name] = jsonschema_rs.validator_for({**schema, "components": document["components"]})
    faults = [f"{error.instance_path}: {error.message}" for error in _validators[name].iter_errors(value)]
    assert not faults, (where, faults)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name == "$ref":
                yield item
            else:
                yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
