"""The config of an agent of the kind `http`: its schema, what can be wrong with it, and the request and reading it comes to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

import httpx

from app.domain import jsontext, times
from app.domain.errors import InvalidWorkflow
from app.domain.expression import Expression, ExpressionError
from app.domain.template import Template, split
from app.runners.addresses import written_fault
from app.runners.http_client import Call, carried_on, header_problem
from app.runners.http_streams import MEDIA_TYPES, Form, Reading
from app.runners.per_agent import holes_of
from app.runners.secret_values import SECRET_SCHEMA, Masks, Secrets, named_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from app.domain.agents import Agent
    from app.domain.runner import Attempt
    from app.domain.template import Holes

DEFAULT_TIMEOUT: Final = 600.0
"""Seconds for the whole exchange, from the connection to the last byte."""
_BODY: Final = "{input}"
_OUTPUT: Final = "{response.body}"
"""What is sent and given where the config says nothing of it."""
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_BODILESS: Final = frozenset({"GET", "HEAD"})
_ORIGIN: Final = re.compile(r"https?://[^/?#@\\{}\s]+(?=[/?#]|\Z)")
_RESERVED: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "idempotency-key",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_POINTER: Final = {"type": "string", "pattern": "^(/([^~]|~[01])*)?$"}
_STREAMS: Final = ("auto", "sse", "ndjson", "text", False)

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["url"],
    "additionalProperties": False,
    "properties": {
        "url": {"type": "string", "minLength": 1, "maxLength": 8_000},
        "method": {"enum": list(_METHODS)},
        "query": {
            "type": "object",
            "additionalProperties": {"anyOf": [SECRET_SCHEMA, {"not": {"type": "object", "required": ["env"]}}]},
        },
        "headers": {"type": "object", "additionalProperties": {"anyOf": [{"type": "string"}, SECRET_SCHEMA]}},
        "body": True,
        "stream": {"enum": list(_STREAMS)},
        "stream_text": _POINTER,
        "stream_result": {"anyOf": [{"enum": ["text", "last"]}, {"type": "string", "pattern": "^/([^~]|~[01])*$"}]},
        "stream_result_event": {"type": "string", "minLength": 1},
        "stream_error": {"anyOf": [_POINTER, {"const": False}]},
        "output": True,
        "timeout": {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]},
        "max_bytes": {"type": "integer", "minimum": 1},
        "allow_private": {"type": "boolean"},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """What is filled in of a config; what names a secret stands in `headers` and `query` as it is."""

    url: tuple[str | Expression, ...]
    headers: Mapping[str, Template | dict[str, Any]]
    query: Mapping[str, Template | dict[str, Any]]
    body: Template
    output: Template


def templates(agent: Agent) -> Templates:
    """The templates of a config.  Raises InvalidWorkflow, ValueError."""
    config, holes = agent.config, holes_of(agent)
    url = tuple(split(str(config["url"]), holes))
    return Templates(
        url=url,
        headers={name: _compiled(value, holes) for name, value in _headers(config).items()},
        query={name: _compiled(value, holes) for name, value in _query(config).items()},
        body=Template.compile(config.get("body", _BODY), holes=holes),
        output=Template.compile(config.get("output", _OUTPUT), holes=holes),
    )


def problems(agent: Agent, secrets: Secrets, *, allow_private: bool) -> Iterator[str]:
    """What is wrong with such a config, in words."""
    config, holes = agent.config, holes_of(agent)
    inside = may_go_inside(agent, allow_private=allow_private)
    yield from _url_problems(str(config.get("url", "")), holes, allow_private=inside)
    for name, value in _headers(config).items():
        if name in _RESERVED:
            yield f"headers: {name} is set by Backstitch"
        yield from (f"headers: {word}" for word in [header_problem(name, "")] if word)
        if not _names_secret(value):
            yield from _template_problems(value, f"headers/{name}", holes, "input")
    for name in named_secrets([*_headers(config).values(), *_query(config).values()]):
        yield from (word for word in [secrets.problem(name, agent)] if word)
    plain = {name: value for name, value in _query(config).items() if not _names_secret(value)}
    yield from _template_problems(plain, "query", holes, "input")
    yield from _template_problems(config.get("body", _BODY), "body", holes, "input")
    yield from _template_problems(config.get("output", _OUTPUT), "output", holes, "input", "response")
    if config.get("allow_private") is True and not inside:
        yield "allow_private: an agent of the API may not, unless HTTP_ALLOW_PRIVATE is on"
    try:
        deadline(config)
    except ValueError as error:
        yield f"timeout: {error}"


def may_go_inside(agent: Agent, *, allow_private: bool) -> bool:
    """Whether the agent may reach private addresses: what its config says, as far as the service or its source allows it."""
    wanted = bool(agent.config.get("allow_private", allow_private))
    return wanted and (allow_private or agent.source in {"code", "file"})


def deadline(config: Mapping[str, Any]) -> float:
    """Seconds for the whole exchange.  Raises ValueError."""
    found = times.seconds(config.get("timeout", DEFAULT_TIMEOUT))
    if found <= 0:
        raise ValueError("should be longer than nothing")
    return found


def form(config: Mapping[str, Any], media_type: str) -> Form | None:
    """How the body is to be read piece by piece; None: as a whole."""
    asked = config.get("stream", "auto")
    if asked == "auto":
        return MEDIA_TYPES.get(media_type)
    return asked or None


def reading(config: Mapping[str, Any]) -> Reading:
    """How to read the messages of a stream."""
    error = config.get("stream_error", "/error")
    return Reading(
        text=config.get("stream_text"),
        result=config.get("stream_result"),
        result_event=config.get("stream_result_event"),
        error=None if error is False else str(error),
    )


def call(agent: Agent, attempt: Attempt, parts: Templates, secrets: Secrets, masks: Masks) -> Call:
    """The request; `masks` learns the secrets in it.

    Raises ExpressionError, LookupError for a secret, ValueError, JsonError, httpx.InvalidURL.
    """

    def filled(value: Template | dict[str, Any]) -> Any:
        return value.render(scope) if isinstance(value, Template) else secrets.value(value, agent, masks)

    config, scope = agent.config, {"input": attempt.input}
    method = str(config.get("method") or "POST")
    headers = {name: _as_text(filled(value)) for name, value in parts.headers.items()}
    for name, value in headers.items():
        problem = header_problem(name, value)
        if problem is not None:
            raise ValueError(problem)
    query = {name: _parameter(filled(value)) for name, value in parts.query.items()}
    for name, value in query.items():
        if not isinstance(parts.query[name], Template):
            masks.add(str(httpx.QueryParams({"": value})).removeprefix("="))  # as the URL writes it
    url = httpx.URL(_url(parts.url, scope))
    if query:
        url = url.copy_merge_params(query)
    content = None
    if "body" in config or method not in _BODILESS:
        content = _content(parts.body.render(scope), headers)
    headers = carried_on(attempt.context) | headers
    headers["idempotency-key"] = attempt.context.idempotency_key
    return Call(method=method, url=url, headers=headers, content=content)


def _headers(config: Mapping[str, Any]) -> dict[str, Any]:
    found: Mapping[str, Any] = config.get("headers") or {}
    return {name.lower(): value for name, value in found.items()}


def _query(config: Mapping[str, Any]) -> dict[str, Any]:
    return dict(config.get("query") or {})


def _names_secret(value: Any) -> bool:
    return isinstance(value, dict) and "env" in value


def _compiled(value: Any, holes: Holes) -> Template | dict[str, Any]:
    return dict(value) if _names_secret(value) else Template.compile(value, holes=holes)


def _content(value: Any, headers: dict[str, str]) -> bytes:
    media_type = headers.setdefault("content-type", "application/json").partition(";")[0].strip().lower()
    if isinstance(value, str) and media_type != "application/json" and not media_type.endswith("+json"):
        return value.encode()
    return jsontext.dumps(value).encode()


def _url(template: tuple[str | Expression, ...], scope: Mapping[str, Any]) -> str:
    """The URL with its holes filled in: each value is one part of it, never a way up or to another host."""
    parts: list[str] = []
    for part in template:
        if isinstance(part, Expression):
            found = _as_text(part.evaluate(scope))
            if found in {"", ".", ".."}:
                raise ExpressionError(f"{part.text}: {found!r} cannot stand in a URL")
            parts.append(quote(found, safe=""))
        else:
            parts.append(part)
    return "".join(parts)


def _url_problems(text: str, holes: Holes, *, allow_private: bool) -> Iterator[str]:
    if not _ORIGIN.match(text):
        yield "url: should begin with https:// or http:// and a host, without a user; templates may follow after the host"
        return
    try:
        found = [part for part in split(text, holes) if isinstance(part, Expression)]
        url = httpx.URL(_ORIGIN.match(text)[0])  # type: ignore[index]
    except (ValueError, httpx.InvalidURL) as error:
        yield f"url: {error}"
        return
    if not url.host:
        yield "url: there is no host"
    fault = None if allow_private else written_fault(url.host)
    yield from (f"url: {word}" for word in [fault] if word)
    yield from (f"url: {name!r} is unknown; known: input" for hole in found for name in hole.references - {"input"})


def _template_problems(value: Any, where: str, holes: Holes, *known: str) -> Iterator[str]:
    try:
        template = Template.compile(value, holes=holes)
    except InvalidWorkflow as error:
        yield from (f"{where}{problem.pointer}: {problem.message}" for problem in error.problems)
        return
    for name in sorted(template.references - set(known)):
        yield f"{where}: {name!r} is unknown; known: {', '.join(known)}"


def _parameter(value: Any) -> str | list[str]:
    return [_as_text(item) for item in cast("list[Any]", value)] if isinstance(value, list) else _as_text(value)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else jsontext.dumps(value)
