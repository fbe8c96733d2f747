"""Nothing that a graph's stored bytes name is run when they are read, unless the graph has declared it."""

from __future__ import annotations

import dataclasses
import json
import pickle
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, TypedDict
from uuid import UUID

import ormsgpack
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.serde import jsonplus
from langgraph.graph import START, StateGraph
from pydantic import BaseModel

from app.domain.runner import StepFailure
from app.runners.langgraph_serde import StrictSerializer, classes_of


class Mood(Enum):
    CALM = "calm"


class Inner(BaseModel):
    mood: Mood


@dataclasses.dataclass
class Outer:
    inner: list[Inner]


class State(TypedDict, total=False):
    outer: Annotated[Outer | None, "with a note"]
    anything: Any


class Secret(BaseModel):
    text: str


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A file that a hostile payload would make."""
    return tmp_path / "trap"


class Hostile:
    """Pickled, it touches the trap when it is read."""

    def __init__(self, trap: Path) -> None:
        self.trap = trap

    def __reduce__(self) -> Any:
        return (Path.touch, (self.trap,))


def extension(code: int, *parts: Any) -> bytes:
    return ormsgpack.packb([ormsgpack.Ext(code, ormsgpack.packb(parts))])


def refuses(kind: str, data: bytes, trap: Path) -> None:
    with pytest.raises(StepFailure) as refused:
        StrictSerializer().loads_typed((kind, data))
    assert (refused.value.kind, refused.value.retryable) == ("configuration", False)
    assert not trap.exists()


def test_a_pickle_is_never_read(trap: Path) -> None:
    refuses("pickle", pickle.dumps(Hostile(trap)), trap)


def test_a_constructor_in_json_is_never_called(trap: Path) -> None:
    call = {"lc": 2, "type": "constructor", "id": ["os", "mkdir"], "args": [str(trap)]}
    refuses("json", json.dumps(call).encode(), trap)


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        (jsonplus.EXT_CONSTRUCTOR_SINGLE_ARG, ("os", "mkdir", "TRAP")),
        (jsonplus.EXT_CONSTRUCTOR_POS_ARGS, ("os", "mkdir", ("TRAP",))),
        (jsonplus.EXT_CONSTRUCTOR_KW_ARGS, ("os", "mkdir", {"path": "TRAP"})),
        (jsonplus.EXT_METHOD_SINGLE_ARG, ("pathlib", "Path", "TRAP", "touch")),
        (jsonplus.EXT_PYDANTIC_V1, ("os", "mkdir", {"path": "TRAP"})),
        (jsonplus.EXT_PYDANTIC_V2, ("os", "mkdir", {"path": "TRAP"}, "model_validate_json")),
        (99, ("os", "mkdir", "TRAP")),
    ],
)
def test_no_call_in_msgpack_is_made_that_nobody_has_declared(code: int, parts: tuple[Any, ...], trap: Path) -> None:
    filled = json.loads(json.dumps(parts).replace("TRAP", str(trap)))
    refuses("msgpack", extension(code, *filled), trap)


def test_a_call_inside_of_an_allowed_one_is_not_made(trap: Path) -> None:
    inner = ormsgpack.Ext(jsonplus.EXT_CONSTRUCTOR_SINGLE_ARG, ormsgpack.packb(("os", "mkdir", str(trap))))
    refuses("msgpack", extension(jsonplus.EXT_CONSTRUCTOR_SINGLE_ARG, "builtins", "set", [inner]), trap)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"\x00\xff",
        {"text": "\x00 ü", "numbers": [1, 2.5], 3: True},
        {datetime(2026, 1, 2, tzinfo=UTC), UUID(int=7)},
        [HumanMessage("hello", id="1"), AIMessage("hi", id="2")],
    ],
    ids=["null", "bytes", "plain", "safe", "messages"],
)
def test_plain_values_and_langgraphs_own_come_back_as_they_were(value: Any) -> None:
    strict = StrictSerializer()
    assert strict.loads_typed(strict.dumps_typed(value)) == value


def test_what_the_state_declares_comes_back_as_what_it_was() -> None:
    graph = StateGraph(State).add_node("node", lambda state: state).add_edge(START, "node").compile()
    strict = StrictSerializer(classes_of(graph))
    value = Outer(inner=[Inner(mood=Mood.CALM)])
    assert strict.loads_typed(strict.dumps_typed(value)) == value


def test_a_class_that_nobody_declared_is_refused_when_it_is_written() -> None:
    with pytest.raises(StepFailure, match=r"holds a .*Secret, which is not known to be safe"):
        StrictSerializer().dumps_typed({"deep": [Secret(text="x")]})
    assert StrictSerializer([Secret]).dumps_typed(Secret(text="x"))[0] == "msgpack"


def test_what_msgpack_cannot_carry_is_refused_once_and_for_all() -> None:
    with pytest.raises(StepFailure, match="cannot be stored") as refused:
        StrictSerializer().dumps_typed({"large": 2**70})
    assert not refused.value.retryable
