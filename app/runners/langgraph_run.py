"""One attempt at a graph: it goes on from its last inner checkpoint, tells what happens, and stops where it has a question."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, cast

from langgraph.errors import EmptyInputError, GraphRecursionError, InvalidUpdateError

from app.domain import jsontext
from app.domain.gates import GateRecord
from app.domain.retry import CONFIGURATION, VALIDATION
from app.domain.runner import Asleep, Completed, StepFailure
from app.runners.langgraph_questions import Questions
from app.runners.langgraph_saver import StoreSaver
from app.runners.langgraph_serde import StrictSerializer
from app.runners.langgraph_values import plain, text_of, usage_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langgraph.types import StateSnapshot

    from app.domain.gates import GateBook
    from app.domain.graph_checkpoints import GraphCheckpoints
    from app.domain.runner import Attempt, Outcome
    from app.runners.graphs import RegisteredGraph

RECURSION_LIMIT: Final = "recursion_limit"
"""The kind of a graph that takes more supersteps than it may."""
_MODES: Final = ("values", "updates", "messages", "custom")


class GraphAttempt:
    """`config` is the agent's."""

    def __init__(
        self, registered: RegisteredGraph, config: Mapping[str, Any], attempt: Attempt, gates: GateBook
    ) -> None:
        self._registered = registered
        self._config = config
        self._attempt = attempt
        self._context = attempt.context
        self._gates = gates
        self._output: Any = None

    async def perform(self, checkpoints: GraphCheckpoints, max_bytes: int) -> Outcome:
        """To the graph's end, or to a question that nobody has answered yet."""
        compiled, context = self._registered.build(), self._context
        saver = StoreSaver(
            checkpoints,
            context.thread_id,
            epoch=context.epoch,
            serde=StrictSerializer(self._registered.classes()),
            max_bytes=max_bytes,
            wanted=lambda: not context.cancelled,
        )
        graph, config = compiled.copy({"checkpointer": saver}), self._run_config()
        try:
            return await self._go_on(graph, config)
        except GraphRecursionError as error:
            raise StepFailure(str(error), kind=RECURSION_LIMIT, retryable=False) from error
        except (EmptyInputError, InvalidUpdateError) as error:
            raise StepFailure(str(error), kind=VALIDATION, retryable=False) from error

    async def _go_on(self, graph: Any, config: dict[str, Any]) -> Outcome:
        state, questions, streamed = await graph.aget_state(config), Questions(self._gates, self._attempt), False
        if state.metadata is None:
            state = await self._stream(graph, self._attempt.input, config)
            streamed = True
        await questions.recall()
        while True:
            found = await questions.settle(graph, state, fresh=streamed)
            if isinstance(found, GateRecord):
                return Asleep(gate=found)
            if found is None and streamed:
                return self._ended(state)
            # Without anything to hand over it goes on from where it is: the input is in its first checkpoint.
            state = await self._stream(graph, found.given if found is not None else None, config)
            streamed = True

    def _ended(self, state: StateSnapshot) -> Completed:
        if state.next:
            nodes = ", ".join(state.next)
            message = (
                f"the graph stopped inside {nodes}: a subgraph cannot have breakpoints here, call interrupt() in it"
            )
            raise StepFailure(message, kind=CONFIGURATION, retryable=False)
        return Completed(output=plain(self._output))

    async def _stream(self, graph: Any, given: Any, config: dict[str, Any]) -> StateSnapshot:
        """Let it run until it stops, and see where that is."""
        told = graph.astream(
            given,
            config,
            context=self._config.get("context"),
            stream_mode=list(_MODES),
            subgraphs=True,
            durability="sync",  # a node that has finished is never run again
        )
        async with aclosing(told) as pieces:
            async for path, mode, data in pieces:
                if mode == "values" and not path:
                    self._output = data
                elif mode != "values":
                    self._tell(mode, data)
        return await graph.aget_state(config)

    def _tell(self, mode: str, data: Any) -> None:
        match mode, data:
            case "messages", (message, _):
                self._context.chunk(text_of(message))
                usage = usage_of(message)
                if usage is not None:
                    self._context.spend(usage)
            case "updates", dict():
                for node in cast("dict[str, Any]", data):
                    if not node.startswith("__"):
                        self._context.progress(None, node)
            case "custom", str():
                self._context.chunk(data)
            case "custom", {"progress": int() | float() as fraction, **more}:
                self._context.progress(fraction, str(more.get("message", "")))
            case _:  # a custom piece that says nothing to us
                pass

    def _run_config(self) -> dict[str, Any]:
        context, settings = self._context, self._config
        # What it is to do is part of the key: a resume that gives it another input must not go on with the old one.
        asked = jsontext.sha256(jsontext.dumps([settings["graph"], self._attempt.input])).hex()[:12]
        own = context.idempotency_key.removeprefix(f"{context.thread_id}:")
        configurable = {
            **settings.get("configurable", {}),
            "thread_id": f"{own}:{asked}",
            "checkpoint_ns": "",
            "idempotency_key": context.idempotency_key,
        }
        limit = settings.get("recursion_limit")
        return {"configurable": configurable} | ({} if limit is None else {"recursion_limit": limit})
