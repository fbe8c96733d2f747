"""What work has cost: sums over step runs by agent, workflow and day."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples_steps
from app.api.answers import answer
from app.api.openapi import example, problems
from app.api.requests import UsageQuery
from app.api.schemas_steps import UsageAnswer
from app.api.services import services_of
from app.domain.usage import GROUPS, UsageFilter, UsageSum
from app.domain.views.common import when

if TYPE_CHECKING:
    from collections.abc import Sequence

router: Final = APIRouter(tags=["usage"])


@router.get(
    "/usage",
    operation_id="usage",
    response_model=UsageAnswer,
    response_model_exclude_unset=True,
    responses={**problems(422), 200: example(examples_steps.USAGE)},
)
async def usage(request: Request, query: Annotated[UsageQuery, FromQuery()]) -> Response:
    """What the step runs that ended in since <= time < until have cost; `total` is that of all, whatever the page."""
    reads, by = services_of(request).reads, list(dict.fromkeys(query.by.split(","))) if query.by else []
    whole = UsageFilter(since=query.since, until=query.until, limit=1)
    found: list[UsageSum] = []
    if by:
        after = None if query.cursor is None else tuple(cursors.decode(query.cursor, str, str, str))
        where = replace(whole, by=frozenset(by), after=after, limit=query.limit + 1)
        found = await reads.usage(where)
    total = await reads.usage(whole)
    page = found[: query.limit]
    return answer(
        {
            "by": by,
            "since": when(query.since),
            "until": when(query.until),
            "usage": [_entry(one, by) for one in page],
            "total": _spent(total[0] if total else UsageSum()),
            "next_cursor": cursors.encode(*page[-1].key) if len(found) > query.limit else None,
        }
    )


def _entry(one: UsageSum, by: Sequence[str]) -> dict[str, Any]:
    """A step run that no agent did has none."""
    names = {name: value or None for name, value in zip(GROUPS, one.key, strict=True) if name in by}
    return {**names, **_spent(one)}


def _spent(one: UsageSum) -> dict[str, Any]:
    return {"step_runs": one.step_runs, **one.usage.value()}
