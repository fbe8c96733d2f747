"""Functions and agents that installed packages register."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pytest

from app.domain.errors import StartupError
from app.runners.registration import GROUP, Functions, agent, function, load_entry_points


@agent("packaged")
def packaged(given: Any) -> Any:
    return given


@function("helper")
def helper(given: Any) -> Any:
    return given


@pytest.fixture(autouse=True)
def _a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("some_package")
    module.packaged, module.helper, module.number = packaged, helper, 7
    monkeypatch.setitem(sys.modules, "some_package", module)


def loaded(value: str) -> Functions:
    functions = Functions()
    load_entry_points(functions, [EntryPoint(name="mine", value=value, group=GROUP)])
    return functions


def test_a_module_is_scanned() -> None:
    functions = loaded("some_package")
    assert (functions.names("agent"), functions.names("function")) == (["packaged"], ["helper"])


def test_a_function_is_added() -> None:
    assert loaded("some_package:packaged").names("agent") == ["packaged"]


def test_who_gives_way_takes_no_name_from_others() -> None:
    @agent("packaged")
    def other(given: Any) -> Any:
        return given

    functions = loaded("some_package")
    functions.add(other, give_way=True)
    found = functions.find("agent", "packaged")
    assert found is not None
    assert found.call is packaged


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("no_such_package", "cannot be loaded: No module named"),
        ("some_package:nothing", "cannot be loaded"),
        ("some_package:number", "is neither a module nor a function"),
    ],
)
def test_one_that_cannot_be_used_is_named_in_one_line(value: str, told: str) -> None:
    with pytest.raises(StartupError, match=f"the entry point mine = {value}.*{told}"):
        loaded(value)
