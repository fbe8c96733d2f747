"""The routes of the agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.bootstrap.agents import AgentDesk
from app.domain.errors import Unavailable
from app.domain.records import ErrorInfo
from app.domain.runner import Failed
from app.engine.agent_folder import AgentFolder
from app.engine.step import Result

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.api.service import Service

READER = {"name": "reader", "kind": "python", "config": {"function": "analyst"}, "tags": ["text"]}


async def post(client: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    return await client.post("/api/agents", json={**READER, **changes})


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_an_agent_is_registered_changed_and_the_same_again(client: httpx.AsyncClient) -> None:
    first = await post(client)
    assert (first.status_code, first.headers["location"]) == (201, "/api/agents/reader@1")
    again = await post(client)
    assert (again.status_code, again.json()) == (200, first.json())
    second = await post(client, description="Reads")
    assert (second.status_code, second.json()["version"]) == (201, 2)
    assert (await client.get("/api/agents/reader")).json() == second.json()
    old = (await client.get("/api/agents/reader@1")).json()
    assert (old["version"], old["current"], old["description"]) == (1, False, None)


async def test_an_agent_is_shown_whole(client: httpx.AsyncClient) -> None:
    await post(client, input={"type": "object"})
    found = (await client.get("/api/agents/reader")).json()
    assert {name: found[name] for name in READER} == READER
    told = {name: found[name] for name in ("source", "origin", "enabled", "disabled_reason", "breaker", "problems")}
    assert told == {
        "source": "api",
        "origin": None,
        "enabled": True,
        "disabled_reason": None,
        "breaker": "closed",
        "problems": [],
    }
    assert (found["input"], found["output"], len(found["hash"])) == ({"type": "object"}, None, 64)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"kind": "lllm"}, "/kind"),
        ({"config": {"function": "nobody"}}, "/config"),
        ({"config": {"import": "os"}}, "/config"),
        ({"name": "a b"}, "/name"),
        ({"tags": [1]}, "/tags/0"),
        ({"input": {"type": "thing"}}, "/input/type"),
        ({"more": 1}, ""),
    ],
)
async def test_what_does_not_hold_is_refused_with_its_place(
    client: httpx.AsyncClient, service: Service, changes: dict[str, Any], pointer: str
) -> None:
    answer = await post(client, **changes)
    assert code(answer) == (422, "invalid_agent")
    assert answer.json()["problems"][0]["pointer"] == pointer
    assert service.directory.find("reader") is None


async def test_the_list_has_filters_and_pages(client: httpx.AsyncClient) -> None:
    await post(client)
    await client.post("/api/agents/marketer/disable")

    async def names(query: str) -> list[str]:
        return [one["name"] for one in (await client.get(f"/api/agents?{query}")).json()["agents"]]

    assert await names("") == ["analyst", "marketer", "publish", "reader"]
    assert await names("kind=python&tag=text") == ["reader"]
    assert await names("kind=llm") == []
    assert await names("enabled=false") == ["marketer"]
    assert await names("enabled=true") == ["analyst", "publish", "reader"]
    first = (await client.get("/api/agents?limit=3")).json()
    assert await names(f"limit=3&cursor={first['next_cursor']}") == ["reader"]


async def test_a_change_keeps_what_is_not_given(client: httpx.AsyncClient) -> None:
    await post(client, description="Reads")
    found = (await client.patch("/api/agents/reader", json={"tags": ["a"], "description": None})).json()
    assert (found["version"], found["tags"], found["description"], found["config"]) == (
        2,
        ["a"],
        None,
        READER["config"],
    )
    for body, pointer in (({"name": "other"}, "/name"), ({"kind": None}, "/kind"), ([], ""), ({"x": 1}, "")):
        answer = await client.patch("/api/agents/reader", json=body)
        assert (code(answer), answer.json()["problems"][0]["pointer"]) == ((422, "invalid_agent"), pointer)


async def test_a_change_of_another_version_than_the_current_one_is_refused(client: httpx.AsyncClient) -> None:
    await post(client)
    await post(client, description="Reads")
    for answer in (
        await client.patch("/api/agents/reader@1", json={"tags": []}),
        await client.delete("/api/agents/reader@1"),
    ):
        assert code(answer) == (409, "version_conflict")
    assert (await client.patch("/api/agents/reader@2", json={"tags": []})).json()["version"] == 3
    assert (await client.delete("/api/agents/reader@3")).status_code == 200


async def test_an_agent_that_is_deleted_is_gone_and_its_versions_stay(client: httpx.AsyncClient) -> None:
    await post(client)
    gone = await client.delete("/api/agents/reader")
    assert gone.json() == {"name": "reader", "version": 1, "deleted": True}
    assert code(await client.get("/api/agents/reader")) == (404, "agent_not_found")
    assert code(await client.delete("/api/agents/reader")) == (404, "agent_not_found")
    assert (await client.get("/api/agents/reader@1")).json()["current"] is False
    assert (await post(client)).json()["version"] == 1


async def test_an_agent_of_the_code_is_not_the_apis(client: httpx.AsyncClient, service: Service) -> None:
    assert (await client.get("/api/agents/analyst")).json()["loaded"] is False
    service.directory._code["analyst"] = (service.directory.records()[0].agent, "here")
    entries = {one["name"]: one["loaded"] for one in (await client.get("/api/agents")).json()["agents"]}
    assert (entries["analyst"], entries["marketer"]) == (True, False)
    for answer in (
        await post(client, name="analyst"),
        await client.patch("/api/agents/analyst", json={"tags": ["a"]}),
        await client.delete("/api/agents/analyst"),
    ):
        assert code(answer) == (409, "agent_taken")
        assert "agent analyst belongs to code (tests.api.service:" in answer.json()["detail"]


async def test_files_that_are_refused_are_told(client: httpx.AsyncClient, service: Service, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("name: broken\nkind: lllm\n")
    (tmp_path / "good.yaml").write_text("name: good\nkind: python\nconfig: {function: analyst}\n")
    folder = AgentFolder(tmp_path, service.directory)
    service.agents = AgentDesk(directory=service.directory, series=service.series, folder=folder)
    await folder.open()
    found = (await client.get("/api/agents")).json()
    fault = {"pointer": "/kind", "message": "no kind of agent 'lllm'; known: python"}
    assert found["refused_files"] == [{"file": "broken.yaml", "problems": [fault]}]
    assert code(await client.delete("/api/agents/good")) == (409, "agent_taken")
    assert (await client.get("/api/agents/good")).json()["origin"] == "good.yaml"


async def test_a_disabled_agent_says_why_until_it_is_enabled(client: httpx.AsyncClient) -> None:
    found = (await client.post("/api/agents/analyst/disable", json={"reason": "it costs too much"})).json()
    assert (found["enabled"], found["disabled_reason"], found["breaker"]) == (False, "it costs too much", "open")
    assert (await client.get("/api/breakers/analyst")).json()["reason"] == "disabled: it costs too much"
    assert (await client.get("/api/agents/analyst")).json() == found
    found = (await client.post("/api/agents/analyst/enable")).json()
    assert (found["enabled"], found["disabled_reason"], found["breaker"]) == (True, None, "closed")


async def test_what_happens_to_an_agent_is_told_page_by_page(client: httpx.AsyncClient) -> None:
    await post(client)
    await client.post("/api/agents/reader/disable")
    await client.post("/api/agents/reader/enable")
    await client.delete("/api/agents/reader")
    first = (await client.get("/api/agents/reader/events?limit=3")).json()
    second = (await client.get(f"/api/agents/reader/events?cursor={first['next_cursor']}")).json()
    assert [one["event"] for one in first["events"]] == ["deleted", "enabled", "disabled"]
    assert first["events"][2]["data"] == {"reason": "disabled: by hand", "by_hand": True}
    assert [one["event"] for one in second["events"]] == ["registered"]
    assert second["next_cursor"] is None


async def test_health_tells_what_came_of_attempts(client: httpx.AsyncClient, service: Service) -> None:
    busy = ErrorInfo(kind="http.503", message="busy", step_id="a", retryable=True)
    for seconds in (0.1, 0.1, 0.1, 2.0):
        service.series.attempt("analyst", Result(value=1, text="1"), seconds)
    service.series.attempt("analyst", Failed(error=busy), 30.0)
    service.series.attempt("analyst", Failed(error=ErrorInfo(kind="validation", message="no")), 0.0)
    found = (await client.get("/api/agents/analyst/health?window=1h")).json()
    counted = [found[name] for name in ("attempts", "succeeded", "failed", "rejected", "success_rate", "window_ms")]
    assert counted == [6, 4, 1, 1, 0.8, 3_600_000]
    assert found["duration_ms"]["p50"] == pytest.approx(100, rel=0.1)
    assert found["duration_ms"]["p99"] == pytest.approx(30_000, rel=0.1)
    assert (found["last_error"]["kind"], found["breaker"]["state"], found["enabled"]) == ("validation", "closed", True)


async def test_the_health_of_an_agent_that_did_nothing_is_empty(client: httpx.AsyncClient) -> None:
    found = (await client.get("/api/agents/analyst/health")).json()
    assert (found["attempts"], found["success_rate"], found["last_error"]) == (0, None, None)
    assert found["duration_ms"] == {"p50": None, "p95": None, "p99": None}


@pytest.mark.parametrize("window", ["0", "25h", "long", "-1"])
async def test_a_window_that_cannot_be_is_refused(client: httpx.AsyncClient, window: str) -> None:
    answer = await client.get(f"/api/agents/analyst/health?window={window}")
    assert (answer.status_code, answer.json()["problems"][0]["pointer"]) == (422, "/query/window")


@pytest.mark.parametrize("name", ["analist", "a%00b", "%F0%9F%92%A3", "analyst@x", "analyst@9", "analyst@99999999999"])
async def test_an_unknown_agent_is_not_found(client: httpx.AsyncClient, name: str) -> None:
    answers = [
        await client.get(f"/api/agents/{name}"),
        await client.get(f"/api/agents/{name}/health"),
        await client.post(f"/api/agents/{name}/enable"),
        await client.post(f"/api/agents/{name}/disable"),
    ]
    assert {code(answer) for answer in answers} == {(404, "agent_not_found")}


async def test_without_the_store_agents_are_told_and_not_changed(client: httpx.AsyncClient, service: Service) -> None:
    async def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("the database cannot be reached")

    store = service.directory._store
    store.load = store.register = store.delete = away  # type: ignore[method-assign]
    assert (await client.get("/api/agents/analyst")).status_code == 200
    assert code(await post(client)) == (503, "unavailable")
    assert code(await client.delete("/api/agents/publish")) == (503, "unavailable")
