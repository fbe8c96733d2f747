"""Routes at the paths where they are served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from starlette.routing import Match

from app.api.app import create_app

if TYPE_CHECKING:
    from starlette.types import Scope


def never(*_: Any, **__: Any) -> NoReturn:
    raise AssertionError("this was known")


@pytest.mark.parametrize(
    "path", ["/api/threads", "/api/invoke/status/one", "/invoke/status/one", "/langgraph/ok", "/langgraph/threads/one"]
)
def test_a_request_finds_its_route_without_any_being_worked_out_again(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("fastapi.routing.get_dependant", never)
    scope: Scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
    found = [route.matches(scope)[0] for route in create_app(never).router.routes]
    assert found.count(Match.FULL) == 1
