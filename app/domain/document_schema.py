"""The published JSON Schema (draft 2020-12) of the workflow document: what a document may say, save what only parsing sees.

`workflow.schema.json` beside this file is its text for editors; a test holds the two together.
"""

from __future__ import annotations

from typing import Any, Final

from app.domain.cel_text import RESERVED
from app.domain.checkpoints import Frequency
from app.domain.spec import KINDS

MAX_STEPS: Final = 10_000
NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
IDENTIFIER: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
RESERVED_IDS: Final = RESERVED | {"input", "context", "item", "index", "error", "iteration", "START", "END"}
"""What no step may be called: CEL's own words, the scope's own names, and the two ends of a history."""
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_DURATION: Final[dict[str, Any]] = {
    "description": 'Seconds, or a text such as "500ms", "30s", "5m", "24h", "7d".',
    "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\s*\d+(\.\d+)?(ms|s|m|h|d)\s*$"}],
}
_RETRY: Final[dict[str, Any]] = {
    "description": "When and how fast a failed attempt is repeated; what cannot get better never is.",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "max_attempts": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 3},
        "initial_interval": {"$ref": "#/$defs/duration", "default": "1s"},
        "backoff_factor": {"type": "number", "minimum": 1, "maximum": 100, "default": 2},
        "max_interval": {"$ref": "#/$defs/duration", "default": "30s"},
        "jitter": {"type": "boolean", "default": True},
        "on": {
            "description": "Kinds of error to retry: timeout, network, http.503, http.5xx, http, ...",
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 128},
        },
    },
}
_SCALAR: Final[dict[str, Any]] = {"type": ["string", "number", "boolean", "null"]}
_HTTP: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["url"],
    "additionalProperties": False,
    "properties": {
        "method": {"enum": [*METHODS], "default": "GET"},
        "url": {"type": "string", "minLength": 1},
        "headers": {"type": "object", "additionalProperties": _SCALAR},
        "query": {
            "type": "object",
            "additionalProperties": {"type": ["string", "number", "boolean", "null", "array"], "items": _SCALAR},
        },
        "json": {"description": "The body: any value, with templates."},
    },
}
TOOL: Final = r"^[^{}\x00-\x1f]{1,256}$"
"""A tool's name is the server's choice; that it cannot hold a template keeps it checkable."""
_MCP: Final[dict[str, Any]] = {
    "description": "One call of a tool of a configured MCP server.",
    "type": "object",
    "required": ["server", "tool"],
    "additionalProperties": False,
    "properties": {
        "server": {"description": "A server of the operator's MCP_SERVERS.", "type": "string", "pattern": NAME},
        "tool": {"description": "One of its tools.", "type": "string", "pattern": TOOL},
        "arguments": {
            "description": "What the tool is given: an object with templates, or a template that gives one.",
            "type": ["object", "string"],
        },
    },
}
_GATE: Final[dict[str, Any]] = {
    "description": "A question to a person or a program; the step waits for the answer, which is its output.",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "title": {"description": "The question in a line, with templates.", "type": "string"},
        "show": {"description": "What to look at: any value, with templates."},
        "form": {"description": "A JSON Schema; the answer is checked against it.", "type": "object"},
        "timeout": {"$ref": "#/$defs/duration"},
        "on_timeout": {
            "description": "What counts as the answer when nobody has given one in time; else the step fails."
        },
        "assignees": {"description": "Who is asked.", "type": "array", "items": {"type": "string", "minLength": 1}},
    },
}
_WAIT_FOR: Final[dict[str, Any]] = {
    "description": "A message on a topic, or a signal to the thread; the step waits for it, and it is the output.",
    "type": "object",
    "oneOf": [{"required": ["topic"]}, {"required": ["signal"]}],
    "dependentSchemas": {"signal": {"properties": {"match": False, "since": False}}},
    "additionalProperties": False,
    "properties": {
        "topic": {"description": "A topic or a pattern of topics, with templates.", "type": "string", "minLength": 1},
        "signal": {"description": "The name of a signal, with templates.", "type": "string", "minLength": 1},
        "match": {
            "description": "A CEL condition over `message` and what templates see; others are passed over.",
            "type": "string",
        },
        "since": {
            "description": "Which messages count: those since the thread began, or since the step did.",
            "enum": ["thread", "step"],
            "default": "thread",
        },
        "timeout": {"$ref": "#/$defs/duration"},
        "on_timeout": {"description": "What is the output when nothing has come in time; else the step fails."},
    },
}
_KINDS_OF_ERROR: Final[dict[str, Any]] = {
    "type": "array",
    "minItems": 1,
    "items": {"type": "string", "minLength": 1, "maxLength": 128},
}
_ON_ERROR: Final[dict[str, Any]] = {
    "description": "When it has failed for good: fail the thread, go on without it, or go on with another step.",
    "anyOf": [
        {"enum": ["fail", "continue"]},
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {"kinds": _KINDS_OF_ERROR, "run": {"type": "string", "pattern": IDENTIFIER}},
        },
    ],
}
_REPEAT: Final[dict[str, Any]] = {
    "description": "Again and again until a condition over its own last output holds.",
    "type": "object",
    "required": ["until", "max_iterations"],
    "additionalProperties": False,
    "properties": {
        "until": {"description": "A CEL condition, which may look at the step's own output.", "type": "string"},
        "max_iterations": {"type": "integer", "minimum": 1, "maximum": 100_000},
        "delay": {"description": "Between two iterations.", "$ref": "#/$defs/duration"},
        "on_exhausted": {"enum": ["fail", "continue"], "default": "fail"},
    },
}
_DOING: Final[dict[str, Any]] = {
    "agent": {"description": "A registered agent.", "type": "string", "pattern": NAME},
    "python": {"description": "A registered function, never an import path.", "type": "string", "pattern": NAME},
    "http": _HTTP,
    "mcp": _MCP,
}
_COMPENSATE: Final[dict[str, Any]] = {
    "description": "What undoes this step when a rollback is told to compensate; it sees the step's output.",
    "type": "object",
    "oneOf": [{"required": [kind]} for kind in _DOING],
    "additionalProperties": False,
    "properties": {
        **_DOING,
        "input": {"description": "Any value, with templates."},
        "timeout": {"$ref": "#/$defs/duration"},
        "retry": {"$ref": "#/$defs/retry"},
    },
}
_LIMITS: Final[dict[str, Any]] = {
    "description": "Over one of these the thread pauses.",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "max_cost_usd": {"type": "number", "minimum": 0},
        "max_tokens": {"type": "integer", "minimum": 0},
        "deadline": {"description": "From the start of the execution.", "$ref": "#/$defs/duration"},
    },
}
_CHECKPOINT: Final[dict[str, Any]] = {
    "description": "Which versions history shows and a rollback can reach; a crash loses nothing under any of them.",
    "type": "object",
    "required": ["frequency"],
    "additionalProperties": False,
    "properties": {
        "frequency": {"enum": [each.value for each in Frequency]},
        "interval": {"description": "Steps for every_n_steps, a duration for time_based.", "$ref": "#/$defs/duration"},
    },
}
_VARIANT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": NAME},
        "weight": {
            "description": "Its share of the threads is its weight of the sum of all.",
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 1_000_000,
            "default": 1,
        },
        "agent": {"description": "The step's own when left out.", "type": "string", "pattern": NAME},
        "input": {"description": "Values with templates, merged over the step's input.", "type": "object"},
    },
}
_STEP: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["id"],
    "oneOf": [{"required": [kind]} for kind in KINDS],
    "dependentSchemas": {
        "http": {"properties": {"input": False}},
        "mcp": {"properties": {"input": False}},
        "sleep": {"properties": {"input": False, "max_silence": False}},
        "gate": {"properties": {"input": False, "max_silence": False, "for_each": False, "repeat": False}},
        "wait_for": {"properties": {"input": False, "max_silence": False}},
        "workflow": {"properties": {"max_silence": False}},
        "for_each": {"properties": {"repeat": False}},
        "variants": {"required": ["agent"]},
    },
    "dependentRequired": {"concurrency": ["for_each"], "on_item_error": ["for_each"]},
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "pattern": IDENTIFIER, "not": {"enum": sorted(RESERVED_IDS)}},
        "description": {"type": "string"},
        **_DOING,
        "workflow": {
            "description": "A registered workflow, name or name@version; it runs as a thread of its own.",
            "type": "string",
            "pattern": NAME[:-1] + r"(@[1-9][0-9]{0,8})?$",
        },
        "sleep": {
            "description": "How long: a duration, or a template that gives one.",
            "anyOf": [{"$ref": "#/$defs/duration"}, {"type": "string", "pattern": r"\{"}],
        },
        "gate": _GATE,
        "wait_for": _WAIT_FOR,
        "input": {"description": "Any value, with templates; the workflow's input when left out."},
        "needs": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "when": {"description": "A CEL condition; false skips the step.", "type": ["string", "boolean"]},
        "assign": {"type": "string", "pattern": IDENTIFIER, "not": {"enum": sorted(RESERVED)}},
        "timeout": {"$ref": "#/$defs/duration"},
        "max_silence": {
            "description": "An attempt that neither ends nor reports (progress, streamed text) for so long is stopped.",
            "$ref": "#/$defs/duration",
        },
        "retry": {"$ref": "#/$defs/retry"},
        "for_each": {
            "description": "A template that gives a list, or a list; the step is done for each {item}, which has an {index}.",
            "type": ["string", "array"],
        },
        "concurrency": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10},
        "on_item_error": {"enum": ["fail", "collect"], "default": "fail"},
        "repeat": _REPEAT,
        "on_error": _ON_ERROR,
        "effect": {
            "description": "What it does to the world outside: nothing, what can be done twice, or what cannot be undone.",
            "enum": ["none", "idempotent", "irreversible"],
        },
        "compensate": _COMPENSATE,
        "checkpoint": {"description": "Its version is shown, whatever the policy says.", "type": "boolean"},
        "variants": {
            "description": "For A/B: one of them does the step, the same one for all of a thread.",
            "type": "array",
            "minItems": 1,
            "maxItems": 20,
            "items": _VARIANT,
        },
    },
}
_SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Backstitch workflow",
    "type": "object",
    "required": ["name", "steps"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": NAME},
        "description": {"type": "string"},
        "input": {"description": "A JSON Schema; the input is checked against it at the start.", "type": "object"},
        "defaults": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"timeout": {"$ref": "#/$defs/duration"}, "retry": {"$ref": "#/$defs/retry"}},
        },
        "limits": _LIMITS,
        "checkpoint": _CHECKPOINT,
        "steps": {"type": "array", "minItems": 1, "maxItems": MAX_STEPS, "items": {"$ref": "#/$defs/step"}},
        "output": {"description": "Any value, with templates; the outputs of the last steps by id when left out."},
    },
    "$defs": {"duration": _DURATION, "retry": _RETRY, "step": _STEP},
}

NOT_BUILT: Final = frozenset({"on_cancel", "queue", "priority", "schedule", "triggers", "webhook"})
"""Keys that are foreseen and that this version does not carry out."""


def schema() -> dict[str, Any]:
    """The schema; not to be changed."""
    return _SCHEMA
