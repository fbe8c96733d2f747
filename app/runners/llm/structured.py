"""Answers that must match a JSON Schema: how the schema is put to a model, and how its text becomes the step's output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import jsontext
from app.domain.errors import JsonError
from app.domain.input_schema import validate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.runners.llm.config import Config

ANSWER: Final = "final_answer"
"""The tool whose arguments are the answer."""
_WRAP: Final = "value"
_SHOWN_PROBLEMS: Final = 5
_EXCERPT: Final = 300
# What OpenAI can hold a model to: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
_ANNOTATIONS: Final = frozenset({"title", "description"})
_STRICT: Final = _ANNOTATIONS | {
    *("type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs"),
    *("pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems"),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """A schema as it is put to models, which answer with objects only: any other value is wrapped as `{"value": ...}`."""

    schema: Mapping[str, Any]
    shown: Mapping[str, Any]
    wrapped: bool

    @classmethod
    def of(cls, schema: Mapping[str, Any]) -> Shape:
        """The shape for an agent's output schema."""
        wrapped = schema.get("type", "object" if "properties" in schema else None) != "object"
        shown: Mapping[str, Any] = {"type": "object", **schema}
        if wrapped:
            shown = {
                "type": "object",
                "properties": {_WRAP: _moved(schema)},
                "required": [_WRAP],
                "additionalProperties": False,
            }
        return cls(schema, shown, wrapped)

    @property
    def strict(self) -> bool:
        """Whether OpenAI can hold a model to it."""
        return is_strict(self.shown) and "anyOf" not in self.shown

    def way(self, config: Config) -> str:
        """How it is put to the model: see Request.

        Anthropic's newer models cannot be made to call a tool, its older ones and many other servers know no schemas.
        """
        if config.structured != "auto":
            return config.structured
        return "schema" if config.provider == "openai" or (not config.own_url and is_closed(self.shown)) else "tool"

    def take(self, text: str) -> tuple[Any, str | None]:
        """The value that an answer's text gives, and what is wrong with it, in words for the model."""
        try:
            value = jsontext.loads(_without_fence(text))
        except JsonError as error:
            return None, f"not JSON: {error}"
        if self.wrapped and isinstance(value, dict):
            value = cast("dict[str, Any]", value).get(_WRAP, value)
        problems = validate(self.schema, value)
        if not problems:
            return value, None
        return value, "\n".join(f"{one.pointer or '(the whole)'}: {one.message}" for one in problems[:_SHOWN_PROBLEMS])


def instruction(way: str, shape: Shape | None) -> str | None:
    """What the system text must say beside the agent's own, if anything."""
    if shape is None or way == "schema":
        return None
    if way == "tool":
        return f"Give your final answer by calling the tool {ANSWER}, once and last."
    return f"Answer with one JSON value that matches this JSON Schema, and with nothing else:\n{jsontext.dumps(shape.schema)}"


def excerpt(text: str) -> str:
    """The beginning of a text, for messages."""
    line = " ".join(text[: 2 * _EXCERPT].split())
    return line if len(line) <= _EXCERPT else f"{line[:_EXCERPT]}..."


def is_strict(schema: Any) -> bool:
    """Whether OpenAI can hold a model to a schema: only known keywords, every property required, no others allowed."""
    if not isinstance(schema, dict):
        return False
    keywords = cast("dict[str, Any]", schema)
    if not keywords.keys() <= _STRICT:
        return False
    properties: dict[str, Any] = keywords.get("properties", {})
    if "object" in str(keywords.get("type")) or properties:
        closed = keywords.get("additionalProperties") is False
        if not closed or set(keywords.get("required", ())) != properties.keys():
            return False
    parts = [*properties.values(), *keywords.get("$defs", {}).values(), *keywords.get("anyOf", ())]
    if "items" in keywords:
        parts.append(keywords["items"])
    return all(is_strict(part) for part in parts)


def is_closed(schema: Mapping[str, Any]) -> bool:
    """Whether Anthropic can hold a model to a schema with its limits told in words: nothing open, nothing recursive."""
    defined: dict[str, Any] = schema.get("$defs", {})
    known: set[str] = set()

    def closed(part: Any, inside: frozenset[str]) -> bool:
        if not isinstance(part, dict):
            return False
        keywords = cast("dict[str, Any]", part)
        if "$ref" in keywords:
            name = str(keywords["$ref"]).removeprefix("#/$defs/")
            if name in inside or name not in defined:
                return False
            if name not in known and not closed(defined[name], inside | {name}):
                return False
            known.add(name)
            return True
        either: list[Any] = keywords.get("anyOf", []) + keywords.get("oneOf", [])
        if either or not isinstance(keywords.get("type"), str):
            return bool(either or "enum" in keywords or "const" in keywords) and all(
                closed(one, inside) for one in either
            )
        return _closed_type(keywords, lambda one: closed(one, inside))

    return closed(schema, frozenset())


def _closed_type(keywords: Mapping[str, Any], closed: Callable[[Any], bool]) -> bool:
    if keywords["type"] == "array":
        return "items" in keywords and closed(keywords["items"])
    if keywords["type"] != "object":
        return True
    properties: dict[str, Any] = keywords.get("properties", {})
    if keywords.keys() & {"patternProperties", "allOf"} or isinstance(keywords.get("additionalProperties"), dict):
        return False
    return bool(properties) and all(closed(one) for one in properties.values())


def _moved(schema: Any) -> Any:
    """A schema one level down: its references to itself begin elsewhere."""
    if isinstance(schema, list):
        return [_moved(item) for item in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    keywords = cast("dict[str, Any]", schema)
    found = {name: _moved(item) for name, item in keywords.items() if name not in {"$schema", "$id"}}
    reference = found.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        found["$ref"] = f"#/properties/{_WRAP}{reference[1:]}"
    return found


def _without_fence(text: str) -> str:
    """The text inside a fence of Markdown, which models like to put around JSON."""
    bare = text.strip()
    if not (bare.startswith("```") and bare.endswith("```")):
        return bare
    return bare[3:-3].partition("\n")[2] if "\n" in bare else bare[3:-3].removeprefix("json")
