"""What Python code registers: functions, agents, graphs and workflows, of MODULES, of installed packages, of the examples."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final

from app.domain.document_code import document_of
from app.domain.errors import BackstitchError, InvalidWorkflow, StartupError
from app.runners.graphs import Graphs, load_graphs
from app.runners.registration import GROUP, Functions, load_entry_points, load_modules

if TYPE_CHECKING:
    from pathlib import Path

    from app.domain.agents import Agent
    from app.engine.control import Control
    from app.settings import Settings

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """All that this process can call by a name."""

    functions: Functions
    graphs: Graphs

    def agents(self) -> list[tuple[Agent, str]]:
        """The agents that stand in code, each with where."""
        return [*self.functions.agents(), *self.graphs.agents()]


def load_code(settings: Settings) -> Code:
    """Import it.  Raises StartupError in one line."""
    from app.examples import content_strategy, release_notes  # noqa: PLC0415 - their libraries load with their steps

    functions = load_modules(settings.modules)
    load_entry_points(functions, entry_points(group=GROUP))
    for doer in [*content_strategy.agents(), *release_notes.doers()]:
        functions.add(doer, give_way=True)
    return Code(functions=functions, graphs=load_graphs(settings.modules))


async def register_workflows(settings: Settings, code: Code, control: Control) -> None:
    """The examples, the documents in WORKFLOWS_DIR, and the workflows in Python.  Raises StartupError that names the source."""
    await _register_examples(control)
    for file in _files(settings.workflows_dir) if settings.workflows_dir is not None else ():
        try:
            await _register_text(file.read_text(encoding="utf-8"), file.name, control)
        except Exception as error:
            raise StartupError(f"{file.name} is not a workflow that can run: {error}") from error
    for found in code.functions.workflows():
        mark = found.registration
        document = document_of(
            mark.name, found.call, input_schema=mark.input_schema, limits=mark.limits, checkpoint=mark.checkpoint
        )
        try:
            await control.register_code(document)
        except BackstitchError as error:
            raise StartupError(f"the workflow {mark.name} cannot be registered: {error}") from error


async def _register_examples(control: Control) -> None:
    from app.examples import content_strategy, release_notes  # noqa: PLC0415

    for file in (content_strategy.DOCUMENT, release_notes.DOCUMENT):
        try:
            await control.register(file.read_text(encoding="utf-8"))
        except InvalidWorkflow as error:  # an agent that took the place of the example's may be unfit
            _log.warning("the example %s cannot run: %s", file.stem, error)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml", ".json"))
    except OSError as error:
        raise StartupError(f"WORKFLOWS_DIR cannot be read: {error.strerror}: {folder}") from error


async def _register_text(text: str, name: str, control: Control) -> None:
    """One that has been registered before and cannot run now, for want of an agent or its key, keeps nobody from starting."""
    try:
        await control.register(text)
    except InvalidWorkflow as error:
        if not await control.is_registered(text):
            raise
        _log.warning("the workflow of %s cannot run now: %s", name, error)
