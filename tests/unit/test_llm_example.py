"""The example of docs/llm-agents.md: the page shows the files as they are, and they work on both wires."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.domain.agents import Agent
from app.domain.input_schema import check_schema, validate
from app.domain.runner import Completed
from app.runners.llm.config import SCHEMA
from tests.unit.runners.llm_house import a_kind, house
from tests.unit.runners.remembering import FakeTools, attempt

DOCS = Path(__file__).parents[2] / "docs"
FILES = sorted((DOCS / "examples/llm").rglob("*.yaml"))
AGENTS = [file for file in FILES if file.parent.name == "agents"]
KEYS = {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}

each_agent = pytest.mark.parametrize("file", AGENTS, ids=lambda file: file.stem)


def agent(file: Path, **config: Any) -> Agent:
    """An agent as a folder of files gives it."""
    found = yaml.safe_load(file.read_text(encoding="utf-8"))
    found["output_schema"] = found.pop("output", None)
    return Agent(**{**found, "config": found["config"] | config}, source="file")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_page_shows_the_file(file: Path) -> None:
    page = (DOCS / "llm-agents.md").read_text(encoding="utf-8")
    assert file.read_text(encoding="utf-8") in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)


@each_agent
def test_its_agents_are_right(file: Path) -> None:
    one = agent(file)
    assert validate(SCHEMA, one.config) == []
    assert one.output_schema is None or check_schema(one.output_schema) == []
    assert a_kind(KEYS, FakeTools()).check(one) == []


@each_agent
async def test_its_agents_answer(file: Path) -> None:
    fields = ("topic", "audience", "criticism", "text")
    tools = FakeTools(git={"git_log": str, "git_show": str, "git_reset": str})
    given = dict.fromkeys(fields, "seams")
    text = '{"score": 7, "faults": []}'
    async with house({"text": text}, tools=tools) as at:
        one = agent(file)
        outcome = await at.kind.perform(agent(file, base_url=at.url(one.config["provider"])), attempt(given))
    assert isinstance(outcome, Completed), outcome
    assert outcome.output == {"score": 7, "faults": []} or outcome.output["text"] == text


def test_every_option_is_on_the_page() -> None:
    page = (DOCS / "llm-agents.md").read_text(encoding="utf-8")
    assert set(SCHEMA["properties"]) <= set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
