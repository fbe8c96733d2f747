"""Every error as application/problem+json (RFC 9457) with a stable `code`; decision 0004 says why it is our own."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.domain import errors
from app.domain.known_secrets import KNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fastapi import FastAPI
    from pydantic_core import ErrorDetails
    from starlette.requests import Request

MEDIA_TYPE: Final = "application/problem+json"

STATUS: Final[Mapping[type[errors.BackstitchError], int]] = {
    errors.InvalidRequest: 422,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Corrupt: 409,
    errors.Unavailable: 503,
    errors.QueueFull: 429,
    errors.JsonError: 400,
    errors.BackstitchError: 500,
}
"""The status of a class of errors and of its subclasses; the first class of the MRO that is here decides."""

_ROUTING_CODES: Final = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 400: "invalid_request"}

_UNROUTED: Final = frozenset({"not_found", "method_not_allowed"})
_LANGGRAPH: Final = frozenset({"assistants", "threads", "runs"})
"""How paths begin that its SDK asks for."""


class BadRequest(errors.BackstitchError):
    """A header or a body that cannot be read at all."""

    code = "invalid_request"


def problem(status: int, code: str, detail: str, *, instance: str, **more: Any) -> dict[str, Any]:
    """The problem document; `more` are extension members and never displace the standard ones."""
    return {
        **more,
        "type": f"urn:backstitch:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "instance": instance,
    }


def response(document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """A problem document as the answer to a request."""
    try:
        body = orjson.dumps(document, default=str)
    except TypeError:  # text that is no Unicode, or a number too big, quoted from the request
        detail = str(document["detail"]).encode("utf-8", "replace").decode()
        standard = ("type", "title", "status", "code", "instance")
        body = orjson.dumps({name: document[name] for name in standard} | {"detail": detail})
    if KNOWN:
        body = KNOWN.json(body.decode()).encode()
    return Response(body, status_code=document["status"], media_type=MEDIA_TYPE, headers=dict(headers or {}))


def pointer(location: Iterable[int | str]) -> str:
    """An RFC 6901 JSON pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def invalid(found: Sequence[ErrorDetails], prefix: tuple[str, ...] = ()) -> list[errors.Problem]:
    """pydantic's errors as ours."""
    no_object = dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "should be an object")
    said = {"extra_forbidden": "unknown field", "missing": "required", **no_object}
    return [
        errors.Problem(pointer((*prefix, *one["loc"])), said.get(one["type"], one["msg"].removeprefix("Value error, ")))
        for one in found
    ]


def problem_item(one: errors.Problem, *, placed: bool = False) -> dict[str, Any]:
    """One of the faults of a document; `placed`: with its line and column in the text that was sent."""
    where = {"line": one.line, "column": one.column} if placed else {}
    return {"pointer": one.pointer, "message": one.message, **where}


def _headers(error: errors.BackstitchError) -> dict[str, str]:
    if isinstance(error, errors.Unauthorized):
        return {"WWW-Authenticate": 'Bearer error="invalid_token"'}  # RFC 6750, section 3
    return {"Retry-After": str(max(1, math.ceil(error.retry_after)))} if isinstance(error, errors.Unavailable) else {}


async def on_backstitch_error(request: Request, error: Exception) -> Response:
    """One of our own errors: its class gives the status, `details` and `problems` go along."""
    assert isinstance(error, errors.BackstitchError)
    status = 400 if isinstance(error, BadRequest) else next(STATUS[one] for one in type(error).__mro__ if one in STATUS)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, errors.Unavailable):
        raise error  # the guard logs it and answers
    more = dict(error.details)
    found: Sequence[errors.Problem] = more.pop("problems", None) or getattr(error, "problems", ())
    if found:
        placed = any(one.line is not None for one in found)
        more["problems"] = [problem_item(one, placed=placed) for one in found]
    document = problem(status, error.code, error.message, instance=request.url.path, **more)
    return response(document, _headers(error))


async def on_http_exception(request: Request, error: Exception) -> Response:
    """What routing itself refuses: no such route, method not allowed."""
    assert isinstance(error, HTTPException)
    code = _ROUTING_CODES.get(error.status_code, "http_error")
    plain = error.detail == HTTPStatus(error.status_code).phrase
    detail = _unrouted(request) if plain and code in _UNROUTED else str(error.detail)
    return response(problem(error.status_code, code, detail, instance=request.url.path), error.headers)


def _unrouted(request: Request) -> str:
    """That there is no such route, and where there may be."""
    first = request.url.path.split("/")[1]
    known = "the LangGraph SDK's address ends in /langgraph" if first in _LANGGRAPH else "/api/openapi.json lists them"
    return f"there is no route {request.method} {request.url.path}: {known}"


async def on_validation_error(request: Request, error: Exception) -> Response:
    """Parameters of the path or the query that do not hold."""
    assert isinstance(error, RequestValidationError)
    found = errors.InvalidRequest("a parameter of the request does not hold", problems=invalid(list(error.errors())))
    return await on_backstitch_error(request, found)


def install(app: FastAPI) -> None:
    """Answer every expected error of `app` in this form; the unexpected ones are the guard's."""
    app.add_exception_handler(errors.BackstitchError, on_backstitch_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_validation_error)
