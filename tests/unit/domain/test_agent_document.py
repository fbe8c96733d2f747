"""The document of an agent: what it may say, what it may not, and that it comes out as it went in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.domain.agent_document import document, no_agent, parse
from app.domain.agents import Agent
from app.domain.errors import InvalidAgent

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind:
    """Wants a model."""

    def config_schema(self) -> Mapping[str, Any]:
        return {"type": "object", "required": ["model"]}

    def check(self, agent: Agent) -> list[str]:
        return ["the variable KEY is not set"] if agent.config["model"] == "keyed" else []

    async def perform(self, agent: Agent, attempt: Any) -> Any:
        raise NotImplementedError


WHOLE: dict[str, Any] = {
    "name": "analyst",
    "kind": "llm",
    "description": "Reads",
    "config": {"model": "small", "max_tokens": 5, "api_key_env": "KEY", "nested": [{"token": {"type": "string"}}]},
    "input": {"type": "object"},
    "output": {"type": "array"},
    "tags": ["text"],
}


def read(value: Any) -> Agent:
    return parse(value, {"llm": Kind()}, source="api")


def wrong(**changes: Any) -> tuple[str, str]:
    with pytest.raises(InvalidAgent) as refused:
        read({**WHOLE, **changes})
    return refused.value.problems[0].pointer, refused.value.problems[0].message


def test_a_document_comes_out_as_it_went_in() -> None:
    agent = read(WHOLE)
    assert document(agent) == WHOLE
    assert (agent.source, agent.version, agent.tags) == ("api", 0, ("text",))


def test_what_is_left_out_or_null_is_empty() -> None:
    agent = read({"name": "a", "kind": "llm", "config": {"model": "m"}, "tags": None, "input": None})
    assert (agent.description, agent.input_schema, agent.output_schema, agent.tags) == (None, None, None, ())


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": "no spaces"}, "/name"),
        ({"name": ".."}, "/name"),
        ({"kind": 1}, "/kind"),
        ({"kind": "lllm"}, "/kind"),
        ({"config": []}, "/config"),
        ({"config": {}}, "/config"),
        ({"tags": "text"}, "/tags"),
        ({"tags": ["a", "a"]}, "/tags"),
        ({"description": "\x00"}, "/description"),
        ({"input": {"type": "thing"}}, "/input/type"),
        ({"output": {"$ref": "https://example.org/x"}}, "/output"),
        ({"config": {"model": "x" * 1_000_001}}, ""),
        ({"config": {"model": "keyed"}}, "/config"),
        ({"version": 2}, ""),
    ],
)
def test_what_does_not_hold_is_told_with_its_place(changes: dict[str, Any], pointer: str) -> None:
    assert wrong(**changes)[0] == pointer


@pytest.mark.parametrize("value", [None, [], "text", {"name": "a"}])
def test_what_is_no_agent_at_all_is_refused(value: Any) -> None:
    with pytest.raises(InvalidAgent):
        read(value)


@pytest.mark.parametrize(
    "key", ["api_key", "apiKey", "X-API-Key", "token", "access_token", "client_secret", "Password", "Authorization"]
)
def test_a_secret_is_refused_wherever_it_stands(key: str) -> None:
    pointer, message = wrong(config={"model": "m", "deep": [{key: "sk-123"}]})
    assert pointer == f"/config/deep/0/{key}"
    assert "name a variable instead" in message
    assert "sk-123" not in message


@pytest.mark.parametrize("config", [{"token": ""}, {"token": "{env.TOKEN}"}, {"tokens": "5"}, {"password_env": "PW"}])
def test_what_only_looks_a_little_like_a_secret_is_not_refused(config: dict[str, Any]) -> None:
    read({**WHOLE, "config": {"model": "m", **config}})


def test_an_unknown_name_is_told_with_those_that_are_near_it() -> None:
    assert no_agent("analist", ["analyst", "marketer"]) == (
        "no agent is registered as 'analist'; did you mean analyst?"
    )
    assert no_agent("x", ["b", "a"]) == "no agent is registered as 'x'; known: a, b"
    assert no_agent("x", []).endswith("known: none")
    assert no_agent("x", [f"agent{number}" for number in range(30)]).endswith("agent26 and 10 more")
