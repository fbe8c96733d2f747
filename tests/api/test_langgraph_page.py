"""The example of docs/langgraph-sdk.md, run as it stands there."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.api.lang import open_lang

if TYPE_CHECKING:
    import pytest

PAGE = (Path(__file__).parents[2] / "docs/langgraph-sdk.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


async def test_the_example_of_the_page_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    async with open_lang(modules="docs.examples.writers.agents,tests.api.lang") as lang:
        await lang.register(yaml.safe_load(BLOCKS["yaml"]))
        text = BLOCKS["python"].replace("http://127.0.0.1:8000/langgraph", lang.url)
        program = compile(text, "page", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        names: dict[str, Any] = {}
        await eval(program, names)  # noqa: S307 - it is our own
        await names["client"].aclose()
    printed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert printed == re.findall(r"^# (metadata|updates|end) ", BLOCKS["python"], re.MULTILINE)
