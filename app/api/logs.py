"""The log entries that are kept: of the engine, of agents, of functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples_look
from app.api.answers import answer
from app.api.openapi import example, problems
from app.api.requests_look import LogsQuery
from app.api.schemas_look import LogsAnswer
from app.api.services import services_of
from app.domain.logs import LEVELS, LogFilter, level_name
from app.domain.views.common import raw, when

if TYPE_CHECKING:
    from app.domain.logs import LogEntry

router: Final = APIRouter(tags=["look back"])


@router.get(
    "/logs",
    operation_id="list_logs",
    response_model=LogsAnswer,
    responses={**problems(422), 200: example(examples_look.LOGS)},
)
async def logs(request: Request, query: Annotated[LogsQuery, FromQuery()]) -> Response:
    """Log entries, newest first; a page may be short, or empty: only `next_cursor` null is the end."""
    keeper = services_of(request).logs
    where = LogFilter(
        level=0 if query.level is None else LEVELS[query.level],
        thread_id=query.thread_id,
        step_id=query.step_id,
        agent=query.agent,
        logger=query.logger,
        text=query.text,
        since=query.since,
        until=query.until,
        before=cursors.created(query.cursor),
        limit=query.limit,
    )
    page = await keeper.listed(where)
    return answer(
        {
            "logs": [_document(entry) for entry in page.entries],
            "dropped": keeper.dropped,
            "next_cursor": None if page.next is None else cursors.encode(page.next[0].isoformat(), page.next[1]),
        }
    )


def _document(entry: LogEntry) -> dict[str, Any]:
    place = entry.place
    return {
        "id": entry.id,
        "at": when(entry.at),
        "level": level_name(entry.level),
        "logger": entry.logger,
        "message": entry.message,
        "thread_id": place and place.thread_id,
        "execution_id": (place and place.execution_id) or None,
        "workflow": place and place.workflow,
        "step_id": place and place.step_id,
        "index": place and place.item,
        "attempt": place and place.attempt,
        "agent": place and place.agent,
        "context": raw(entry.context),
        "process": entry.process,
    }
