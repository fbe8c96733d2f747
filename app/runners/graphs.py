"""How LangGraph's graphs become known: a mark, and a scan of named modules that collects what is marked.

    @graph("researcher")                          # built when it is first needed
    def build() -> StateGraph: ...

    reviewer = graph("reviewer")(builder.compile())     # or one that is there already

A graph is an agent of the kind `langgraph`, under its own name.  It keeps nothing of its own: its checkpoints are the store's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from app.domain.agents import Agent
from app.domain.errors import StartupError
from app.runners.registration import imported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import ModuleType

Made = TypeVar("Made")
KIND = "langgraph"
_MARK = "__backstitch_graph__"


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphMark:
    """The agent that a graph is, and which classes beyond those that it declares may stand in its state."""

    about: Agent
    allow: tuple[type, ...] = ()


@dataclass(slots=True, kw_only=True)
class RegisteredGraph:
    """A graph, a builder of one, or a function that gives either; `compiled` once it was needed.

    `where` it stands: `module:name`.
    """

    mark: GraphMark
    made: Any
    where: str = ""
    compiled: Any = None
    declared: set[type] | None = None

    def build(self) -> Any:
        """The compiled graph; what the function or the compiler raises comes out as it is."""
        if self.compiled is None:
            built = self.made if _is_graph(self.made) else self.made()
            self.compiled = built if hasattr(built, "astream") else built.compile()
        return self.compiled

    def classes(self) -> set[type]:
        """The classes whose values may stand in its state: those that it declares, and those that it was told to allow."""
        if self.declared is None:
            from app.runners.langgraph_serde import classes_of  # noqa: PLC0415 - it imports LangGraph

            self.declared = {*classes_of(self.build()), *self.mark.allow}
        return self.declared


def graph(
    name: str,
    *,
    allow: Iterable[type] = (),
    description: str | None = None,
    input_schema: Mapping[str, Any] | None = None,
    output_schema: Mapping[str, Any] | None = None,
    tags: Iterable[str] = (),
) -> Callable[[Made], Made]:
    """Register what is decorated (a compiled graph, a StateGraph, or a function without arguments that gives one) as the
    graph, and the agent, `name`.

    `allow` names classes that its nodes put into channels whose types do not name them.  The schemas are JSON Schemas for the
    step's input and its output; the other arguments are as for `agent`.
    """
    about = Agent(
        name=name,
        kind=KIND,
        config={"graph": name},
        description=description,
        input_schema=input_schema,
        output_schema=output_schema,
        tags=tuple(tags),
    )
    mark = GraphMark(about=about, allow=tuple(allow))

    def decorate(made: Made) -> Made:
        if not (_is_graph(made) or callable(made)):
            raise TypeError(f"{name}: neither a graph nor a function that gives one")
        setattr(made, _MARK, mark)
        return made

    return decorate


@dataclass(slots=True)
class Graphs:
    """All graphs that this process can run, by name."""

    by_name: dict[str, RegisteredGraph] = field(default_factory=dict[str, RegisteredGraph])

    def add(self, made: Any, where: str = "") -> None:
        """Register what is marked.  Raises StartupError for a name that is taken by another."""
        mark: GraphMark = getattr(made, _MARK)
        name = mark.about.name
        known = self.by_name.setdefault(name, RegisteredGraph(mark=mark, made=made, where=where))
        if known.made is not made:
            raise StartupError(f"two graphs are registered as {name!r}")

    def scan(self, module: ModuleType) -> None:
        """Register every marked graph that a module holds."""
        for name, value in list(vars(module).items()):
            if isinstance(getattr(value, _MARK, None), GraphMark):
                self.add(value, f"{module.__name__}:{name}")

    def find(self, name: str) -> RegisteredGraph | None:
        """The graph of that name."""
        return self.by_name.get(name)

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self.by_name)

    def agents(self) -> list[tuple[Agent, str]]:
        """The agents that they are, by name, each with where it stands."""
        return [(found.mark.about, found.where) for _, found in sorted(self.by_name.items())]


def load_graphs(modules: Iterable[str]) -> Graphs:
    """Import modules by name and collect the graphs that they marked.  Raises StartupError in one line."""
    graphs = Graphs()
    for module in imported(modules):
        graphs.scan(module)
    return graphs


def _is_graph(made: Any) -> bool:
    return not isinstance(made, type) and (hasattr(made, "astream") or hasattr(made, "compile"))
