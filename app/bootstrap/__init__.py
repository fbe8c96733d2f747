"""Wires the service: settings in, running services out, in one exit stack; nothing is made at import."""

from __future__ import annotations

import gc
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from app.bootstrap.code import load_code, register_workflows
from app.bootstrap.config import LiveSettings
from app.bootstrap.engine import open_engine
from app.bootstrap.services import Services
from app.bootstrap.stores import open_store
from app.bootstrap.watching import learn_secrets
from app.domain.errors import StartupError
from app.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

__all__ = ["Services", "Settings", "open_services"]


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncGenerator[Services]:
    """The services, until the block ends.  Raises StartupError with one line."""
    with _bare_startup_errors():
        async with AsyncExitStack() as stack:
            learn_secrets(settings)
            code = load_code(settings)
            store = await open_store(settings, stack)
            config = LiveSettings(settings, store.config)
            await config.open()
            services = await open_engine(config, store, code, stack)
            await register_workflows(settings, code, services.control)
            yield services


@contextmanager
def _bare_startup_errors() -> Generator[None]:
    """A StartupError comes out of the task groups as it was raised."""
    try:
        yield
    except BaseExceptionGroup as group:
        found = group.subgroup(StartupError)
        if found is None:
            raise
        error: BaseException = found
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


def tune_garbage_collector() -> None:
    """For a process that does nothing but serve: collect seldom, and never look at what start-up made.

    A step leaves few cycles behind, and a collection walks every thread in memory: at 1,000 in flight the default
    thresholds cost a fifth of all CPU time (docs/benchmarks.md).
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    gc.enable()
