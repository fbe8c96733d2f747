"""An agent as files and the API write it (`name, kind, description, config, input, output, tags`): checked, read, written."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

from app.domain import input_schema, jsontext
from app.domain.agents import Agent
from app.domain.document_schema import NAME
from app.domain.errors import InvalidAgent, JsonError, Problem
from app.domain.secret_names import find_secrets

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from app.domain.agents import AgentKind

KEYS: Final = ("name", "kind", "description", "config", "input", "output", "tags")
_TEXT: Final = r"^[^\x00]*$"
SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Backstitch agent",
    "type": "object",
    "required": ["name", "kind"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": NAME},
        "kind": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": _TEXT},
        "description": {"type": ["string", "null"], "maxLength": 10_000, "pattern": _TEXT},
        "config": {"description": "As its kind wants it.", "type": ["object", "null"]},
        "input": {"description": "A JSON Schema: the step's input is checked against it.", "type": ["object", "null"]},
        "output": {"description": "A JSON Schema: what the agent gives is checked.", "type": ["object", "null"]},
        "tags": {
            "type": ["array", "null"],
            "maxItems": 100,
            "uniqueItems": True,
            "items": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": _TEXT},
        },
    },
}
_MAX_BYTES: Final = 1_000_000


def parse(value: Any, kinds: Mapping[str, AgentKind], *, source: str) -> Agent:
    """The agent that a document tells of.  Raises InvalidAgent for what does not hold, or cannot work here."""
    found = input_schema.validate(SCHEMA, value)
    if found:
        raise InvalidAgent(found)
    agent = read(value, source=source)
    found = problems(agent, kinds)
    if found:
        raise InvalidAgent(found)
    return agent


def read(value: Mapping[str, Any], *, source: str) -> Agent:
    """The agent in a document that fits SCHEMA."""
    return Agent(
        name=value["name"],
        kind=value["kind"],
        config=value.get("config") or {},
        description=value.get("description"),
        input_schema=value.get("input"),
        output_schema=value.get("output"),
        tags=tuple(value.get("tags") or ()),
        source=source,
    )


def document(agent: Agent) -> dict[str, Any]:
    """The document of an agent."""
    return {
        "name": agent.name,
        "kind": agent.kind,
        "description": agent.description,
        "config": agent.config,
        "input": agent.input_schema,
        "output": agent.output_schema,
        "tags": list(agent.tags),
    }


def content(agent: Agent) -> str:
    """What makes a version of an agent, as one JSON text: all but its name and source.  Raises JsonError."""
    parts = document(agent)
    return jsontext.dumps([parts[key] for key in KEYS[1:]])


def problems(agent: Agent, kinds: Mapping[str, AgentKind]) -> list[Problem]:
    """What is wrong with an agent: its schemas, its config, and what its kind says of it here and now."""
    found = _shape(agent)
    kind = kinds.get(agent.kind)
    if kind is None:
        return [*found, Problem("/kind", no_kind(agent.kind, kinds))]
    found += config_problems(agent, kind)
    return found or [Problem("/config", message) for message in kind.check(agent)]


def config_problems(agent: Agent, kind: AgentKind) -> list[Problem]:
    """Where an agent's config is not as its kind wants it."""
    found = input_schema.validate(kind.config_schema(), agent.config)
    return [Problem(f"/config{problem.pointer}", problem.message) for problem in found]


def no_kind(kind: str, kinds: Collection[str]) -> str:
    """There is no such kind, in words."""
    return f"no kind of agent {kind!r}; known: {', '.join(sorted(kinds)) or 'none'}"


def no_agent(name: str, names: Collection[str]) -> str:
    """There is no such agent, in words: with those of similar names, else with all."""
    close = difflib.get_close_matches(name, names, n=3)
    if close:
        return f"no agent is registered as {name!r}; did you mean {' or '.join(close)}?"
    few = sorted(names)[:20]
    more = f" and {len(names) - len(few)} more" if len(names) > len(few) else ""
    return f"no agent is registered as {name!r}; known: {', '.join(few) or 'none'}{more}"


def _shape(agent: Agent) -> list[Problem]:
    try:
        if len(content(agent)) > _MAX_BYTES:
            return [Problem("", f"larger than {_MAX_BYTES:,} bytes")]
    except JsonError as error:
        return [Problem("", str(error))]
    found = input_schema.validate(SCHEMA, document(agent))
    for pointer, schema in (("/input", agent.input_schema), ("/output", agent.output_schema)):
        found += [] if schema is None else input_schema.check_schema(schema, pointer)
    return found + [Problem(f"/config{pointer}", said) for pointer, said in find_secrets(agent.config)]
