"""The stock LangGraph SDK: threads, assistants, and what it is refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from langgraph_sdk.errors import ConflictError, InternalServerError, NotFoundError, UnprocessableEntityError

from tests.api.lang import held_of, shared_lang

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.lang import Lang


pytestmark = pytest.mark.asyncio(loop_scope="module")
lang = pytest_asyncio.fixture(shared_lang, scope="module", loop_scope="module")


def counted(call: Any, calls: list[Any]) -> Any:
    """The same, written down."""

    async def counting(*arguments: Any) -> Any:
        calls.append(arguments)
        return await call(*arguments)

    return counting


async def test_a_thread_is_made_before_it_runs_and_is_the_same_afterwards(lang: Lang) -> None:
    made = await lang.client.threads.create(metadata={"user": "ana"}, graph_id="sewing")
    assert (made["status"], made["values"], made["metadata"]) == ("idle", None, {"user": "ana", "graph_id": "sewing"})
    assert (await lang.client.threads.get_state(made["thread_id"]))["values"] == {}
    assert await lang.client.threads.get_history(made["thread_id"]) == []
    await lang.client.runs.wait(made["thread_id"], "sewing", input={"topic": "a"})
    ran = await lang.client.threads.get(made["thread_id"])
    assert (ran["thread_id"], ran["created_at"], ran["status"]) == (made["thread_id"], made["created_at"], "idle")
    assert (ran["values"]["output"], ran["metadata"]["user"]) == ({"made": "a"}, "ana")  # type: ignore[index]


async def test_a_thread_is_made_once(lang: Lang) -> None:
    first = await lang.client.threads.create(thread_id="mine", metadata={"a": 1})
    with pytest.raises(ConflictError, match="thread mine exists"):
        await lang.client.threads.create(thread_id="mine")
    again = await lang.client.threads.create(thread_id="mine", metadata={"b": 2}, if_exists="do_nothing")
    assert again == first


async def test_threads_are_found_by_metadata_status_and_graph(lang: Lang) -> None:
    users = [{"user": user, "of": "found"} for user in ("ana", "bob")]
    ids = [(await lang.client.threads.create(metadata=user))["thread_id"] for user in users]
    await lang.client.runs.wait(ids[0], "sewing", input={"topic": "a"})
    await lang.client.runs.create(ids[1], "slow", input={})
    await held_of(ids[1]).entered.wait()

    async def found(**where: Any) -> list[str]:
        mine = {**where, "metadata": {"of": "found", **where.get("metadata", {})}}
        return [one["thread_id"] for one in await lang.client.threads.search(**mine)]

    assert await found(metadata={"user": "ana"}) == [ids[0]]
    assert await found(status="busy") == [ids[1]]
    assert await found(metadata={"graph_id": "slow"}) == [ids[1]]
    assert await found(sort_by="created_at", sort_order="asc", limit=1, offset=1) == [ids[1]]
    assert await lang.client.threads.count(status="idle", metadata={"of": "found"}) == 1
    [slim] = await lang.client.threads.search(ids=[ids[0]], select=["thread_id", "status"])
    assert slim == {"thread_id": ids[0], "status": "idle"}


async def test_metadata_is_added_to(lang: Lang) -> None:
    thread_id = (await lang.client.threads.create(metadata={"a": 1}))["thread_id"]
    assert (await lang.client.threads.update(thread_id, metadata={"b": 2}))["metadata"] == {"a": 1, "b": 2}
    assert await lang.client.threads.update(thread_id, metadata={"a": 3}, return_minimal=True) is None
    assert (await lang.client.threads.get(thread_id))["metadata"] == {"a": 3, "b": 2}


async def test_metadata_does_not_grow_without_end(lang: Lang) -> None:
    thread_id = (await lang.client.threads.create(metadata={"a": "x" * 40_000}))["thread_id"]
    with pytest.raises(UnprocessableEntityError, match="larger than"):
        await lang.client.threads.update(thread_id, metadata={"b": "x" * 40_000})
    await lang.client.threads.update(thread_id, metadata={"a": "y" * 40_000})
    with pytest.raises(UnprocessableEntityError, match="larger than"):
        await lang.client.runs.create(thread_id, "sewing", input={}, metadata={"a": "x" * 70_000})


async def test_many_threads_are_asked_for_at_once(lang: Lang, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [await lang.client.threads.create(metadata={"many": True}) for _ in range(4)]
    await asyncio.gather(*[lang.client.runs.wait(one["thread_id"], "sewing", input={"topic": "a"}) for one in runs])
    asked: list[Any] = []
    for of, name in ((lang.real.services.sdk_threads, "statuses"), (lang.real.services.registry, "definition")):
        monkeypatch.setattr(of, name, counted(getattr(of, name), asked))
    found = await lang.client.threads.search(metadata={"many": True}, select=["thread_id", "status", "metadata"])
    assert [one["status"] for one in found] == ["idle"] * 4
    assert len(asked) == 2


async def test_a_thread_that_was_started_elsewhere_is_known_too(lang: Lang) -> None:
    started = await lang.real.post("/api/invoke", {"workflow": "sewing", "input": {"topic": "a"}}, expect=200)
    thread = await lang.client.threads.get(started["thread_id"])
    assert (thread["status"], thread["metadata"]["graph_id"]) == ("idle", "sewing")  # type: ignore[index]
    found: Any = await lang.client.runs.wait(started["thread_id"], "sewing", input={"topic": "b"})
    assert found["output"] == {"made": "b"}
    [kept] = await lang.client.threads.search(ids=[started["thread_id"]])
    assert kept["status"] == "idle"


async def test_a_copy_has_the_same_state_and_goes_its_own_way(lang: Lang) -> None:
    thread_id = (await lang.client.threads.create(metadata={"user": "ana"}))["thread_id"]
    await lang.client.runs.wait(thread_id, "sewing", input={"topic": "a"})
    copy: Any = await lang.client.threads.copy(thread_id)
    values = (await lang.client.threads.get_state(copy["thread_id"]))["values"]
    assert values["cut"] == {"of": "a"}  # type: ignore[call-overload]
    assert (copy["thread_id"] != thread_id, copy["metadata"]["user"]) == (True, "ana")
    assert await lang.client.runs.list(copy["thread_id"]) == []
    empty: Any = await lang.client.threads.copy((await lang.client.threads.create(metadata={"x": 1}))["thread_id"])
    assert empty["metadata"] == {"x": 1}


async def test_a_copy_of_a_thread_on_its_way_waits_for_a_run(lang: Lang) -> None:
    thread_id = (await lang.client.threads.create())["thread_id"]
    run = await lang.client.runs.create(thread_id, "slow", input={"n": 1})
    await held_of(thread_id).entered.wait()
    copy: Any = await lang.client.threads.copy(thread_id)
    assert (copy["status"], copy["values"]["first"]) == ("interrupted", {"n": 1})
    assert await lang.client.runs.list(copy["thread_id"]) == []
    held_of(copy["thread_id"]).go.set()
    found: Any = await lang.client.runs.wait(copy["thread_id"], "slow")
    assert found["hold"] == "let go"
    assert (await lang.client.runs.get(thread_id, run["run_id"]))["status"] == "running"


async def test_threads_are_deleted_unless_they_run(lang: Lang) -> None:
    asking, _ = await lang.paused_at_gate()
    await lang.client.threads.delete(asking)
    with pytest.raises(NotFoundError):
        await lang.client.threads.get(asking)
    with pytest.raises(NotFoundError):
        await lang.client.threads.delete(asking)
    thread_id = (await lang.client.threads.create())["thread_id"]
    await lang.client.runs.create(thread_id, "slow", input={})
    await held_of(thread_id).entered.wait()
    with pytest.raises(ConflictError, match="only what has ended can be deleted"):
        await lang.client.threads.delete(thread_id)
    empty = (await lang.client.threads.create())["thread_id"]
    assert await lang.client.threads.prune([empty, "nobody"]) == {"pruned_count": 1}


NOT_SUPPORTED: list[tuple[Callable[..., Any], str]] = [
    (lambda c: c.threads.create(ttl=5), "retention"),
    (lambda c: c.threads.create(thread_id="not allowed"), "A-Z"),
    (lambda c: c.threads.create(metadata={"a": "\x00"}), "u0000"),
    (lambda c: c.threads.create(supersteps=[{"updates": []}]), "copy one"),
    (lambda c: c.threads.get("a", include=["ttl"]), "retention"),
    (lambda c: c.threads.search(values={"a": 1}), "metadata"),
    (lambda c: c.threads.search(extract={"a": "values.b"}), "values"),
    (lambda c: c.threads.search(limit=0), "greater than or equal to 1"),
    (lambda c: c.threads.prune(["a"], strategy="keep_latest"), "checkpoint policy"),
    (lambda c: c.assistants.create("sewing"), "register a document"),
    (lambda c: c.assistants.update("sewing", name="x"), "register a document"),
    (lambda c: c.assistants.delete("sewing"), "register a document"),
    (lambda c: c.assistants.set_latest("sewing", 1), "register a document"),
]
ABSENT: list[Callable[..., Any]] = [
    lambda c: c.store.put_item(["a"], key="b", value={}),
    lambda c: c.store.search_items(["a"]),
    lambda c: c.store.list_namespaces(["a"]),
]


async def test_what_is_not_supported_is_refused_in_words(lang: Lang) -> None:
    for call, says in NOT_SUPPORTED:
        with pytest.raises(UnprocessableEntityError, match=says):
            await call(lang.client)


async def test_the_store_is_not_implemented_and_says_so(lang: Lang) -> None:
    for call in ABSENT:
        with pytest.raises(InternalServerError, match="this service has no store") as raised:
            await call(lang.client)
        assert raised.value.status_code == 501


async def test_assistants_are_the_registered_workflows(lang: Lang) -> None:
    found: Any = await lang.client.assistants.search(graph_id="sewing")
    [sewing] = found
    assert (sewing["name"], sewing["version"], sewing["description"]) == ("sewing", 1, "three stitches")
    for name in (sewing["assistant_id"], "sewing", "sewing@1"):
        assert (await lang.client.assistants.get(name))["assistant_id"] == sewing["assistant_id"]
    assert await lang.client.assistants.count() == len(await lang.client.assistants.search(limit=100))
    assert await lang.client.assistants.count(metadata={"created_by": "user"}) == 0
    with pytest.raises(NotFoundError):
        await lang.client.assistants.get("00000000-0000-8000-8000-000000000000")


async def test_an_assistant_keeps_its_id_over_versions_and_runs_the_newest(lang: Lang) -> None:
    await lang.register({"name": "grows", "steps": [{"id": "first", "python": "echo_of"}]})
    before = await lang.client.assistants.get("grows")
    await lang.register({"name": "grows", "steps": [{"id": "quick", "python": "echo_of"}]})
    after = await lang.client.assistants.get("grows")
    assert (after["assistant_id"], after["version"]) == (before["assistant_id"], 2)
    one: Any = 1
    found: Any = await lang.client.runs.wait(None, after["assistant_id"], input=one)
    assert found == {"quick": 1, "input": 1, "output": {"quick": 1}}
    assert [one["version"] for one in await lang.client.assistants.get_versions("grows")] == [2, 1]


async def test_lists_of_assistants_have_pages(lang: Lang) -> None:
    first: Any = await lang.client.assistants.search(limit=2, response_format="object")
    rest: Any = await lang.client.assistants.search(limit=100, offset=int(first["next"]), response_format="object")
    names = [one["name"] for one in first["assistants"] + rest["assistants"]]
    assert names == sorted(names)
    assert (len(first["assistants"]), rest["next"]) == (2, None)
    for by in ("assistant_id", "created_at", "updated_at", "graph_id"):
        order: Any = by
        found = [one[by] for one in await lang.client.assistants.search(sort_by=order, sort_order="desc", limit=100)]
        assert found == sorted(found, reverse=True)


async def test_the_graph_of_an_assistant_has_its_steps_between_start_and_end(lang: Lang) -> None:
    graph = await lang.client.assistants.get_graph("sewing")
    assert [node["id"] for node in graph["nodes"]] == ["__start__", "cut", "stitch", "iron", "__end__"]
    assert [(edge["source"], edge["target"]) for edge in graph["edges"]] == [
        ("__start__", "cut"),
        ("cut", "stitch"),
        ("stitch", "iron"),
        ("iron", "__end__"),
    ]
    schemas = await lang.client.assistants.get_schemas("sewing")
    assert schemas["input_schema"]["properties"] == {"topic": {"type": "string"}}  # type: ignore[index]
    assert {"cloth", "cut", "input"} <= (schemas["state_schema"] or {})["properties"].keys()
    assert await lang.client.assistants.get_subgraphs("sewing") == {}


async def test_the_service_says_that_it_is_there_and_what_it_has(lang: Lang) -> None:
    assert await lang.client.http.get("/ok") == {"ok": True}
    assert (await lang.client.http.get("/info"))["flags"]["crons"] is True


async def test_the_synchronous_client_has_threads_and_assistants_too(lang: Lang) -> None:
    def work() -> None:
        thread_id = lang.sync.threads.create(metadata={"by": "sync"})["thread_id"]
        assert lang.sync.threads.search(metadata={"by": "sync"})[0]["thread_id"] == thread_id
        assert lang.sync.threads.update(thread_id, metadata={"b": 1})["metadata"] == {"by": "sync", "b": 1}
        assert lang.sync.assistants.search(graph_id="sewing")[0]["graph_id"] == "sewing"
        lang.sync.threads.delete(thread_id)
        assert lang.sync.threads.count(metadata={"by": "sync"}) == 0

    await lang.aside(work)
