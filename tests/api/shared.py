"""One application for all tests of a process: making it takes a tenth of a second, and its lifespan opens all that it keeps."""

from __future__ import annotations

from contextlib import nullcontext
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

from app.api.app import create_app

if TYPE_CHECKING:
    from fastapi import FastAPI

_services: ContextVar[Any] = ContextVar("services")


def app_of(services: Any) -> FastAPI:
    """The application; a lifespan that begins next in this context is over these services."""
    _services.set(services)
    return _app()


@cache
def _app() -> FastAPI:
    return create_app(lambda: nullcontext(_services.get()))
