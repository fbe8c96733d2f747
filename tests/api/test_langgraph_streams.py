"""The stock LangGraph SDK: runs streamed, cut off and joined again, nothing lost and nothing twice."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from langgraph_sdk.errors import UnprocessableEntityError

from app.domain.errors import Unavailable
from tests.api.lang import held_of, no_pause, parts, shared_lang, told  # noqa: F401 - a fixture
from tests.llm_server import LlmServer, serving

if TYPE_CHECKING:
    from langgraph_sdk.schema import StreamPart

    from tests.api.lang import Lang

TEXT = "one two three"
TEXTS = ("messages", "messages/partial", "messages/metadata")
ALL = ["values", "updates", "messages-tuple", "messages", "custom", "tasks", "checkpoints", "debug"]


pytestmark = pytest.mark.asyncio(loop_scope="module")
lang = pytest_asyncio.fixture(shared_lang, scope="module", loop_scope="module")


async def thread_of(lang: Lang) -> str:
    return (await lang.client.threads.create())["thread_id"]


def text_of(found: list[StreamPart]) -> str:
    """What the pieces of messages say together."""
    return "".join(message["content"] for message, _ in told(found, "messages"))


def durable(found: list[StreamPart]) -> list[tuple[str, str]]:
    """What is told of events, with the part of the ids that is the same for all readers."""
    return [(one.event, (one.id or "").partition("~")[0]) for one in found if one.event not in (*TEXTS, "end")]


async def test_values_come_after_each_version_with_the_output_at_the_end(lang: Lang) -> None:
    found = await parts(lang.client.runs.stream(await thread_of(lang), "sewing", input={"topic": "silk"}))
    assert [part.event for part in found] == ["metadata", *["values"] * 5, "end"]
    values = told(found, "values")
    assert values[0] == {"input": {"topic": "silk"}}
    assert [name for name in values[-1] if name not in values[0]] == ["cut", "stitch", "iron", "cloth", "output"]
    assert values[-1]["output"] == {"made": "silk"}


async def test_updates_are_what_each_step_gave(lang: Lang) -> None:
    found = await parts(lang.client.runs.stream(None, "sewing", input={"topic": "a"}, stream_mode="updates"))
    assert told(found, "updates") == [{name: {"of": "a"}} for name in ("cut", "stitch", "iron")]
    assert found[0].data["run_id"]


async def test_version_two_of_the_form_works_too(lang: Lang) -> None:
    stream = lang.client.runs.stream(None, "sewing", input={"topic": "a"}, stream_mode=["values"], version="v2")
    found: list[Any] = [part async for part in stream]
    assert [part["type"] for part in found] == ["metadata", *["values"] * 5]


async def test_text_comes_in_pieces_and_progress_as_custom(lang: Lang) -> None:
    thread_id = await thread_of(lang)
    stream = lang.client.runs.stream(thread_id, "talking", stream_mode=["messages-tuple", "custom"])
    found: list[StreamPart] = []
    async for part in stream:
        found.append(part)
        if text_of(found) == "one two ":
            held_of(thread_id).go.set()
    assert text_of(found) == TEXT
    message, about = told(found, "messages")[0]
    assert (message["type"], message["name"], about["langgraph_node"]) == ("AIMessageChunk", "talk", "talk")
    assert len({message["id"] for message, _ in told(found, "messages")}) == 1
    assert [one["message"] for one in told(found, "custom")] == ["half"]


async def test_messages_are_partial_and_then_complete(lang: Lang) -> None:
    thread_id = await thread_of(lang)
    held_of(thread_id).go.set()
    found = await parts(lang.client.runs.stream(thread_id, "talking", stream_mode="messages"))
    whole = [one[0]["content"] for one in told(found, "messages/partial")]
    assert whole == ["one ", "one two ", TEXT]
    assert [one[0]["content"] for one in told(found, "messages/complete")] == [TEXT]
    assert len(told(found, "messages/metadata")) == 1


async def test_tasks_checkpoints_and_debug_tell_of_steps_and_versions(lang: Lang) -> None:
    found = await parts(
        lang.client.runs.stream(None, "sewing", input={"topic": "a"}, stream_mode=["tasks", "checkpoints", "debug"])
    )
    tasks = told(found, "tasks")
    assert [(one["name"], "input" in one) for one in tasks[:2]] == [("cut", True), ("cut", False)]
    assert tasks[0]["id"] == tasks[1]["id"]
    assert [one["next"] for one in told(found, "checkpoints")] == [["cut"], ["stitch"], ["iron"], [], []]
    assert [one["type"] for one in told(found, "debug")][:4] == ["checkpoint", "task", "task_result", "checkpoint"]


async def test_a_failure_is_an_error_before_the_end(lang: Lang) -> None:
    await lang.register({"name": "failing", "steps": [{"id": "f", "agent": "failing"}]})
    found = await parts(lang.client.runs.stream(None, "failing"))
    assert [part.event for part in found][-2:] == ["error", "end"]
    assert found[-2].data == {"error": "refused", "message": "no"}


async def test_a_question_ends_the_stream_as_an_interrupt(lang: Lang) -> None:
    thread_id = await thread_of(lang)
    found = await parts(lang.client.runs.stream(thread_id, "asking", input={"n": 1}, stream_mode=["updates", "values"]))
    assert found[-1].event == "end"
    [asked] = [one["__interrupt__"] for one in told(found, "updates") if "__interrupt__" in one]
    assert asked[0]["value"] == {"of": {"n": 1}}
    assert told(found, "values")[-1]["__interrupt__"] == asked


async def test_modes_that_are_not_there_are_refused_and_nothing_begins(lang: Lang) -> None:
    thread_id = await thread_of(lang)
    with pytest.raises(UnprocessableEntityError, match="events is not streamed here"):
        await parts(lang.client.runs.stream(thread_id, "sewing", input={}, stream_mode=["values", "events"]))
    assert await lang.client.runs.list(thread_id) == []


@pytest.mark.usefixtures("no_pause")
async def test_a_stream_that_is_cut_goes_on_by_itself(lang: Lang) -> None:
    thread_id = await thread_of(lang)
    found: list[StreamPart] = []
    async for part in lang.client.runs.stream(thread_id, "talking", stream_mode=ALL):  # type: ignore[arg-type]
        found.append(part)
        if part.event == "messages" and text_of(found) == "one two ":
            lang.wire.cut()
            held_of(thread_id).go.set()
    assert text_of(found) == TEXT
    whole = await parts(lang.client.runs.join_stream(thread_id, found[0].data["run_id"], stream_mode=ALL))  # type: ignore[arg-type]
    assert durable(found) == durable(whole)
    assert len(set(durable(found))) == len(durable(found)) > 20


@pytest.mark.usefixtures("no_pause")
async def test_the_synchronous_stream_is_cut_and_goes_on_too(lang: Lang) -> None:
    thread_id, loop = await thread_of(lang), asyncio.get_running_loop()

    def read() -> list[StreamPart]:
        found: list[StreamPart] = []
        for part in lang.sync.runs.stream(thread_id, "talking", stream_mode=["updates", "messages-tuple"]):
            found.append(part)
            if part.event == "messages" and text_of(found) == "one two ":
                loop.call_soon_threadsafe(lang.wire.cut)
                loop.call_soon_threadsafe(held_of(thread_id).go.set)
        return found

    found = await lang.aside(read)
    assert text_of(found) == TEXT
    assert [list(one) for one in told(found, "updates")] == [["talk"], ["after"]]


async def test_whoever_joins_after_any_message_gets_all_that_comes_after_it(lang: Lang) -> None:
    thread_id = await thread_of(lang)
    held_of(thread_id).go.set()
    whole = await parts(lang.client.runs.stream(thread_id, "talking", stream_mode=ALL))  # type: ignore[arg-type]
    run_id = whole[0].data["run_id"]
    for place, part in enumerate(whole[:-1]):
        rest = await parts(
            lang.client.runs.join_stream(thread_id, run_id, stream_mode=ALL, last_event_id=part.id)  # type: ignore[arg-type]
        )
        assert durable(rest) == durable(whole[place + 1 :]), part
        assert text_of(whole[: place + 1]) + text_of(rest) == TEXT, part


async def test_a_run_can_be_joined_from_its_beginning_and_after_its_end(lang: Lang) -> None:
    thread_id = await thread_of(lang)
    runs = [await lang.client.runs.create(thread_id, "sewing", input={"topic": "a"})]
    await lang.client.runs.join(thread_id, runs[0]["run_id"])
    runs.append(await lang.client.runs.create(thread_id, "sewing", input={"topic": "b"}))
    await lang.client.runs.join(thread_id, runs[1]["run_id"])
    for run, topic in zip(runs, "ab", strict=True):
        found = await parts(lang.client.runs.join_stream(thread_id, run["run_id"]))
        assert told(found, "values")[-1]["output"] == {"made": topic}
        assert [one["input"]["topic"] for one in told(found, "values")] == [topic] * 5
        assert [part.event for part in found].count("end") == 1


async def test_a_cursor_of_another_run_begins_at_the_beginning(lang: Lang) -> None:
    thread_id = await thread_of(lang)
    first = await parts(lang.client.runs.stream(thread_id, "sewing", input={"topic": "a"}))
    second = await parts(lang.client.runs.stream(thread_id, "sewing", input={"topic": "b"}))
    again = await parts(
        lang.client.runs.join_stream(
            thread_id, second[0].data["run_id"], stream_mode="values", last_event_id=first[-2].id
        )
    )
    assert again == second


async def test_a_stream_outlives_an_outage_of_the_store(lang: Lang, monkeypatch: pytest.MonkeyPatch) -> None:
    thread_id, services, calls = await thread_of(lang), lang.real.services, count(1)
    await lang.client.runs.wait(thread_id, "sewing", input={"topic": "a"})
    [run] = await lang.client.runs.list(thread_id)
    whole = await parts(lang.client.runs.join_stream(thread_id, run["run_id"], stream_mode=ALL))  # type: ignore[arg-type]
    load, thread = services.control.load_state, services.reads.thread

    async def failing(call: Any, *arguments: Any) -> Any:
        if next(calls) in (3, 9):
            raise Unavailable("away", retry_after=0)
        return await call(*arguments)

    monkeypatch.setattr("app.api.thread_stream.OUTAGE_PAUSE", 0.01)
    monkeypatch.setattr(services.control, "load_state", partial(failing, load))
    monkeypatch.setattr(services.reads, "thread", partial(failing, thread))
    found = await parts(lang.client.runs.join_stream(thread_id, run["run_id"], stream_mode=ALL))  # type: ignore[arg-type]
    assert next(calls) > 9
    assert durable(found) == durable(whole)


async def test_a_run_that_another_takes_the_place_of_ends_with_an_error(lang: Lang) -> None:
    thread_id = await thread_of(lang)
    run = await lang.client.runs.create(thread_id, "slow", input={})
    reading = asyncio.create_task(parts(lang.client.runs.join_stream(thread_id, run["run_id"])))
    await held_of(thread_id).entered.wait()
    await lang.real.post(f"/api/invoke/rollback/{thread_id}", {"to_version": 1, "resume": False})
    found = await reading
    assert [part.event for part in found][-2:] == ["error", "end"]
    assert found[-2].data["error"] == "superseded"


async def test_a_thread_is_followed_through_its_runs(lang: Lang) -> None:
    thread_id = await thread_of(lang)
    await lang.client.runs.wait(thread_id, "sewing", input={"topic": "a"})
    stream = await lang.client.threads.join_stream(thread_id, stream_mode=["run_modes", "lifecycle"])
    found: list[StreamPart] = []

    async def read() -> None:
        async for part in stream:
            found.append(part)
            if part.event == "metadata" and part.data.get("status") == "run_done":
                return

    reading = asyncio.create_task(read())
    await lang.followed(thread_id)
    run = await lang.client.runs.create(thread_id, "sewing", input={"topic": "b"})
    await reading
    assert [part.data["run_id"] for part in found if part.event == "metadata"] == [run["run_id"]] * 2
    assert told(found, "values")[-1]["output"] == {"made": "b"}


async def test_a_heartbeat_goes_out_while_nothing_happens(lang: Lang) -> None:
    thread_id = await thread_of(lang)
    run = await lang.client.runs.create(thread_id, "slow", input={})
    await held_of(thread_id).entered.wait()
    for path in ("stream", "join"):
        async with lang.client.http.client.stream("GET", f"/threads/{thread_id}/runs/{run['run_id']}/{path}") as answer:
            seen = b""
            async for chunk in answer.aiter_bytes():
                seen += chunk
                if b": heartbeat" in seen or seen == b"\n":
                    break
    held_of(thread_id).go.set()
    assert (await lang.client.runs.join(thread_id, run["run_id"]))["hold"] == "let go"


async def test_what_a_model_says_is_streamed_token_by_token(lang: Lang) -> None:
    async with serving(LlmServer([{"pieces": ["Hel", "lo ", "you"]}, {"pieces": ["Bye"]}])) as model:
        config = {"provider": "openai", "model": "m", "base_url": model.openai, "api_key_env": None}
        await lang.real.post("/api/agents", {"name": "mouth", "kind": "llm", "config": config}, expect=201)
        steps = [{"id": "say", "agent": "mouth"}, {"id": "part", "agent": "mouth"}]
        await lang.register({"name": "chat", "steps": steps})
        greeting: Any = "Hi"
        found = await parts(
            lang.client.runs.stream(None, "chat", input=greeting, stream_mode=["messages-tuple", "values"])
        )
    said: dict[str, str] = {}
    for message, about in told(found, "messages"):
        said[about["langgraph_node"]] = said.get(about["langgraph_node"], "") + message["content"]
    assert said == {"say": "Hello you", "part": "Bye"}
    assert told(found, "values")[-1]["say"]["text"] == "Hello you"
