"""Wires the service: settings in, running services out, in one exit stack; nothing is made at import."""

from __future__ import annotations

import gc
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from app.bootstrap.engine import Services, open_engine
from app.bootstrap.stores import open_store
from app.domain.errors import StartupError
from app.runners.registration import GROUP, Functions, load_entry_points, load_modules
from app.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from app.engine.control import Control

__all__ = ["Services", "Settings", "open_services"]


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncGenerator[Services]:
    """The services, until the block ends.  Raises StartupError with one line."""
    with _bare_startup_errors():
        async with AsyncExitStack() as stack:
            functions = load_functions(settings)
            store = await open_store(settings, stack)
            services = await open_engine(settings, store, functions, stack)
            await _register_workflows(settings, services.control)
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
    """For a process that does nothing but serve: collect seldom, and never look again at what start-up made.

    A step leaves few cycles behind, and a collection walks every thread in memory: at 1,000 in flight the default
    thresholds cost a fifth of all CPU time (docs/benchmarks.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def load_functions(settings: Settings) -> Functions:
    """The functions and agents of MODULES, of installed packages, and of the example.  Raises StartupError."""
    from app.examples import content_strategy  # noqa: PLC0415 - its libraries load with its steps

    functions = load_modules(settings.modules)
    load_entry_points(functions, entry_points(group=GROUP))
    for agent in content_strategy.agents():
        functions.add(agent, give_way=True)
    return functions


async def _register_workflows(settings: Settings, control: Control) -> None:
    """The example, and the documents in WORKFLOWS_DIR.  Raises StartupError that names the file."""
    from app.examples import content_strategy  # noqa: PLC0415

    files = [content_strategy.DOCUMENT]
    if settings.workflows_dir is not None:
        try:
            files += sorted(p for p in settings.workflows_dir.iterdir() if p.suffix in (".yaml", ".yml", ".json"))
        except OSError as error:
            raise StartupError(f"WORKFLOWS_DIR cannot be read: {error.strerror}: {settings.workflows_dir}") from error
    for file in files:
        try:
            await control.register(file.read_text(encoding="utf-8"))
        except Exception as error:
            raise StartupError(f"{file.name} is not a workflow that can run: {error}") from error
