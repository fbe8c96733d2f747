"""Routes at the paths where they are served.

A router that is included has FastAPI work out all its routes a second time, at the first request: half of what a start costs.
What it knows of a function does not depend on the prefix, so a route that is placed here shares it with the one it is made of.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from fastapi.routing import APIRoute
from fastapi.utils import generate_unique_id
from starlette.routing import compile_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastapi import APIRouter
    from starlette.routing import BaseRoute


def placed(routers: Iterable[APIRouter], prefix: str = "", *, shown: bool = True) -> list[BaseRoute]:
    """The routes of the routers below `prefix`; the OpenAPI document has those that are `shown`."""
    return [_placed(route, prefix, shown=shown) for router in routers for route in router.routes]


def _placed(route: BaseRoute, prefix: str, *, shown: bool) -> BaseRoute:
    assert isinstance(route, APIRoute), f"{route} is not a route of FastAPI: add it to the application itself"
    made = copy.copy(route)
    made.path = prefix + route.path
    made.path_regex, made.path_format, made.param_convertors = compile_path(made.path)
    made.include_in_schema = shown and route.include_in_schema
    made.unique_id = made.operation_id or generate_unique_id(made)
    return made
