"""The stock LangGraph SDK, async and sync: runs begun, waited for, listed, cancelled, on threads and without."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from langgraph_sdk.errors import APIStatusError, ConflictError, NotFoundError, UnprocessableEntityError

from tests.api.lang import held_of, parts, shared_lang, told
from tests.receiver import Receiver

if TYPE_CHECKING:
    from tests.api.lang import Lang


pytestmark = pytest.mark.asyncio(loop_scope="module")
lang = pytest_asyncio.fixture(shared_lang, scope="module", loop_scope="module")


async def busy(lang: Lang) -> tuple[str, str]:
    """A thread whose run does not end by itself, and the run."""
    thread = await lang.client.threads.create()
    run = await lang.client.runs.create(thread["thread_id"], "slow", input={"n": 1})
    await held_of(thread["thread_id"]).entered.wait()
    return thread["thread_id"], run["run_id"]


async def test_a_run_is_waited_for_and_gives_channels_and_output(lang: Lang) -> None:
    thread = await lang.client.threads.create(metadata={"user": "ana"})
    found: Any = await lang.client.runs.wait(thread["thread_id"], "sewing", input={"topic": "silk"})
    assert found["output"] == {"made": "silk"}
    assert found["input"] == {"topic": "silk"}
    assert (found["cut"], found["cloth"], found["iron"]) == ({"of": "silk"},) * 3


async def test_a_stateless_run_has_a_thread_of_its_own(lang: Lang) -> None:
    told_: list[Any] = []
    found: Any = await lang.client.runs.wait(None, "sewing", input={"topic": "silk"}, on_run_created=told_.append)
    assert found["output"] == {"made": "silk"}
    [made] = told_
    run = await lang.client.runs.get(made["thread_id"], made["run_id"])
    assert (run["status"], run["thread_id"]) == ("success", made["thread_id"])
    assert await lang.client.threads.search(ids=[made["thread_id"]]) == []


async def test_the_synchronous_client_does_all_of_that(lang: Lang) -> None:
    def work() -> tuple[Any, Any, Any, Any]:
        thread_id = lang.sync.threads.create(metadata={"by": "sync"})["thread_id"]
        found = lang.sync.runs.wait(thread_id, "sewing", input={"topic": "wool"})
        streamed = list(lang.sync.runs.stream(thread_id, "sewing", input={"topic": "felt"}, stream_mode="updates"))
        runs = lang.sync.runs.list(thread_id)
        return found, streamed, runs, lang.sync.runs.join(thread_id, runs[0]["run_id"])

    found, streamed, runs, joined = await lang.aside(work)
    assert found["output"] == {"made": "wool"}
    assert told(streamed, "updates")[-1] == {"iron": {"of": "felt"}}
    assert [run["status"] for run in runs] == ["success", "success"]
    assert joined["output"] == {"made": "felt"}


async def test_a_run_is_created_got_listed_and_joined(lang: Lang) -> None:
    thread_id = (await lang.client.threads.create())["thread_id"]
    run = await lang.client.runs.create(thread_id, "sewing", input={"topic": "silk"}, metadata={"try": 1})
    joined: Any = await lang.client.runs.join(thread_id, run["run_id"])
    assert joined["output"] == {"made": "silk"}
    got = await lang.client.runs.get(thread_id, run["run_id"])
    assert got["metadata"] is not None
    assert (got["status"], got["metadata"]["try"], got["metadata"]["graph_id"]) == ("success", 1, "sewing")
    assert got["assistant_id"] == (await lang.client.assistants.get("sewing"))["assistant_id"]
    assert [one["run_id"] for one in await lang.client.runs.list(thread_id, status="success")] == [run["run_id"]]
    assert await lang.client.runs.list(thread_id, status="error") == []


async def test_a_second_input_runs_anew_with_the_variables_kept(lang: Lang) -> None:
    thread_id = (await lang.client.threads.create())["thread_id"]
    await lang.client.runs.wait(thread_id, "sewing", input={"topic": "silk"}, context={"mood": "calm"})
    found: Any = await lang.client.runs.wait(thread_id, "sewing", input={"topic": "wool"})
    assert (found["output"], found["mood"]) == ({"made": "wool"}, "calm")
    assert len(await lang.client.runs.list(thread_id)) == 2


async def test_what_is_configurable_and_the_context_are_variables(lang: Lang) -> None:
    config: Any = {"configurable": {"model": "m", "thread_id": "x"}, "tags": ["a"], "recursion_limit": 5}
    found: Any = await lang.client.runs.wait(None, "sewing", input={"topic": "a"}, config=config, context={"mood": "b"})
    assert (found["model"], found["mood"], "thread_id" in found) == ("m", "b", False)


async def test_a_failed_run_raises_in_wait_and_is_an_error(lang: Lang) -> None:
    await lang.register({"name": "failing", "steps": [{"id": "f", "agent": "failing"}]})
    thread_id = (await lang.client.threads.create())["thread_id"]
    with pytest.raises(Exception, match="refused: no"):
        await lang.client.runs.wait(thread_id, "failing")
    [run] = await lang.client.runs.list(thread_id)
    assert (run["status"], (await lang.client.threads.get(thread_id))["status"]) == ("error", "error")
    state = await lang.client.threads.get_state(thread_id)
    assert (state["next"], state["tasks"][0]["error"]) == (["f"], "no")
    raw: Any = await lang.client.runs.wait(thread_id, "failing", raise_error=False)
    assert raw["__error__"] == {"error": "refused", "message": "no"}


async def test_a_busy_thread_refuses_a_second_run(lang: Lang) -> None:
    thread_id, _ = await busy(lang)
    for strategy in (None, "reject"):
        with pytest.raises(ConflictError, match="is busy"):
            await lang.client.runs.create(thread_id, "slow", input={}, multitask_strategy=strategy)
    with pytest.raises(UnprocessableEntityError, match="do not queue"):
        await lang.client.runs.create(thread_id, "slow", input={}, multitask_strategy="enqueue")
    assert (await lang.client.threads.get(thread_id))["status"] == "busy"


async def test_of_many_runs_at_once_one_is_begun(lang: Lang) -> None:
    thread_id = (await lang.client.threads.create())["thread_id"]
    calls = [lang.client.runs.create(thread_id, "slow", input={"n": n}) for n in range(8)]
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(one, dict) for one in found) == 1
    assert sum(isinstance(one, ConflictError) for one in found) == 7


@pytest.mark.parametrize(("strategy", "kept"), [("interrupt", {"n": 1}), ("rollback", None)])
async def test_a_run_may_take_the_place_of_another(lang: Lang, strategy: Any, kept: Any) -> None:
    thread_id, first = await busy(lang)
    second = await lang.client.runs.create(thread_id, "slow", input={"n": 2}, multitask_strategy=strategy)
    held_of(thread_id).go.set()
    await lang.client.runs.join(thread_id, second["run_id"])
    assert (await lang.client.runs.get(thread_id, first))["status"] == "interrupted"
    history = await lang.client.threads.get_history(thread_id, limit=50)
    [again] = [one for one in history if one["metadata"] and one["metadata"]["trigger"] == "start"][:1]
    parent: Any = again["parent_checkpoint"]
    before = await lang.client.threads.get_state(thread_id, checkpoint=parent)
    assert before["values"].get("first") == kept  # type: ignore[union-attr]


async def test_cancelling_ends_a_run_and_keeps_what_it_has_done(lang: Lang) -> None:
    thread_id, run_id = await busy(lang)
    await lang.client.runs.cancel(thread_id, run_id, wait=True)
    assert (await lang.client.runs.get(thread_id, run_id))["status"] == "interrupted"
    state = await lang.client.threads.get_state(thread_id)
    assert (state["values"]["first"], state["next"]) == ({"n": 1}, ["hold"])  # type: ignore[call-overload]
    with pytest.raises(ConflictError, match="has ended: cancelled"):
        await lang.client.runs.cancel(thread_id, run_id)


async def test_cancelling_with_rollback_goes_back_to_before_the_run(lang: Lang) -> None:
    thread_id, run_id = await busy(lang)
    await lang.client.runs.cancel(thread_id, run_id, action="rollback")
    state = await lang.client.threads.get_state(thread_id)
    assert ("first" in state["values"], state["next"]) == (False, ["first"])


async def test_a_cancelled_run_goes_on_without_an_input(lang: Lang) -> None:
    thread_id, run_id = await busy(lang)
    await lang.client.runs.cancel_many(thread_id=thread_id, run_ids=[run_id])
    held_of(thread_id).go.set()
    found: Any = await lang.client.runs.wait(thread_id, "slow")
    assert (found["first"], found["hold"]) == ({"n": 1}, "let go")


async def test_a_run_is_told_of_its_cancellation_when_it_is_waited_for(lang: Lang) -> None:
    thread_id, run_id = await busy(lang)
    waiting = asyncio.create_task(lang.client.runs.join(thread_id, run_id))
    await lang.client.runs.cancel(thread_id, run_id)
    found: Any = await waiting
    assert found["__error__"]["error"] == "cancelled"


async def test_a_run_that_has_ended_can_be_deleted_and_one_that_goes_on_not(lang: Lang) -> None:
    thread_id, run_id = await busy(lang)
    with pytest.raises(ConflictError, match="cancel it first"):
        await lang.client.runs.delete(thread_id, run_id)
    await lang.client.runs.cancel(thread_id, run_id)
    await lang.client.runs.delete(thread_id, run_id)
    assert await lang.client.runs.list(thread_id) == []
    with pytest.raises(NotFoundError):
        await lang.client.runs.get(thread_id, run_id)


async def test_runs_are_begun_in_a_batch_and_delayed(lang: Lang) -> None:
    batch: Any = [{"assistant_id": "sewing", "input": {"topic": name}} for name in ("a", "b")]
    runs = await lang.client.runs.create_batch(batch)
    found = [await lang.client.runs.join(run["thread_id"], run["run_id"]) for run in runs]
    assert [one["output"]["made"] for one in found] == ["a", "b"]
    late = await lang.client.runs.create(None, "sewing", input={"topic": "c"}, after_seconds=3600)
    assert late["status"] == "pending"


async def test_an_unknown_thread_is_refused_unless_it_is_to_be_made(lang: Lang) -> None:
    with pytest.raises(NotFoundError, match="no thread 'mine'"):
        await lang.client.runs.create("mine", "sewing", input={"topic": "a"})
    run = await lang.client.runs.create("mine", "sewing", input={"topic": "a"}, if_not_exists="create")
    assert run["thread_id"] == "mine"
    assert [one["thread_id"] for one in await lang.client.threads.search(ids=["mine"])] == ["mine"]


async def test_a_thread_keeps_its_assistant(lang: Lang) -> None:
    thread_id = (await lang.client.threads.create())["thread_id"]
    await lang.client.runs.wait(thread_id, "sewing", input={"topic": "a"})
    with pytest.raises(ConflictError, match="is of the assistant sewing"):
        await lang.client.runs.create(thread_id, "slow", input={})


async def test_an_idempotency_key_begins_once(lang: Lang) -> None:
    calls = [
        await lang.client.runs.create(None, "sewing", input={"topic": "a"}, headers={"Idempotency-Key": "once"})
        for _ in range(2)
    ]
    assert calls[0]["run_id"] == calls[1]["run_id"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"interrupt_before": ["cut"]}, "gate"),
    ({"interrupt_after": "*"}, "gate"),
    ({"on_completion": "delete"}, "retention"),
    ({"webhook": "/relative"}, "webhook"),
    ({"config": {"configurable": {"checkpoint_id": "1"}}}, "name it"),
    ({"checkpoint_id": "1"}, "name it"),
    ({"command": {"resume": 1}}, "name it"),
    ({"config": {"callbacks": []}}, "unknown field"),
    ({"input": {"topic": 1}}, "topic"),
]


async def test_what_has_no_counterpart_is_refused_in_words(lang: Lang) -> None:
    for given, says in REFUSED:
        with pytest.raises(UnprocessableEntityError, match=says):
            await lang.client.runs.create(None, "sewing", **given)


async def test_what_goes_on_takes_variables_and_refuses_what_only_a_start_can_have(lang: Lang) -> None:
    thread_id, _ = await lang.paused_at_gate()
    command: Any = {"update": {"mood": "calm"}}
    await lang.client.runs.wait(thread_id, "asking", command=command, context={"pace": "slow"})
    found: Any = await lang.client.runs.wait(thread_id, "asking", command={"resume": {"yes": True}})
    assert (found["mood"], found["pace"]) == ("calm", "slow")
    key = {"Idempotency-Key": "twice"}
    refused: list[tuple[dict[str, Any], str]] = [
        ({"command": {"goto": "draft"}, "context": {"pace": "fast"}}, "context"),
        ({"context": {"pace": "fast"}}, "nothing runs after it"),
        ({"command": {"goto": "draft"}, "headers": key}, "Idempotency-Key"),
        ({"checkpoint_id": "2", "webhook": "http://127.0.0.1:9/"}, "webhook"),
        ({"webhook": "http://127.0.0.1:9/"}, "webhook"),
        ({"checkpoint": {"version": 2}}, "not of a checkpoint"),
    ]
    for given, says in refused:
        with pytest.raises(UnprocessableEntityError, match=says):
            await lang.client.runs.create(thread_id, "asking", **given)


async def test_a_run_that_goes_on_after_an_end_does_so_once_for_a_key(lang: Lang) -> None:
    thread_id, run_id = await busy(lang)
    await lang.client.runs.cancel(thread_id, run_id)
    key = {"Idempotency-Key": "go on"}
    calls = [await lang.client.runs.create(thread_id, "slow", headers=key) for _ in range(2)]
    assert calls[0]["run_id"] == calls[1]["run_id"] != run_id
    held_of(thread_id).go.set()


async def test_a_checkpoint_in_the_config_is_where_a_run_begins(lang: Lang) -> None:
    thread_id = (await lang.client.threads.create())["thread_id"]
    await lang.client.runs.wait(thread_id, "sewing", input={"topic": "silk"})
    place: Any = (await lang.client.threads.get_history(thread_id))[3]["checkpoint"]
    await lang.client.runs.wait(thread_id, "sewing", config={"configurable": place})
    state = await lang.client.threads.get_state(thread_id)
    assert state["metadata"] is not None
    assert state["metadata"]["version"] == 5 + 3


async def test_a_run_keeps_its_metadata_when_it_is_answered(lang: Lang) -> None:
    thread_id, _ = await lang.paused_at_gate(metadata={"by": "ana"})
    await lang.client.runs.wait(thread_id, "asking", command={"resume": {"yes": True}}, multitask_strategy="interrupt")
    [run] = await lang.client.runs.list(thread_id)
    assert run["metadata"] is not None
    assert (run["metadata"]["by"], run["multitask_strategy"]) == ("ana", "interrupt")


async def test_a_state_that_is_written_is_no_run_until_it_is_run(lang: Lang) -> None:
    thread_id, run_id = await busy(lang)
    await lang.client.runs.cancel(thread_id, run_id)
    await lang.client.threads.update_state(thread_id, {"mood": "calm"})
    assert [run["run_id"] for run in await lang.client.runs.list(thread_id)] == [run_id]
    held_of(thread_id).go.set()
    found: Any = await lang.client.runs.wait(thread_id, "slow")
    assert found["mood"] == "calm"
    assert [run["status"] for run in await lang.client.runs.list(thread_id)] == ["success", "interrupted"]


async def test_runs_are_listed_in_pages(lang: Lang) -> None:
    thread_id = (await lang.client.threads.create())["thread_id"]
    made = [(await lang.client.runs.wait(thread_id, "sewing", input={"topic": name}))["input"] for name in "abcd"]  # type: ignore[call-overload]
    whole = [run["run_id"] for run in await lang.client.runs.list(thread_id)]
    assert len(whole) == len(made)
    await lang.client.runs.delete(thread_id, whole[1])
    pages = [await lang.client.runs.list(thread_id, limit=1, offset=offset) for offset in range(4)]
    assert [[run["run_id"] for run in one] for one in pages] == [[whole[0]], [whole[2]], [whole[3]], []]


async def test_a_webhook_is_told_of_the_end_of_its_run(lang: Lang) -> None:
    with Receiver() as receiver:
        run = await lang.client.runs.create(None, "sewing", input={"topic": "a"}, webhook=receiver.url)
        [got] = await asyncio.to_thread(receiver.wait, 1)
    assert (got.value["type"], got.value["data"]["thread_id"]) == ("backstitch.workflow_complete", run["thread_id"])
    assert got.value["data"]["execution_id"] == run["run_id"]


async def test_a_batch_with_an_unknown_assistant_begins_nothing(lang: Lang) -> None:
    batch: Any = [{"assistant_id": "sewing", "thread_id": "batch", "input": {}, "if_not_exists": "create"}]
    wrong: Any
    for wrong in ({"assistant_id": "nobody"}, {"assistant_id": "sewing", "interrupt_before": "*"}):
        with pytest.raises(APIStatusError):
            await lang.client.runs.create_batch([*batch, wrong])
    with pytest.raises(NotFoundError):
        await lang.client.threads.get("batch")


async def test_an_unknown_assistant_is_not_found(lang: Lang) -> None:
    with pytest.raises(NotFoundError, match="no assistant 'nobody'"):
        await lang.client.runs.create(None, "nobody", input={})


async def test_a_client_that_goes_cancels_what_it_waits_for_if_it_said_so(lang: Lang) -> None:
    thread_id = (await lang.client.threads.create())["thread_id"]
    for call in (
        lang.client.runs.wait(thread_id, "slow", input={}, on_disconnect="cancel"),
        parts(lang.client.runs.stream(thread_id, "slow", input={}, on_disconnect="cancel")),
    ):
        task = asyncio.create_task(call)
        await held_of(thread_id).entered.wait()
        task.cancel()
        await asyncio.wait([task])
        assert await lang.real.services.control.wait(thread_id, 30)
        held_of(thread_id).entered.clear()
    assert [run["status"] for run in await lang.client.runs.list(thread_id)] == ["interrupted"] * 2
