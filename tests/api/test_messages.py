"""The routes of messages and triggers."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.known_secrets import KNOWN
from tests.api.real import open_real
from tests.unit.engine.house import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

EVENT = {"specversion": "1.0", "id": "a/1", "source": "/shop", "type": "order.created", "data": {"n": 1}}
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
BATCH = {"content-type": "application/cloudevents-batch+json"}


@pytest.fixture
def _no_secrets() -> Iterator[None]:
    yield
    KNOWN.clear()


async def post(client: httpx.AsyncClient, topic: str, expect: int = 202, **request: Any) -> Any:
    answer = await client.post(f"/api/messages/{topic}", **request)
    assert answer.status_code == expect, answer.text
    return answer.json()


async def test_any_json_is_a_message_and_is_kept_as_it_stands(client: httpx.AsyncClient) -> None:
    told = await post(client, "a.b", content=' {"n": 1.10, "big": 123456789012345678901234567890} ')
    assert (told["topic"], told["type"], told["duplicate"], told["durable"]) == ("a.b", "a.b", False, True)
    answer = await client.get(f"/api/messages/a.b/{told['id']}")
    assert '"data":{"n": 1.10, "big": 123456789012345678901234567890}' in answer.text


@pytest.mark.parametrize(
    ("topic", "content", "status", "code"),
    [
        ("workflow.complete.x", "{}", 422, "invalid_topic"),
        ("workflow", "{}", 422, "invalid_topic"),
        ("a..b", "{}", 422, "invalid_topic"),
        ("a.*", "{}", 422, "invalid_topic"),
        ("x" * 256, "{}", 422, "invalid_topic"),
        ("a", "", 400, "invalid_json"),
        ("a", "{", 400, "invalid_json"),
        ("a", '"' + "x" * 200_000 + '"', 413, "body_too_large"),
    ],
)
async def test_what_cannot_be_published_is_refused(
    client: httpx.AsyncClient, topic: str, content: str, status: int, code: str
) -> None:
    assert (await post(client, topic, status, content=content))["code"] == code


async def test_a_key_publishes_once_and_says_so(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k"}
    first = await post(client, "a", json={"a": 1, "b": 2}, headers=headers)
    again = await client.post("/api/messages/a", content='{"b": 2, "a":1}', headers=headers)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == {**first, "duplicate": True}
    for topic, value in (("a", {"a": 2}), ("b", {"a": 1, "b": 2})):
        assert (await post(client, topic, 422, json=value, headers=headers))["code"] == "idempotency_key_reused"


async def test_a_cloudevent_comes_in_in_every_mode_and_out_again(client: httpx.AsyncClient) -> None:
    assert not (await post(client, "a", json=EVENT, headers=STRUCTURED))["duplicate"]
    headers = {f"ce-{name}": str(value) for name, value in EVENT.items() if name != "data"}
    assert (await post(client, "a", json={"n": 1}, headers=headers))["duplicate"]
    told = await post(client, "a", json=[EVENT, {**EVENT, "id": "2"}], headers=BATCH)
    assert ([one["duplicate"] for one in told["messages"]], told["duplicates"]) == ([True, False], 1)
    out = await client.get("/api/messages/a/a/1", headers={"accept": "application/cloudevents+json"})
    assert out.headers["content-type"] == "application/cloudevents+json"
    assert out.json().items() >= {**EVENT, "topic": "a"}.items()


async def test_a_wrong_cloudevent_is_told_where_and_a_batch_is_taken_whole_or_not(client: httpx.AsyncClient) -> None:
    wrong = [EVENT, {**EVENT, "id": "", "Odd": 1}]
    told = await post(client, "a", 422, json=wrong, headers=BATCH)
    assert [one["pointer"] for one in told["problems"]] == ["/1/id", "/1/Odd"]
    assert (await client.get("/api/messages")).json()["messages"] == []
    told = await post(client, "a", 422, content=b"", headers={"content-type": "application/cloudevents+avro"})
    assert told["code"] == "not_supported"


async def test_the_list_has_filters_and_pages_also_as_cloudevents(client: httpx.AsyncClient) -> None:
    for number in range(3):
        await post(client, "a.x", json={"n": number})
    await post(client, "b", json={})
    page = (await client.get("/api/messages?topic=a.*&limit=2")).json()
    assert [one["data"]["n"] for one in page["messages"]] == [2, 1]
    rest = (await client.get("/api/messages", params={"topic": "a.*", "cursor": page["next_cursor"]})).json()
    assert ([one["data"]["n"] for one in rest["messages"]], rest["next_cursor"]) == ([0], None)
    events = await client.get("/api/messages?limit=1", headers={"accept": "application/cloudevents-batch+json"})
    assert [one["topic"] for one in events.json()] == ["b"]
    following = await client.get(events.links["next"]["url"])
    assert following.json()["messages"][0]["data"] == {"n": 2}


async def test_an_id_of_several_sources_needs_a_source(client: httpx.AsyncClient) -> None:
    for source in ("/x", "/y"):
        await post(client, "a", json={**EVENT, "id": "1", "source": source}, headers=STRUCTURED)
    answer = await client.get("/api/messages/a/1")
    assert (answer.status_code, answer.json()["sources"]) == (409, ["/y", "/x"])
    assert (await client.get("/api/messages/a/1?source=/x")).json()["source"] == "/x"
    assert (await client.get("/api/messages/b/1")).status_code == 404


@pytest.mark.usefixtures("_no_secrets")
async def test_a_secret_in_a_message_is_not_kept(client: httpx.AsyncClient) -> None:
    KNOWN.learn("s3cret-token-1234")
    headers = {"Idempotency-Key": "k"}
    value = {"authorization": "Bearer s3cret-token-1234"}
    await post(client, "a", json=value, headers=headers)
    assert (await post(client, "a", json=value, headers=headers))["duplicate"]
    [kept] = (await client.get("/api/messages")).json()["messages"]
    assert kept["data"] == {"authorization": "Bearer ***"}


TRIGGER = {"name": "t", "topic": "orders.*", "workflow": "sewing"}


async def test_a_trigger_is_made_changed_and_deleted(client: httpx.AsyncClient) -> None:
    made = await client.post("/api/triggers", json={**TRIGGER, "deduplicate": {"key": "{message.id}"}, "delay": "5m"})
    assert (made.status_code, made.headers["location"]) == (201, "/api/triggers/t")
    told = made.json()
    assert (told["input"], told["enabled"], told["delay_ms"]) == ("{message.data}", True, 300_000)
    assert told["deduplicate"] == {"key": "{message.id}", "window_ms": 86_400_000}
    changed = (await client.patch("/api/triggers/t", json={"enabled": False, "deduplicate": None})).json()
    assert changed == {**told, "enabled": False, "deduplicate": None, "updated_at": changed["updated_at"]}
    assert (await client.get("/api/triggers")).json()["triggers"] == [changed]
    assert (await client.delete("/api/triggers/t")).json() == {"name": "t", "deleted": True}
    assert (await client.get("/api/triggers/t")).status_code == 404


async def test_making_the_same_trigger_again_changes_nothing(client: httpx.AsyncClient) -> None:
    made = await client.post("/api/triggers", json=TRIGGER)
    again = await client.post("/api/triggers", json=TRIGGER)
    assert (again.status_code, again.json()) == (200, made.json())
    other = await client.post("/api/triggers", json={**TRIGGER, "condition": "true"})
    assert (other.status_code, other.json()["code"]) == (409, "trigger_exists")


@pytest.mark.parametrize(
    ("more", "pointers"),
    [
        ({"topic": "a.>.b", "condition": "1 +", "workflow": "nobody"}, ["/topic", "/condition", "/workflow"]),
        ({"input": {"a": "{input.x}"}}, ["/input/a"]),
        ({"deduplicate": {"key": "{message.id}", "window": "100d"}}, ["/deduplicate/window"]),
        ({"topics": "a"}, ["/topics"]),
        ({"workflow": "sewing@9"}, ["/workflow"]),
        ({"workflow": "sewing@x"}, ["/workflow"]),
    ],
    ids=str,
)
async def test_a_wrong_trigger_is_told_where(
    client: httpx.AsyncClient, more: dict[str, Any], pointers: list[str]
) -> None:
    answer = await client.post("/api/triggers", json={**TRIGGER, **more})
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["problems"]] == pointers


async def test_a_message_starts_a_workflow_by_http_alone() -> None:
    async with open_real() as service:
        steps = [{"id": "write", "agent": "writer", "input": "{input}"}]
        await service.post("/api/workflows", {"name": "note", "steps": steps}, expect=201)
        trigger = {"name": "t", "topic": "orders.*", "condition": "message.data.total > 100", "workflow": "note"}
        await service.post("/api/triggers", trigger, expect=201)
        tried = await service.post(
            "/api/triggers/t/test", {"message": {"topic": "orders.x", "data": {"total": 101}}}, expect=200
        )
        assert (tried["starts"], tried["input"]) == (True, {"total": 101})
        published = await service.post("/api/messages/orders.created", {"total": 250})
        async with asyncio.timeout(PATIENCE):
            while not (found := (await service.get("/api/triggers/t/firings"))["firings"]):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (found[0]["outcome"], found[0]["message_id"]) == ("started", published["id"])
        ended = await service.ended(found[0]["thread_id"])
        assert ended["output"] == {"write": {"by": "writer", "of": {"total": 250}}}
        tried = await service.post("/api/triggers/t/test", {"message_id": published["id"]}, expect=200)
        assert tried["thread_id"] == found[0]["thread_id"]


DOCS = Path(__file__).parents[2] / "docs"
SENT = re.compile(r"curl -s \$U(/api/[\w./-]+)((?:(?!curl).)*?)-d '(.*?)'\n", re.DOTALL)


def shown(page: str) -> list[tuple[str, dict[str, str], str]]:
    """What a page sends with curl: path, headers, body."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = SENT.findall(text)
    assert len(found) == text.count(" -d '")
    return [(path, dict(re.findall(r"-H '([\w-]+): ([^']*)'", rest)), body) for path, rest, body in found]


async def test_the_page_on_messages_shows_what_works(client: httpx.AsyncClient) -> None:
    answers = [await client.post(path, content=body, headers=headers) for path, headers, body in shown("messages.md")]
    assert [(one.status_code, one.json()["duplicate"]) for one in answers] == [(202, False), (202, False), (202, True)]


async def test_the_page_on_triggers_shows_what_works_and_one_end_starts_the_next() -> None:
    async with open_real() as service:
        for name in ("check-order", "write", "publish"):
            steps = [{"id": "write", "agent": "writer", "input": "{input}"}]
            await service.post("/api/workflows", {"name": name, "steps": steps}, expect=201)
        for path, headers, body in shown("triggers.md"):
            answer = await service.http.post(path, content=body, headers=headers)
            assert answer.is_success, answer.text
            if path.endswith("/test"):
                assert (answer.json()["starts"], answer.json()["input"]) == (True, {"order": "A-1", "of": "test"})
        first = await service.post("/api/invoke", {"workflow": "write", "input": "x"}, expect=200)
        inputs: list[Any] = []
        async with asyncio.timeout(PATIENCE):
            for name in ("check-large-orders", "publish-when-written"):
                while not (found := (await service.get(f"/api/triggers/{name}/firings"))["firings"]):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                ended = await service.ended(found[0]["thread_id"])
                inputs.append(ended["output"]["write"]["of"])
        assert inputs[0] == {"order": "A-1007", "of": "/api/messages"}
        assert inputs[1] == {"text": {"write": {"by": "writer", "of": "x"}}, "from": first["thread_id"]}
