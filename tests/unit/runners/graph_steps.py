"""Graphs as steps, without an engine: attempts at one of them, one after the other, on one memory store."""

from __future__ import annotations

from operator import add
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from langgraph.graph import START, StateGraph

from app.domain import jsontext
from app.domain.agents import Agent
from app.domain.gates import Answer, GateKey
from app.domain.ids import uuid7
from app.domain.records import StepRecord
from app.domain.runner import Attempt, Completed
from app.domain.status import StepStatus
from app.runners.graphs import Graphs, graph
from app.runners.langgraph import LangGraphKind
from app.store.memory_gates import MemoryGates
from app.store.memory_langgraph import MemoryGraphCheckpoints
from app.store.memory_tables import MemoryTables
from tests.graph_stores import memory_thread
from tests.unit.runners.attempts import Context

if TYPE_CHECKING:
    from app.domain.runner import Outcome

EXECUTION = "0199aaaa-0000-7000-8000-000000000001"


class Speaking(Context):
    """What it streams stands among what it says."""

    def chunk(self, text: str) -> None:
        if text:
            self.said.append(text)


class Bench:
    """One step that runs `made`, which is a graph, a builder, or a function that gives one."""

    def __init__(self, made: Any, *, allow: tuple[type, ...] = (), **config: Any) -> None:
        self.graphs, self.tables = Graphs(), MemoryTables()
        self.graphs.add(graph("researcher", allow=allow)(made))
        memory_thread(self.tables, "home")
        self.gates = MemoryGates(self.tables)
        self.checkpoints = MemoryGraphCheckpoints(self.tables)
        self.kind = LangGraphKind(self.checkpoints, self.graphs, self.gates, max_bytes=100_000)
        self.agent = Agent(name="researcher", kind="langgraph", config={"graph": "researcher", **config})
        self.memory: dict[str, Any] = {}
        self.attempts: list[Attempt] = []
        self.run_id = uuid7()
        execution = self.tables.threads["home"].execution_id
        self.tables.runs["home"][self.run_id] = StepRecord(
            id=self.run_id,
            thread_id="home",
            execution_id=execution,
            key_execution_id=EXECUTION,
            step_id="research",
            step_index=0,
            status=StepStatus.WAITING,
        )

    def attempt(self, given: Any, **context: Any) -> Attempt:
        """The next one, under the same idempotency key."""
        told: Any = Speaking(
            self.memory,
            thread_id="home",
            execution_id=EXECUTION,
            step_id="research",
            idempotency_key=f"home:{EXECUTION}:research",
            run_id=self.run_id,
            attempt=len(self.attempts) + 1,
            **context,
        )
        spec: Any = SimpleNamespace(id="research", agent="researcher", kind="agent", timeout=None)
        self.attempts.append(Attempt(step=spec, target="researcher", input=given, context=told))
        return self.attempts[-1]

    async def perform(self, given: Any = None, **context: Any) -> Outcome:
        """Perform the next attempt."""
        return await self.kind.perform(self.agent, self.attempt(given, **context))

    async def answer(self, value: Any, number: int = 0) -> None:
        """Answer the question of a round."""
        key = GateKey(thread_id="home", key_execution_id=EXECUTION, step_id="research", round=number)
        await self.gates.answer(key, Answer(answer_json=jsontext.dumps(value), by="me"))

    @property
    def said(self) -> list[Any]:
        """What the last attempt told."""
        context: Any = self.attempts[-1].context
        return context.said


class State(TypedDict, total=False):
    done: Annotated[list[str], add]
    topic: str


class Calls:
    """Nodes that count how often they ran; one that is named in `broken` fails."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.broken: set[str] = set()

    def node(self, name: str) -> Any:
        async def run(state: State) -> State:
            self.made.append(name)
            if name in self.broken:
                raise RuntimeError(f"{name} is broken")
            return {"done": [name]}

        return run


def line(calls: Calls, *names: str, **compiling: Any) -> Any:
    """A graph of nodes in a line."""
    builder = StateGraph(State)
    for before, name in zip((START, *names), names, strict=False):
        builder.add_node(name, calls.node(name)).add_edge(before, name)
    return builder.compile(**compiling) if compiling else builder


def single(node: Any, schema: Any = State) -> Any:
    """A graph of one node."""
    return StateGraph(schema).add_node("node", node).add_edge(START, "node")


async def output(bench: Bench, given: Any = None) -> Any:
    """That of an attempt that must complete."""
    outcome = await bench.perform({} if given is None else given)
    assert isinstance(outcome, Completed), outcome
    return outcome.output
