"""What `doctor` says of what the service would run: modules, agents, workflows, loaded as it loads them, into memory."""

from __future__ import annotations

import logging
import sys
from contextlib import AsyncExitStack, redirect_stdout
from typing import TYPE_CHECKING, Final

from app.cli.doctor_findings import Finding, ok, problem, warning
from app.domain.errors import BackstitchError, StartupError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.bootstrap import Services
    from app.settings import Settings

PART: Final = "code"
_SUFFIXES: Final = (".yaml", ".yml", ".json")


async def code(settings: Settings) -> list[Finding]:
    """All of it.  It imports what MODULES names, and starts MCP servers for a moment, as the service does."""
    from app.bootstrap import open_services  # noqa: PLC0415 - the engine is for this part alone

    changed = {"checkpoint_enabled": False, "workflows_dir": None, "kill_point": None}
    quiet = settings.model_copy(update=changed)
    logging.disable(logging.ERROR)
    try:
        with redirect_stdout(sys.stderr):  # a module that prints must not spoil --json
            async with AsyncExitStack() as stack:
                services = await stack.enter_async_context(open_services(quiet))
                return [*_agents(settings, services), *await _workflows(settings, services)]
    except StartupError as error:
        return [problem(PART, str(error), "mend that: the service does not start with it")]
    finally:
        logging.disable(logging.NOTSET)


def _agents(settings: Settings, services: Services) -> Iterator[Finding]:
    modules = ", ".join(settings.modules) or "none are named"
    yield ok(PART, f"the modules load ({modules}); {len(services.agents.directory.names())} agents in code and files")
    for name, problems in services.agents.files():
        told = "; ".join(f"{one.pointer} {one.message}".strip() for one in problems)
        yield problem(
            PART, f"the agent in {name} is refused: {told}", "mend the file: it counts as soon as it is saved"
        )


async def _workflows(settings: Settings, services: Services) -> list[Finding]:
    folder = settings.workflows_dir
    if folder is None:
        return []
    try:
        texts = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in _SUFFIXES}
    except OSError as error:
        told = f"WORKFLOWS_DIR cannot be read: {error.strerror}: {folder}"
        return [problem(PART, told, "make it, or mend WORKFLOWS_DIR")]
    found = [finding for name, raw in texts.items() if (finding := await _workflow(name, raw, services)) is not None]
    return found or [ok(PART, f"what is in {folder} can run: {len(texts)} workflows")]


async def _workflow(name: str, raw: bytes, services: Services) -> Finding | None:
    try:
        await services.control.register(raw.decode())
    except UnicodeDecodeError:
        return problem(PART, f"{name} is not UTF-8", "mend the file: the service does not start with it")
    except BackstitchError as error:
        told = f"{name} is not a workflow that can run: {error}"
        if "/agent" in str(error):
            advice = "name an agent that there is; one that was registered over the API is not seen from here"
            return warning(PART, told, advice)
        return problem(PART, told, "mend the file: the service does not start with it")
    return None
