"""The settings as they are, changing those that take effect at once, and what has changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors
from app.api import examples_policies as examples
from app.api.answers import answer
from app.api.openapi import agent_body, example, problems
from app.api.parsing import read_json
from app.api.requests_policies import ByQuery, ConfigChangesQuery
from app.api.schemas_policies import ConfigAnswer, ConfigChangedAnswer, ConfigChangesAnswer
from app.api.services import services_of
from app.domain.errors import InvalidRequest, Problem
from app.domain.views.common import when

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.domain.config import ConfigChange

router: Final = APIRouter(tags=["config"])
_CHANGED: Final = {"changes": [examples.CHANGE]}


@router.get(
    "/config",
    operation_id="config",
    response_model=ConfigAnswer,
    responses={**problems(), 200: example(examples.CONFIG)},
)
async def config(request: Request) -> Response:
    """All settings as they are now, where each comes from, and which can be changed while the service runs."""
    found = services_of(request).config.shown()
    shown = [
        {"name": one.name, "value": one.value, "source": one.source, "reloadable": one.reloadable} for one in found
    ]
    return answer({"settings": shown})


@router.put(
    "/config",
    operation_id="change_config",
    response_model=ConfigChangedAnswer,
    responses={
        **problems(422, 400, 413, invalid_request="/port: takes a restart to change"),
        200: example(_CHANGED),
    },
    openapi_extra=agent_body({"type": "object", "minProperties": 1}, {"log_level": "debug"}),
)
async def change(request: Request, query: Annotated[ByQuery, FromQuery()]) -> Response:
    """Set some of the reloadable ones, by name, for every process on this database: all of them or none."""
    given = await read_json(request)
    if not isinstance(given, dict) or not given:
        problem = Problem("", "should be an object with at least one setting")
        raise InvalidRequest("the body is no object of settings", problems=[problem])
    values = {_plain(name): value for name, value in cast("dict[str, Any]", given).items()}
    if len(values) < len(cast("dict[str, Any]", given)):
        problem = Problem("", "should name each setting once")
        raise InvalidRequest("a setting is named twice, in two ways", problems=[problem])
    return answer({"changes": _told(await services_of(request).config.change(values, query.by))})


@router.delete(
    "/config/{name}",
    operation_id="reset_config",
    response_model=ConfigChangedAnswer,
    responses={
        **problems(404, 422, setting_not_found="'log_level' is not set over the API"),
        200: example(_CHANGED),
    },
)
async def reset(name: str, request: Request, query: Annotated[ByQuery, FromQuery()]) -> Response:
    """Take back what was set over the API: the environment, the file or the default hold again."""
    return answer({"changes": _told(await services_of(request).config.drop(_plain(name), query.by))})


@router.get(
    "/config/changes",
    operation_id="config_changes",
    response_model=ConfigChangesAnswer,
    responses={**problems(422), 200: example({**_CHANGED, "next_cursor": None})},
)
async def changes(request: Request, query: Annotated[ConfigChangesQuery, FromQuery()]) -> Response:
    """What has changed while the service ran, newest first: when, from what to what, by whom."""
    found = await services_of(request).config.changes(cursors.created(query.cursor), query.limit + 1)
    page = found[: query.limit]
    last = page[-1] if len(found) > query.limit else None
    cursor = None if last is None else cursors.encode(last.at.isoformat(), last.id)
    return answer({"changes": _told(page), "next_cursor": cursor})


def _plain(name: str) -> str:
    """`logLevel` and LOG_LEVEL are log_level."""
    return (name if name.isupper() else re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name)).lower()


def _told(found: Sequence[ConfigChange]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.id,
            "at": when(one.at),
            "name": one.name,
            "old": one.old,
            "new": one.new,
            "source": one.source,
            "by": one.by,
        }
        for one in found
    ]
