"""The document of a replay: one step, which does exactly what was done, whatever is in it."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.document import parse
from app.domain.replay import Recorded, document_of, effect_of
from app.domain.spec import StepSpec

NASTY = "{braces} and \x00, {{twice}}"
SCOPE = {"input": {"x": NASTY, "n": 3, "list": [1, {"a": "}"}]}, "context": {"c": "{"}}


def step(**parts: Any) -> StepSpec:
    return parse({"name": "w", "steps": [{"id": "one", **parts}]}).steps[0]


def again(spec: StepSpec) -> Any:
    """What the replay's step is told, over its own input."""
    recorded = Recorded(step=spec, agent=spec.agent, target=spec.target.render(SCOPE), input=SCOPE["input"])
    document, given = document_of(recorded)
    return parse(document).steps[0].target.render({"input": given, "context": {}})


@pytest.mark.parametrize(
    "parts",
    [
        {
            "http": {
                "url": "http://host/{input.x}",
                "method": "PUT",
                "headers": {"X-Y{": "{context.c}"},
                "json": "{input}",
            }
        },
        {"http": {"url": "http://host", "query": {"q": ["{input.n}", "{input.x}"]}}},
        {"mcp": {"server": "s", "tool": "t", "arguments": {"deep": {"er": "{input.list}"}, "text": "a {input.x}"}}},
        {"mcp": {"server": "s", "tool": "t", "arguments": "{input}"}},
        {"gate": {"title": "{input.x}?", "show": "{input}", "timeout": "1h", "on_timeout": {"a": "{input.n}"}}},
        {"gate": {"assignees": ["{context.c}"], "form": {"type": "object", "title": "{not a hole}"}}},
        {"sleep": "{input.n}"},
        {"sleep": "2s"},
        {"workflow": "child@3"},
        {"agent": "writer"},
    ],
)
def test_a_replay_is_told_what_the_step_was_told(parts: dict[str, Any]) -> None:
    spec = step(**parts)
    assert again(spec) == spec.target.render(SCOPE)


def test_a_replay_keeps_the_steps_limits_form_and_retries() -> None:
    retry = {"max_attempts": 7, "initial_interval": "5ms", "on": ["timeout"]}
    spec = step(gate={"form": {"type": "string"}}, timeout="2m", retry=retry)
    copy = parse(document_of(Recorded(step=spec, agent=None, target=spec.target.render(SCOPE), input=None))[0]).steps[0]
    assert (copy.form, copy.timeout, copy.retry) == (spec.form, spec.timeout, spec.retry)
    quiet = step(agent="a", max_silence="3s")
    assert parse(document_of(Recorded(step=quiet, agent="b", target="a", input=1))[0]).steps[0].max_silence == 3


@pytest.mark.parametrize(
    ("parts", "held_back"),
    [
        ({"http": {"url": "u"}}, False),
        ({"http": {"url": "u", "method": "DELETE"}}, True),
        ({"http": {"url": "u", "json": {}}}, True),
        ({"http": {"url": "u", "method": "GET", "json": {}}}, False),
        ({"http": {"url": "u", "method": "POST"}, "effect": "none"}, False),
        ({"agent": "a", "effect": "idempotent"}, True),
        ({"agent": "a", "effect": "irreversible"}, True),
        ({"agent": "a", "compensate": {"agent": "b"}}, True),
        ({"agent": "a"}, False),
    ],
)
def test_what_says_that_it_changes_something_is_held_back(parts: dict[str, Any], held_back: bool) -> None:
    assert (effect_of(step(**parts)) is not None) == held_back
