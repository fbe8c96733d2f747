"""Traces of executions: one trace each, whatever process goes on with it, and nothing in it that was asked or answered."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import sampling
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, get_current_span

from app.domain.errors import Unavailable
from app.domain.runner import ModelCall, StepFailure, Usage
from app.runners.registration import function
from app.store.memory_reads import MemoryReads
from app.telemetry import traces as module
from app.telemetry.otel import Even, Outlet
from app.telemetry.traces import Traces
from tests.unit.engine.house import QUICK, Failing, Gate, House, open_house, step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Spans:
    """What was told."""

    def __init__(self) -> None:
        self.kept = InMemorySpanExporter()

    def watch(self, house: House, **more: Any) -> Traces:
        outlet = Outlet(SimpleSpanProcessor(self.kept), None, service=None, instance=house.worker.incarnation_id)
        for name, value in more.items():
            setattr(outlet, name, value)
        traces = Traces(outlet, house.reads)
        house.bus.watchers.all.append(traces)
        return traces

    def all(self) -> list[ReadableSpan]:
        return list(self.kept.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all() if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        [span] = self.named(name)
        return span


@pytest.fixture
def spans(house: House) -> Spans:
    """What the house of this test tells."""
    spans = Spans()
    spans.watch(house)
    return spans


@contextmanager
def looking_up(traces: Traces) -> Iterator[None]:
    """Beside the block, the ends of executions that were not driven here are told of."""
    task = asyncio.create_task(traces.run())
    try:
        yield
    finally:
        task.cancel()


def told(span: ReadableSpan) -> dict[str, Any]:
    return {name.removeprefix("backstitch."): value for name, value in (span.attributes or {}).items()}


def trace_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


async def test_an_execution_is_one_trace_whose_id_is_its_own(house: House, spans: Spans) -> None:
    thread_id = await house.run(step("a"), step("b"), input={"topic": "tea"})
    execution = await house.execution(thread_id)
    root, first, second = spans.one("workflow sewing"), spans.one("step a"), spans.one("step b")
    assert {trace_id(span) for span in (root, first, second)} == {execution.id.replace("-", "")}
    assert root.parent is None
    assert first.parent is not None
    assert root.context is not None
    assert first.parent.span_id == second.parent.span_id == root.context.span_id  # type: ignore[union-attr]


async def test_spans_say_what_they_are_of(house: House, spans: Spans) -> None:
    thread_id = await house.run(step("a"))
    execution = await house.execution(thread_id)
    common = {"thread_id": thread_id, "execution_id": execution.id, "workflow": "sewing"}
    assert told(spans.one("workflow sewing")) == {**common, "execution_kind": "invoke", "status": "completed"}
    attempt = {"step": "a", "kind": "python", "attempt": 1, "agent": "echo", "outcome": "completed"}
    assert told(spans.one("step a")) == {**common, **attempt}


async def test_every_attempt_is_a_span_and_a_failed_one_tells_its_kind_alone(house: House, spans: Spans) -> None:
    house.on("flaky", Failing(StepFailure("the secret is tea", kind="mood"), times=1))
    await house.run(step("a", python="flaky", retry=QUICK))
    failed, mended = spans.named("step a")
    assert (told(failed)["attempt"], told(failed)["outcome"], told(mended)["attempt"]) == (1, "failed", 2)
    assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, "mood")
    assert told(failed)["error.type"] == "mood"
    assert mended.status.status_code is StatusCode.UNSET


async def test_a_failed_execution_is_an_error(house: House, spans: Spans) -> None:
    house.on("broken", Failing(StepFailure("no", kind="mood", retryable=False)))
    await house.run(step("a", python="broken"))
    root = spans.one("workflow sewing")
    assert (root.status.status_code, told(root)["status"], told(root)["error.type"]) == (
        StatusCode.ERROR,
        "failed",
        "mood",
    )


async def test_items_of_a_step_have_their_places(house: House, spans: Spans) -> None:
    await house.run(step("a", for_each=[1, 2], input="{item}"))
    assert sorted(told(span)["item"] for span in spans.named("step a") if "item" in told(span)) == [0, 1]


async def test_nothing_that_was_asked_answered_or_complained_of_is_in_a_span(house: House, spans: Spans) -> None:
    async def leak(value: Any, ctx: Any) -> Any:
        raise StepFailure(f"canary {value}", kind="mood", retryable=False)

    house.on("leak", leak)
    await house.run(step("a", input={"x": "canary"}), step("b", python="leak"), input="canary", context={"y": "canary"})
    assert all("canary" not in span.to_json() for span in spans.all())


async def test_after_a_kill_another_process_goes_on_in_the_same_trace() -> None:
    spans = Spans()
    async with open_house() as house:
        spans.watch(house)
        gate = Gate()
        house.on("b", gate)
        accepted = await house.start(step("a"), step("b", python="b"))
        await house.until(lambda: gate.entered)
        await house.die()
        assert [span.name for span in spans.all()] == ["step a"]
        async with open_house(house) as heir:
            spans.watch(heir)
            gate.open()
            await heir.end(accepted.thread.thread_id)
    root, [again] = spans.one("workflow sewing"), [span for span in spans.named("step b") if span.events]
    assert {trace_id(span) for span in spans.all()} == {accepted.execution_id.replace("-", "")}
    assert {span.parent.span_id for span in spans.all() if span.parent} == {root.context.span_id}  # type: ignore[union-attr]
    assert [event.name for event in again.events] == [event.name for event in root.events] == ["recovered"]


async def test_a_resume_stays_in_the_trace_of_what_it_goes_on_with(house: House, spans: Spans) -> None:
    house.on("flaky", Failing(StepFailure("no", retryable=False), times=2))
    thread_id = await house.run(step("a"), step("b", python="flaky"))
    for _ in range(2):
        await house.resume(thread_id)
        await house.end(thread_id)
    first, second, third = spans.named("workflow sewing")
    assert len({trace_id(span) for span in spans.all()}) == 1
    assert [told(span)["execution_kind"] for span in (first, second, third)] == ["invoke", "resume", "resume"]
    assert second.parent.span_id == third.parent.span_id == first.context.span_id  # type: ignore[union-attr]
    last = spans.named("step b")[-1]
    assert last.parent.span_id == third.context.span_id  # type: ignore[union-attr]


async def test_a_rollback_stays_in_it_and_a_new_input_begins_another(house: House, spans: Spans) -> None:
    thread_id = await house.run(step("a"))
    await house.rollback(thread_id, 1)
    await house.end(thread_id)
    await house.start(step("a"), thread_id=thread_id, input="once more")
    await house.end(thread_id)
    invoked, rolled_back, again = spans.named("workflow sewing")
    assert trace_id(invoked) == trace_id(rolled_back) != trace_id(again)
    assert again.parent is None


async def test_a_caller_that_is_traced_has_the_execution_in_its_trace_also_after_a_kill_and_a_resume() -> None:
    spans = Spans()
    async with open_house() as house:
        spans.watch(house)
        house.on("flaky", Failing(StepFailure("no", retryable=False), times=1))
        gate = Gate()
        house.on("held", gate)
        accepted = await house.start(step("a", python="held"), step("b", python="flaky"), traceparent=CALLER)
        await house.until(lambda: gate.entered)
        await house.die()
        async with open_house(house) as heir:
            spans.watch(heir)
            gate.open()
            await heir.end(accepted.thread.thread_id)
            await heir.resume(accepted.thread.thread_id)
            await heir.end(accepted.thread.thread_id)
    assert {trace_id(span) for span in spans.all()} == {CALLER[3:35]}
    invoked, resumed = spans.named("workflow sewing")
    assert f"{invoked.parent.span_id:016x}" == CALLER[36:52]  # type: ignore[union-attr]
    assert resumed.parent.span_id == invoked.context.span_id  # type: ignore[union-attr]


async def test_a_caller_that_is_not_recorded_is_followed_in_that(house: House, spans: Spans) -> None:
    seen: list[str] = []

    async def look(_: Any, ctx: Any) -> None:
        seen.append(ctx.traceparent)

    house.on("look", look)
    await house.run(step("a", python="look"), traceparent=CALLER[:-1] + "0")
    assert spans.all() == []
    assert seen[0].startswith(CALLER[:36])
    assert seen[0].endswith("-00")


@pytest.mark.parametrize("header", ["", "nonsense", CALLER.upper(), f"ff{CALLER[2:]}", f"{CALLER}-more", "00-0-0-01"])
async def test_a_traceparent_that_is_none_counts_for_nothing(house: House, spans: Spans, header: str) -> None:
    thread_id = await house.run(step("a"), traceparent=header)
    assert trace_id(spans.one("workflow sewing")) == (await house.execution(thread_id)).id.replace("-", "")


async def test_a_sub_workflow_is_told_of_under_the_step_that_began_it(house: House, spans: Spans) -> None:
    await house.control.register({"name": "inner", "steps": [step("x")]})
    await house.run(step("a", workflow="inner"))
    inner, outer = spans.one("workflow inner"), spans.one("workflow sewing")
    assert trace_id(inner) == trace_id(outer)
    assert inner.parent.span_id == spans.named("step a")[0].context.span_id  # type: ignore[union-attr]
    assert told(spans.named("step a")[0])["outcome"] == "waiting"


async def test_a_step_carries_its_span_on_and_code_in_it_stands_under_it(house: House, spans: Spans) -> None:
    seen: list[Any] = []

    async def look(_: Any, ctx: Any) -> None:
        seen.extend([ctx.traceparent, get_current_span().get_span_context().span_id])

    house.on("look", look)
    await house.run(step("a", python="look"))
    own = spans.one("step a").context
    assert own is not None
    assert seen == [f"00-{own.trace_id:032x}-{own.span_id:016x}-01", own.span_id]
    assert not get_current_span().get_span_context().is_valid


async def test_code_in_a_thread_stands_under_its_span_too(house: House, spans: Spans) -> None:
    def look(_: Any) -> int:
        return get_current_span().get_span_context().span_id

    house.functions.add(function("look")(look))
    thread_id = await house.run(step("a", python="look"))
    own = spans.one("step a").context
    assert own is not None
    assert (await house.steps(thread_id))["a"].output == str(own.span_id)


async def test_the_end_of_what_was_never_driven_here_is_told_of_too() -> None:
    spans = Spans()
    async with open_house(slots=1) as house:
        with looking_up(spans.watch(house)):
            accepted = await house.start(step("a", sleep="1h"), traceparent=CALLER)
            await house.until_status(accepted.thread.thread_id, "waiting")
            await house.until(lambda: house.worker.running == 0)
            await house.control.cancel(accepted.thread.thread_id)
            await house.until(lambda: spans.named("workflow sewing"))
    root = spans.one("workflow sewing")
    assert (trace_id(root), told(root)["status"]) == (CALLER[3:35], "cancelled")
    assert root.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("trouble", [Unavailable("away"), ValueError("broken")])
async def test_an_end_that_cannot_be_looked_up_takes_nothing_down(
    house: House, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    spans, asked = Spans(), list[str]()

    async def execution(execution_id: str) -> Any:
        asked.append(execution_id)
        if len(asked) == 1:
            raise trouble
        return await MemoryReads.execution(house.reads, execution_id)

    with looking_up(spans.watch(house)):
        monkeypatch.setattr(house.reads, "execution", execution)
        for _ in range(2):
            await house.control.cancel((await house.start(step("a"), delay=100)).thread.thread_id)
        await house.until(lambda: spans.named("workflow sewing"))
    assert len(set(asked)) == 2


async def test_calls_of_models_are_spans_with_what_they_used(house: House, spans: Spans) -> None:
    async def think(_: Any, ctx: Any) -> str:
        usage = Usage(input_tokens=10, output_tokens=4, cost_usd=0.5)
        ctx.spend(usage)
        now = time.time_ns()
        ctx.called_model(
            ModelCall(provider="openai", model="m", answered_by="m-1", began=now, usage=usage, stop="end_turn")
        )
        ctx.called_model(
            ModelCall(provider="openai", model="m", answered_by=None, began=now, usage=Usage(), error="timeout")
        )
        return "thought"

    house.on("thinker", think, agent=True)
    await house.run(step("a", agent="thinker"))
    answered, failed = spans.named("chat m")
    attempt = spans.one("step a")
    assert answered.parent.span_id == attempt.context.span_id  # type: ignore[union-attr]
    attributes = dict(answered.attributes or {})
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m-1",
        "gen_ai.response.finish_reasons": ("end_turn",),
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 4,
        "backstitch.cost_usd": 0.5,
    }
    assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, "timeout")
    assert "gen_ai.usage.input_tokens" not in (attempt.attributes or {})  # else a sum would count them twice


async def test_an_agent_that_tells_of_no_calls_has_its_tokens_on_the_attempt(house: House, spans: Spans) -> None:
    async def think(_: Any, ctx: Any) -> str:
        ctx.spend(Usage(input_tokens=10, output_tokens=4))
        return "thought"

    house.on("thinker", think, agent=True)
    thread_id = await house.run(step("a", agent="thinker"))
    attributes = dict(spans.one("step a").attributes or {})
    found = {name: value for name, value in attributes.items() if name.startswith("gen_ai.")}
    assert found == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "thinker",
        "gen_ai.agent.version": "1",
        "gen_ai.conversation.id": thread_id,
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 4,
    }


async def test_a_share_of_the_traces_is_a_share_though_ids_are_uuids(house: House) -> None:
    spans = Spans()
    spans.watch(house, sampler=Even(sampling.TraceIdRatioBased(0.5)))
    for _ in range(40):
        await house.run(step("a"))
    whole = {trace_id(span) for span in spans.named("step a")}
    assert 5 < len(whole) < 35  # 1 in 10^6 fails by chance; of UUIDs as they are it would be none


async def test_the_trace_is_kept_where_people_see_it(house: House, spans: Spans) -> None:
    thread_id = await house.run(step("a"), traceparent=CALLER)
    assert json.loads((await house.execution(thread_id)).parameters or "")["trace"] == {"caller": CALLER}
