"""Request bodies: read once, parsed without loss, checked against a strict model once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import AliasChoices, AliasGenerator, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from app.api.problem import invalid
from app.domain import jsontext
from app.domain.errors import InvalidRequest, JsonError, Problem
from app.runners.aside import aside

if TYPE_CHECKING:
    from starlette.requests import Request


def _names(name: str) -> AliasChoices | str:
    return AliasChoices(name, to_camel(name)) if "_" in name else name


def _config(*, strict: bool) -> ConfigDict:
    """Unknown fields are refused, every field also goes by its camelCase name, and when strict false is no integer."""
    names = AliasGenerator(validation_alias=_names)
    return ConfigDict(extra="forbid", strict=strict, frozen=True, hide_input_in_errors=True, alias_generator=names)


class Body(BaseModel):
    """Base of the request bodies."""

    model_config = _config(strict=True)


class Query(BaseModel):
    """Base of the query parameters, which all arrive as text."""

    model_config = _config(strict=False)


M = TypeVar("M", bound=Body)


async def read_json(request: Request, *, empty: bool = False) -> Any:
    """The body's JSON value, whatever its content type says; {} for no body where that is allowed.

    Raises JsonError (400).
    """
    raw = await request.body()
    if not raw:
        if empty:
            return {}
        raise JsonError("the body is empty: send a JSON object")
    return await aside(lambda: jsontext.loads(raw), len(raw))


def check(model: type[M], value: Any) -> M:
    """`value` as a `model`.  Raises InvalidRequest (422) with JSON pointers."""
    if not isinstance(value, dict):
        raise InvalidRequest("the body is not a JSON object", problems=[Problem("", "should be an object")])
    try:
        return model.model_validate(cast("dict[str, Any]", value))
    except ValidationError as error:
        found = invalid(error.errors(include_url=False, include_context=False, include_input=False))
        first = found[0]
        raise InvalidRequest(f"{first.pointer or '(body)'}: {first.message}", problems=found) from None


async def read(request: Request, model: type[M], *, empty: bool = False) -> M:
    """The body as a `model`; `empty`: it may be missing."""
    return check(model, await read_json(request, empty=empty))
