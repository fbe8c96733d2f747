"""Reading the arguments of a call, lenient in their names and strict in what they are; and the schema that a model is shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from pydantic import AliasChoices, AliasGenerator, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from app.domain import jsontext
from app.domain.errors import JsonError
from app.mcp_server.calling import Refused
from app.runners.aside import BIG, aside

if TYPE_CHECKING:
    from collections.abc import Mapping

_A = TypeVar("_A", bound="Arguments")
_MOST: Final = 5
KEY: Final = r"^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$"
_IN_META: Final = "dev.backstitch/idempotencyKey"
"""In a call's `_meta`: calling twice with one key starts a workflow once."""


def _names(name: str) -> AliasChoices | str:
    return AliasChoices(name, to_camel(name)) if "_" in name else name


class Arguments(BaseModel):
    """Base: unknown names are refused, camelCase is taken too."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        alias_generator=AliasGenerator(validation_alias=_names),
    )

    def given(self, *names: str) -> dict[str, Any]:
        """What was given of these, as the API takes it."""
        return {name: getattr(self, name) for name in names if name in self.model_fields_set}


def read(model: type[_A], given: dict[str, Any] | None) -> _A:
    """The arguments of a call.  Raises Refused, which names what is wrong."""
    try:
        return model.model_validate(given or {})
    except ValidationError as error:
        found = [_problem(each) for each in error.errors(include_url=False, include_input=False)[:_MOST]]
    known = ", ".join(model.model_fields)
    raise Refused("invalid_arguments", "; ".join(found), f"This tool takes: {known}.")


async def sound(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """Arguments as they came, if JSON can carry them: NaN, which Python's JSON has, is none.  Raises Refused."""
    try:
        await aside(lambda: jsontext.dumps(given), jsontext.weight(given, BIG))
    except JsonError as error:
        raise Refused("invalid_arguments", str(error), "Send values that JSON has.") from None
    return given


def key_in(meta: Mapping[str, Any] | None) -> str | None:
    """The key under which the client of a call wants it to happen once.  Raises Refused."""
    key = (meta or {}).get(_IN_META)
    if key is None or (isinstance(key, str) and re.fullmatch(KEY, key)):
        return key
    raise Refused("invalid_arguments", f"{_IN_META} in _meta should be 1 to 255 printable ASCII characters")


def _problem(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "arguments"
    said = {"missing": "is required", "extra_forbidden": "is not an argument of this tool"}
    return f"{where} {said.get(error['type'], error['msg'])}"


def schema_of(model: type[Arguments]) -> dict[str, Any]:
    """Its JSON Schema without what only costs a reader time: titles, and that what is optional may be null."""
    return cast("dict[str, Any]", _slim(model.model_json_schema()))


def _slim(node: Any, *, named: bool = False) -> Any:
    """`named`: the keys of this object are names of properties, not words of JSON Schema."""
    if isinstance(node, list):
        return [_slim(item) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    found = cast("dict[str, Any]", node)
    if not named:
        found = {key: value for key, value in found.items() if key != "title" and (key, value) != ("default", None)}
        choices = [one for one in found.get("anyOf", []) if one != {"type": "null"}]
        if len(choices) == 1:
            found = {**choices[0], **{key: value for key, value in found.items() if key != "anyOf"}}
            found.pop("title", None)
        elif choices:
            found["anyOf"] = choices
    return {key: _slim(value, named=key in ("properties", "$defs") and not named) for key, value in found.items()}
