"""The stock LangGraph SDK: states and their history, questions and answers, new states, and forks."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from langgraph_sdk.errors import ConflictError, NotFoundError, UnprocessableEntityError

from app.api.langgraph import replies
from tests.api.lang import held_of, parts, shared_lang, told

if TYPE_CHECKING:
    from tests.api.lang import Lang


pytestmark = pytest.mark.asyncio(loop_scope="module")
lang = pytest_asyncio.fixture(shared_lang, scope="module", loop_scope="module")


async def sewn(lang: Lang, topic: str = "silk", **more: Any) -> str:
    """A thread that has sewn."""
    thread_id = (await lang.client.threads.create())["thread_id"]
    await lang.client.runs.wait(thread_id, "sewing", input={"topic": topic}, **more)
    return thread_id


async def state(lang: Lang, thread_id: str, **more: Any) -> dict[str, Any]:
    return dict(await lang.client.threads.get_state(thread_id, **more))


async def test_the_history_has_all_checkpoints_the_newest_first(lang: Lang) -> None:
    thread_id = await sewn(lang)
    history = await lang.client.threads.get_history(thread_id)
    assert [one["checkpoint"]["checkpoint_id"] for one in history] == ["5", "4", "3", "2", "1"]
    assert [list(one["next"]) for one in history] == [[], [], ["iron"], ["stitch"], ["cut"]]
    assert [one["metadata"]["source"] for one in history] == ["loop"] * 4 + ["input"]  # type: ignore[index]
    for one, older in pairwise(history):
        assert one["parent_checkpoint"] == older["checkpoint"]


async def test_the_history_is_paged_and_filtered(lang: Lang) -> None:
    thread_id = await sewn(lang)

    async def ids(**where: Any) -> list[str | None]:
        found = await lang.client.threads.get_history(thread_id, **where)
        return [one["checkpoint"]["checkpoint_id"] for one in found]

    assert await ids(limit=2) == ["5", "4"]
    assert await ids(limit=2, before="4") == ["3", "2"]
    assert await ids(before={"checkpoint_id": "2"}) == ["1"]
    assert await ids(metadata={"source": "input"}) == ["1"]
    assert await ids(checkpoint={"checkpoint_id": "3"}) == ["3", "2", "1"]
    [slim] = await lang.client.threads.get_history(thread_id, limit=1, select=["values.output", "next"])
    assert slim == {"next": [], "values": {"output": {"made": "silk"}}}


async def test_a_page_of_states_that_weighs_too_much_is_refused(lang: Lang, monkeypatch: pytest.MonkeyPatch) -> None:
    thread_id = (await lang.client.threads.create(metadata={"weighed": True}))["thread_id"]
    await lang.client.runs.wait(thread_id, "sewing", input={"topic": "silk"})
    monkeypatch.setattr(replies, "MOST", 1)
    assert len(await lang.client.threads.get_history(thread_id, limit=1)) == 1
    with pytest.raises(UnprocessableEntityError, match="ask for fewer") as refused:
        await lang.client.threads.get_history(thread_id)
    assert refused.value.code == "output_too_large"
    places = await lang.client.threads.get_history(thread_id, select=["checkpoint", "metadata"])
    assert [set(one) for one in places] == [{"checkpoint", "metadata"}] * 5
    await lang.client.threads.copy(thread_id)
    with pytest.raises(UnprocessableEntityError, match="ask for fewer"):
        await lang.client.threads.search(metadata={"weighed": True})
    assert len(await lang.client.threads.search(metadata={"weighed": True}, select=["thread_id"])) == 2


async def test_the_history_goes_on_before_a_checkpoint_in_a_config_too(lang: Lang) -> None:
    thread_id = (await lang.client.threads.create())["thread_id"]
    await lang.client.runs.wait(thread_id, "sewing", input={"topic": "silk"})
    before: Any = {"configurable": {"thread_id": thread_id, "checkpoint_id": "3"}}
    found = await lang.client.threads.get_history(thread_id, before=before)
    assert [one["checkpoint"]["checkpoint_id"] for one in found] == ["2", "1"]
    with pytest.raises(UnprocessableEntityError, match="not of a checkpoint"):
        await lang.client.threads.get_history(thread_id, before={"version": 3})  # type: ignore[arg-type]


async def test_the_state_is_there_at_every_checkpoint(lang: Lang) -> None:
    thread_id = await sewn(lang)
    at_two = await state(lang, thread_id, checkpoint_id="2")
    assert at_two["values"] == {"cut": {"of": "silk"}, "cloth": {"of": "silk"}, "input": {"topic": "silk"}}
    assert await state(lang, thread_id, checkpoint=at_two["checkpoint"]) == at_two
    assert (await state(lang, thread_id))["values"]["output"] == {"made": "silk"}
    for unknown in ("9", "0", "x"):
        with pytest.raises(NotFoundError):
            await state(lang, thread_id, checkpoint_id=unknown)


async def test_a_question_is_an_interrupt_with_what_to_look_at_and_the_schema_of_the_answer(lang: Lang) -> None:
    thread_id, found = await lang.paused_at_gate()
    [task] = found["tasks"]
    [asked] = task["interrupts"]
    assert (found["next"], task["name"], found["interrupts"]) == (["approve"], "approve", [asked])
    assert (asked["value"], asked["title"]) == ({"of": {"n": 1}}, "Publish?")
    assert asked["response_schema"]["required"] == ["yes"]
    thread = await lang.client.threads.get(thread_id)
    assert (thread["status"], thread["interrupts"]) == ("interrupted", {task["id"]: [asked]})
    assert (await lang.client.runs.list(thread_id))[0]["status"] == "interrupted"


async def test_waiting_for_a_run_that_asks_gives_the_question(lang: Lang) -> None:
    found: Any = await lang.client.runs.wait(None, "asking", input={"n": 1})
    assert found["__interrupt__"][0]["value"] == {"of": {"n": 1}}
    assert found["draft"] == {"of": {"n": 1}}


async def test_an_answer_goes_on_with_the_same_run(lang: Lang) -> None:
    thread_id, _ = await lang.paused_at_gate()
    [before] = await lang.client.runs.list(thread_id)
    found: Any = await lang.client.runs.wait(thread_id, "asking", command={"resume": {"yes": True}})
    assert found["output"] == {"published": True}
    [after] = await lang.client.runs.list(thread_id)
    assert (after["run_id"], after["status"]) == (before["run_id"], "success")


async def test_an_answer_is_streamed_from_there_on(lang: Lang) -> None:
    thread_id, found = await lang.paused_at_gate()
    answer: Any = {"resume": {found["interrupts"][0]["id"]: {"yes": False}}}
    streamed = await parts(lang.client.runs.stream(thread_id, "asking", command=answer, stream_mode="updates"))
    assert told(streamed, "updates") == [{"approve": {"yes": False}}, {"publish": {"of": False}}]


async def test_answers_that_do_not_fit_or_come_to_nothing_are_refused(lang: Lang) -> None:
    thread_id, _ = await lang.paused_at_gate()
    with pytest.raises(UnprocessableEntityError, match="does not fit the form"):
        await lang.client.runs.create(thread_id, "asking", command={"resume": "maybe"})
    with pytest.raises(UnprocessableEntityError, match="an answer goes alone"):
        await lang.client.runs.create(thread_id, "asking", command={"resume": {"yes": True}, "update": {"a": 1}})
    await lang.client.runs.wait(thread_id, "asking", command={"resume": {"yes": True}})
    with pytest.raises(ConflictError, match="is not interrupted"):
        await lang.client.runs.create(thread_id, "asking", command={"resume": {"yes": True}})


async def test_several_questions_are_answered_by_their_ids(lang: Lang) -> None:
    gates = [{"id": name, "needs": [], "gate": {"title": name}} for name in ("a", "b")]
    await lang.register({"name": "two", "steps": gates})
    thread_id = (await lang.client.threads.create())["thread_id"]
    found: Any = await lang.client.runs.wait(thread_id, "two")
    ids = {one["value"]: one["id"] for one in found["__interrupt__"]}
    with pytest.raises(UnprocessableEntityError, match="several questions are open"):
        await lang.client.runs.create(thread_id, "two", command={"resume": 1})
    again: Any = await lang.client.runs.wait(thread_id, "two", command={"resume": {ids["b"]: 2}})
    assert [one["value"] for one in again["__interrupt__"]] == ["a"]
    done: Any = await lang.client.runs.wait(thread_id, "two", command={"resume": 1})
    assert done["output"] == {"a": 1, "b": 2}


async def test_of_several_answers_none_is_taken_if_one_cannot_be(lang: Lang) -> None:
    form = {"type": "object", "required": ["yes"]}
    gates = [{"id": name, "needs": [], "gate": {"title": name, "form": form}} for name in ("a", "b")]
    await lang.register({"name": "both", "steps": gates})
    thread_id = (await lang.client.threads.create())["thread_id"]
    found: Any = await lang.client.runs.wait(thread_id, "both")
    ids = {one["value"]: one["id"] for one in found["__interrupt__"]}
    command: Any = {"resume": {ids["a"]: {"yes": True}, ids["b"]: {}}}
    with pytest.raises(UnprocessableEntityError, match="required property"):
        await lang.client.runs.create(thread_id, "both", command=command)
    assert len((await state(lang, thread_id))["interrupts"]) == 2


async def test_the_id_of_a_question_that_is_closed_is_not_taken_for_an_answer(lang: Lang) -> None:
    await lang.register({"name": "any", "steps": [{"id": name, "gate": {"title": name}} for name in ("a", "b")]})
    thread_id = (await lang.client.threads.create())["thread_id"]
    first: Any = await lang.client.runs.wait(thread_id, "any")
    command: Any = {"resume": {first["__interrupt__"][0]["id"]: 1}}
    await lang.client.runs.wait(thread_id, "any", command=command)
    with pytest.raises(ConflictError, match="is not open") as refused:
        await lang.client.runs.create(thread_id, "any", command=command)
    assert refused.value.code == "not_interrupted"


async def test_a_run_with_a_new_input_drops_the_question(lang: Lang) -> None:
    thread_id, _ = await lang.paused_at_gate()
    found: Any = await lang.client.runs.wait(thread_id, "asking", input={"n": 2})
    assert found["__interrupt__"][0]["value"] == {"of": {"n": 2}}
    assert [run["status"] for run in await lang.client.runs.list(thread_id)] == ["interrupted", "interrupted"]


async def test_variables_are_updated_as_a_checkpoint_of_their_own(lang: Lang) -> None:
    thread_id = await sewn(lang, context={"mood": "calm"})
    given = await lang.client.threads.update_state(thread_id, {"mood": "wild"})
    assert given["checkpoint"]["checkpoint_id"] == "6"
    head = await state(lang, thread_id)
    assert (head["values"]["mood"], head["next"], head["metadata"]["source"]) == ("wild", [], "update")
    assert head["parent_checkpoint"]["checkpoint_id"] == "5"
    assert (await state(lang, thread_id, checkpoint_id="5"))["values"]["mood"] == "calm"
    found: Any = await lang.client.runs.wait(thread_id, "sewing", input={"topic": "b"})
    assert found["mood"] == "wild"


async def test_a_fork_goes_on_from_an_earlier_checkpoint_that_was_changed(lang: Lang) -> None:
    thread_id = await sewn(lang)
    two = (await state(lang, thread_id, checkpoint_id="2"))["checkpoint"]
    forked = await lang.client.threads.update_state(thread_id, {"cloth": {"of": "wool"}}, checkpoint=two)
    assert (await state(lang, thread_id))["next"] == ["stitch"]
    found: Any = await lang.client.runs.wait(thread_id, "sewing", checkpoint=forked["checkpoint"])
    assert found["output"] == {"made": "wool"}
    history = await lang.client.threads.get_history(thread_id, limit=50)
    parents = {
        one["checkpoint"]["checkpoint_id"]: (one["parent_checkpoint"] or {}).get("checkpoint_id") for one in history
    }
    assert parents == {"1": None, "2": "1", "3": "2", "4": "3", "5": "4", "6": "2", "7": "6", "8": "7", "9": "8"}
    assert (await state(lang, thread_id, checkpoint_id="5"))["values"]["output"] == {"made": "silk"}


async def test_a_run_from_an_earlier_checkpoint_makes_another_timeline(lang: Lang) -> None:
    thread_id = await sewn(lang)
    found: Any = await lang.client.runs.wait(thread_id, "sewing", checkpoint_id="2", context={"cloth": {"of": "felt"}})
    assert found["output"] == {"made": "felt"}
    again: Any = await lang.client.runs.wait(thread_id, "sewing", checkpoint_id="1", input={"topic": "jute"})
    assert again["output"] == {"made": "jute"}


async def test_a_state_is_updated_as_if_a_step_had_given_it(lang: Lang) -> None:
    thread_id = await sewn(lang)
    await lang.client.threads.update_state(thread_id, {"of": "lace"}, as_node="stitch")
    head = await state(lang, thread_id)
    assert (head["next"], head["values"]["stitch"], "iron" in head["values"]) == (["iron"], {"of": "lace"}, False)
    found: Any = await lang.client.runs.wait(thread_id, "sewing")
    assert found["output"] == {"made": "lace"}


async def test_an_update_at_a_question_asks_anew_and_as_its_step_answers_it(lang: Lang) -> None:
    thread_id, before = await lang.paused_at_gate()
    await lang.client.threads.update_state(thread_id, {"note": 1})
    run_id = (await lang.client.runs.list(thread_id))[0]["run_id"]
    asked: Any = await lang.client.runs.join(thread_id, run_id)
    assert (asked["note"], len(asked["__interrupt__"])) == (1, 1)
    assert asked["__interrupt__"][0]["id"] != before["interrupts"][0]["id"]
    await lang.client.threads.update_state(thread_id, {"yes": True}, as_node="approve")
    assert (await state(lang, thread_id))["next"] == ["publish"]
    found: Any = await lang.client.runs.wait(thread_id, "asking")
    assert found["output"] == {"published": True}


async def test_a_command_updates_variables_or_goes_to_a_step(lang: Lang) -> None:
    thread_id = await sewn(lang)
    await lang.client.threads.update_state(thread_id, None, checkpoint_id="2")
    found: Any = await lang.client.runs.wait(thread_id, "sewing", command={"update": {"cloth": {"of": "wool"}}})
    assert found["output"] == {"made": "wool"}
    again: Any = await lang.client.runs.wait(thread_id, "sewing", command={"goto": "iron"})
    assert again["output"] == {"made": "wool"}
    history = await lang.client.threads.get_history(thread_id, limit=2)
    assert [one["metadata"]["written_by"] for one in history] == ["END", "iron"]  # type: ignore[index]


async def test_what_is_busy_or_never_ran_or_is_no_variable_is_not_updated(lang: Lang) -> None:
    thread_id = (await lang.client.threads.create())["thread_id"]
    with pytest.raises(ConflictError, match="has had no run yet"):
        await lang.client.threads.update_state(thread_id, {"a": 1})
    await lang.client.runs.create(thread_id, "slow", input={})
    await held_of(thread_id).entered.wait()
    with pytest.raises(ConflictError, match="cancel its run first"):
        await lang.client.threads.update_state(thread_id, {"a": 1})
    done = await sewn(lang)
    for given, says in (
        ({"cut": 1}, "as_node='cut'"),
        ({"output": 1}, "cannot be set"),
        ([1], "an object of variables"),
    ):
        with pytest.raises(UnprocessableEntityError, match=says):
            await lang.client.threads.update_state(done, given)  # type: ignore[arg-type]
    with pytest.raises(UnprocessableEntityError, match="no step nobody"):
        await lang.client.threads.update_state(done, {}, as_node="nobody")


async def test_the_synchronous_client_reads_history_updates_and_forks(lang: Lang) -> None:
    thread_id = await sewn(lang)

    def work() -> None:
        sync = lang.sync.threads
        two = sync.get_history(thread_id)[-2]["checkpoint"]
        forked = sync.update_state(thread_id, {"cloth": {"of": "wool"}}, checkpoint=two)
        found = lang.sync.runs.wait(thread_id, "sewing", checkpoint=forked["checkpoint"])
        assert found["output"] == {"made": "wool"}
        assert sync.get_state(thread_id, checkpoint_id="5")["values"]["output"] == {"made": "silk"}

    await lang.aside(work)
