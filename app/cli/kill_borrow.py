"""What only the user's own service knows, agents and workflows registered over its API, lent to the one of `verify`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from app.cli.kill_verdict import Hopeless
from app.client import ApiError, Backstitch, UnreachableError
from app.client.agents import Agents

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

_AGENT: Final = ("name", "kind", "description", "config", "input", "output", "tags")
_MISSING: Final = frozenset({"workflow_not_found", "invalid_workflow"})


async def borrow(error: ApiError, origin: str, to: Backstitch, workflow: str | dict[str, Any]) -> str | dict[str, Any]:
    """What to start in place of `workflow`, which was refused with `error`, once the service at `origin` has lent what it has.

    Raises `error`, or Hopeless, when that does not help.
    """
    if error.code not in _MISSING:
        raise error
    async with Backstitch(origin, timeout=5, retry_for=0) as lender:
        try:
            found: str | dict[str, Any] = workflow
            if isinstance(workflow, str):
                found = await _document(lender, workflow)
            async for agent in _agents(lender):
                with suppress(ApiError):
                    await Agents(to).register(agent)
            async for name in _names(lender):
                with suppress(
                    ApiError
                ):  # a workflow in Python cannot be lent; what was wanted is started as a document
                    await to.request("POST", "/api/workflows", json=await _document(lender, name))
        except (ApiError, UnreachableError):
            raise _refused(error, workflow) from None
    if isinstance(found, dict) and "code" in found:
        raise _refused(error, workflow)
    return found


def _refused(error: ApiError, workflow: str | dict[str, Any]) -> Exception:
    if not isinstance(workflow, str):
        return error
    where = "WORKFLOWS_DIR (--workflows-dir) or MODULES (--modules), or with the service at --url"
    return Hopeless(f"there is no workflow {workflow} here: it has to be in {where}")


async def _document(lender: Backstitch, reference: str) -> dict[str, Any]:
    return (await lender.request("GET", f"/api/workflows/{quote(reference, safe='@')}"))["document"]


async def _agents(lender: Backstitch) -> AsyncIterator[dict[str, Any]]:
    """Those that stand neither in code nor in a file."""
    async for one in Agents(lender).list():
        if one["source"] == "api":
            whole: Mapping[str, Any] = await Agents(lender).show(one["name"])
            yield {name: whole[name] for name in _AGENT if whole.get(name) is not None}


async def _names(lender: Backstitch) -> AsyncIterator[str]:
    cursor: str | None = None
    while True:
        page = await lender.request("GET", "/api/workflows", params={"limit": 1000, "cursor": cursor})
        for one in page["workflows"]:
            yield one["name"]
        cursor = page["next_cursor"]
        if cursor is None:
            return
