"""What Python code registers: functions, agents, graphs and workflows, of MODULES, of installed packages, of the examples."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from app.domain.document_code import document_of
from app.domain.errors import BackstitchError, StartupError
from app.runners.graphs import Graphs, load_graphs
from app.runners.registration import GROUP, Functions, load_entry_points, load_modules

if TYPE_CHECKING:
    from app.domain.agents import Agent
    from app.engine.control import Control
    from app.settings import Settings


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
    from app.examples import content_strategy, release_notes  # noqa: PLC0415

    files = [content_strategy.DOCUMENT, release_notes.DOCUMENT]
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
    for found in code.functions.workflows():
        mark = found.registration
        document = document_of(mark.name, found.call, input_schema=mark.input_schema, limits=mark.limits)
        try:
            await control.register_code(document)
        except BackstitchError as error:
            raise StartupError(f"the workflow {mark.name} cannot be registered: {error}") from error
