"""What `doctor` says of a service that runs: whether it answers, and how its parts are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx

from app.cli.doctor_findings import Finding, ok, problem, skipped, warning
from app.client import ApiError, Backstitch, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator

PART: Final = "service"


async def service(url: str) -> tuple[list[Finding], bool]:
    """How the service at `url` is, and whether there is one."""
    try:
        async with Backstitch(url, timeout=10, retry_for=0) as asked:
            found = await asked.health()
    except (UnreachableError, ValueError, httpx.InvalidURL) as error:  # the latter of an address that is none
        return [skipped(PART, f"nothing answers at {url} ({error}): start it with `backstitch serve`")], False
    except ApiError as error:
        if "parts" not in error.problem:
            told = f"what answers at {url} is no Backstitch (HTTP {error.status})"
            return [problem(PART, told, "name the service with --url, or end the other program")], False
        found = error.problem
    return list(_judged(url, found)), True


def _judged(url: str, found: dict[str, Any]) -> Iterator[Finding]:
    parts: dict[str, dict[str, Any]] = found.get("parts") or {}
    bad = {name: part for name, part in parts.items() if part.get("status") != "ready"}
    if found.get("status") == "ready" or not bad:
        kept = "" if found.get("durable") else ", and keeps nothing: its journal is in memory"
        yield ok(PART, f"the service at {url} is {found.get('status')}{kept}")
    for name, part in bad.items():
        told = f"{name} of the service at {url} is {part.get('status')}: {part.get('detail') or 'it does not say why'}"
        if part.get("status") == "unavailable":
            yield problem(PART, told, "see its log; docs/debugging.md says where to look")
        else:
            yield warning(PART, told, "it works; mend what it says when you can")
