"""The kind `langgraph`: a registered graph runs as one step, whose inner checkpoints are the store's, whose interrupts are
gates and whose streams are chunks.  LangGraph itself (an extra) is imported when the first such agent is looked at.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from app.domain.errors import Unavailable
from app.domain.records import ErrorInfo
from app.domain.retry import CONFIGURATION
from app.domain.runner import Asleep, Failed
from app.runners.graph_threads import own_threads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.agents import Agent
    from app.domain.gates import GateBook
    from app.domain.graph_checkpoints import GraphCheckpoints
    from app.domain.runner import Attempt, Outcome
    from app.runners.graphs import Graphs

RESERVED: Final = ("thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map", "idempotency_key")
"""What in a graph's `configurable` is ours to say."""

_OUTAGE_PAUSE: Final = 2.0

_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["graph"],
    "additionalProperties": False,
    "properties": {
        "graph": {"type": "string", "minLength": 1, "description": "the name under which it is registered"},
        "recursion_limit": {"type": "integer", "minimum": 1, "description": "the most supersteps of a run"},
        "configurable": {
            "type": "object",
            "propertyNames": {"not": {"anyOf": [{"enum": list(RESERVED)}, {"pattern": "^__"}]}},
            "description": "what its nodes find in their config's `configurable`",
        },
        "context": {"type": "object", "description": "what its nodes find in their runtime's `context`"},
    },
}


class LangGraphKind:
    """The agents whose config is `{graph: name}`.

    A value of a graph's state may have `max_bytes`; `threads` plain nodes run at a time.
    """

    def __init__(
        self,
        checkpoints: GraphCheckpoints,
        graphs: Graphs,
        gates: GateBook,
        *,
        max_bytes: int = 16_000_000,
        threads: int = 32,
    ) -> None:
        self._checkpoints = checkpoints
        self._graphs = graphs
        self._gates = gates
        self._max_bytes = max_bytes
        self._threads = threads

    def config_schema(self) -> Mapping[str, Any]:
        """`graph`, and what is handed to it on every run."""
        return _SCHEMA

    def check(self, agent: Agent) -> list[str]:
        """Whether LangGraph is installed, the graph known, and can be built."""
        if find_spec("langgraph") is None:
            return ["LangGraph is not installed: pip install 'backstitch[langgraph]'"]
        name = agent.config["graph"]
        registered = self._graphs.find(name)
        if registered is None:
            known = ", ".join(self._graphs.names()) or "none"
            return [f"no graph is registered as {name!r}; known: {known} (see MODULES)"]
        try:
            registered.build()
        except Exception as error:  # noqa: BLE001 - it is somebody else's code
            return [f"the graph {name!r} cannot be built: {type(error).__name__}: {error}"]
        return []

    async def perform(self, agent: Agent, attempt: Attempt) -> Outcome:
        """Run the graph from where earlier attempts have left it, to its end or to its next question."""
        problems = self.check(agent)
        if problems:
            return Failed(error=ErrorInfo(kind=CONFIGURATION, message=problems[0]))
        from app.runners.langgraph_run import GraphAttempt  # noqa: PLC0415 - it imports LangGraph

        registered = self._graphs.find(agent.config["graph"])
        assert registered is not None
        run = GraphAttempt(registered, agent.config, attempt, self._gates)
        try:
            with own_threads(self._threads):
                return await run.perform(self._checkpoints, self._max_bytes)
        except Unavailable:  # an outage of the store spends no attempt
            return Asleep(seconds=_OUTAGE_PAUSE)
