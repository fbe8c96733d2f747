"""Threads and workflow definitions as resources, for whoever puts them into a model's context."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

from app.mcp_server.calling import Document, Refused

if TYPE_CHECKING:
    from app.client import Backstitch

_URI: Final = re.compile(
    r"backstitch://(?P<of>threads|workflows)(?:/(?P<name>[^/]+)(?:/(?P<part>history|state)(?:/(?P<version>[0-9]{1,9}))?)?)?\Z"
)
_RECENT: Final = 20
_LISTED: Final = 50
_MOST: Final = 1_000_000
"""Characters of one resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A resource, or a template of some."""

    uri: str
    name: str
    description: str


LISTS: Final = (
    Entry(uri="backstitch://threads", name="threads", description="The newest executions of all threads"),
    Entry(uri="backstitch://workflows", name="workflows", description="The registered workflows"),
)
TEMPLATES: Final = (
    Entry(
        uri="backstitch://threads/{thread_id}",
        name="thread",
        description="Where a thread stands: status, steps, output, error",
    ),
    Entry(
        uri="backstitch://threads/{thread_id}/history",
        name="thread history",
        description="The versions of a thread, oldest first",
    ),
    Entry(
        uri="backstitch://threads/{thread_id}/state",
        name="thread state",
        description="The whole state of a thread: input, context, every step's output",
    ),
    Entry(
        uri="backstitch://threads/{thread_id}/state/{version}",
        name="thread state at a version",
        description="The whole state of a thread at one of its versions",
    ),
    Entry(
        uri="backstitch://workflows/{name}",
        name="workflow",
        description="A registered workflow with its document: `name`, or `name@version`",
    ),
)


async def listed(service: Backstitch) -> list[Entry]:
    """The lists, the newest threads, the workflows.  Raises ClientError."""
    executions = await service.executions(limit=_RECENT)
    workflows = await service.request("GET", "/api/workflows", params={"limit": _LISTED})
    threads = {one["thread_id"]: one for one in reversed(executions["executions"])}
    found = [
        Entry(
            uri=f"backstitch://threads/{quote(name, safe='')}",
            name=name,
            description=f"{one['workflow']}: {one['status']}, begun {one['created_at']}",
        )
        for name, one in reversed(threads.items())
    ]
    definitions = [
        Entry(
            uri=f"backstitch://workflows/{quote(one['name'], safe='')}",
            name=one["name"],
            description=one.get("description") or f"A workflow of {len(one['steps'])} steps",
        )
        for one in workflows["workflows"]
    ]
    return [*LISTS, *definitions, *found]


async def read(service: Backstitch, uri: str) -> Document:
    """The document behind a uri.  Raises Refused (resource_not_found), ClientError."""
    found = _URI.match(uri)
    if found is None or (found["of"] == "workflows" and found["part"] is not None):
        raise Refused("resource_not_found", f"no resource {uri[:200]!r}")
    if found["name"] is None:
        return await _list(service, found["of"])
    name = quote(unquote(found["name"]), safe="")
    if name in {".", ".."}:  # another place in a path
        raise Refused("resource_not_found", f"no resource {uri[:200]!r}")
    if found["of"] == "workflows":
        return await service.request("GET", f"/api/workflows/{name}")
    return await _thread(service, name, found["part"], found["version"])


async def _list(service: Backstitch, of: str) -> Document:
    if of == "threads":
        return await service.executions(limit=_LISTED)
    return await service.request("GET", "/api/workflows", params={"limit": 1000})


async def _thread(service: Backstitch, name: str, part: str | None, version: str | None) -> Document:
    where = f"/api/invoke/history/{name}"
    if part is None:
        return await service.request("GET", f"/api/invoke/status/{name}")
    if part == "history":
        return await service.request("GET", where, params={"limit": 1000})
    head: Any = version
    if head is None:
        head = (await service.request("GET", f"/api/invoke/status/{name}"))["version"]
    return await service.request("GET", f"{where}/{head}")


def bounded(text: str, uri: str) -> str:
    """The text, if it is not too long for a model.  Raises Refused."""
    if len(text) > _MOST:
        message = f"{uri} has {len(text):,} characters; at most {_MOST:,} are given as a resource: use the HTTP API"
        raise Refused("resource_too_large", message)
    return text
