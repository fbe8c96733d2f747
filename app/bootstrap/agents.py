"""Wires the agents: the directory, the folder of files, what is counted of them, and what each tells the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.domain.hints import Hint
from app.engine.agent_folder import AgentFolder
from app.engine.agents import Directory
from app.telemetry.series import Series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from app.bootstrap.stores import Store
    from app.domain.agents import Agent, AgentKind
    from app.domain.errors import Problem
    from app.domain.metrics import Tally
    from app.engine.breaker import Breakers
    from app.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDesk:
    """All of the agents, as the API asks for it."""

    directory: Directory
    series: Series
    folder: AgentFolder | None

    def files(self) -> list[tuple[str, list[Problem]]]:
        """The files in AGENTS_DIR that are refused here, each with what is wrong with it."""
        return [] if self.folder is None else self.folder.problems()

    async def health(self, agent: str, window: timedelta) -> Tally:
        """What came of an agent's attempts.  Raises Unavailable."""
        return await self.series.over(agent, window)

    async def open(self) -> None:
        """Register what stands in the code and in files.  Raises StartupError, Unavailable."""
        await self.directory.open()
        if self.folder is not None:
            await self.folder.open()


def agent_directory(store: Store, kinds: Mapping[str, AgentKind], known: Sequence[tuple[Agent, str]]) -> Directory:
    """The directory, with the agents that stand in code; it tells the others of its changes."""
    directory, hints = Directory(store.agents, kinds, known), store.stores.hints
    directory.changed = lambda: hints.tell(Hint(sender=hints.sender, agents=True))
    return directory


def agent_desk(settings: Settings, store: Store, directory: Directory, breakers: Breakers) -> AgentDesk:
    """All of it, not yet open."""
    series = Series(store.metrics, directory, breakers.now)
    breakers.outcomes = series.attempt
    folder = AgentFolder(settings.agents_dir, directory) if settings.agents_dir is not None else None
    return AgentDesk(directory=directory, series=series, folder=folder)
