"""How graphs are registered, what is wrong with those that are not, and the examples of docs/langgraph.md."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from app.domain.errors import StartupError
from app.domain.gates import GateRecord
from app.domain.runner import Asleep
from app.runners.graphs import Graphs, graph
from tests.unit.runners.graph_steps import Bench, Calls, line, output

PAGE = Path(__file__).parents[3] / "docs/langgraph.md"


def test_an_unknown_graph_and_one_that_cannot_be_built_are_told() -> None:
    def build() -> Any:
        raise RuntimeError("no model")

    bench = Bench(build)
    assert bench.kind.check(bench.agent) == ["the graph 'researcher' cannot be built: RuntimeError: no model"]
    bench.agent = type(bench.agent)(name="a", kind="langgraph", config={"graph": "other"})
    assert bench.kind.check(bench.agent) == ["no graph is registered as 'other'; known: researcher (see MODULES)"]


def test_without_the_extra_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.runners.langgraph.find_spec", lambda name: None)
    bench = Bench(line(Calls(), "one"))
    assert bench.kind.check(bench.agent) == ["LangGraph is not installed: pip install 'backstitch[langgraph]'"]


def test_marked_graphs_of_a_module_are_agents_of_their_names() -> None:
    module = ModuleType("some_graphs")
    module.__dict__["built"] = graph("built", description="as it is")(line(Calls(), "one").compile())
    module.__dict__["again"] = module.__dict__["built"]

    @graph("made", tags=["slow"])
    def make() -> Any:
        return line(Calls(), "one")

    module.__dict__["make"] = make
    graphs = Graphs()
    graphs.scan(module)
    assert [(about.name, about.kind, dict(about.config), where) for about, where in graphs.agents()] == [
        ("built", "langgraph", {"graph": "built"}, "some_graphs:built"),
        ("made", "langgraph", {"graph": "made"}, "some_graphs:make"),
    ]


def test_two_graphs_of_one_name_and_what_is_no_graph_are_refused() -> None:
    graphs = Graphs()
    graphs.add(graph("same")(line(Calls(), "one")))
    with pytest.raises(StartupError, match="two graphs are registered as 'same'"):
        graphs.add(graph("same")(line(Calls(), "one")))
    with pytest.raises(TypeError, match="neither a graph nor a function"):
        graph("nothing")(3)


def test_the_kind_is_there_without_langgraph_being_imported() -> None:
    program = (
        "import sys, app.runners.langgraph, app.runners.graphs, app.store.langgraph; print('langgraph' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


def shown(number: int) -> dict[str, Any]:
    """What a block of Python in the page leaves behind."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    module = ModuleType("my_graphs")
    sys.modules["my_graphs"] = module  # where LangGraph looks for the types of a state
    exec(compile(blocks[number], str(PAGE), "exec"), module.__dict__)  # noqa: S102
    return module.__dict__


async def test_the_example_of_the_page_asks_and_goes_on() -> None:
    bench = Bench(shown(0)["build"])
    asked = await bench.perform({"topic": "sewing"})
    assert isinstance(asked, Asleep)
    assert bench.said[0] == "All about sewing."
    assert isinstance(asked.gate, GateRecord)
    assert asked.gate.show_json == '{"text":"All about sewing."}'
    await bench.answer({"approved": True})
    assert (await output(bench, {"topic": "sewing"}))["verdict"] == {"approved": True}
    assert bench.said == [(None, "review")]


@pytest.mark.parametrize(("number", "name"), [(1, "echo"), (2, "finder")])
def test_the_other_graphs_of_the_page_can_be_registered(number: int, name: str) -> None:
    module = ModuleType("shown")
    module.__dict__.update(shown(number))
    graphs = Graphs()
    graphs.scan(module)
    found = graphs.find(name)
    assert found is not None
    assert found.build() is found.compiled
