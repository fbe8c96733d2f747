"""Agents: register, change, list, enable and disable them, and see how they do and what has happened to them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples_agents
from app.api.answers import answer
from app.api.openapi import agent_body, body, example, problems
from app.api.parsing import read, read_json
from app.api.requests import Page
from app.api.requests_agents import AgentHealthQuery, AgentsQuery, DisableAgentRequest, EnableAgentRequest
from app.api.schemas_agents import (
    AgentAnswer,
    AgentEventsAnswer,
    AgentHealthAnswer,
    AgentsAnswer,
    DeletedAgentAnswer,
)
from app.api.services import services_of
from app.domain import agent_document as documents
from app.domain.breakers import DISABLED, BreakerRecord
from app.domain.errors import InvalidAgent, NotFound, Problem
from app.domain.views import agents as views

if TYPE_CHECKING:
    from app.api.services import Services
    from app.domain.agents import AgentRecord

router: Final = APIRouter(tags=["agents"])
_REFERENCE: Final = re.compile(r"(?P<name>[^@\x00]{1,128})(?:@(?P<version>[1-9][0-9]{0,8}))?\Z")
_NOT_FOUND: Final = problems(404, agent_not_found=examples_agents.NO_AGENT)
_TAKEN: Final = {
    "agent_taken": "agent analyst belongs to code (my_agents:analyst), in version 2: the API cannot register it; change it "
    "in that code and start the service again, or use another name",
    "version_conflict": "agent analyst is in version 2, not 1",
}


@router.get(
    "/agents",
    operation_id="list_agents",
    response_model=AgentsAnswer,
    responses={**problems(422), 200: example(examples_agents.AGENTS)},
)
async def listed(request: Request, query: Annotated[AgentsQuery, FromQuery()]) -> Response:
    """The agents in their current versions, by name; those too whose code or file is gone: they are not `loaded`."""
    services = services_of(request)
    await _refresh(services)
    after = cursors.text(query.cursor)
    found = [one for one in services.agents.directory.records() if one.agent.name > after]
    wanted = [one for one in found if _wanted(query, one, _breaker(services, one.agent.name))]
    page = wanted[: query.limit]
    cursor = cursors.encode(page[-1].agent.name) if len(wanted) > query.limit else None
    refused = [
        {"file": name, "problems": [{"pointer": one.pointer, "message": one.message} for one in faults]}
        for name, faults in services.agents.files()
    ]
    is_here = services.agents.directory.is_here
    entries = [views.agent_entry(one, _breaker(services, one.agent.name), loaded=is_here(one)) for one in page]
    return answer({"agents": entries, "refused_files": refused, "next_cursor": cursor})


@router.post(
    "/agents",
    operation_id="register_agent",
    status_code=201,
    response_model=AgentAnswer,
    responses={
        **problems(409, 400, 413, **_TAKEN),
        **problems(422, invalid_agent="/kind: no kind of agent 'lllm'"),
        200: {"model": AgentAnswer, "description": "It was like that already"},
        201: example(examples_agents.AGENT),
    },
    openapi_extra=agent_body(documents.SCHEMA, examples_agents.DOCUMENT),
)
async def register(request: Request) -> Response:
    """Register an agent, or give one another content: the same content is the same version, a change the next."""
    services = services_of(request)
    agent = services.agents.directory.read(await read_json(request), source="api")
    return _registered(services, *await services.agents.directory.register(agent))


@router.get(
    "/agents/{reference}",
    operation_id="get_agent",
    response_model=AgentAnswer,
    responses={**_NOT_FOUND, 200: example(examples_agents.AGENT)},
)
async def one(reference: str, request: Request) -> Response:
    """An agent, by `name` (the current version) or `name@version` (any that there ever was)."""
    services = services_of(request)
    await _refresh(services)
    return _shown(services, await _find(services, reference))


@router.patch(
    "/agents/{reference}",
    operation_id="change_agent",
    response_model=AgentAnswer,
    responses={
        **problems(409, 404, 400, 413, **_TAKEN),
        **_NOT_FOUND,
        **problems(422, invalid_agent="/tags: should be a list"),
        200: example(examples_agents.AGENT),
    },
    openapi_extra=agent_body(
        {**documents.SCHEMA, "title": "Change of an agent", "required": []}, examples_agents.CHANGE
    ),
)
async def change(reference: str, request: Request) -> Response:
    """Change what is given of an agent and leave the rest; with `name@version` only while that is the current version."""
    services = services_of(request)
    given = await read_json(request)
    if not isinstance(given, dict):
        raise InvalidAgent([Problem("", "should be an object")])
    await _refresh(services)
    name, version = _parsed(reference)
    record = await _find(services, name)
    changes = cast("dict[str, Any]", given)
    if changes.get("name", name) != name:
        raise InvalidAgent([Problem("/name", "a name stays: register another agent")])
    agent = services.agents.directory.read({**documents.document(record.agent), **changes}, source="api")
    expected = version or record.agent.version
    changed, _ = await services.agents.directory.register(agent, expected=expected)
    return _shown(services, changed)


@router.delete(
    "/agents/{reference}",
    operation_id="delete_agent",
    response_model=DeletedAgentAnswer,
    responses={**problems(409, **_TAKEN), **_NOT_FOUND, 200: example(examples_agents.DELETED)},
)
async def delete(reference: str, request: Request) -> Response:
    """Take an agent away; its versions and events stay. With `name@version` only while that is the current version."""
    services = services_of(request)
    name, version = _parsed(reference)
    record = await services.agents.directory.delete(name, expected=version)
    if record is None:
        raise _no_agent(reference)
    return answer({"name": name, "version": record.agent.version, "deleted": True})


@router.get(
    "/agents/{name}/health",
    operation_id="agent_health",
    response_model=AgentHealthAnswer,
    responses={**problems(422), **_NOT_FOUND, 200: example(examples_agents.HEALTH)},
)
async def health(name: str, request: Request, query: Annotated[AgentHealthQuery, FromQuery()]) -> Response:
    """How an agent does: what came of its attempts in all processes over the last `window` (15 minutes), how long they took."""
    services = services_of(request)
    await _refresh(services)
    record = await _find(services, name, current=True)
    window = timedelta(seconds=query.window)
    tally = await services.agents.health(name, window)
    return answer(views.health_document(record, _breaker(services, name), tally, window))


@router.post(
    "/agents/{name}/disable",
    operation_id="disable_agent",
    response_model=AgentAnswer,
    responses={**problems(400, 413, 422), **_NOT_FOUND, 200: example(examples_agents.DISABLED)},
    openapi_extra=body(DisableAgentRequest, {"reason": "it costs too much"}, required=False),
)
async def disable(name: str, request: Request) -> Response:
    """Let no step of this agent through until it is enabled: its steps wait, and none fails by it."""
    services = services_of(request)
    wanted = await read(request, DisableAgentRequest, empty=True)
    await _refresh(services)
    record = await _find(services, name, current=True)
    await services.breakers.open(name, DISABLED + (wanted.reason or "by hand"), None)
    return _shown(services, record)


@router.post(
    "/agents/{name}/enable",
    operation_id="enable_agent",
    response_model=AgentAnswer,
    responses={**problems(400, 413, 422), **_NOT_FOUND, 200: example(examples_agents.AGENT)},
    openapi_extra=body(EnableAgentRequest, {}, required=False),
)
async def enable(name: str, request: Request) -> Response:
    """Let the steps of this agent through again, a few at first: its circuit breaker closes."""
    services = services_of(request)
    await read(request, EnableAgentRequest, empty=True)
    await _refresh(services)
    record = await _find(services, name, current=True)
    await services.breakers.close(name)
    return _shown(services, record)


@router.get(
    "/agents/{name}/events",
    operation_id="agent_events",
    response_model=AgentEventsAnswer,
    responses={**problems(422), **_NOT_FOUND, 200: example(examples_agents.EVENTS)},
)
async def events(name: str, request: Request, query: Annotated[Page, FromQuery()]) -> Response:
    """What has happened to an agent, newest first: registered, changed, deleted, disabled, enabled."""
    services = services_of(request)
    known, _ = _parsed(name)
    before = cursors.created(query.cursor)
    found = await services.agents.directory.events(known, before=before, limit=query.limit + 1)
    if not found and before is None and services.agents.directory.find(known) is None:
        raise _no_agent(name)
    page = found[: query.limit]
    cursor = cursors.encode(page[-1].at.isoformat(), page[-1].id) if len(found) > query.limit else None
    return answer({"events": [views.event_document(one) for one in page], "next_cursor": cursor})


async def _refresh(services: Services) -> None:
    await services.agents.directory.refresh()
    await services.breakers.refresh()


def _wanted(query: AgentsQuery, record: AgentRecord, breaker: BreakerRecord) -> bool:
    agent = record.agent
    return (
        query.kind in (None, agent.kind)
        and (query.tag is None or query.tag in agent.tags)
        and query.enabled in (None, not breaker.disabled)
    )


def _parsed(reference: str) -> tuple[str, int | None]:
    """The name and the version in a reference.  Raises NotFound for what cannot be one."""
    match = _REFERENCE.match(reference)
    if match is None:
        raise _no_agent(reference)
    return match["name"], int(match["version"]) if match["version"] else None


async def _find(services: Services, reference: str, *, current: bool = False) -> AgentRecord:
    """The agent, `current`: only by its name.  Raises NotFound."""
    name, version = _parsed(reference)
    directory = services.agents.directory
    record = directory.record(name)
    if version is not None and (record is None or record.agent.version != version):
        record = await directory.version(name, version)
    if record is None or (current and version is not None):
        raise _no_agent(reference)
    return record


def _no_agent(reference: str) -> NotFound:
    return NotFound(f"no agent {reference[:200]!r}", code="agent_not_found")


def _breaker(services: Services, name: str) -> BreakerRecord:
    return services.breakers.find(name) or BreakerRecord(agent=name)


def _registered(services: Services, record: AgentRecord, changed: bool) -> Response:
    where = {"Location": f"/api/agents/{record.agent.name}@{record.agent.version}"}
    return answer(_document(services, record), 201 if changed else 200, where)


def _shown(services: Services, record: AgentRecord) -> Response:
    return answer(_document(services, record))


def _document(services: Services, record: AgentRecord) -> dict[str, Any]:
    directory = services.agents.directory
    faults, loaded = directory.problems(record.agent), directory.is_here(record)
    return views.agent_document(record, _breaker(services, record.agent.name), faults, loaded=loaded)
